/** Reads pg_control through pg_controldata of the same version. */
import { MatriarchError } from '../base/index.ts';
import { type ControlData, parseControlData } from './control-data.ts';
import type { Place } from './place.ts';
import { run } from './run.ts';

const DEADLINE_MS = 10_000;

/** Throws `postgres-control-data`: without it nothing may be decided about the directory. */
export async function readControl(place: Place): Promise<ControlData> {
  const result = await run(place, 'pg_controldata', ['-D', place.dataDir], { deadlineMs: DEADLINE_MS });
  const parsed = result.ok
    ? parseControlData(result.stdout)
    : { ok: false as const, because: result.because };
  if (parsed.ok) return parsed.value;
  throw new MatriarchError('postgres-control-data', `${place.dataDir}: ${parsed.because}`);
}

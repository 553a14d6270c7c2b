/**
 * Reads pg_control through pg_controldata of the same version, whose output is kept for as long as the file's bytes are the
 * same: the agent looks every second, and starting a program is by far the dearest part of a look. The file holds a
 * checksum and the time of its last change, so equal bytes are the same state.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { MatriarchError, rethrowBug } from '../base/index.ts';
import { type ControlData, parseControlData } from './control-data.ts';
import type { Place } from './place.ts';
import { run } from './run.ts';

const DEADLINE_MS = 10_000;
/** PG_CONTROL_MAX_SAFE_SIZE: what is written as one sector, and all that means anything. */
const BYTES = 512;

/** Throws `postgres-control-data`: without it nothing may be decided about the directory. */
export type ReadControl = () => Promise<ControlData>;

export function controlReader(place: Place): ReadControl {
  let last: { readonly bytes: Buffer; readonly data: ControlData } | undefined;
  return async () => {
    const bytes = await firstBytes(place);
    if (last !== undefined && bytes?.equals(last.bytes) === true) return last.data;
    const data = await ask(place);
    // Of bytes that have changed meanwhile it is not known which state was printed.
    const after = await firstBytes(place);
    last = after !== undefined && bytes?.equals(after) === true ? { bytes, data } : undefined;
    return data;
  };
}

async function ask(place: Place): Promise<ControlData> {
  const result = await run(place, 'pg_controldata', ['-D', place.dataDir], { deadlineMs: DEADLINE_MS });
  const parsed = result.ok
    ? parseControlData(result.stdout)
    : { ok: false as const, because: result.because };
  if (parsed.ok) return parsed.value;
  throw new MatriarchError('postgres-control-data', `${place.dataDir}: ${parsed.because}`);
}

/** Undefined when they cannot be read: pg_controldata then says why. */
async function firstBytes(place: Place): Promise<Buffer | undefined> {
  try {
    const file = await open(join(place.dataDir, 'global', 'pg_control'));
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(BYTES), 0, BYTES, 0);
      return bytesRead === BYTES ? buffer : undefined;
    } finally {
      await file.close();
    }
  } catch (cause) {
    rethrowBug(cause);
    return undefined;
  }
}

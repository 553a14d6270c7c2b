/** Promotion, as pg_ctl does it: a file and a signal, so that it needs no free connection; then a watch on the server itself. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, describe, pause } from '../base/index.ts';
import { removeFile } from './files.ts';
import type { Place } from './place.ts';
import type { Postmaster } from './postmaster.ts';
import type { Session } from './session.ts';
import type { PromoteOptions, PromoteResult } from './types.ts';

const DEADLINE_MS = 30_000;
const POLL_MS = 20;
const ANSWER_MS = 2000;

export interface PromoteParts {
  readonly place: Place;
  readonly postmaster: Postmaster;
  readonly session: Session;
  readonly clock: Clock;
}

export async function promoteServer(parts: PromoteParts, options: PromoteOptions): Promise<PromoteResult> {
  const { place, postmaster, session, clock } = parts;
  const startedAt = clock.now();
  const trigger = join(place.dataDir, 'promote');
  try {
    if (postmaster.observe().kind !== 'accepting')
      return { outcome: 'failed', because: 'the server does not run' };
    if (!(await isInRecovery(session))) return { outcome: 'promoted', tookMs: clock.now() - startedAt };
    if (!options.stillAllowed()) return { outcome: 'cancelled' };
    // In one breath with the answer: the file alone promotes at the postmaster's next SIGUSR1, whoever sends it.
    writeFileSync(trigger, '');
    if (!postmaster.signal('SIGUSR1')) {
      await removeFile(trigger);
      return { outcome: 'failed', because: 'the server has ended' };
    }
    while (await isInRecovery(session)) {
      if (clock.now() - startedAt > (options.deadlineMs ?? DEADLINE_MS)) {
        return { outcome: 'failed', because: 'the server is still in recovery' };
      }
      await pause(POLL_MS);
    }
    return { outcome: 'promoted', tookMs: clock.now() - startedAt };
  } catch (cause) {
    return { outcome: 'failed', because: describe(cause) };
  }
}

async function isInRecovery(session: Session): Promise<boolean> {
  const rows = await session.ask('SELECT pg_is_in_recovery() AS in_recovery', [], ANSWER_MS);
  return rows[0]?.['in_recovery'] !== false;
}

/**
 * Promotion, as pg_ctl does it: a file and a signal, then a watch on what the server says of itself. The watch has a
 * connection of its own: were it to share one, any other question that timed out would end it, and a promotion taken for
 * failed has the new primary stopped at once.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, describe, type Log, pause } from '../base/index.ts';
import { removeFile } from './files.ts';
import type { Place } from './place.ts';
import type { Postmaster } from './postmaster.ts';
import { Session, type Target } from './session.ts';
import { takeTimelinesBelow } from './taken-timelines.ts';
import type { PromoteOptions, PromoteResult, Role } from './types.ts';

const DEADLINE_MS = 30_000;
const POLL_MS = 20;
const ANSWER_MS = 2000;

export interface PromoteParts {
  readonly place: Place;
  readonly postmaster: Postmaster;
  /** The server itself, as superuser. */
  readonly target: Target;
  readonly clock: Clock;
  readonly log: Log;
}

interface Watch {
  readonly postmaster: Postmaster;
  readonly session: Session;
  readonly clock: Clock;
  readonly endsAt: number;
}

/** Never throws. */
export async function promoteServer(parts: PromoteParts, options: PromoteOptions): Promise<PromoteResult> {
  const { place, postmaster, clock, target, log } = parts;
  const startedAt = clock.now();
  const endsAt = startedAt + (options.deadlineMs ?? DEADLINE_MS);
  const watch = { postmaster, session: new Session(target, log), clock, endsAt };
  const trigger = join(place.dataDir, 'promote');
  const promoted = (): PromoteResult => ({ outcome: 'promoted', tookMs: clock.now() - startedAt });
  try {
    if (postmaster.observe().kind !== 'accepting')
      return { outcome: 'failed', because: 'the server does not run' };
    const before = await awaitRole(watch, () => true);
    if (before === 'primary') return promoted();
    if (before !== 'standby') return { outcome: 'failed', ...before };
    if (options.timeline !== undefined) await takeTimelinesBelow(place, options.timeline);
    if (!options.stillAllowed()) return { outcome: 'cancelled' };
    // In one breath with the answer: the file alone promotes at the postmaster's next SIGUSR1, whoever sends it.
    writeFileSync(trigger, '');
    if (!postmaster.signal('SIGUSR1')) {
      await removeFile(trigger);
      return { outcome: 'failed', because: 'the server has ended' };
    }
    const after = await awaitRole(watch, (role) => role === 'primary');
    return typeof after === 'string' ? promoted() : { outcome: 'failed', ...after };
  } catch (cause) {
    return { outcome: 'failed', because: describe(cause) };
  } finally {
    watch.session.drop('the promotion is over');
  }
}

/** The first answer that is wanted, or why there is none: the server has ended, or the deadline came. A question that fails is asked again. */
async function awaitRole(
  { postmaster, session, clock, endsAt }: Watch,
  isWanted: (role: Role) => boolean,
): Promise<Role | { readonly because: string }> {
  let because = 'the deadline came before the question';
  for (;;) {
    const { kind } = postmaster.observe();
    if (kind === 'stopped' || kind === 'orphans') return { because: 'the server has ended' };
    const leftMs = endsAt - clock.now();
    if (leftMs <= 0) return { because };
    try {
      const role = await askRole(session, Math.min(ANSWER_MS, leftMs));
      if (isWanted(role)) return role;
      because = 'the server is still in recovery';
    } catch (cause) {
      because = describe(cause);
    }
    await pause(POLL_MS);
  }
}

async function askRole(session: Session, deadlineMs: number): Promise<Role> {
  const rows = await session.ask('SELECT pg_is_in_recovery() AS in_recovery', [], deadlineMs);
  return rows[0]?.['in_recovery'] === false ? 'primary' : 'standby';
}

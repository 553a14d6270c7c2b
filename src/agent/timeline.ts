/**
 * The number of the timeline that a promotion begins, taken in the store before it begins. PostgreSQL alone would number
 * it by what it knows itself: a member that was promoted and ended before anybody heard of it would share its number,
 * and not its WAL, with the next one. A number that comes to nothing is not used again.
 */
import { MatriarchError, wholeNumber } from '../base/index.ts';
import type { AgentContext } from './context.ts';
import { putAsLeader } from './leader-write.ts';
import { localServer } from './observe.ts';

const CALL_MS = 1000;

/** Rejects when the key is not ours any more, or with `DcsError`. */
export async function takeTimeline(ctx: AgentContext): Promise<number> {
  const { dcs, layout, state, log } = ctx;
  const key = layout.timeline;
  const entry = await dcs.get(key, { timeoutMs: CALL_MS });
  const taken = wholeNumber(Number(entry?.value)) ?? 0;
  const timeline = Math.max(taken, state.view.newestTimeline, localServer(state).timeline ?? 0) + 1;
  const isTaken = await putAsLeader(
    ctx,
    [{ op: 'put', key, value: String(timeline) }],
    [
      entry === undefined
        ? { key, is: 'absent' }
        : { key, is: 'mod-revision', modRevision: entry.modRevision },
    ],
  );
  if (!isTaken)
    throw new MatriarchError('agent-job-failed', `not promoting: timeline ${timeline} was not ours to take`);
  log.info('timeline-taken', { timeline });
  return timeline;
}

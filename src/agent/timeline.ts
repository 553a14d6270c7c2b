/**
 * The number of the timeline that a promotion begins, taken in the store before it begins. PostgreSQL alone would number
 * it by what it knows itself: a member that was promoted and ended before anybody heard of it would share its number,
 * and not its WAL, with the next one. A number that comes to nothing is not used again.
 */
import { failure, MatriarchError, rethrowBug, wholeNumber } from '../base/index.ts';
import { type Compare, unchanged } from '../dcs/index.ts';
import type { AgentContext } from './context.ts';
import { putAsLeader } from './leader-write.ts';
import { localServer } from './observe.ts';

const CALL_MS = 1000;

/** Rejects when the key is not ours any more, or with `DcsError`. */
export async function takeTimeline(ctx: AgentContext): Promise<number> {
  const { dcs, layout, state, log } = ctx;
  const key = layout.timeline;
  const entry = await dcs.get(key, { timeoutMs: CALL_MS });
  const timeline =
    Math.max(takenTimeline(entry), state.view.newestTimeline, localServer(state).timeline ?? 0) + 1;
  const isTaken = await putAsLeader(
    ctx,
    [{ op: 'put', key, value: String(timeline) }],
    [unchanged(key, entry?.modRevision)],
  );
  if (!isTaken)
    throw new MatriarchError('agent-job-failed', `not promoting: timeline ${timeline} was not ours to take`);
  log.info('timeline-taken', { timeline });
  return timeline;
}

/**
 * For a former primary that may lead again as long as no number behind its own is taken: what must still be so when it takes
 * the key. Undefined: one is taken, or the store does not say. Prevents: a member was promoted, acknowledged writes and ended
 * before anybody heard of it, and the primary before it goes on without them.
 */
export async function numbersAsOurs(ctx: AgentContext): Promise<readonly Compare[] | undefined> {
  const { dcs, layout, state, log } = ctx;
  try {
    const entry = await dcs.get(layout.timeline, { timeoutMs: CALL_MS });
    state.takenTimeline = takenTimeline(entry);
    const own = localServer(state).timeline ?? 0;
    if (own >= state.takenTimeline) return [unchanged(layout.timeline, entry?.modRevision)];
    log.warn('timeline-passed', { own, taken: state.takenTimeline });
  } catch (cause) {
    rethrowBug(cause);
    log.warn('timeline-unknown', failure(cause));
  }
  return undefined;
}

function takenTimeline(entry: { readonly value: string } | undefined): number {
  return wholeNumber(Number(entry?.value)) ?? 0;
}

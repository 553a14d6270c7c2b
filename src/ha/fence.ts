/**
 * The fence: arithmetic and state machine of the promise "PostgreSQL stops before the lease can end".
 *
 * Why it is safe. The store counts a lease's life from the instant it *applies* a keep-alive; we count from the
 * instant we *sent* it, which is earlier. So sentAt + ttl <= the lease's true end, and everything that ends before
 * sentAt + ttl ends before another member can hold the leader key. The fence strikes at sentAt + ttl - margin and
 * needs at most the margin (the plan's last blow is SIGKILL, which PostgreSQL cannot refuse). It uses one monotonic
 * clock, shared by agent and fence process (CLOCK_MONOTONIC), so no step of the wall clock can move it.
 *
 *     idle --arm(deadline)--> armed --now >= deadline--> striking --server gone--> idle
 *      ^                       |  ^ arm(later) moves on      (an arm while striking is refused: a blow begun is finished)
 *      '-------disarm----------'
 *
 * Each rule, and the failure that it prevents:
 * - counted from the sending: an answer delayed in a queue would otherwise make the lease look younger than it is;
 * - a deadline never moves back: a late, reordered or replayed message cannot shorten or restart a fence in error,
 *   and one computed from an old sending cannot lengthen it either, since it is older by its own arithmetic;
 * - a strike is finished: an agent that wakes up from SIGSTOP cannot call it off half-way and leave sessions alive;
 * - disarm only by the agent, only once PostgreSQL is no primary: a dead agent's PostgreSQL never goes unguarded.
 *
 * Limit: CLOCK_MONOTONIC stands still while a machine sleeps (suspend); servers are expected not to.
 */

import { unreachable } from '../base/index.ts';

/** When PostgreSQL must begin to be stopped, for a keep-alive that was sent at `sentAt` and was answered. */
export function fenceDeadline(keepAlive: {
  readonly sentAt: number;
  readonly ttlMs: number;
  readonly marginMs: number;
}): number {
  return keepAlive.sentAt + keepAlive.ttlMs - keepAlive.marginMs;
}

/** Long enough for a fast stop of PostgreSQL. */
const FAST_STOP_MS = 600;

/**
 * How long before its fence would strike an agent steps down by itself, so that a fast stop is tried first. Never longer
 * than the period of the keep-alive: with ttl > margin + keep-alive + this, a healthy leader never gets there.
 */
export function stepDownMs(keepAliveMs: number): number {
  return Math.min(FAST_STOP_MS, keepAliveMs);
}

export type Blow = 'SIGINT' | 'SIGQUIT' | 'SIGKILL';

/** The escalation: fast shutdown, immediate shutdown, then SIGKILL of the postmaster and every child; ends well inside the margin. */
export function strikePlan(marginMs: number): readonly { readonly afterMs: number; readonly blow: Blow }[] {
  return [
    { afterMs: 0, blow: 'SIGINT' },
    { afterMs: Math.floor(marginMs * 0.3), blow: 'SIGQUIT' },
    { afterMs: Math.floor(marginMs * 0.5), blow: 'SIGKILL' },
  ];
}

export type FenceState =
  | { readonly is: 'idle' }
  | { readonly is: 'armed'; readonly deadline: number }
  | { readonly is: 'striking'; readonly deadline: number; readonly nextBlow: number };

export type FenceEvent =
  | { readonly type: 'arm'; readonly deadline: number }
  | { readonly type: 'disarm' }
  | { readonly type: 'tick' }
  | { readonly type: 'server-gone' };

export interface FenceStep {
  readonly state: FenceState;
  readonly blow: Blow | undefined;
  /** When to tick again; undefined = only on the next message. */
  readonly wakeAt: number | undefined;
}

export const idleFence: FenceState = { is: 'idle' };

/** One step of the fence at monotonic `now`. */
export function stepFence(
  state: FenceState,
  event: FenceEvent,
  at: { readonly now: number; readonly marginMs: number },
): FenceStep {
  if (state.is === 'striking') {
    if (event.type === 'server-gone') return settled(idleFence);
    if (event.type === 'tick') return strike(state, at);
    return { state, blow: undefined, wakeAt: wakeOf(state, at.marginMs) };
  }
  switch (event.type) {
    case 'arm': {
      const deadline = state.is === 'armed' ? Math.max(state.deadline, event.deadline) : event.deadline;
      return struckOrArmed(deadline, at);
    }
    case 'disarm':
      return settled(idleFence);
    case 'tick':
    case 'server-gone':
      return state.is === 'armed' ? struckOrArmed(state.deadline, at) : settled(state);
  }
  return unreachable(event);
}

/** What an agent says to a fence that strikes does not put off its next blow: the timer that runs already goes on. */
export function keepsTimer(before: FenceState, event: FenceEvent, after: FenceState): boolean {
  return before.is === 'striking' && after.is === 'striking' && event.type !== 'tick';
}

function struckOrArmed(deadline: number, at: { readonly now: number; readonly marginMs: number }): FenceStep {
  if (at.now < deadline) return { state: { is: 'armed', deadline }, blow: undefined, wakeAt: deadline };
  return strike({ is: 'striking', deadline, nextBlow: 0 }, at);
}

/** The blow that is due; one that comes late (a frozen host) skips to the strongest that is due by now. */
function strike(
  state: FenceState & { is: 'striking' },
  at: { readonly now: number; readonly marginMs: number },
): FenceStep {
  const plan = strikePlan(at.marginMs);
  let due = state.nextBlow - 1;
  for (let index = state.nextBlow; index < plan.length; index += 1) {
    const step = plan[index];
    if (step !== undefined && at.now >= state.deadline + step.afterMs) due = index;
  }
  if (due < state.nextBlow) {
    // SIGKILL is repeated until nothing is left: a child forked in between would otherwise survive it.
    const isLast = state.nextBlow >= plan.length;
    return {
      state,
      blow: isLast ? 'SIGKILL' : undefined,
      wakeAt: isLast ? at.now + 20 : wakeOf(state, at.marginMs),
    };
  }
  const next: FenceState = { ...state, nextBlow: due + 1 };
  return { state: next, blow: plan[due]?.blow, wakeAt: Math.min(wakeOf(next, at.marginMs), at.now + 20) };
}

function wakeOf(state: FenceState & { is: 'striking' }, marginMs: number): number {
  const plan = strikePlan(marginMs);
  const step = plan[state.nextBlow] ?? plan[plan.length - 1];
  return state.deadline + (step?.afterMs ?? 0);
}

function settled(state: FenceState): FenceStep {
  return { state, blow: undefined, wakeAt: state.is === 'armed' ? state.deadline : undefined };
}

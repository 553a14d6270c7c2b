/**
 * Whether a leader's PostgreSQL that has fallen silent is hung or merely busy. The question of each cycle has half a second,
 * which a loaded server may need; here it is asked at length, beside the loop, one question at a time and each on a
 * connection of its own. Any answer counts, a refusal too (`too many clients`). What follows is ha/useless.ts.
 */
import { background } from '../base/index.ts';
import { UNANSWERED_MAX } from '../ha/index.ts';
import { type AgentContext, answerPatienceMs } from './context.ts';

export interface Pulse {
  /** The postmaster that is asked. */
  readonly pid: number;
  /** Questions in a row without an answer. */
  unanswered: number;
  isAsking: boolean;
  nextAt: number;
}

/** The server at `pid` has not answered in time. Called in each cycle that this is so. */
export function feelPulse(ctx: AgentContext, pid: number): void {
  const { state, clock, log, keeper } = ctx;
  const deadlineMs = answerPatienceMs(ctx) / UNANSWERED_MAX;
  if (!keeper.isHolder || deadlineMs === 0) {
    state.pulse = undefined;
    return;
  }
  if (state.pulse?.pid !== pid) state.pulse = { pid, unanswered: 0, isAsking: false, nextAt: clock.now() };
  const { pulse } = state;
  if (pulse.isAsking || clock.now() < pulse.nextAt) return;
  pulse.isAsking = true;
  // One that is refused a connection at once has as long as one that waits for its answer.
  pulse.nextAt = clock.now() + deadlineMs;
  background(log, 'question at length', asked(ctx, pulse, deadlineMs));
}

async function asked({ pg, log, wake }: AgentContext, pulse: Pulse, deadlineMs: number): Promise<void> {
  const isAnswered = await pg.isAnswering({ deadlineMs });
  pulse.isAsking = false;
  pulse.unanswered = isAnswered ? 0 : pulse.unanswered + 1;
  if (!isAnswered)
    log.error('postgres-gives-no-answer', { questions: pulse.unanswered, withinMs: deadlineMs });
  wake.now();
}

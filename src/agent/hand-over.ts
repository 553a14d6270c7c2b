/**
 * Giving leadership away in order: stop PostgreSQL so that nothing more can be acknowledged, prove that the next one has
 * our last record, only then delete the key. Used by a switchover and by the agent's own orderly end. When the proof does
 * not come in time, a switchover takes PostgreSQL back up as the primary that it was: nothing is lost, little is late.
 */
import { failure, MatriarchError, pause, rethrowBug } from '../base/index.ts';
import type { AgentContext } from './context.ts';
import { renderStatus } from './duties.ts';
import type { JobContext } from './jobs.ts';
import { putAsLeader } from './leader-write.ts';
import { promiseHandedOver } from './promise.ts';
import { clearRequest } from './requests.ts';
import { startAsPrimary, stopped, unguard } from './server-work.ts';

const CHECKPOINT_MS = 30_000;
const STOP_MS = 10_000;
const PROOF_MS = 5000;
const POLL_MS = 20;

/** A switchover to `candidate`, as a job. */
export async function handOver(ctx: AgentContext, job: JobContext, candidate: string): Promise<void> {
  const { pg, log, keeper } = ctx;
  // Before, while sessions still work: the shutdown checkpoint then has little to write.
  try {
    await pg.checkpoint({ deadlineMs: CHECKPOINT_MS });
  } catch (cause) {
    rethrowBug(cause);
    log.warn('checkpoint-before-hand-over-failed', failure(cause));
  }
  if (!job.isCurrent() || !keeper.isSafe(0)) return;
  const lsn = await stopForGood(ctx);
  if (!job.isCurrent()) return;
  const isConfirmed =
    lsn !== undefined &&
    (await hasReceived(ctx, [candidate], lsn, { withinMs: PROOF_MS, job })) !== undefined;
  if (!job.isCurrent()) return;
  if (isConfirmed) {
    await giveAway(ctx, lsn, candidate);
    return;
  }
  log.error('hand-over-failed', { candidate, lsn, because: 'the candidate has not confirmed the last WAL' });
  try {
    await clearRequest(ctx);
  } catch (cause) {
    rethrowBug(cause);
    // It is asked for again later; that PostgreSQL comes back does not hang on it.
    log.warn('request-not-cleared', failure(cause));
  }
  await startAsPrimary(ctx, job);
  throw new MatriarchError(
    'agent-job-failed',
    `${candidate} did not confirm the last WAL position in ${PROOF_MS} ms; this member leads on`,
  );
}

/** The agent ends: leadership goes to whoever has everything; if nobody has, the key goes anyway once PostgreSQL is stopped. */
export async function leaveInOrder(ctx: AgentContext): Promise<void> {
  const { keeper, log, config, state } = ctx;
  const isLeading = keeper.isHolder;
  const others = [...state.view.members.values()].filter(
    (member) => member.name !== config.name && member.state === 'running',
  );
  const lsn = await stopForGood(ctx);
  if (!isLeading) return;
  const next =
    lsn === undefined
      ? undefined
      : await hasReceived(
          ctx,
          others.map((member) => member.name),
          lsn,
          { withinMs: others.length === 0 ? 0 : 2000 },
        );
  log.info('leaving-as-leader', { lsn, confirmedBy: next });
  await giveAway(ctx, lsn, next);
}

/** Stops fast and disarms the fence; the position of the shutdown checkpoint, undefined if there is none. */
async function stopForGood(ctx: AgentContext): Promise<number | undefined> {
  await stopped(ctx, 'fast', STOP_MS);
  await unguard(ctx);
  const control = ctx.state.inspection?.control;
  return control?.state === 'shut down' ? control.checkpointLsn : undefined;
}

/** The first of `names` that says it has received WAL beyond `lsn`, where our last record begins. */
async function hasReceived(
  ctx: AgentContext,
  names: readonly string[],
  lsn: number,
  wait: { readonly withinMs: number; readonly job?: JobContext },
): Promise<string | undefined> {
  const { clock, timers, peers, state } = ctx;
  const until = clock.now() + wait.withinMs;
  while (clock.now() < until && wait.job?.isCurrent() !== false) {
    const members = names
      .map((name) => state.view.members.get(name))
      .filter((member) => member !== undefined);
    const answers = await Promise.all(members.map((member) => peers.askOne(member)));
    const found = answers.find(
      (answer) => answer?.lsn !== undefined && answer.lsn > lsn && answer.role === 'standby',
    );
    if (found !== undefined) return found.name;
    await pause(POLL_MS, wait.job?.signal, timers);
  }
  return undefined;
}

/** The last position first, then the key goes: whoever sees the key gone has seen the position, and who has everything. */
async function giveAway(ctx: AgentContext, lsn: number | undefined, next: string | undefined): Promise<void> {
  const { layout, state, keeper, log } = ctx;
  if (lsn !== undefined) {
    const value = renderStatus(state.view.entries.get(layout.status)?.value, lsn);
    try {
      await putAsLeader(ctx, [{ op: 'put', key: layout.status, value }]);
    } catch (cause) {
      rethrowBug(cause);
      log.warn('final-status-not-written', failure(cause));
    }
  }
  if (next !== undefined) {
    try {
      await promiseHandedOver(ctx, next);
    } catch (cause) {
      rethrowBug(cause);
      // It has to see enough of the others, then, as in any election.
      log.warn('promise-not-handed-over', failure(cause));
    }
  }
  await keeper.release();
}

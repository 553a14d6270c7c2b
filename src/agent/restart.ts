/**
 * The jobs that an operator asks for by name: PostgreSQL restarted in its place, or its data thrown away and cloned
 * anew. A primary is restarted under its lease: the key and the fence's guard are kept, so nobody else leads meanwhile,
 * and it comes back by the same proofs as after a crash (server-work.ts).
 */
import { failure, MatriarchError, rethrowBug } from '../base/index.ts';
import type { AgentContext } from './context.ts';
import type { JobContext } from './jobs.ts';
import type { OrderEnd } from './orders.ts';
import { copyFrom, mustReach, startAsPrimary, startAsStandby, stopped } from './server-work.ts';

const CHECKPOINT_MS = 30_000;
const STOP_MS = 30_000;

interface HowToRestart {
  readonly as: 'primary' | 'standby';
  readonly upstream: string | undefined;
  readonly startMs: number | undefined;
}

export async function restart(ctx: AgentContext, job: JobContext, how: HowToRestart): Promise<OrderEnd> {
  const { pg, log, state } = ctx;
  log.info('restart-begins', { as: how.as, pendingRestart: state.status?.pendingRestart });
  if (how.as === 'primary' && state.status?.inRecovery === false) {
    // While sessions still work, so that the one of the shutdown has little to write.
    try {
      await pg.checkpoint({ deadlineMs: CHECKPOINT_MS });
    } catch (cause) {
      rethrowBug(cause);
      log.warn('checkpoint-before-restart-failed', failure(cause));
    }
  }
  if (!job.isCurrent()) return 'failed';
  await stopped(ctx, 'fast', STOP_MS);
  if (!job.isCurrent()) return 'failed';
  // One that was to be promoted, and was not, is still a standby: as a primary it would go on with another's timeline.
  const outcome =
    how.as === 'primary' && !state.hasStandbySignal
      ? await startAsPrimary(ctx, job, how.startMs)
      : await startAsStandby(ctx, job, how.upstream, how.startMs);
  if (outcome === undefined || !job.isCurrent()) return 'failed';
  return outcome === 'accepting' ? 'done' : 'still-starting';
}

/** Nothing is removed before the member to copy from has said that it is a primary. */
export async function reinit(ctx: AgentContext, job: JobContext, from: string): Promise<OrderEnd> {
  const { pg, log } = ctx;
  const upstream = mustReach(ctx, from);
  const leader = await pg.timelineHistory(upstream, { deadlineMs: 3000 });
  if (leader.inRecovery)
    throw new MatriarchError(
      'postgres-unreachable',
      `${from} is no primary now, so nothing is cloned from it`,
    );
  if (!job.isCurrent()) return 'failed';
  await stopped(ctx, 'fast', STOP_MS);
  if (!job.isCurrent()) return 'failed';
  log.warn('data-directory-replaced', { from, because: 'it was asked for' });
  await copyFrom(ctx, job, from, { replaces: true });
  const outcome = await startAsStandby(ctx, job, from);
  if (outcome === undefined) return 'failed';
  return outcome === 'accepting' ? 'done' : 'still-starting';
}

/**
 * A restart of PostgreSQL at a time: kept in memory and shown in the member key, as Patroni does. It is carried out
 * once, within a short window after its time, for the server that it was meant for, and only if its conditions hold
 * then; in a pause, after a missed window, or when the server was started anew meanwhile, it is dropped.
 */
import { background } from '../base/index.ts';
import { isPaused, type ScheduledRestartJson } from '../topology/index.ts';
import type { AgentContext } from './context.ts';
import { memberRole } from './member-key.ts';
import { giveOrder } from './orders.ts';

/** How late it may still begin. */
const WINDOW_MS = 30_000;

/** The conditions of a restart; all that are given must hold. */
export interface RestartFilter {
  readonly role: 'primary' | 'replica' | 'standby_leader' | undefined;
  /** As `server_version_num`: only a server of an older version is restarted. */
  readonly olderThan: number | undefined;
  readonly isOnlyPending: boolean;
}

export interface ScheduledRestart extends RestartFilter {
  readonly at: number;
  /** What was asked for, in the words of the request. */
  readonly json: ScheduledRestartJson;
  readonly startMs: number | undefined;
}

/** Why a restart does not match its conditions now; undefined = it does. */
export function whyNoRestart(ctx: AgentContext, filter: RestartFilter): string | undefined {
  const { status } = ctx.state;
  if (filter.role !== undefined && filter.role !== memberRole(ctx)) return 'host role mismatch';
  if (filter.olderThan !== undefined && filter.olderThan <= (status?.serverVersion ?? 0))
    return 'postgres version mismatch';
  if (filter.isOnlyPending && (status?.pendingRestart.length ?? 0) === 0)
    return 'pending restart flag is not set';
  return undefined;
}

/** When the loop must wake for it. */
export function untilScheduledMs(ctx: AgentContext): number {
  const { scheduledRestart } = ctx.state;
  return scheduledRestart === undefined
    ? Number.POSITIVE_INFINITY
    : Math.max(20, scheduledRestart.at - ctx.clock.wallNow());
}

/** Begins or drops what is due. */
export function runScheduled(ctx: AgentContext): void {
  const { state, clock, log } = ctx;
  const scheduled = state.scheduledRestart;
  const lateMs = scheduled === undefined ? -1 : clock.wallNow() - scheduled.at;
  if (scheduled === undefined || lateMs < 0) return;
  const because = whyDropped(ctx, scheduled, lateMs);
  state.scheduledRestart = undefined;
  log.info(because === undefined ? 'scheduled-restart-due' : 'scheduled-restart-dropped', {
    schedule: scheduled.json.schedule,
    because,
  });
  // How it ends is told by the job's own log lines.
  if (because === undefined)
    background(log, 'scheduled restart', giveOrder(ctx, 'restart', scheduled.startMs));
}

function whyDropped(ctx: AgentContext, scheduled: ScheduledRestart, lateMs: number): string | undefined {
  const meantFor = scheduled.json.postmaster_start_time;
  if (isPaused(ctx.state.view)) return 'the cluster is paused';
  if (lateMs > WINDOW_MS) return 'its time is long past';
  if (meantFor !== undefined && meantFor !== ctx.state.status?.postmasterStartTime)
    return 'PostgreSQL was started anew since it was asked for';
  return whyNoRestart(ctx, scheduled);
}

/** The REST API's documents, in Patroni's form, from what the agent last saw. No waiting, no SQL. */
import { isHeldBack, isOnlyLeaders } from '../ha/index.ts';
import {
  type ClusterView,
  FEATURE_LEVEL,
  type HistoryEntry,
  hasPrimaryRole,
  isPaused,
  type Member,
} from '../topology/index.ts';
import type { AgentContext } from './context.ts';
import { memberRole, memberState } from './member-key.ts';
import { localServer } from './observe.ts';
import { failsafeFacts, isFailsafeActive } from './pledges.ts';
import { durabilityModeOf, promisedIn } from './promise.ts';
import type { ScheduledRestart } from './scheduled-restart.ts';

/** `GET /patroni`, and the body of every health check. `isAnswering`: what the server last said is of now. */
export function statusDocument(ctx: AgentContext, isAnswering = true): Readonly<Record<string, unknown>> {
  const { state, config } = ctx;
  const { status, view } = state;
  const isLive = isAnswering && localServer(state).process === 'running' && status !== undefined;
  return {
    state: memberState(ctx),
    ...(isLive ? { postmaster_start_time: status.postmasterStartTime } : {}),
    role: memberRole(ctx),
    ...(isLive
      ? {
          server_version: status.serverVersion,
          xlog: xlogDocument(ctx),
          timeline: localServer(state).timeline,
        }
      : {}),
    ...(isLive && status.inRecovery && status.replicationState !== undefined
      ? { replication_state: status.replicationState }
      : {}),
    ...(isLive && status.standbys.length > 0
      ? {
          replication: status.standbys.map((standby) => ({
            application_name: standby.applicationName,
            state: standby.state,
            sync_state: standby.syncState,
          })),
        }
      : {}),
    ...(isLive && status.inRecovery && syncStandbys(ctx).has(config.name) ? { sync_standby: true } : {}),
    ...(view.leader === undefined ? { cluster_unlocked: true } : {}),
    ...(isFailsafeActive(ctx) ? { failsafe_mode_is_active: true } : {}),
    ...(state.contactWallAt === undefined ? {} : { dcs_last_seen: Math.floor(state.contactWallAt / 1000) }),
    ...(state.inspection?.control === undefined
      ? {}
      : { database_system_identifier: state.inspection.control.systemId }),
    tags: ctx.tags,
    ...(isLive && status.pendingRestart.length > 0 ? { pending_restart: true } : {}),
    ...(state.scheduledRestart === undefined
      ? {}
      : { scheduled_restart: scheduleOf(state.scheduledRestart) }),
    ...(isLive && status.isClosed ? { closed_to_clients: true } : {}),
    ...(ctx.watchdog.bars ? { watchdog_failed: true } : {}),
    ...(isPaused(view) ? { pause: true } : {}),
    patroni: { version: FEATURE_LEVEL, scope: config.scope, name: config.name },
    matriarch: ownWords(ctx),
  };
}

/** What Patroni has no words for. Also before the first decision: an agent that has just begun is held back the more. */
function ownWords(ctx: AgentContext): Readonly<Record<string, unknown>> {
  const { decision } = ctx.state;
  return {
    ...(decision === undefined ? {} : { action: decision.action.do, because: decision.because }),
    ...(isHeldBack(failsafeFacts(ctx), ctx.config.lease.ttl) ? { is_held_back: true } : {}),
  };
}

/** Without what tells which server it is meant for. */
function scheduleOf({ json }: ScheduledRestart): Readonly<Record<string, unknown>> {
  const { postmaster_start_time: _, ...shown } = json;
  return shown;
}

/** An entry of the key `history`, without what is not known of it. */
export function historyLine({ timeline, lsn, reason, at, newLeader }: HistoryEntry): readonly unknown[] {
  return [
    timeline,
    lsn,
    reason,
    ...(at === undefined ? [] : [at]),
    ...(newLeader === undefined ? [] : [newLeader]),
  ];
}

function xlogDocument(ctx: AgentContext): Readonly<Record<string, unknown>> {
  const { status } = ctx.state;
  if (status?.inRecovery !== true) return { location: status?.flushLsn };
  return {
    received_location: status.receiveLsn ?? status.replayLsn,
    replayed_location: status.replayLsn,
    paused: status.replayPaused,
  };
}

/**
 * Standbys that commits wait for, by the key `sync`. None where the cluster is asynchronous, and none while nobody but the
 * key's leader may lead: whoever reads that there is one counts on it when the leader's host dies.
 */
export function syncStandbys(ctx: AgentContext): ReadonlySet<string> {
  const mode = durabilityModeOf(ctx.state.view.config?.value);
  const { promised } = promisedIn(ctx);
  return new Set(mode.is === 'asynchronous' || isOnlyLeaders(promised) ? [] : promised.voters);
}

/** `GET /cluster`; `syncs` are those that commits wait for. */
export function clusterDocument(
  view: ClusterView,
  scope: string,
  syncs: ReadonlySet<string> = new Set(),
): Readonly<Record<string, unknown>> {
  const leader = view.leader === undefined ? undefined : view.members.get(view.leader);
  const { failover } = view;
  return {
    members: [...view.members.values()].map((member) => ({
      ...memberDocument(member, view, leader),
      ...(syncs.has(member.name) && member.name !== view.leader ? { role: 'sync_standby' } : {}),
    })),
    scope,
    ...(isPaused(view) ? { pause: true } : {}),
    ...(failover?.scheduledAt === undefined
      ? {}
      : {
          scheduled_switchover: {
            at: failover.scheduledAt,
            from: failover.leader,
            ...(failover.candidate === undefined ? {} : { to: failover.candidate }),
          },
        }),
  };
}

function memberDocument(
  member: Member,
  view: ClusterView,
  leader: Member | undefined,
): Readonly<Record<string, unknown>> {
  const isLeader = member.name === view.leader;
  const end = Math.max(leader?.lsn ?? 0, view.optime ?? 0);
  return {
    name: member.name,
    role: isLeader ? 'leader' : 'replica',
    state: isLeader || member.state !== 'running' ? member.state : (member.replicationState ?? member.state),
    api_url: member.apiUrl,
    host: member.host,
    port: member.port,
    ...(member.timeline === undefined ? {} : { timeline: member.timeline }),
    ...(member.isClosed ? { closed_to_clients: true } : {}),
    ...(member.needsRestart ? { pending_restart: true } : {}),
    ...(member.scheduledRestart === undefined ? {} : { scheduled_restart: member.scheduledRestart }),
    ...(Object.keys(member.tags).length === 0 ? {} : { tags: member.tags }),
    ...(isLeader && hasPrimaryRole(member)
      ? {}
      : { lag: member.lsn === undefined || end === 0 ? 'unknown' : Math.max(0, end - member.lsn) }),
  };
}

/** Bytes of `?lag=`: a number, or one with kB, MB or GB; undefined for anything else. */
export function parseLag(text: string): number | undefined {
  const found = /^(\d{1,15})\s*(kB|MB|GB|TB)?$/.exec(text.trim());
  const factor = { kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 }[found?.[2] ?? ''] ?? 1;
  return found === null ? undefined : Number(found[1]) * factor;
}

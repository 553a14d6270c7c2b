/**
 * Our own member key: what the cluster and every router know of us. Rewritten only when its text or the lease changed.
 * `role` says what PostgreSQL is, never what we hope to become: routers write to whoever says `primary` here.
 */
import { formatAddress, unreachable } from '../base/index.ts';
import type { MemberJson, MemberRole, MemberState } from '../topology/index.ts';
import { FEATURE_LEVEL, isPaused, renderMember } from '../topology/index.ts';
import type { AgentContext } from './context.ts';
import { localServer } from './observe.ts';

/** The member key's value as of what was last seen. */
export function memberJson(ctx: AgentContext): MemberJson {
  const { state } = ctx;
  const { status } = state;
  const local = localServer(state);
  const isLive = local.process === 'running' && status !== undefined && ctx.jobs.running !== 'demote';
  return {
    conn_url: `postgres://${formatAddress(ctx.published.postgres)}/postgres`,
    api_url: `${ctx.restapi.certfile === undefined ? 'http' : 'https'}://${formatAddress(ctx.published.rest)}/patroni`,
    state: memberState(ctx),
    role: memberRole(ctx),
    version: FEATURE_LEVEL,
    tags: ctx.tags,
    ...(isLive && local.lsn !== undefined ? { xlog_location: local.lsn } : {}),
    ...(isLive && local.timeline !== undefined ? { timeline: local.timeline } : {}),
    ...(isLive && status.inRecovery
      ? {
          ...(status.receiveLsn === undefined ? {} : { receive_lsn: status.receiveLsn }),
          ...(status.replayLsn === undefined ? {} : { replay_lsn: status.replayLsn }),
          ...(status.replicationState === undefined ? {} : { replication_state: status.replicationState }),
        }
      : {}),
    ...(isLive && !status.inRecovery && status.checkpointTimeline < status.timeline
      ? { checkpoint_after_promote: false }
      : {}),
    ...(isLive && status.pendingRestart.length > 0 ? { pending_restart: true } : {}),
    ...(isLive && status.isClosed ? { closed_to_clients: true } : {}),
    ...(isPaused(state.view) ? { pause: true } : {}),
    ...(state.scheduledRestart === undefined ? {} : { scheduled_restart: state.scheduledRestart.json }),
  };
}

/** Patroni's word for what our server is doing. */
export function memberState(ctx: AgentContext): MemberState {
  const { state, jobs } = ctx;
  switch (jobs.running) {
    case 'bootstrap':
      return 'initializing new cluster';
    case 'clone':
    case 'rejoin':
    case 'reinit':
      return 'creating replica';
    case 'restart':
      return 'restarting';
    case 'demote':
    case 'hand-over':
      return 'stopping';
    case 'discard-data':
    case 'start-standby':
    case 'start-primary':
    case 'promote':
    case undefined:
      break;
  }
  const local = localServer(state);
  switch (local.process) {
    case 'running':
      return 'running';
    case 'starting':
      return 'starting';
    case 'stopping':
      return 'stopping';
    case 'stopped':
      return local.crashed ? 'crashed' : 'stopped';
  }
  return unreachable(local.process);
}

export function memberRole(ctx: AgentContext): MemberRole {
  const local = localServer(ctx.state);
  if (local.data !== 'whole') return 'uninitialized';
  if (local.process === 'running' && local.role === 'primary') return 'primary';
  return local.role === 'primary' && local.process === 'stopped' && !ctx.keeper.isHolder
    ? 'demoted'
    : 'replica';
}

/** Writes the key where it differs from what we wrote last. */
export class MemberKey {
  #written: { readonly value: string; readonly lease: string } | undefined;

  async publish(ctx: AgentContext): Promise<void> {
    const { lease } = ctx.keeper;
    if (lease === undefined) return;
    const value = renderMember(memberJson(ctx));
    if (this.#written?.value === value && this.#written.lease === lease) return;
    // Forgotten first: after an unknown outcome it is written again.
    this.#written = undefined;
    await ctx.dcs.transact(
      { when: [], then: [{ op: 'put', key: ctx.layout.member(ctx.config.name), value, lease }] },
      { timeoutMs: 1000 },
    );
    this.#written = { value, lease };
  }
}

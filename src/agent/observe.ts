/** Fills in the observation of a cycle: from what look.ts last saw of our own server, from the view, and from the leader's own words. */
import { failure, type LogFields, rethrowBug, unlessAborted, unreachable } from '../base/index.ts';
import {
  type ClusterFacts,
  type DataDirectory,
  type LeaderFacts,
  type LocalServer,
  type Lock,
  type Observation,
  type PeerAnswer,
  type ServerProcess,
  type ServerRole,
  stepDownMs,
} from '../ha/index.ts';
import { type Inspection, type LocalPosition, needsRewind, positionOf } from '../postgres/index.ts';
import { hasData, isPaused, sourceOf } from '../topology/index.ts';
import { standbyToFollow } from './cascade.ts';
import {
  type AgentContext,
  type AgentState,
  clusterNumber,
  MAXIMUM_LAG_BYTES,
  primaryStartMs,
  upstreamOf,
} from './context.ts';
import { postmasterOf } from './look.ts';
import { cityOf, standingOf } from './peers.ts';
import { failsafeFacts } from './pledges.ts';
import { durabilityModeOf, promisedIn } from './promise.ts';

const HISTORY_MS = 1000;

/** The observation of this cycle; `peers` if they were asked in it. */
export async function observe(
  ctx: AgentContext,
  peers: readonly PeerAnswer[] | undefined,
): Promise<Observation> {
  const { state, keeper, clock, config, jobs } = ctx;
  const local = localServer(state);
  if (local.process === 'stopped' || local.role === 'standby') keeper.forgetLoss();
  keeper.heed(state.view);
  const lock = guarded(keeper.lock(state.view, state.contactAt), ctx.fence.deadline);
  return {
    now: clock.now(),
    self: {
      ...standingOf(config.name, ctx.tags, cityOf(state.view, state.lastLeader)),
      lacksWatchdog: ctx.watchdog.bars,
    },
    local,
    lock,
    cluster: await clusterFacts(ctx, local, lock),
    failsafe: failsafeFacts(ctx),
    peers,
    job: jobs.running,
    isBootstrapping: state.isBootstrapping,
    order: state.order?.kind,
    retryAt: jobs.retryAt,
    memory: state.memory,
    limits: {
      ttlMs: config.lease.ttl,
      stepDownMs: stepDownMs(config.lease.keep_alive),
      courtesyMs: 2 * config.lease.loop_wait,
      streamPatienceMs: 20_000,
      cascadePatienceMs: 10_000,
      cascadeShunMs: 120_000,
      stopPatienceMs: 5000,
      bootstrapGraceMs: 3 * config.lease.loop_wait,
      startPatienceMs: primaryStartMs(ctx),
    },
  };
}

/** A fence from our earlier life still protects the PostgreSQL that we adopt. */
function guarded(lock: Lock, fenceDeadline: number | undefined): Lock {
  return lock.is === 'unknown' && lock.deadline === undefined ? { ...lock, deadline: fenceDeadline } : lock;
}

/** Our server as a value, from what was last seen. */
export function localServer(state: AgentState): LocalServer {
  const { inspection, status } = state;
  const control = inspection?.control;
  const stoppedAt = control === undefined ? undefined : positionOf(control);
  const process = processOf(inspection);
  const role = roleOf(state, process);
  const isLive = process === 'running' && status !== undefined;
  const standbyLsn = Math.max(status?.receiveLsn ?? 0, status?.replayLsn ?? 0);
  const liveLsn = status?.inRecovery === true ? standbyLsn || undefined : status?.flushLsn;
  return {
    data: dataOf(state),
    process,
    role,
    crashed: process === 'stopped' && stoppedAt?.lsnIs === 'unknown',
    systemId: isUnborn(state) ? undefined : control?.systemId,
    timeline: isLive ? status.timeline : stoppedAt?.timeline,
    lsn: isLive ? liveLsn : stoppedAt?.lsn,
    replayedLsn: isLive ? status.replayLsn : undefined,
    streaming: isLive && status.replicationState === 'streaming',
    upstream: state.configured?.upstream,
    unanswered: state.pulse?.unanswered ?? 0,
  };
}

function dataOf(state: AgentState): DataDirectory {
  const kind = state.inspection?.data.kind;
  if (isUnborn(state)) return 'half-made';
  switch (kind) {
    case 'absent':
    case 'empty':
      return 'empty';
    case 'partial':
      return 'half-made';
    case 'initialized':
      return 'whole';
    case 'foreign':
    case undefined:
      return 'unreadable';
  }
  return unreachable(kind);
}

/** What initdb left, of a life of ours that ended before the cluster was known to be that: nothing is in it yet. */
function isUnborn({ inspection, isBootstrapping, view }: AgentState): boolean {
  const isUnclaimed = inspection?.data.kind === 'initialized' && inspection.data.isUnclaimed;
  return isUnclaimed && !isBootstrapping && inspection.control?.systemId !== view.systemId;
}

function processOf(inspection: Inspection | undefined): ServerProcess {
  const kind = inspection?.postmaster.kind;
  switch (kind) {
    case 'accepting':
      return 'running';
    case 'starting':
      return 'starting';
    case 'stopping':
    case 'orphans':
      return 'stopping';
    case 'stopped':
    case undefined:
      return 'stopped';
  }
  return unreachable(kind);
}

/**
 * Running: as it says; while it has said nothing, standby.signal proves a standby (PostgreSQL removes the file before it
 * takes its first write). Otherwise as its files say: with standby.signal it will come up as a standby, else as a primary.
 */
function roleOf(state: AgentState, process: ServerProcess): ServerRole {
  if (process === 'running' && state.status?.inRecovery === false) return 'primary';
  if (process === 'running') {
    const isKnown = state.status !== undefined || state.hasStandbySignal;
    return isKnown && state.promoting !== postmasterOf(state) ? 'standby' : 'unknown';
  }
  if (state.inspection?.control === undefined) return 'unknown';
  if (process === 'stopping' && state.status?.inRecovery === false) return 'primary';
  return state.hasStandbySignal ? 'standby' : 'primary';
}

async function clusterFacts(ctx: AgentContext, local: LocalServer, lock: Lock): Promise<ClusterFacts> {
  const { view } = ctx.state;
  const request = view.failover;
  const claim = view.entries.get(ctx.layout.initialize);
  const sync = promisedIn(ctx);
  return {
    systemId: view.systemId,
    hasTraces: hasTraces(ctx),
    isClaimOurs: view.systemId === '' && claim?.lease !== undefined && claim.lease === ctx.keeper.lease,
    leader: lock.is === 'other' ? await leaderFacts(ctx, local, lock.leader) : undefined,
    cascade: standbyToFollow({ name: ctx.config.name, tags: ctx.tags }, view),
    newestTimeline: Math.max(view.newestTimeline, local.timeline ?? 0),
    takenTimeline: ctx.state.takenTimeline,
    optime: view.optime,
    request: request && {
      leader: request.leader,
      candidate: request.candidate,
      dueInMs: request.scheduledAt === undefined ? 0 : dueInMs(ctx, request.scheduledAt),
    },
    maximumLagBytes: clusterNumber(view, 'maximum_lag_on_failover', MAXIMUM_LAG_BYTES),
    promised: durabilityModeOf(view.config?.value).is === 'asynchronous' ? undefined : sync.promised,
    syncRevision: sync.revision,
    isPaused: isPaused(view),
  };
}

/** There is, or was, a cluster: by what this life has seen, or by what another member says of its data. */
function hasTraces({ state, config }: AgentContext): boolean {
  if (state.knownSystemId !== undefined) return true;
  return [...state.view.members.values()].some((member) => member.name !== config.name && hasData(member));
}

/** A schedule that cannot be read is long past: it is dropped, not carried out at a guessed time. */
function dueInMs(ctx: AgentContext, scheduledAt: string): number {
  const at = Date.parse(scheduledAt);
  return Number.isNaN(at) ? Number.NEGATIVE_INFINITY : at - ctx.clock.wallNow();
}

async function leaderFacts(ctx: AgentContext, local: LocalServer, name: string): Promise<LeaderFacts> {
  const { view } = ctx.state;
  const primary = sourceOf(view);
  const isUsable = primary.kind === 'primary' && primary.member.name === name;
  const isInQuestion = local.data === 'whole' && !local.streaming && ctx.jobs.running === undefined;
  return {
    name,
    isUsable,
    hasCheckpointed: view.members.get(name)?.hasCheckpointed ?? true,
    divergence: isUsable && isInQuestion ? await divergence(ctx, local, name) : 'unknown',
  };
}

async function divergence(
  ctx: AgentContext,
  local: LocalServer,
  name: string,
): Promise<LeaderFacts['divergence']> {
  const upstream = upstreamOf(ctx, name);
  const position = localPosition(ctx.state, local);
  if (upstream === undefined || position === undefined || ctx.state.view.leader !== name) return 'unknown';
  try {
    const asked = ctx.pg.timelineHistory(upstream, { deadlineMs: HISTORY_MS });
    // One that has died answers nothing, and the election is not to wait for it.
    const leader = await unlessAborted(asked, ctx.state.leadership.signal);
    if (leader === undefined || leader.inRecovery) return 'unknown';
    const need = needsRewind(position, leader);
    if (need.needed)
      ctx.log.warn('diverged-from-leader', { leader: name, because: need.because, ...position });
    return need.needed ? 'diverged' : 'none';
  } catch (cause) {
    rethrowBug(cause);
    told(ctx, 'leader-history-unknown', { leader: name, ...failure(cause) });
    return 'unknown';
  }
}

/** Logs an event when it begins, not in each cycle that it lasts. */
function told(ctx: AgentContext, event: string | undefined, fields: LogFields): void {
  if (event !== undefined && event !== ctx.state.lastDoubt) ctx.log.warn(event, fields);
  ctx.state.lastDoubt = event;
}

function localPosition(state: AgentState, local: LocalServer): LocalPosition | undefined {
  if (local.process === 'running') {
    return local.timeline === undefined || local.lsn === undefined
      ? undefined
      : { timeline: local.timeline, lsn: local.lsn, lsnIs: 'end' };
  }
  return state.inspection?.control === undefined ? undefined : positionOf(state.inspection.control);
}

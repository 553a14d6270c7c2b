/**
 * Looks at the world and fills in the observation. The look at our own PostgreSQL never waits long for SQL: a server
 * that does not answer keeps its last known role, and the lease protects everybody meanwhile.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { failure, type LogFields, rethrowBug, serverProcesses, unreachable } from '../base/index.ts';
import { stepDownMs } from '../config/index.ts';
import type {
  ClusterFacts,
  DataDirectory,
  LeaderFacts,
  LocalServer,
  Lock,
  Observation,
  PeerAnswer,
  ServerProcess,
  ServerRole,
} from '../ha/index.ts';
import { type Inspection, type LocalPosition, needsRewind, positionOf } from '../postgres/index.ts';
import { primaryOf } from '../topology/index.ts';
import {
  type AgentContext,
  type AgentState,
  clusterNumber,
  MAXIMUM_LAG_BYTES,
  upstreamOf,
} from './context.ts';
import { cityOf, standingOf } from './peers.ts';

const STATUS_MS = 500;
const HISTORY_MS = 1000;

/** Refreshes what is known of our own server: files, processes, and (if it takes connections) what it says. */
export async function look(ctx: AgentContext): Promise<void> {
  const { state, pg, log } = ctx;
  const before = postmasterOf(state);
  state.inspection = await inspected(ctx);
  state.hasStandbySignal = await exists(join(pg.dataDir, 'standby.signal'));
  const { postmaster } = state.inspection;
  if (postmaster.kind === 'orphans' && ctx.jobs.running === undefined) {
    // Backends that outlive their postmaster can still commit: nothing is decided while one lives.
    log.warn('orphaned-backends', { pids: postmaster.pids });
    await pg.stop({ mode: 'immediate', deadlineMs: 500 });
    state.inspection = await inspected(ctx);
  }
  if (state.inspection.postmaster.kind !== 'accepting') {
    state.status = undefined;
    return;
  }
  if (before !== postmasterOf(state)) state.status = undefined;
  try {
    await refreshStatus(ctx);
  } catch (cause) {
    rethrowBug(cause);
    if (!state.isSilent) log.warn('postgres-not-answering', failure(cause));
    state.isSilent = true;
  }
}

/**
 * Files, processes and pg_control. When they cannot be looked at (no process or file to be had, a hanging disk), a server
 * that lives is taken to be as it was: its lease and its own answers say the rest. Without a process the directory is unreadable.
 */
async function inspected(ctx: AgentContext): Promise<Inspection> {
  const { state, pg, log } = ctx;
  try {
    const seen = await pg.inspect();
    state.isBlind = false;
    return seen;
  } catch (cause) {
    rethrowBug(cause);
    if (!state.isBlind) log.error('inspection-failed', failure(cause));
    state.isBlind = true;
    return unseen(state.inspection, livingServer(pg.dataDir));
  }
}

function unseen(last: Inspection | undefined, pid: number | undefined): Inspection {
  const unreadable = { kind: 'foreign', because: 'it cannot be looked into' } as const;
  if (pid === undefined)
    return {
      data: unreadable,
      postmaster: { kind: 'stopped', stalePidFile: false },
      control: undefined,
    };
  if (last !== undefined && last.postmaster.kind !== 'stopped') return last;
  return {
    data: last?.data ?? unreadable,
    postmaster: { kind: 'accepting', pid },
    control: last?.control,
  };
}

/** A process of the server; 0 when even that cannot be seen, for then one must be taken to live. */
function livingServer(dataDir: string): number | undefined {
  try {
    return serverProcesses(dataDir)[0]?.pid;
  } catch (cause) {
    rethrowBug(cause);
    return 0;
  }
}

function postmasterOf({ inspection }: AgentState): number | undefined {
  return inspection?.postmaster.kind === 'accepting' ? inspection.postmaster.pid : undefined;
}

/** Asks the running server and keeps the answer; joins a question that it is being asked. Rejects when it does not answer. */
export async function refreshStatus(ctx: AgentContext): Promise<void> {
  const { state } = ctx;
  const pid = postmasterOf(state);
  const asking =
    state.asking?.pid === pid && state.asking !== undefined
      ? state.asking
      : { pid, answer: askStatus(ctx, pid) };
  state.asking = asking;
  try {
    await asking.answer;
  } finally {
    if (state.asking === asking) state.asking = undefined;
  }
}

/** An answer of a server that has ended meanwhile says nothing of the one that runs now. */
async function askStatus(ctx: AgentContext, pid: number | undefined): Promise<void> {
  const { state, pg, clock } = ctx;
  const status = await pg.status({ deadlineMs: STATUS_MS });
  if (postmasterOf(state) !== pid) return;
  state.status = status;
  state.isSilent = false;
  state.statusAt = clock.now();
  if (status.inRecovery && status.replicationState === 'streaming') {
    state.receivedTimeline = status.timeline;
    state.rewindsInVain = 0;
  }
  if (!status.inRecovery) state.receivedTimeline = status.timeline;
}

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
    self: standingOf(config.name, ctx.tags, cityOf(state.view, state.lastLeader)),
    local,
    lock,
    cluster: await clusterFacts(ctx, local, lock),
    peers,
    job: jobs.running,
    isBootstrapping: state.isBootstrapping,
    retryAt: jobs.retryAt,
    memory: state.memory,
    limits: {
      ttlMs: config.lease.ttl,
      stepDownMs: stepDownMs(config.lease),
      courtesyMs: 2 * config.lease.loop_wait,
      streamPatienceMs: 20_000,
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
  const liveTimeline =
    status?.inRecovery === true ? Math.max(status.timeline, state.receivedTimeline) : status?.timeline;
  return {
    data: dataOf(inspection),
    process,
    role,
    crashed: process === 'stopped' && stoppedAt?.lsnIs === 'unknown',
    systemId: control?.systemId,
    timeline: isLive ? liveTimeline : stoppedAt?.timeline,
    lsn: isLive ? liveLsn : stoppedAt?.lsn,
    streaming: isLive && status.replicationState === 'streaming',
    upstream: state.configured?.upstream,
  };
}

function dataOf(inspection: Inspection | undefined): DataDirectory {
  const kind = inspection?.data.kind;
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
  if (process === 'running' && state.status !== undefined)
    return state.status.inRecovery ? 'standby' : 'primary';
  if (process === 'running') return state.hasStandbySignal ? 'standby' : 'unknown';
  if (state.inspection?.control === undefined) return 'unknown';
  if (process === 'stopping' && state.status?.inRecovery === false) return 'primary';
  return state.hasStandbySignal ? 'standby' : 'primary';
}

async function clusterFacts(ctx: AgentContext, local: LocalServer, lock: Lock): Promise<ClusterFacts> {
  const { view } = ctx.state;
  const request = view.failover;
  return {
    systemId: view.systemId,
    leader: lock.is === 'other' ? await leaderFacts(ctx, local, lock.leader) : undefined,
    newestTimeline: view.newestTimeline,
    optime: view.optime,
    request: request && {
      leader: request.leader,
      candidate: request.candidate,
      dueInMs: request.scheduledAt === undefined ? 0 : dueInMs(ctx, request.scheduledAt),
    },
    maximumLagBytes: clusterNumber(view, 'maximum_lag_on_failover', MAXIMUM_LAG_BYTES),
  };
}

/** A schedule that cannot be read is long past: it is dropped, not carried out at a guessed time. */
function dueInMs(ctx: AgentContext, scheduledAt: string): number {
  const at = Date.parse(scheduledAt);
  return Number.isNaN(at) ? Number.NEGATIVE_INFINITY : at - ctx.clock.wallNow();
}

async function leaderFacts(ctx: AgentContext, local: LocalServer, name: string): Promise<LeaderFacts> {
  const { view } = ctx.state;
  const primary = primaryOf(view);
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
  if (upstream === undefined || position === undefined) return 'unknown';
  try {
    const leader = await ctx.pg.timelineHistory(upstream, { deadlineMs: HISTORY_MS });
    if (leader.inRecovery) return 'unknown';
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

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    // Not there (or its directory is not): the same answer to the question.
    return false;
  }
}

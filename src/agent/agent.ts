/**
 * The agent of one database host: observe, decide, act, over and over. Woken by its timer and by every event that may
 * change a decision; decisions are ha/decide.ts, the keep-alive has its own timer, housekeeping runs beside.
 *
 *     timer, watch, postmaster's end, job's end, lease  ->  Wake  ->  look -> observe -> decide -> act  ->  duties
 */
import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  background,
  type Clock,
  failure,
  type Log,
  MatriarchError,
  pause,
  withDeadline,
} from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { Dcs } from '../dcs/index.ts';
import { type Decision, decide, type PeerAnswer } from '../ha/index.ts';
import { listenHttp } from '../metrics/index.ts';
import { openPostgres } from '../postgres/index.ts';
import { type ClusterView, keyLayout, watchCluster } from '../topology/index.ts';
import { act } from './act.ts';
import { type AgentContext, freshState } from './context.ts';
import { Duties } from './duties.ts';
import { FenceClient } from './fence-client.ts';
import { leaveInOrder } from './hand-over.ts';
import { Jobs } from './jobs.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { MemberKey } from './member-key.ts';
import { localServer, look, observe, STEP_DOWN_MS } from './observe.ts';
import { cityOf, PeerClient } from './peers.ts';
import { restApi } from './rest.ts';
import { configure, unguard } from './server-work.ts';
import { Wake } from './wake.ts';

export interface AgentParts {
  readonly config: Config;
  readonly dcs: Dcs;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts for an orderly end. */
  readonly signal: AbortSignal;
  /** Shown in metrics. */
  readonly version?: string;
  /** In [0, 1); spreads retries. */
  readonly random: () => number;
}

/** Decisions taken in a row without waiting; more would be a loop of our own making. */
const ROUNDS_MAX = 6;
const LEAVE_MS = 20_000;
const WATCH_AGAIN_MS = 500;

/**
 * Runs until `signal` aborts, then stops PostgreSQL, gives leadership away and resolves. Rejects with `config-invalid`,
 * `address-in-use`, `system-id-mismatch` or what `openPostgres` says, leaving a running PostgreSQL to its fence.
 */
export async function startAgent(parts: AgentParts): Promise<void> {
  const ctx = await contextOf(parts);
  const ending = new AbortController();
  const member = new MemberKey();
  const duties = new Duties(ctx, member);
  const rest = await listenHttp(restApi(ctx), ctx.restapi.listen, 'REST API');
  ctx.log.info('agent-listening', { address: `${ctx.restapi.listen.host}:${ctx.restapi.listen.port}` });
  const unsubscribe = ctx.pg.onExit(() => ctx.wake.now());
  background(ctx.log, 'keep-alive', ctx.keeper.run(ending.signal));
  background(ctx.log, 'watch', watch(ctx, ending.signal));
  try {
    await adopt(ctx);
    await loop(ctx, duties, parts.signal);
    await leave(ctx, duties, member);
  } finally {
    ending.abort();
    unsubscribe();
    await ctx.fence.leave();
    await rest.close();
    await ctx.peers.close();
    await ctx.pg.close();
  }
}

async function contextOf(parts: AgentParts): Promise<AgentContext> {
  const { config, dcs, clock, log, random } = parts;
  const { postgresql, restapi } = config;
  if (postgresql === undefined || restapi === undefined) {
    throw new MatriarchError('config-invalid', 'an agent needs the sections restapi and postgresql');
  }
  const layout = keyLayout(config.namespace, config.scope);
  const wake = new Wake();
  const state = freshState(clock.now());
  // Server processes are recognised by their working directory, which has no links in it.
  const dataDir = join(await realDirectory(dirname(postgresql.data_dir)), basename(postgresql.data_dir));
  const fence = new FenceClient({
    dataDir,
    socketDir: postgresql.socket_dir,
    marginMs: config.lease.fence_margin,
    log,
  });
  const keeper = new LeaseKeeper({
    dcs,
    layout,
    name: config.name,
    lease: config.lease,
    clock,
    log,
    onExtended: (deadline) => {
      if (state.isGuarding) background(log, 'fence deadline', fence.arm(deadline));
    },
    onChange: () => wake.now(),
  });
  return {
    config,
    postgresql,
    restapi,
    tags: { ...config.tags, datacenter: config.datacenter },
    pg: await openPostgres({ config: postgresql, scope: config.scope, name: config.name, clock, log }),
    dcs,
    layout,
    clock,
    log,
    keeper,
    fence,
    jobs: new Jobs({ clock, log, random, onEnd: () => wake.now() }),
    wake,
    peers: new PeerClient(),
    random,
    version: parts.version ?? '0',
    state,
  };
}

async function realDirectory(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    // Not there yet: it is made later, under this name.
    return path;
  }
}

/** The watch resumes by itself; should it end all the same, it is begun anew, for without it the agent is blind. */
async function watch(ctx: AgentContext, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await watchOnce(ctx, signal);
    } catch (cause) {
      ctx.log.error('watch-ended', failure(cause));
      await pause(WATCH_AGAIN_MS, signal);
    }
  }
}

async function watchOnce(ctx: AgentContext, signal: AbortSignal): Promise<void> {
  const { state, dcs, layout, clock, log, config, wake } = ctx;
  await watchCluster({
    dcs,
    layout,
    clock,
    log,
    signal,
    contactEveryMs: Math.min(1000, config.lease.loop_wait),
    onView: (view, changedAt) => {
      const before = state.view;
      state.view = view;
      state.contactAt = Math.max(state.contactAt, changedAt);
      state.lastLeader = view.leader ?? before.leader ?? state.lastLeader;
      if (isNews(before, view)) wake.now();
    },
    onContact: (sentAt) => {
      state.contactAt = Math.max(state.contactAt, sentAt);
      state.contactWallAt = clock.wallNow();
    },
  });
}

/** Changes that may change a decision; positions, which change all the time, do not. */
function isNews(before: ClusterView, after: ClusterView): boolean {
  return before.revision === 0 || gistOf(before) !== gistOf(after);
}

function gistOf(view: ClusterView): string {
  const leader = view.leader === undefined ? undefined : view.members.get(view.leader);
  return JSON.stringify([
    [view.leader, view.leaderCreateRevision, leader?.state, leader?.role],
    [view.systemId, view.failover?.modRevision, view.config?.modRevision, view.members.size],
  ]);
}

/** PostgreSQL that runs already is taken over as it is; if it is a primary, its fence is found (or made) first. */
async function adopt(ctx: AgentContext): Promise<void> {
  const { state, log, fence, keeper, clock } = ctx;
  await look(ctx);
  const local = localServer(state);
  try {
    await fence.ensure();
  } catch (cause) {
    log.error('fence-unavailable', failure(cause));
  }
  if (local.process === 'stopped') return;
  log.info('postgres-adopted', {
    process: local.process,
    role: local.role,
    fenceDeadlineInMs: fence.deadline && Math.round(fence.deadline - clock.now()),
  });
  state.isGuarding = local.role !== 'standby';
  if (local.role === 'primary') state.configured = { as: 'primary', upstream: undefined };
  // What this server may go on doing hangs on the store; it is waited for briefly, as long as a fence guards us.
  const until = Math.min(fence.deadline ?? clock.now() + 1500, clock.now() + 1500);
  while ((state.view.revision === 0 || keeper.lease === undefined) && clock.now() < until)
    await ctx.wake.wait(20, AbortSignal.timeout(2000));
}

async function loop(ctx: AgentContext, duties: Duties, signal: AbortSignal): Promise<void> {
  let logged = '';
  while (!signal.aborted) {
    for (let round = 0; round < ROUNDS_MAX && !signal.aborted; round += 1) {
      const decision = await cycle(ctx);
      const line = `${decision.action.do}/${decision.because}`;
      if (line !== logged)
        ctx.log.info('decided', { ...decision.action, because: decision.because, was: logged });
      logged = line;
      const outcome = await act(ctx, decision);
      duties.due();
      if (outcome === 'rest') break;
    }
    await settleFence(ctx);
    await applyConfiguration(ctx);
    await ctx.wake.wait(restMs(ctx), signal);
  }
}

/** One look and one decision; the peers are asked in between if the decision is to ask them. */
async function cycle(ctx: AgentContext): Promise<Decision> {
  const { state, clock } = ctx;
  await look(ctx);
  let peers: readonly PeerAnswer[] | undefined;
  let decision = decide(await observe(ctx, peers));
  if (decision.action.do === 'ask-peers') {
    peers = await ctx.peers.ask(state.view, ctx.config.name, cityOf(state.view, state.lastLeader));
    state.memory = decision.memory;
    decision = decide(await observe(ctx, peers));
  }
  state.memory = decision.memory;
  state.decision = decision;
  state.decidedAt = clock.now();
  const key = `${decision.action.do}/${decision.because}`;
  state.decisions.set(key, {
    action: decision.action.do,
    because: decision.because,
    count: (state.decisions.get(key)?.count ?? 0) + 1,
  });
  return decision;
}

/** Not beyond the instant at which we would have to step down: the agent should be faster than its fence. */
function restMs(ctx: AgentContext): number {
  const { loop_wait: loopWait } = ctx.config.lease;
  if (!ctx.keeper.isHolder) return loopWait;
  return Math.max(20, Math.min(loopWait, ctx.keeper.deadline - STEP_DOWN_MS - ctx.clock.now()));
}

/** Keeps a fence at hand, and disarms one that has nothing to guard: PostgreSQL is stopped or a standby, and no job changes that. */
async function settleFence(ctx: AgentContext): Promise<void> {
  const { fence, state, jobs, keeper, log } = ctx;
  try {
    await fence.ensure();
    const local = localServer(state);
    const isHarmless =
      jobs.running === undefined && (local.process === 'stopped' || local.role === 'standby');
    if (isHarmless && !keeper.isHolder && (state.isGuarding || fence.deadline !== undefined))
      await unguard(ctx);
    if (state.isGuarding && fence.deadline === undefined && keeper.isSafe(0))
      await fence.arm(keeper.deadline);
  } catch (cause) {
    log.warn('fence-unavailable', failure(cause));
  }
}

/** PostgreSQL settings of the cluster-wide key, when that key changed: files, then a reload of a running server. */
async function applyConfiguration(ctx: AgentContext): Promise<void> {
  const { state, jobs, pg, log } = ctx;
  const revision = state.view.config?.modRevision;
  if (
    revision === undefined ||
    revision === state.appliedConfig ||
    jobs.running !== undefined ||
    state.configured === undefined
  )
    return;
  try {
    if (
      (await configure(ctx, state.configured.as, state.configured.upstream)) &&
      localServer(state).process === 'running'
    )
      await pg.reload();
    state.appliedConfig = revision;
  } catch (cause) {
    log.warn('configuration-not-applied', { revision, ...failure(cause) });
  }
}

/** The orderly end: nothing new begins, PostgreSQL stops, leadership goes to who has everything, the member key says so. */
async function leave(ctx: AgentContext, duties: Duties, member: MemberKey): Promise<void> {
  const { log, jobs, state } = ctx;
  log.info('agent-leaving', {});
  state.isStopping = true;
  jobs.abandon('the agent ends');
  try {
    await withDeadline(duties.idle(), 3000, 'the end of housekeeping');
    await look(ctx);
    await withDeadline(leaveInOrder(ctx), LEAVE_MS, 'the orderly end');
    await member.publish(ctx);
  } catch (cause) {
    // The fence stays armed while PostgreSQL may be a primary, and the lease ends by itself.
    log.error('agent-left-in-disorder', failure(cause));
  }
}

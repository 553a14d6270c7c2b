/**
 * The agent of one database host, put together: its parts, its watch, its loop (loop.ts), and how it ends. The keep-alive
 * is the one part that it cannot be without: should that end unasked, the agent ends, and its fence guards PostgreSQL.
 */
import {
  background,
  type Clock,
  failure,
  formatAddress,
  type Log,
  MatriarchError,
  pause,
  rethrowBug,
} from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { Dcs } from '../dcs/index.ts';
import { listenHttp } from '../metrics/index.ts';
import { openPostgres } from '../postgres/index.ts';
import { type ClusterView, keyLayout, watchCluster } from '../topology/index.ts';
import { type AgentContext, freshState } from './context.ts';
import { Duties } from './duties.ts';
import { FenceClient } from './fence-client.ts';
import { Jobs } from './jobs.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { leave } from './leave.ts';
import { adopt, loop } from './loop.ts';
import { MemberKey } from './member-key.ts';
import { PeerClient } from './peers.ts';
import { restApi } from './rest.ts';
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

const WATCH_AGAIN_MS = 500;

/**
 * Runs until `signal` aborts, then stops PostgreSQL, gives leadership away and resolves. Rejects with `config-invalid`,
 * `address-in-use`, `system-id-mismatch`, what `openPostgres` says or what ended the keep-alive, leaving a running PostgreSQL
 * to its fence.
 */
export async function startAgent(parts: AgentParts): Promise<void> {
  const ctx = await contextOf(parts);
  const ending = new AbortController();
  const member = new MemberKey();
  const duties = new Duties(ctx, member);
  const rest = await listenHttp(restApi(ctx), { address: ctx.restapi.listen, what: 'REST API' });
  ctx.log.info('agent-listening', { address: formatAddress(ctx.restapi.listen) });
  const unsubscribe = ctx.pg.onExit(() => ctx.wake.now());
  // The loop ends when it is told to, and when the keep-alive has ended, for whatever reason.
  const kept = ctx.keeper.run(ending.signal).finally(() => ending.abort());
  background(ctx.log, 'keep-alive', kept);
  background(ctx.log, 'watch', watch(ctx, ending.signal));
  try {
    await adopt(ctx);
    await loop(ctx, duties, AbortSignal.any([parts.signal, ending.signal]));
    if (!ending.signal.aborted) await leave(ctx, duties, member);
  } finally {
    ending.abort();
    unsubscribe();
    await ctx.fence.leave();
    await rest.close();
    await ctx.peers.close();
    await ctx.pg.close();
  }
  await kept;
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
  const pg = await openPostgres({ config: postgresql, scope: config.scope, name: config.name, clock, log });
  const fence = new FenceClient({
    // As PostgresControl knows it: server processes are recognised by their working directory, which has no links in it.
    dataDir: pg.dataDir,
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
    published: {
      postgres: postgresql.connect_address ?? postgresql.listen,
      rest: restapi.connect_address ?? restapi.listen,
    },
    pg,
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

/** The watch resumes by itself; should it end all the same, it is begun anew, for without it the agent is blind. */
async function watch(ctx: AgentContext, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await watchOnce(ctx, signal);
    } catch (cause) {
      rethrowBug(cause);
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
    onView: (view) => {
      const before = state.view;
      state.view = view;
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

/**
 * The inside of one agent over a store in memory and a PostgreSQL that only pretends: for tests of what the agent does,
 * in which order, when something around it fails. `done` tells what was done to the server and to the fence, in order.
 */
import { ok } from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type AgentContext, freshState } from '../../src/agent/context.ts';
import { Jobs } from '../../src/agent/jobs.ts';
import { LeaseKeeper } from '../../src/agent/lease-keeper.ts';
import { boundForMs } from '../../src/agent/pledges.ts';
import { Wake } from '../../src/agent/wake.ts';
import { Watchdog } from '../../src/agent/watchdog.ts';
import { type Clock, systemTimers } from '../../src/base/index.ts';
import { checkConfig } from '../../src/config/index.ts';
import { createMemoryDcs, type MemoryClient } from '../../src/dcs/index.ts';
import type { Inspection, PostgresControl, ServerStatus } from '../../src/postgres/index.ts';
import { applySnapshot, emptyView, keyLayout } from '../../src/topology/index.ts';
import { eventually } from './eventually.ts';
import { type LogLine, recordingLog } from './recording-log.ts';

const CONFIG = `
scope: herd
name: alpha
datacenter: dc1
etcd: { endpoints: ['http://127.0.0.1:1'] }
lease: { keep_alive: 50ms }
restapi: { listen: '127.0.0.1:8008' }
watchdog: { mode: off }
postgresql:
  data_dir: /nowhere/data
  bin_dir: /nowhere/bin
  listen: 127.0.0.1:5432
  socket_dir: /nowhere/run
  authentication: { superuser: { password: a }, replication: { password: b }, rewind: { password: c } }
`;

export interface AnAgent {
  readonly ctx: AgentContext;
  readonly server: PretendedServer;
  /** What was done to server and fence, in order. */
  readonly done: string[];
  readonly lines: readonly LogLine[];
  /** Another client of the same store. */
  readonly other: MemoryClient;
  /** Ends the keep-alives; the lease lives on for as long as it was granted. */
  readonly endKeepAlive: () => Promise<void>;
  readonly move: (ms: number) => void;
  /** Makes the context's view what the store holds now. */
  readonly see: () => Promise<void>;
}

/** What the server says, and what its calls do beside the default; a test changes it as it goes. */
export interface PretendedServer {
  postmaster: Inspection['postmaster'];
  status: ServerStatus;
  readonly calls: Partial<PostgresControl>;
}

/** An agent that has its lease; its server is stopped, its directory a whole one. */
export async function anAgent(t: TestContext, calls: Partial<PostgresControl> = {}): Promise<AnAgent> {
  let now = 1000;
  const clock: Clock = { now: () => now, wallNow: () => now };
  const memory = createMemoryDcs({ clock });
  const [store, other] = [memory.connect(), memory.connect()];
  const layout = keyLayout('service', 'herd');
  const { log, lines } = recordingLog();
  const done: string[] = [];
  const loaded = checkConfig(CONFIG, {}, 'agent');
  ok(loaded.outcome === 'ok');
  const { config } = loaded;
  ok(config.postgresql !== undefined && config.restapi !== undefined);
  const state = freshState(now);
  const keeper = new LeaseKeeper({
    dcs: store,
    layout,
    name: 'alpha',
    lease: config.lease,
    clock,
    timers: systemTimers,
    log,
    onExtended: () => undefined,
    onChange: () => undefined,
    isBound: () => boundForMs(state, now) > 0,
  });
  const server: PretendedServer = {
    postmaster: { kind: 'stopped', stalePidFile: false },
    status: aStatus(),
    calls,
  };
  const wake = new Wake(systemTimers);
  const ctx: AgentContext = {
    config,
    postgresql: config.postgresql,
    restapi: config.restapi,
    tags: {},
    published: { postgres: config.postgresql.listen, rest: config.restapi.listen },
    pg: pretended(server, done),
    dcs: store,
    layout,
    clock,
    timers: systemTimers,
    log,
    keeper,
    fence: {
      onLost: () => () => undefined,
      deadline: undefined,
      watchdog: undefined,
      ensure: async () => await Promise.resolve(),
      look: async () => await Promise.resolve(),
      arm: async (deadline) => await noted(done, deadline > now ? 'arm' : 'arm with a past deadline'),
      disarm: async () => await noted(done, 'disarm'),
      leave: async () => await noted(done, 'leave'),
    },
    watchdog: new Watchdog({ config: config.watchdog, lease: config.lease, clock, log }),
    jobs: new Jobs({ clock, log, random: always, onEnd: () => wake.now() }),
    wake,
    peers: {
      ask: async () => await Promise.resolve([]),
      askOne: async () => await Promise.resolve(undefined),
      pledge: async () => await Promise.resolve(undefined),
      close: async () => await Promise.resolve(),
    },
    random: always,
    version: 'test',
    readAgain: async () => await Promise.resolve(config),
    state,
  };
  const ending = new AbortController();
  const kept = keeper.run(ending.signal);
  t.after(async () => {
    ending.abort();
    await kept;
    memory.close();
  });
  await eventually('the lease is granted', () => keeper.lease, {
    holds: (id) => id !== undefined,
    withinMs: 1000,
  });
  return {
    ctx,
    server,
    done,
    lines,
    other,
    endKeepAlive: async () => {
      ending.abort();
      await kept;
    },
    move: (ms) => {
      now += ms;
      memory.tick();
    },
    see: async () => {
      const snapshot = await other.range(layout.prefix, { timeoutMs: 1000 });
      state.view = applySnapshot(emptyView, snapshot, layout);
      state.contactAt = now;
    },
  };
}

const always = (): number => 1;

/** A primary on timeline 1 without standbys. */
export function aStatus(changes: Partial<ServerStatus> = {}): ServerStatus {
  const status = {
    inRecovery: false,
    timeline: 1,
    systemId: '7',
    writeLsn: 100,
    flushLsn: 100,
    receiveLsn: undefined,
    replayLsn: undefined,
    replayPaused: false,
    replicationState: undefined,
    upstream: undefined,
    checkpointTimeline: 1,
    standbys: [],
    slots: [],
    postmasterStartTime: '2026-01-01 00:00:00+00',
    isClosed: false,
    serverVersion: 150_018,
    pendingRestart: [],
    ...changes,
  };
  return status;
}

function anInspection(postmaster: Inspection['postmaster']): Inspection {
  const control = {
    state: postmaster.kind === 'stopped' ? ('shut down' as const) : ('in production' as const),
    systemId: '7',
    checkpointLsn: 100,
    checkpointTimeline: 1,
    minRecoveryEndLsn: 0,
    minRecoveryEndTimeline: 0,
    dataChecksums: true,
    walLogHints: true,
    floors: {
      max_connections: 100,
      max_worker_processes: 8,
      max_wal_senders: 10,
      max_prepared_xacts: 0,
      max_locks_per_xact: 64,
    },
  };
  return { data: { kind: 'initialized', isUnclaimed: false }, postmaster, control };
}

function pretended(server: PretendedServer, done: string[]): PostgresControl {
  const calls: Partial<PostgresControl> = {
    start: async ({ as }) => {
      server.postmaster = { kind: 'accepting', pid: 1 };
      await noted(done, `start as ${as}`);
      return { outcome: 'accepting', pid: 1 };
    },
    stop: async ({ mode }) => {
      server.postmaster = { kind: 'stopped', stalePidFile: false };
      await noted(done, `stop ${mode}`);
      return { outcome: 'stopped', by: 'fast', tookMs: 1 };
    },
    ...server.calls,
  };
  const control = {
    dataDir: join(tmpdir(), 'no-server-works-here'),
    inspect: async () => await Promise.resolve(anInspection(server.postmaster)),
    claimDataDir: async () => await noted(done, 'claimDataDir'),
    hasStandbySignal: async () => await Promise.resolve(false),
    writeConfig: async () => await Promise.resolve({ changed: true }),
    start: unasked,
    stop: unasked,
    promote: unasked,
    status: async () => await Promise.resolve(server.status),
    isAnswering: async () => await Promise.resolve(true),
    hbaProblems: async () => await Promise.resolve([]),
    synchrony: unasked,
    checkpoint: async () => await noted(done, 'checkpoint'),
    reload: async () => await noted(done, 'reload'),
    initdb: async () => await noted(done, 'initdb'),
    ensureSlots: async () => await Promise.resolve({ created: [], dropped: [] }),
    basebackup: async () => await noted(done, 'basebackup'),
    rewind: unasked,
    removeDataDir: async () => await noted(done, 'removeDataDir'),
    quarantine: unasked,
    timelineHistory: unasked,
    keepsWal: async () => await Promise.resolve(false),
    bootstrapSql: async () => await noted(done, 'bootstrapSql'),
    setRouterCredential: async () => await noted(done, 'setRouterCredential'),
    onExit: () => () => undefined,
    close: async () => await Promise.resolve(),
    ...calls,
  };
  return control;
}

async function noted(done: string[], what: string): Promise<void> {
  done.push(what);
  await Promise.resolve();
}

async function unasked(): Promise<never> {
  await Promise.resolve();
  throw new Error('the test did not say what this call does');
}

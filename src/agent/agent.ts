/**
 * The agent of one database host, put together: its doors to the world are opened here, the context is made of them,
 * and run.ts runs it.
 */
import {
  background,
  type Clock,
  formatAddress,
  type Log,
  MatriarchError,
  systemTimers,
  type Timers,
} from '../base/index.ts';
import type { Config, PostgresqlConfig, RestapiConfig } from '../config/index.ts';
import type { Dcs } from '../dcs/index.ts';
import { listenHttp } from '../metrics/index.ts';
import { openPostgres, type PostgresControl } from '../postgres/index.ts';
import { keyLayout } from '../topology/index.ts';
import { type AgentContext, freshState } from './context.ts';
import { FenceClient } from './fence-client.ts';
import { Jobs } from './jobs.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { refuseTakenName } from './names.ts';
import { PeerClient } from './peers.ts';
import { boundForMs } from './pledges.ts';
import { requestReload } from './reload.ts';
import { restApi } from './rest.ts';
import { isOpenToAll } from './rest-access.ts';
import { restIdentity } from './rest-client.ts';
import { serverTls } from './rest-tls.ts';
import { runAgent } from './run.ts';
import { Wake } from './wake.ts';
import { Watchdog } from './watchdog.ts';

export interface AgentParts {
  readonly config: Config;
  readonly dcs: Dcs;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts for an orderly end. */
  readonly signal: AbortSignal;
  /** Shown in metrics. */
  readonly version?: string;
  /** Reads the file again, for a reload; rejects when it is wrong. Left out, it is as it was. */
  readonly readAgain?: () => Promise<Config>;
  /** Calls the listener at each wish for a reload; gives the function that ends that. */
  readonly onReload?: (listener: () => void) => () => void;
  /** In [0, 1); spreads retries. */
  readonly random: () => number;
}

interface Sections {
  readonly postgresql: PostgresqlConfig;
  readonly restapi: RestapiConfig;
}

/** What an agent needs of its host. */
export interface AgentDoors extends Omit<AgentParts, 'signal'> {
  readonly timers: Timers;
  readonly pg: PostgresControl;
  readonly fence: AgentContext['fence'];
  readonly watchdog: AgentContext['watchdog'];
  readonly peers: AgentContext['peers'];
}

/**
 * Runs until `signal` aborts, then stops PostgreSQL, gives leadership away and resolves. Rejects with `config-invalid`,
 * `address-in-use`, `name-taken`, `system-id-mismatch`, what `openPostgres` says or what ended the keep-alive, leaving a running PostgreSQL
 * to its fence.
 */
export async function startAgent(parts: AgentParts): Promise<void> {
  const ctx = assemble(await openDoors(parts));
  // Before our own REST API could be who answers.
  await refuseTakenName(ctx);
  const tls = await serverTls(ctx.restapi);
  const rest = await listenHttp(restApi(ctx), { address: ctx.restapi.listen, what: 'REST API' }, tls);
  ctx.log.info('agent-listening', { address: formatAddress(ctx.restapi.listen) });
  if (isOpenToAll(ctx.restapi))
    ctx.log.warn('rest-api-open', {
      because:
        'it is no loopback address, and neither restapi.authentication, allowlist nor verify_client is set',
    });
  const offReload = parts.onReload?.(() => requestReload(ctx));
  try {
    await runAgent(ctx, parts.signal);
  } finally {
    offReload?.();
    await rest.close();
    await ctx.peers.close();
    await ctx.pg.close();
  }
}

async function openDoors(parts: AgentParts): Promise<AgentDoors> {
  const { config, clock, log } = parts;
  const { postgresql } = sectionsOf(config);
  const pg = await openPostgres({ config: postgresql, scope: config.scope, name: config.name, clock, log });
  const watchdog = new Watchdog({ config: config.watchdog, lease: config.lease, clock, log });
  const fence = new FenceClient({
    // As PostgresControl knows it: server processes are recognised by their working directory, which has no links in it.
    dataDir: pg.dataDir,
    socketDir: postgresql.socket_dir,
    marginMs: config.lease.fence_margin,
    log,
    watchdog: () => watchdog.orders,
  });
  return {
    ...parts,
    timers: systemTimers,
    pg,
    fence,
    watchdog,
    peers: new PeerClient(await restIdentity(config)),
  };
}

/** The context of an agent behind these doors. Throws `config-invalid`. */
export function assemble(doors: AgentDoors): AgentContext {
  const { config, dcs, clock, timers, log, random, pg, fence, watchdog, peers } = doors;
  const { postgresql, restapi } = sectionsOf(config);
  const layout = keyLayout(config.namespace, config.scope);
  const wake = new Wake(timers);
  const state = freshState(clock.now());
  const keeper = new LeaseKeeper({
    dcs,
    layout,
    name: config.name,
    lease: config.lease,
    clock,
    timers,
    log,
    onExtended: (deadline) => {
      if (state.isGuarding) background(log, 'fence deadline', fence.arm(deadline));
    },
    onChange: () => wake.now(),
    isBound: () => boundForMs(state, clock.now()) > 0,
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
    timers,
    log,
    keeper,
    fence,
    watchdog,
    jobs: new Jobs({ clock, log, random, onEnd: () => wake.now() }),
    wake,
    peers,
    random,
    version: doors.version ?? '0',
    readAgain: doors.readAgain ?? (async () => await Promise.resolve(config)),
    state,
  };
}

function sectionsOf({ postgresql, restapi }: Config): Sections {
  if (postgresql === undefined || restapi === undefined) {
    throw new MatriarchError('config-invalid', 'an agent needs the sections restapi and postgresql');
  }
  return { postgresql, restapi };
}

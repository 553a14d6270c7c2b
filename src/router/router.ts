/**
 * A running router: follows the cluster, listens for clients and for HTTP, and stops in order. The pure parts
 * (session.ts, login.ts) decide; client.ts carries out; this file only brings them together.
 */
import { randomBytes } from 'node:crypto';
import { FailureDelays } from '../auth/index.ts';
import { background, type Clock, type Log, rethrowBug } from '../base/index.ts';
import type { Config, RouterConfig } from '../config/index.ts';
import type { Dcs } from '../dcs/index.ts';
import { listenHttp, processSamples } from '../metrics/index.ts';
import { loadClassifier } from '../sql/index.ts';
import { type ClusterView, keyLayout, type ReadPolicy } from '../topology/index.ts';
import { Access, type AccessTable } from './access.ts';
import { openAdmin } from './admin.ts';
import { Counters } from './counters.ts';
import { Flusher } from './flusher.ts';
import { followCluster, memberWeights } from './follow-cluster.ts';
import { HoldRoom } from './hold.ts';
import { Latencies } from './latencies.ts';
import { type ConfigSource, LiveConfig } from './live-config.ts';
import { Listener } from './listener.ts';
import { poolSamples } from './pool-samples.ts';
import { Reachability } from './reachability.ts';
import { Scratch } from './scratch.ts';
import { samplesOf } from './samples.ts';
import { Servers } from './servers.ts';
import type { Shared } from './shared.ts';
import { statusApp } from './status-http.ts';
import { READ_BUFFER_BYTES } from './upstream.ts';
import type { UnixSocketPlace } from './unix-socket.ts';
import { type LookupSettings, type MemberToAsk, Verifiers } from './verifiers.ts';
import { ClusterWorld } from './world.ts';

export interface RouterOptions {
  readonly config: Config;
  /** Undefined where the configuration lists `nodes`. */
  readonly dcs: Dcs | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the router. */
  readonly signal: AbortSignal;
  /** Where a changed configuration comes from; without it there is no reload. */
  readonly source?: ConfigSource;
  /** In [0, 1): spreads the closing of old server connections; without it they are not spread. */
  readonly random?: () => number;
  /** For the metric matriarch_build_info. */
  readonly version?: string;
}

/** How late a client past its limits is disconnected at the most. */
const CHECK_TIMES_EVERY_MS = 250;

/**
 * Runs until the signal aborts; resolves after an orderly stop. Listens, and logs `router-listening`, at once: clients
 * that come before the first view of the cluster wait for it. Rejects with `address-in-use` and its kin.
 */
export async function startRouter(options: RouterOptions): Promise<void> {
  const { config, clock, log, signal } = options;
  const stopping = new AbortController();
  const live = new LiveConfig(config, options.source, log);
  const listener = new Listener({ clientsMax: () => live.router.max_client_conn, clock });
  const stop = (): void => stopping.abort();
  const shared = await makeShared({ ...options, live, listener, stop, signal: stopping.signal });
  const { world, verifiers } = shared;
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const closings: (() => Promise<void>)[] = [];
  try {
    const http = await listenHttp(
      statusFor(options, shared, listener),
      config.router.http_listen,
      'The router’s HTTP server',
    );
    closings.push(() => http.close());
    closings.push(await listener.listen(config.router.listen, shared));
    const place = unixSocketPlace(config.router);
    if (place !== undefined) closings.push(await listener.listenLocal(place, shared));
    const following = followCluster({ ...options, access: () => shared.access.now }, stopping.signal, {
      onView: (view, changedAt) => viewChanged(shared, listener, view, changedAt),
      onContact: (sentAtMs) => world.setContact(sentAtMs),
    });
    background(log, 'following the cluster', following);
    const unsubscribe = options.source?.onRequest(() => {
      // A refusal has been logged, with its reasons.
      live.reload().catch(rethrowBug);
    });
    const checking = setInterval(() => listener.checkTimes(clock.now()), CHECK_TIMES_EVERY_MS);
    closings.push(async () => {
      clearInterval(checking);
      unsubscribe?.();
      await Promise.resolve();
    });
    log.info('router-listening', {
      ...config.router.listen,
      http: config.router.http_listen,
      datacenter: config.datacenter,
    });
    await aborted(stopping.signal);
    log.info('router-stopping', { clients: listener.size });
    // Accepting ends with this call; its promise waits for the last connection.
    const closed = closings.map((close) => close());
    await listener.drain();
    await Promise.all(closed);
  } catch (cause) {
    stop();
    listener.destroy();
    await Promise.all(closings.map((close) => close()));
    throw cause;
  } finally {
    signal.removeEventListener('abort', stop);
    verifiers.close();
    shared.access.close();
    shared.servers.close();
  }
  log.info('router-stopped');
}

interface Parts extends RouterOptions {
  readonly live: LiveConfig;
  readonly listener: Listener;
  /** Ends the router in order. */
  readonly stop: () => void;
}

async function makeShared(options: Parts): Promise<Shared> {
  const { config, clock, log, dcs, live, listener, signal, stop } = options;
  const world = new ClusterWorld({ policy: readPolicy(config), ttlMs: config.lease.ttl });
  const access = new Access(config.router, log);
  const flusher = new Flusher();
  const latencies = new Latencies();
  const servers = new Servers({
    config: () => live.router,
    world,
    reachability: new Reachability(world, log, signal),
    flusher,
    latencies,
    clock,
    log,
    random: options.random ?? unspread,
    tls: () => access.now.serverTls,
    readBuffer: new Scratch(READ_BUFFER_BYTES),
  });
  live.onPrepare((next) => access.prepare(next.router));
  const verifiers = new Verifiers({
    dcs,
    credentialKey: keyLayout(config.namespace, config.scope).routerCredential,
    clock,
    log,
    members: () => membersToAsk(world),
    settings: () => lookupSettings(live.router, access.now),
  });
  live.onChange(() => {
    verifiers.reset();
    world.setPolicy(readPolicy(live.whole));
    servers.configChanged();
  });
  const shared: Shared = {
    get config() {
      return live.router;
    },
    get admin() {
      return admin;
    },
    live,
    clock,
    log,
    world,
    classifier: await loadClassifier(),
    access,
    verifiers,
    failures: new FailureDelays(),
    hold: new HoldRoom(clock, () => live.router.hold_max_clients),
    counters: new Counters(),
    servers,
    latencies,
    flusher,
    clientBuffer: new Scratch(READ_BUFFER_BYTES),
    mockSecret: randomBytes(32),
    passOnCancel: (target) => listener.passOnCancel(target),
    isFull: () => listener.isFull,
    forget: (client) => listener.forget(client),
  };
  const admin = openAdmin({ shared, listener, stop, signal, version: options.version ?? '' });
  return shared;
}

function readPolicy(config: Config): ReadPolicy {
  const { datacenter, addresses, router } = config;
  return {
    localDatacenter: datacenter,
    weights: router.weights,
    addresses,
    memberWeights: memberWeights(config),
  };
}

function unixSocketPlace(config: RouterConfig): UnixSocketPlace | undefined {
  const { unix_socket_dir: folder, unix_socket_mode, listen } = config;
  if (folder === undefined) return undefined;
  return { folder, port: listen.port, mode: Number.parseInt(unix_socket_mode, 8), pid: process.pid };
}

function lookupSettings(config: RouterConfig, access: AccessTable): LookupSettings {
  return {
    connectTimeoutMs: config.server_connect_timeout,
    query: config.auth_query,
    database: config.auth_dbname,
    login: access.lookupLogin,
    users: access.users,
    tls: access.serverTls,
  };
}

const unspread = (): number => 0;

function statusFor(options: RouterOptions, shared: Shared, listener: Listener): ReturnType<typeof statusApp> {
  const { world, counters, classifier, clock } = shared;
  return statusApp({
    world,
    counters,
    now: clock.now,
    ttlMs: options.config.lease.ttl,
    samples: () => [
      ...processSamples('router', options.version ?? ''),
      ...samplesOf({
        world,
        counters,
        classifier,
        pools: shared.servers.pools,
        clients: listener.clients,
        admissions: listener.admissions,
        now: clock.now(),
      }),
      ...shared.latencies.samples((member) => world.candidate(member)?.datacenter ?? ''),
      ...poolSamples(shared.admin.facts()),
    ],
  });
}

function viewChanged(shared: Shared, listener: Listener, view: ClusterView, changedAt: number): void {
  const { world, hold, clock, log } = shared;
  const before = world.primary(clock.now());
  world.setView(view, clock.now());
  shared.servers.worldChanged();
  const now = clock.now();
  hold.worldChanged(listener.clients, now);
  const after = world.primary(now);
  if (after.kind === 'primary' && (before.kind !== 'primary' || before.member !== after.member)) {
    const old = before.kind === 'primary' ? before.member : undefined;
    const tookMs = Math.round((clock.now() - changedAt) * 10) / 10;
    log.info('primary-switched', { old, new: after.member, timeline: view.newestTimeline, tookMs });
  } else if (after.kind === 'none' && before.kind === 'primary') {
    log.warn('primary-gone', { old: before.member, because: after.because });
  }
}

/** Nearest first; unreachable ones last. */
function membersToAsk(world: ClusterWorld): readonly MemberToAsk[] {
  const rank = (name: string, weight: number): number => (world.unreachable.has(name) ? -1 : weight);
  return world.candidates
    .filter((candidate) => candidate.host !== '')
    .toSorted((a, b) => rank(b.name, b.weight) - rank(a.name, a.weight))
    .map(({ name, host, port, isLeader }) => ({ name, address: { host, port }, isLeader }));
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

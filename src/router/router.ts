/**
 * A running router: follows the cluster, listens for clients and for HTTP, and stops in order. The pure parts
 * (session.ts, login.ts) decide; client.ts carries out; this file only brings them together.
 */
import { randomBytes } from 'node:crypto';
import { background, type Clock, type Log, rethrowBug } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { Dcs } from '../dcs/index.ts';
import { listenHttp, processSamples } from '../metrics/index.ts';
import { loadClassifier } from '../sql/index.ts';
import { type ClusterView, keyLayout, type ReadPolicy } from '../topology/index.ts';
import { Counters } from './counters.ts';
import { Flusher } from './flusher.ts';
import { followCluster, memberWeights, roleOf } from './follow-cluster.ts';
import { HoldRoom } from './hold.ts';
import { type ConfigSource, LiveConfig } from './live-config.ts';
import { Listener } from './listener.ts';
import { Reachability } from './reachability.ts';
import { samplesOf } from './samples.ts';
import { Servers } from './servers.ts';
import type { Shared } from './shared.ts';
import { statusApp } from './status-http.ts';
import { READ_BUFFER_BYTES } from './upstream.ts';
import { type MemberToAsk, Verifiers } from './verifiers.ts';
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
  const shared = await makeShared({ ...options, live, listener, signal: stopping.signal });
  const { world, verifiers } = shared;
  const stop = (): void => stopping.abort();
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
    const following = followCluster(options, stopping.signal, {
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
    shared.servers.close();
  }
  log.info('router-stopped');
}

interface Parts extends RouterOptions {
  readonly live: LiveConfig;
  readonly listener: Listener;
}

async function makeShared(options: Parts): Promise<Shared> {
  const { config, clock, log, dcs, live, listener, signal } = options;
  const world = new ClusterWorld({ policy: readPolicy(config), ttlMs: config.lease.ttl });
  const flusher = new Flusher();
  const servers = new Servers({
    config: () => live.router,
    world,
    reachability: new Reachability(world, log, signal),
    flusher,
    clock,
    log,
    random: options.random ?? unspread,
    readBuffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
  });
  live.onChange(() => {
    world.setPolicy(readPolicy(live.whole));
    servers.configChanged();
  });
  return {
    get config() {
      return live.router;
    },
    live,
    clock,
    log,
    world,
    classifier: await loadClassifier(),
    verifiers: new Verifiers({
      dcs,
      credential: roleOf(config),
      credentialKey: keyLayout(config.namespace, config.scope).routerCredential,
      clock,
      log,
      members: () => membersToAsk(world),
      connectTimeoutMs: () => live.router.server_connect_timeout,
    }),
    hold: new HoldRoom(clock, () => live.router.hold_max_clients),
    counters: new Counters(),
    servers,
    flusher,
    clientBuffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
    mockSecret: randomBytes(32),
    passOnCancel: (target) => listener.passOnCancel(target),
    isFull: () => listener.isFull,
    forget: (client) => listener.forget(client),
  };
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
    ],
  });
}

function viewChanged(shared: Shared, listener: Listener, view: ClusterView, changedAt: number): void {
  const { world, hold, clock, log } = shared;
  const before = world.primary(clock.now());
  world.setView(view);
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

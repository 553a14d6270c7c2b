/**
 * A running router: follows the cluster, listens for clients and for HTTP, and stops in order. The pure parts
 * (session.ts, login.ts) decide; client.ts carries out; this file only brings them together.
 */
import type { AdminFacts } from '../admin/index.ts';
import { FailureDelays } from '../auth/index.ts';
import { background, type Clock, type Log, MatriarchError, pause } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { Dcs } from '../dcs/index.ts';
import { processSamples, type Sample } from '../metrics/index.ts';
import { RefusedReads } from '../routing/index.ts';
import { loadClassifier } from '../sql/index.ts';
import { type ClusterView, keyLayout, readPolicyOf } from '../topology/index.ts';
import { Access } from './access.ts';
import { openAdmin } from './admin.ts';
import type { PassOnCancel } from './cancel.ts';
import { catalogFailure } from './catalog-queries.ts';
import { Catalogs } from './catalogs.ts';
import { Counters } from './counters.ts';
import { Decisions } from './decisions.ts';
import { Flusher } from './flusher.ts';
import { followCluster } from './follow-cluster.ts';
import { HoldRoom } from './hold.ts';
import { Latencies } from './latencies.ts';
import { Listener } from './listener.ts';
import { type ConfigSource, LiveConfig } from './live-config.ts';
import { lookupSettings, membersToAsk } from './lookups.ts';
import { NodeHealths } from './node-health.ts';
import { nodeSamples } from './node-samples.ts';
import { OwnConnection } from './own-connection.ts';
import { poolSamples } from './pool-samples.ts';
import { Positions } from './positions.ts';
import { Predecessor } from './predecessor.ts';
import { ReadRoom } from './read-room.ts';
import { retire } from './retire.ts';
import { samplesOf } from './samples.ts';
import { Scratch } from './scratch.ts';
import { Servers } from './servers.ts';
import type { Shared } from './shared.ts';
import { Sockets } from './sockets.ts';
import { statusApp } from './status-http.ts';
import { Succession, takeOverRefusal } from './succession.ts';
import type { Channel } from './take-over.ts';
import { READ_BUFFER_BYTES } from './upstream.ts';
import { Verifiers } from './verifiers.ts';
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
  /** Without it nobody takes over from this router. */
  readonly takeOver?: TakeOver;
  /** The router that this one takes over from. */
  readonly predecessor?: Channel | undefined;
  /** For the metric matriarch_build_info. */
  readonly version?: string;
}

export interface TakeOver {
  /** Calls `listener` whenever somebody asks for a successor; gives the function that ends that. */
  readonly onRequest: (listener: () => void) => () => void;
  readonly start: () => Channel;
}

/** How late a client past its limits is disconnected at the most. */
const CHECK_TIMES_EVERY_MS = 250;

/** How long a successor may need to find its cluster; without one it would be no good. */
const FIND_CLUSTER_MS = 15_000;
/** A node that takes longer to say where it is counts as silent. */
const POSITION_TIMEOUT_MS = 1000;
const LOOK_EVERY_MS = 10;

/**
 * Runs until the signal aborts; resolves after an orderly stop. Listens, and logs `router-listening`, at once: clients
 * that come before the first view of the cluster wait for it. One that takes over from another knows the cluster first.
 * Rejects with `address-in-use` and its kin.
 */
export async function startRouter(options: RouterOptions): Promise<void> {
  const { config, clock, log, signal } = options;
  const stopping = new AbortController();
  const live = new LiveConfig(config, options.source, log);
  const listener = new Listener({ clientsMax: () => live.router.max_client_conn, clock });
  const stop = (): void => stopping.abort();
  const predecessor = options.predecessor && new Predecessor(options.predecessor);
  const passOnCancel: PassOnCancel = (target, ended) => {
    if (!listener.passOnCancel(target, ended) && predecessor?.passOnCancel(target, ended) !== true) ended();
  };
  const parts = { ...options, live, listener, stop, passOnCancel, signal: stopping.signal };
  const shared = await makeShared(parts);
  const { world, verifiers } = shared;
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const sockets = new Sockets();
  const takenOver = new AbortController();
  const succession = successionOf(parts, { shared, sockets, takenOver: () => takenOver.abort() });
  let checking: NodeJS.Timeout | undefined;
  const unsubscribes: ((() => void) | undefined)[] = [];
  try {
    const following = followCluster({ ...options, access: () => shared.access.now }, stopping.signal, {
      onView: (view, changedAt) => viewChanged(shared, listener, view, changedAt),
      onContact: (sentAtMs) => world.setContact(sentAtMs),
    });
    background(log, 'following the cluster', following);
    if (predecessor !== undefined) await clusterFound(shared, stopping.signal);
    const status = statusFor(options, shared, listener);
    await sockets.listen({ config, shared, listener, status, predecessor });
    checking = setInterval(() => listener.checkTimes(clock.now()), CHECK_TIMES_EVERY_MS);
    log.info('router-listening', {
      ...config.router.listen,
      http: config.router.http_listen,
      datacenter: config.datacenter,
      predecessor: predecessor?.pid,
    });
    await predecessor?.listening();
    const unfollow = live.follow();
    unsubscribes.push(
      unfollow,
      options.takeOver?.onRequest(() => succession?.request()),
    );
    await aborted(AbortSignal.any([stopping.signal, takenOver.signal]));
    // Accepting ends with this call; its promise waits for the last connection.
    let closed: Promise<void> | undefined;
    if (!stopping.signal.aborted) {
      log.info('router-retiring', { clients: listener.size });
      // The file is the successor's: it may be of another version.
      unfollow();
      // What is not used is not needed twice.
      shared.servers.reconnect(undefined);
      const closeSockets = (): void => {
        closed = sockets.close();
      };
      const timeoutMs = live.router.drain_timeout;
      await retire({ listener, clock, predecessor, timeoutMs, signal: stopping.signal, closeSockets });
    }
    log.info('router-stopping', { clients: listener.size });
    if (stopping.signal.aborted) await predecessor?.stopping();
    stop();
    closed ??= sockets.close();
    await listener.drain();
    await closed;
  } catch (cause) {
    stop();
    listener.destroy();
    await sockets.close();
    throw cause;
  } finally {
    clearInterval(checking);
    for (const unsubscribe of unsubscribes) unsubscribe?.();
    succession?.close();
    signal.removeEventListener('abort', stop);
    verifiers.close();
    shared.positions.close();
    shared.reads.close();
    shared.health.close();
    shared.access.close();
    shared.catalogs.close();
    shared.servers.close();
  }
  log.info('router-stopped');
}

async function clusterFound({ world, clock }: Shared, signal: AbortSignal): Promise<void> {
  const deadline = clock.now() + FIND_CLUSTER_MS;
  while (!world.isKnown && !signal.aborted) {
    if (clock.now() > deadline)
      throw new MatriarchError('router-no-server', `found no cluster within ${FIND_CLUSTER_MS / 1000} s`);
    await pause(LOOK_EVERY_MS, signal);
  }
}

function successionOf(
  { takeOver, log, signal, stop, passOnCancel }: Parts,
  {
    shared,
    sockets,
    takenOver,
  }: { readonly shared: Shared; readonly sockets: Sockets; readonly takenOver: () => void },
): Succession | undefined {
  if (takeOver === undefined) return undefined;
  return new Succession({
    log,
    start: takeOver.start,
    sockets: sockets.open,
    refusal: () => (signal.aborted ? 'stopping' : takeOverRefusal(shared.admin().facts())),
    takenOver,
    failed: () => sockets.namePid(),
    passOnCancel,
    stop,
  });
}

interface Parts extends RouterOptions {
  readonly live: LiveConfig;
  readonly listener: Listener;
  /** Ends the router in order. */
  readonly stop: () => void;
  readonly passOnCancel: PassOnCancel;
}

async function makeShared(options: Parts): Promise<Shared> {
  const { config, clock, log, dcs, live, listener, signal, stop } = options;
  const world = new ClusterWorld({ policy: readPolicyOf(config), ttlMs: config.lease.ttl });
  const access = new Access(config.router, log);
  const flusher = new Flusher();
  const latencies = new Latencies();
  const health = new NodeHealths({
    world,
    latencies,
    lagLimit: () => live.router.max_lag,
    answerWithinMs: () => POSITION_TIMEOUT_MS + 2 * live.router.position_poll,
    tls: () => access.now.serverTls,
    clock,
    log,
    signal,
  });
  const servers = new Servers({
    config: () => live.router,
    world,
    health,
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
  const catalogs = new Catalogs({
    clock,
    log,
    pollMs: () => live.router.catalog_poll,
    members: () => membersToAsk(world).toSorted((a, b) => Number(b.isLeader) - Number(a.isLeader)),
    open: (database) => async (member, events) => {
      const connection = new OwnConnection({
        address: member.address,
        role: { ...(await verifiers.credential()), database },
        tls: access.now.serverTls,
        connectTimeoutMs: live.router.server_connect_timeout,
        failure: catalogFailure,
        ...events,
      });
      await connection.opened;
      return connection;
    },
    forgetCredential: () => verifiers.forgetCredential(),
  });
  const positions = new Positions({
    settings: () => ({
      periodMs: live.router.position_poll,
      timeoutMs: POSITION_TIMEOUT_MS,
      database: live.router.auth_dbname,
      tls: access.now.serverTls,
    }),
    credential: async () => await verifiers.credential(),
    forgetCredential: () => verifiers.forgetCredential(),
    clock,
    log,
    signal,
    answered: (member, position, isWhole) => {
      if (isWhole) health.answered(member, position);
      reads.told(member, position);
    },
    silent: (member, because) => health.silent(member, because),
  });
  const reads = new ReadRoom({
    clock,
    log,
    settings: () => live.router,
    ask: async (member) => await positions.ask(member),
  });
  live.onChange(() => {
    shared.config = live.router;
    verifiers.reset();
    positions.reconnect();
    catalogs.retry();
    world.setPolicy(readPolicyOf(live.whole));
    servers.configChanged();
  });
  const shared: Shared = {
    config: live.router,
    admin: () => admin,
    live,
    clock,
    log,
    world,
    classifier: await loadClassifier(),
    access,
    verifiers,
    positions,
    reads,
    health,
    failures: new FailureDelays(),
    hold: new HoldRoom(clock, () => live.router.hold_max_clients),
    counters: new Counters(),
    refused: new RefusedReads(),
    decisions: new Decisions(),
    servers,
    catalogs,
    latencies,
    flusher,
    clientBuffer: new Scratch(READ_BUFFER_BYTES),
    passOnCancel: options.passOnCancel,
    isFull: (database) => listener.isFull(database),
    forget: (client) => listener.forget(client),
  };
  const admin = openAdmin({ shared, listener, stop, signal, version: options.version ?? '' });
  return shared;
}

const unspread = (): number => 0;

function statusFor(options: RouterOptions, shared: Shared, listener: Listener): ReturnType<typeof statusApp> {
  const { world, counters, classifier, clock } = shared;
  return statusApp({
    world,
    health: shared.health,
    counters,
    now: clock.now,
    state: () => shared.admin().facts().state,
    ttlMs: options.config.lease.ttl,
    routeOf: shared.admin().routeOf,
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
      ...shared.catalogs.samples(),
      ...poolAndNodeSamples(shared.admin().facts()),
    ],
  });
}

function poolAndNodeSamples(facts: AdminFacts): Sample[] {
  return [...poolSamples(facts), ...nodeSamples(facts.nodes)];
}

function viewChanged(shared: Shared, listener: Listener, view: ClusterView, changedAt: number): void {
  const { world, hold, clock, log } = shared;
  const before = world.primary(clock.now());
  world.setView(view, clock.now());
  shared.servers.worldChanged();
  shared.catalogs.retry();
  shared.positions.setMembers(world.askable);
  const now = clock.now();
  shared.reads.book.viewChanged(world.viewedPrimary, (name) => world.isMember(name));
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

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

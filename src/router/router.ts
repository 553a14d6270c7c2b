/**
 * A running router: follows the cluster, listens for clients and for HTTP, and stops in order. The pure parts
 * (session.ts, login.ts) decide; client.ts carries out; this file only brings them together.
 */
import { randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';
import { assert, background, type Clock, type Log, listenError, pause } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { Dcs } from '../dcs/index.ts';
import { listenHttp, processSamples, type Sample } from '../metrics/index.ts';
import { loadClassifier } from '../sql/index.ts';
import { type ClusterView, keyLayout, watchCluster } from '../topology/index.ts';
import { CancelRequest, type CancelTarget } from '../wire/index.ts';
import { ClientConnection } from './client.ts';
import { Counters } from './counters.ts';
import { HoldRoom } from './hold.ts';
import { Reachability } from './reachability.ts';
import { REPLY } from './replies.ts';
import type { Shared } from './shared.ts';
import { statusApp } from './status-http.ts';
import { READ_BUFFER_BYTES } from './upstream.ts';
import { Verifiers } from './verifiers.ts';
import { ClusterWorld } from './world.ts';

export interface RouterOptions {
  readonly config: Config;
  /** Where this router is: the weights of reads are seen from here. */
  readonly datacenter: string;
  readonly dcs: Dcs;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the router. */
  readonly signal: AbortSignal;
  /** For the metric matriarch_build_info. */
  readonly version?: string;
}

/** How long running statements get at the end. */
const STOP_GRACE_MS = 3000;
const STOP_LOOK_EVERY_MS = 25;
const CANCEL_TIMEOUT_MS = 5000;
/** Connections above max_client_conn that are heard as far as their first packet. */
const SPARE_CLIENTS = 100;
const LISTEN_BACKLOG = 1024;
/** Proofs of contact with etcd per life of a lease. */
const CONTACTS_PER_TTL = 5;

/**
 * Runs until the signal aborts; resolves after an orderly stop. Listens, and logs `router-listening`, once the first
 * view of the cluster is there or etcd has not given one for a while. Rejects with `address-in-use` and its kin.
 */
export async function startRouter(options: RouterOptions): Promise<void> {
  const { config, log, signal } = options;
  const stopping = new AbortController();
  const router = await makeRouter(options, stopping.signal);
  const stop = (): void => stopping.abort();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const closings: (() => Promise<void>)[] = [];
  try {
    const server = createServer({ noDelay: true, keepAlive: true, pauseOnConnect: false }, router.accept);
    closings.push(await listen(server, config.router.listen));
    const http = await listenHttp(router.http, config.router.http_listen, 'The router’s HTTP server');
    closings.push(() => http.close());
    background(log, 'following the cluster', router.follow());
    log.info('router-listening', {
      ...config.router.listen,
      http: config.router.http_listen,
      datacenter: options.datacenter,
    });
    await aborted(stopping.signal);
    log.info('router-stopping', { clients: router.clients.size });
    // Accepting ends with this call; its promise waits for the last connection.
    const closed = closings.map((close) => close());
    await router.drain();
    await Promise.all(closed);
  } catch (cause) {
    stop();
    await Promise.all(closings.map((close) => close()));
    throw cause;
  } finally {
    signal.removeEventListener('abort', stop);
    router.verifiers.close();
  }
  log.info('router-stopped');
}

async function makeRouter(options: RouterOptions, signal: AbortSignal) {
  const { config, clock, log, dcs, datacenter } = options;
  const layout = keyLayout(config.namespace, config.scope);
  const ttlMs = config.lease.ttl;
  const policy = { localDatacenter: datacenter, weights: config.router.weights, addresses: config.addresses };
  const world = new ClusterWorld({ policy, ttlMs });
  const clients = new Map<number, ClientConnection>();
  const counters = new Counters();
  const hold = new HoldRoom(clock, config.router.hold_max_clients);
  const verifiers = new Verifiers({
    dcs,
    credentialKey: layout.routerCredential,
    clock,
    log,
    members: () => membersToAsk(world),
    connectTimeoutMs: config.router.server_connect_timeout,
  });
  const shared: Shared = {
    config: config.router,
    clock,
    log,
    world,
    classifier: await loadClassifier(),
    verifiers,
    hold,
    counters,
    reachability: new Reachability(world, log, signal),
    mockSecret: randomBytes(32),
    readBuffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
    passOnCancel: (target) => passOnCancel(clients, target),
    isFull: () => clients.size > config.router.max_client_conn,
    forget: (client) => clients.delete(client.processId),
  };

  const onView = (view: ClusterView, changedAt: number): void => {
    const before = world.primary(clock.now());
    world.setView(view);
    const now = clock.now();
    for (const waiting of Array.from(hold.waiting)) waiting.tick(now);
    for (const client of Array.from(clients.values())) client.worldChanged(now);
    const after = world.primary(now);
    if (after.kind === 'primary' && (before.kind !== 'primary' || before.member !== after.member)) {
      const old = before.kind === 'primary' ? before.member : undefined;
      const tookMs = Math.round((clock.now() - changedAt) * 10) / 10;
      log.info('primary-switched', { old, new: after.member, timeline: view.newestTimeline, tookMs });
    } else if (after.kind === 'none' && before.kind === 'primary') {
      log.warn('primary-gone', { old: before.member, because: after.because });
    }
  };

  return {
    clients,
    verifiers,
    http: statusApp({
      world,
      counters,
      now: clock.now,
      ttlMs,
      samples: () => [...processSamples('router', options.version ?? ''), ...samplesOf(shared, clients)],
    }),
    accept: (socket: ConstructorParameters<typeof ClientConnection>[1]): void => {
      const client = new ClientConnection(shared, socket, newIdentity(clients));
      // Cancels and refusals need a place too; beyond these nobody is even listened to.
      if (clients.size >= config.router.max_client_conn + SPARE_CLIENTS) {
        client.refuse(REPLY.tooManyClients(config.router.max_client_conn));
        return;
      }
      clients.set(client.processId, client);
    },
    follow: async (): Promise<void> => {
      await watchCluster({
        dcs,
        layout,
        clock,
        log,
        signal,
        contactEveryMs: ttlMs / CONTACTS_PER_TTL,
        onView,
        onContact: (sentAtMs) => world.setContact(sentAtMs),
      });
    },
    drain: async (): Promise<void> => {
      const deadline = clock.now() + STOP_GRACE_MS;
      while (clients.size > 0 && clock.now() < deadline) {
        for (const client of Array.from(clients.values()))
          if (client.state !== 'active') client.refuse(REPLY.shutdown());
        if (clients.size > 0) await pause(STOP_LOOK_EVERY_MS);
      }
      for (const client of Array.from(clients.values())) client.refuse(REPLY.shutdown());
    },
  };
}

/** Nearest first; unreachable ones last. */
function membersToAsk(world: ClusterWorld) {
  const rank = (name: string, weight: number): number => (world.unreachable.has(name) ? -1 : weight);
  return world.candidates
    .filter((candidate) => candidate.host !== '')
    .toSorted((a, b) => rank(b.name, b.weight) - rank(a.name, a.weight))
    .map(({ name, host, port, isLeader }) => ({ name, address: { host, port }, isLeader }));
}

/** A process id that no client has, and a key that nobody can guess. */
function newIdentity(clients: ReadonlyMap<number, ClientConnection>) {
  let processId = randomInt(1, 2 ** 31 - 1);
  while (clients.has(processId)) processId = randomInt(1, 2 ** 31 - 1);
  return { processId, secretKey: randomBytes(4) };
}

/** A cancel is one-way: whoever sends it gets no answer, so nobody learns which keys exist. */
function passOnCancel(clients: ReadonlyMap<number, ClientConnection>, target: CancelTarget): void {
  const client = clients.get(target.processId);
  if (client === undefined || client.secretKey.length !== target.secretKey.length) return;
  if (!timingSafeEqual(client.secretKey, target.secretKey)) return;
  const found = client.cancel();
  if (found === undefined || found.upstream.ready === undefined) return;
  const { processId, secretKey } = found.upstream.ready;
  const { host, port } = found.upstream.address;
  const socket = connect({ host, port, timeout: CANCEL_TIMEOUT_MS }, () => {
    socket.end(CancelRequest(processId, secretKey));
  });
  socket.on('timeout', () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.resume();
}

function samplesOf(shared: Shared, clients: ReadonlyMap<number, ClientConnection>): Sample[] {
  const { world, counters, clock } = shared;
  const states = { login: 0, idle: 0, active: 0, held: 0 };
  const servers = new Map<string, { idle: number; active: number }>();
  for (const client of clients.values()) {
    states[client.state] += 1;
    for (const link of client.links) {
      const counts = servers.get(link.member) ?? { idle: 0, active: 0 };
      counts[link.isQuiet ? 'idle' : 'active'] += 1;
      servers.set(link.member, counts);
    }
  }
  const now = clock.now();
  const age = world.contactAgeMs(now) / 1000;
  return [
    ...counters.samples((member) => world.candidate(member)?.datacenter ?? ''),
    ...Object.entries(states).map(
      ([state, value]): Sample => ({ name: 'matriarch_router_clients', labels: { state }, value }),
    ),
    ...[...servers].flatMap(([member, counts]) =>
      Object.entries(counts).map(
        ([state, value]): Sample => ({ name: 'matriarch_router_servers', labels: { member, state }, value }),
      ),
    ),
    { name: 'matriarch_router_primary_known', value: world.primary(now).kind === 'primary' ? 1 : 0 },
    { name: 'matriarch_router_dcs_contact_age_seconds', value: age },
  ];
}

/** Listens; gives the function that stops it and resolves when the last connection is gone. */
async function listen(server: Server, address: Config['router']['listen']): Promise<() => Promise<void>> {
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: Error): void => reject(listenError(cause, address, 'The router'));
    server.once('error', failed);
    server.listen({ ...address, backlog: LISTEN_BACKLOG }, () => {
      server.removeListener('error', failed);
      resolve();
    });
  });
  assert(server.listening, 'a server that has called back listens');
  return () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

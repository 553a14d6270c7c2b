/**
 * All server connections of the router: a pool for each node, database and role. Opens and closes sockets for the pools,
 * hands bytes of servers to the connection they belong to, and cleans what a session leaves before the next gets it.
 */
import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Clock, failure, type Log } from '../base/index.ts';
import type { RouterConfig } from '../config/index.ts';
import { Pool, type PoolRequest } from '../pool/index.ts';
import { ProtocolViolation } from '../wire/index.ts';
import { cancelAt } from './cancel.ts';
import { Cancelling } from './cancelling.ts';
import { Cleaning } from './cleaning.ts';
import type { Flusher } from './flusher.ts';
import { keepAliveOf } from './keep-alive.ts';
import type { Latencies } from './latencies.ts';
import { Link } from './link.ts';
import type { Login } from './login.ts';
import type { NodeHealths } from './node-health.ts';
import { isCongested, makeRoomFor, roomFor } from './pool-room.ts';
import { type PoolSettings, poolSettings } from './pool-settings.ts';
import { ServerNames } from './server-names.ts';
import type { ServerParameters } from './server-parameters.ts';
import type { ServerTls } from './server-tls.ts';
import type { OpenFailure } from './session-types.ts';
import type { StartUp } from './start-up.ts';
import { Tally } from './tally.ts';
import { Upstream, type UpstreamOptions } from './upstream.ts';
import type { ClusterWorld } from './world.ts';

/** A client's wish for a connection; a client has one, used over and over. */
export interface BorrowRequest extends PoolRequest<Link> {
  readonly login: Login;
  readonly startUp: StartUp;
  /** The pools that it has borrowed of, by member. */
  readonly pools: Map<string, ServerPool>;
  /** The pool that it waits at has lent nothing for too long. */
  readonly crowded: () => void;
  /** None could be opened. */
  readonly failed: (member: string, failure: OpenFailure) => void;
}

export interface ServersOptions {
  readonly config: () => RouterConfig;
  readonly world: ClusterWorld;
  readonly health: NodeHealths;
  readonly flusher: Flusher;
  readonly latencies: Latencies;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Of connections from now on. */
  readonly tls: () => ServerTls;
  /** Shared by all sockets; overwritten by the next read. */
  readonly readBuffer: UpstreamOptions['readBuffer'];
}

export interface ServerPool {
  readonly member: string;
  readonly database: string;
  readonly user: string;
  readonly pool: Pool<Link, BorrowRequest>;
  /** What the configuration says about it now. */
  settings: PoolSettings;
  /** Its member has left, and nothing of it is left. */
  isGone: boolean;
}

const TICK_MS = 100;
/** For so many kinds of clients is known what servers report to them when they begin. */
const PARAMETERS_MAX = 1000;
const PREFIX_BYTES = 4;

export class Servers {
  readonly names = new ServerNames(`m_${randomBytes(PREFIX_BYTES).toString('hex')}_`);
  readonly #options: ServersOptions;
  readonly #pools = new Map<string, ServerPool>();
  readonly #upstreams = new Map<Link, Upstream>();
  /** Not logged in yet. */
  readonly #openings = new Set<Upstream>();
  /** Connections whose server was seen to owe us an answer of our own, since when. */
  readonly #askedAt = new Map<Link, number>();
  readonly #cleaning = new Cleaning((link, isClean) => this.#cleaned(link, isClean));
  readonly #cancelling = new Cancelling<Link>({
    send: (link, ended) => {
      const upstream = this.#upstreams.get(link);
      if (upstream !== undefined) cancelAt(upstream, ended);
      else ended('settled');
    },
    fit: (link) => {
      this.giveBack(link, this.#options.clock.now());
      this.#options.flusher.flush();
    },
    unfit: (link) => {
      link.abandon();
      this.discard(link);
    },
  });
  readonly #parameters = new LRUCache<string, ServerParameters>({ max: PARAMETERS_MAX });
  readonly #tallies = new Map<string, Tally>();
  readonly #paused = new Set<string>();
  #areAllPaused = false;
  #linkCount = 0;
  readonly #timer = setInterval(() => this.#tick(), TICK_MS);

  constructor(options: ServersOptions) {
    this.#options = options;
  }

  get pools(): Iterable<ServerPool> {
    return this.#pools.values();
  }

  /** What was done for each database, by the name that clients use. */
  get tallies(): Iterable<readonly [string, Tally]> {
    return this.#tallies;
  }

  tallyOf(database: string): Tally {
    let tally = this.#tallies.get(database);
    if (tally === undefined) {
      tally = new Tally();
      this.#tallies.set(database, tally);
    }
    return tally;
  }

  /** Databases that were paused by name. */
  get paused(): ReadonlySet<string> {
    return this.#paused;
  }

  isPaused(database: string): boolean {
    return this.#areAllPaused || this.#paused.has(database);
  }

  /** Nothing of the database (undefined: of any) is lent until `resume`. */
  pause(database: string | undefined): void {
    if (database === undefined) this.#areAllPaused = true;
    else this.#paused.add(database);
    const now = this.#options.clock.now();
    for (const home of this.#pools.values()) if (this.isPaused(home.database)) home.pool.pause(now);
  }

  /** Without a database, all that was paused goes on. */
  resume(database: string | undefined): void {
    if (database === undefined) {
      this.#areAllPaused = false;
      this.#paused.clear();
    } else this.#paused.delete(database);
    const now = this.#options.clock.now();
    for (const home of this.#pools.values()) if (!this.isPaused(home.database)) home.pool.resume(now);
    this.#options.flusher.flush();
  }

  /** Every connection that is open now is closed once it is free. */
  reconnect(database: string | undefined): void {
    for (const home of this.#pools.values()) {
      if (database === undefined || home.database === database) home.pool.reconnect();
    }
  }

  /** A free connection to `member` now, or later through `request`. */
  borrow(member: string, request: BorrowRequest, now: number): Link | undefined {
    return this.#poolFor(member, request).pool.take(request, now);
  }

  stopWaiting(member: string, request: BorrowRequest): void {
    this.#poolFor(member, request).pool.withdraw(request);
  }

  /** Nothing is owed on it, and no transaction is open. */
  giveBack(link: Link, now: number): void {
    link.pauseReading(false);
    if (this.#cancelling.keeps(link)) return;
    if (link.isSpoilt) this.discard(link);
    else if (link.isSoiled) this.#cleaning.begin(link);
    else link.pool.giveBack(link, now);
  }

  /** Of no use to anybody; its socket is closed already or closed now. */
  discard(link: Link): void {
    this.#cleaning.forget(link);
    this.#cancelling.forget(link);
    this.#askedAt.delete(link);
    const upstream = this.#upstreams.get(link);
    this.#upstreams.delete(link);
    upstream?.close();
    link.pool.remove(link, this.#options.clock.now());
  }

  /** Asks the server to cancel what it does on the connection, for the client that has it; see `Cancelling.cancel`. */
  cancel(link: Link, ended: () => void): void {
    this.#cancelling.cancel(link, ended);
  }

  /**
   * What a server reported last to a connection that began like this client, if one did. A default that has changed since
   * is told with the first answer that reports it, as to any client.
   */
  knownParameters(startUp: StartUp): ServerParameters | undefined {
    return this.#parameters.get(parametersKey(startUp));
  }

  /** The cluster's view has changed: pools of members that are gone are closed. */
  worldChanged(): void {
    for (const [key, home] of this.#pools) {
      const { member, pool } = home;
      if (this.#options.world.isMember(member)) continue;
      this.#failWaiting(member, pool, { kind: 'unreachable', because: 'it has left the cluster' });
      pool.reconnect();
      if (pool.size > 0) continue;
      this.#pools.delete(key);
      home.isGone = true;
    }
  }

  /** Limits are taken over; connections go on, but those whose database has another name at the servers. */
  configChanged(): void {
    const { config, clock } = this.#options;
    for (const home of this.#pools.values()) {
      const before = home.settings.serverDatabase;
      home.settings = poolSettings(config(), home.database, home.user);
      if (home.settings.serverDatabase !== before) home.pool.reconnect();
      home.pool.tick(clock.now());
    }
  }

  close(): void {
    clearInterval(this.#timer);
    for (const upstream of this.#openings) upstream.close();
    for (const link of Array.from(this.#upstreams.keys())) this.discard(link);
  }

  #poolFor(member: string, { pools, startUp }: BorrowRequest): ServerPool {
    const known = pools.get(member);
    if (known !== undefined && !known.isGone) return known;
    const pool = this.#poolOf(member, startUp);
    pools.set(member, pool);
    return pool;
  }

  #poolOf(member: string, { database, user }: StartUp): ServerPool {
    const key = `${member}\0${database}\0${user}`;
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    const pool = new Pool<Link, BorrowRequest>({
      limits: () => made.settings.limits,
      roomElsewhere: () => roomFor(made, this.#pools.values()),
      makeRoom: () => makeRoomFor(made, this.#pools.values()),
      open: (request) => this.#open(made, request),
      close: (link) => {
        link.abandon();
        this.discard(link);
      },
      random: this.#options.random,
    });
    const settings = poolSettings(this.#options.config(), database, user);
    const made: ServerPool = { member, database, user, pool, settings, isGone: false };
    this.#pools.set(key, made);
    if (this.isPaused(database)) pool.pause(this.#options.clock.now());
    return made;
  }

  #open(home: ServerPool, request: BorrowRequest): void {
    const { world, config, clock, readBuffer, health, flusher, latencies } = this.#options;
    const candidate = world.candidate(home.member);
    if (candidate === undefined || candidate.host === '') {
      // Not from within the session's own call: it would find itself half changed.
      setImmediate(() =>
        this.#openFailed(home, request, { kind: 'unreachable', because: 'no address is known' }),
      );
      return;
    }
    const { login, startUp } = request;
    const startedAt = clock.now();
    let link: Link | undefined;
    const upstream = new Upstream(
      {
        address: { host: candidate.host, port: candidate.port },
        parameters: [
          ['user', startUp.user],
          ['database', home.settings.serverDatabase],
          ...startUp.parameters,
        ],
        credential: login.credential,
        tls: this.#options.tls(),
        connectTimeoutMs: config().server_connect_timeout,
        keepAlive: keepAliveOf(config()),
        readBuffer,
        flusher,
      },
      {
        opened: ({ parameters }) => {
          this.#openings.delete(upstream);
          health.connected(home.member);
          latencies.at(home.member).connect.read.observe(clock.now() - startedAt);
          link = new Link({
            id: ++this.#linkCount,
            place: upstream.place,
            member: home.member,
            variant: startUp.variant,
            connectedAt: clock.now(),
            wire: upstream,
            pool: home.pool,
            parameters,
            statementsMax: config().max_prepared_statements,
            names: this.names,
            tally: this.tallyOf(home.database),
            brokeAlone: (broken) => this.#brokeAlone(broken),
          });
          this.#upstreams.set(link, upstream);
          this.#parameters.set(parametersKey(startUp), link.began);
          home.pool.opened(link, request, clock.now());
          flusher.flush();
        },
        failed: (reason) => this.#openFailed(home, request, reason, upstream),
        received: (chunk) => {
          if (link !== undefined) this.#received(link, chunk);
        },
        lost: () => {
          link?.lost('connection-lost', clock.now());
          flusher.flush();
        },
        drained: () => link?.borrower?.serverDrained(),
      },
    );
    this.#openings.add(upstream);
  }

  #openFailed(home: ServerPool, request: BorrowRequest, reason: OpenFailure, upstream?: Upstream): void {
    const { health, flusher, world, clock } = this.#options;
    if (upstream !== undefined) this.#openings.delete(upstream);
    const { member, pool } = home;
    const isWaiting = pool.isWaiting(request);
    pool.openFailed(request, clock.now());
    if (reason.kind === 'unreachable') {
      health.connectFailed(member, reason.because);
      this.#failWaiting(member, pool, reason);
    } else if (isWaiting) {
      pool.withdraw(request);
      request.failed(member, world.refused(member, reason, clock.now()));
    }
    flusher.flush();
  }

  #failWaiting(member: string, pool: Pool<Link, BorrowRequest>, reason: OpenFailure): void {
    for (const request of pool.takeWaiting()) request.failed(member, reason);
  }

  #received(link: Link, chunk: Buffer): void {
    const { clock, log, flusher } = this.#options;
    const { borrower } = link;
    try {
      link.receive(chunk, clock.now());
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause;
      log.error('server-protocol-violation', { member: link.member, ...failure(cause) });
      link.lost('connection-lost', clock.now());
    }
    flusher.flush();
    if (borrower?.isClogged === true && link.borrower === borrower)
      this.#upstreams.get(link)?.pauseReading(true);
  }

  /** A server that does not answer a question of our own in time is lost: clients wait behind that, for what it says. */
  #loseSilent(now: number, timeoutMs: number): void {
    for (const link of Array.from(this.#upstreams.keys())) {
      if (!link.pipeline.isAtOwn) {
        this.#askedAt.delete(link);
        continue;
      }
      if (now - (this.#askedAt.get(link) ?? now) > timeoutMs) link.lost('connection-lost', now);
      else if (!this.#askedAt.has(link)) this.#askedAt.set(link, now);
    }
  }

  #brokeAlone(link: Link): void {
    link.abandon();
    this.discard(link);
  }

  #cleaned(link: Link, isClean: boolean): void {
    if (isClean) link.pool.giveBack(link, this.#options.clock.now());
    else this.#brokeAlone(link);
  }

  #tick(): void {
    const { clock, config, flusher } = this.#options;
    const now = clock.now();
    this.#loseSilent(now, config().server_connect_timeout);
    for (const home of this.#pools.values()) {
      home.pool.tick(now);
      if (isCongested(home, now)) for (const request of home.pool.requests) request.crowded();
    }
    flusher.flush();
  }
}

const parametersKey = ({ database, user, variant }: StartUp): string => `${database}\0${user}\0${variant}`;

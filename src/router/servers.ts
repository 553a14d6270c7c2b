/**
 * All server connections of the router: a pool for each node, database and role. Opens and closes sockets for the pools,
 * hands bytes of servers to the connection they belong to, and cleans what a session leaves before the next gets it.
 */
import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Clock, failure, type Log } from '../base/index.ts';
import type { RouterConfig } from '../config/index.ts';
import { Pool, type PoolRequest } from '../pool/index.ts';
import { ProtocolViolation, Query } from '../wire/index.ts';
import { cancelAt } from './cancel.ts';
import type { Flusher } from './flusher.ts';
import { keepAliveOf } from './keep-alive.ts';
import { Link, type LinkOwner } from './link.ts';
import type { Login } from './login.ts';
import { type PoolSettings, poolSettings } from './pool-settings.ts';
import type { Reachability } from './reachability.ts';
import { ServerNames } from './server-names.ts';
import type { ServerParameters } from './server-parameters.ts';
import type { OpenFailure } from './session-types.ts';
import { NO_SETTINGS } from './settings.ts';
import type { StartUp } from './start-up.ts';
import { Upstream } from './upstream.ts';
import type { ClusterWorld } from './world.ts';

/** A client's wish for a connection; a client has one, used over and over. */
export interface BorrowRequest extends PoolRequest<Link> {
  readonly login: Login;
  readonly startUp: StartUp;
  /** None could be opened. */
  readonly failed: (member: string, failure: OpenFailure) => void;
}

export interface ServersOptions {
  readonly config: () => RouterConfig;
  readonly world: ClusterWorld;
  readonly reachability: Reachability;
  readonly flusher: Flusher;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Shared by all sockets; overwritten by the next read. */
  readonly readBuffer: Buffer;
}

export interface ServerPool {
  readonly member: string;
  readonly database: string;
  readonly user: string;
  readonly pool: Pool<Link, BorrowRequest>;
  /** What the configuration says about it now. */
  settings: PoolSettings;
}

const TICK_MS = 100;
/** What a server reports of its settings is kept this long for clients that begin. */
const PARAMETERS_TTL_MS = 60_000;
const PARAMETERS_MAX = 1000;
const PREFIX_BYTES = 4;
/** PostgreSQL's own word for a session without state; not allowed in a transaction, and none is open. */
const CLEAN = Query('DISCARD ALL');

export class Servers {
  readonly names = new ServerNames(`m_${randomBytes(PREFIX_BYTES).toString('hex')}_`);
  readonly #options: ServersOptions;
  readonly #pools = new Map<string, ServerPool>();
  readonly #upstreams = new Map<Link, Upstream>();
  /** What is being cleaned, since when. */
  readonly #cleaning = new Map<Link, number>();
  /** Cancel requests on their way, by the connection they are for; and what came back meanwhile. */
  readonly #cancelling = new Map<Link, number>();
  readonly #isParked = new Set<Link>();
  readonly #cleaner: LinkOwner;
  readonly #parameters: LRUCache<string, ServerParameters>;
  readonly #timer: NodeJS.Timeout;

  constructor(options: ServersOptions) {
    this.#options = options;
    this.#cleaner = cleaner((link, isClean) => this.#cleaned(link, isClean));
    const perf = { now: options.clock.now };
    this.#parameters = new LRUCache({ max: PARAMETERS_MAX, ttl: PARAMETERS_TTL_MS, perf });
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  get pools(): Iterable<ServerPool> {
    return this.#pools.values();
  }

  /** A free connection to `member` now, or later through `request`. */
  borrow(member: string, request: BorrowRequest): Link | undefined {
    return this.#poolOf(member, request.startUp).pool.take(request, this.#options.clock.now());
  }

  stopWaiting(member: string, request: BorrowRequest): void {
    this.#poolOf(member, request.startUp).pool.withdraw(request);
  }

  /** Nothing is owed on it, and no transaction is open. */
  giveBack(link: Link): void {
    const { clock } = this.#options;
    this.#upstreams.get(link)?.pauseReading(false);
    if (this.#cancelling.has(link)) this.#isParked.add(link);
    else if (link.isSoiled) {
      this.#cleaning.set(link, clock.now());
      link.owner = this.#cleaner;
      link.sendOwn(CLEAN);
    } else this.#poolWith(link)?.pool.giveBack(link, clock.now());
  }

  /** Of no use to anybody; its socket is closed already or closed now. */
  discard(link: Link): void {
    this.#cleaning.delete(link);
    this.#isParked.delete(link);
    const pool = this.#poolWith(link);
    this.#homes.delete(link);
    const upstream = this.#upstreams.get(link);
    this.#upstreams.delete(link);
    upstream?.close();
    pool?.pool.remove(link, this.#options.clock.now());
  }

  /**
   * Asks the server to cancel what it does on the connection. The request goes its own way and could arrive late, when the
   * connection is at work for somebody else: so it is not lent again until the server has closed the request's
   * connection, which it does after it has passed it on.
   */
  cancel(link: Link): void {
    const upstream = this.#upstreams.get(link);
    if (upstream === undefined) return;
    this.#cancelling.set(link, (this.#cancelling.get(link) ?? 0) + 1);
    cancelAt(upstream, () => {
      const left = (this.#cancelling.get(link) ?? 1) - 1;
      if (left > 0) {
        this.#cancelling.set(link, left);
        return;
      }
      this.#cancelling.delete(link);
      if (!this.#isParked.delete(link)) return;
      this.giveBack(link);
      this.#options.flusher.flush();
    });
  }

  /** What the servers report to clients that start like this one, if that was seen lately. */
  knownParameters(startUp: StartUp): ServerParameters | undefined {
    return this.#parameters.get(parametersKey(startUp));
  }

  /** The cluster's view has changed: pools of members that are gone are closed. */
  worldChanged(): void {
    for (const [key, { member, pool }] of this.#pools) {
      if (this.#options.world.isMember(member)) continue;
      this.#failWaiting(member, pool, { kind: 'unreachable', because: 'it has left the cluster' });
      pool.reconnect();
      if (pool.size === 0) this.#pools.delete(key);
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
    for (const link of Array.from(this.#upstreams.keys())) this.discard(link);
  }

  readonly #homes = new Map<Link, ServerPool>();

  #poolWith(link: Link): ServerPool | undefined {
    return this.#homes.get(link);
  }

  #poolOf(member: string, { database, user }: StartUp): ServerPool {
    const key = `${member}\0${database}\0${user}`;
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    const pool = new Pool<Link, BorrowRequest>({
      limits: () => made.settings.limits,
      roomElsewhere: () => this.#roomFor(made),
      makeRoom: () => this.#makeRoomFor(made),
      open: (request) => this.#open(made, request),
      close: (link) => {
        link.abandon();
        this.discard(link);
      },
      random: this.#options.random,
    });
    const settings = poolSettings(this.#options.config(), database, user);
    const made: ServerPool = { member, database, user, pool, settings };
    this.#pools.set(key, made);
    return made;
  }

  #open(home: ServerPool, request: BorrowRequest): void {
    const { world, config, clock, readBuffer, reachability, flusher } = this.#options;
    const candidate = world.candidate(home.member);
    if (candidate === undefined || candidate.host === '') {
      // Not from within the session's own call: it would find itself half changed.
      setImmediate(() =>
        this.#openFailed(home, request, { kind: 'unreachable', because: 'no address is known' }),
      );
      return;
    }
    const { login, startUp } = request;
    let link: Link | undefined;
    const upstream = new Upstream(
      {
        address: { host: candidate.host, port: candidate.port },
        parameters: [
          ['user', startUp.user],
          ['database', home.settings.serverDatabase],
          ...startUp.parameters,
        ],
        credential: { clientKey: login.clientKey, verifier: login.verifier },
        connectTimeoutMs: config().server_connect_timeout,
        keepAlive: keepAliveOf(config()),
        readBuffer,
        flusher,
      },
      {
        opened: ({ parameters }) => {
          reachability.reached(home.member);
          link = new Link({
            member: home.member,
            variant: startUp.variant,
            wire: upstream,
            parameters,
            statementsMax: config().max_prepared_statements,
            brokeAlone: (broken) => this.#brokeAlone(broken),
          });
          this.#upstreams.set(link, upstream);
          this.#homes.set(link, home);
          this.#parameters.set(parametersKey(startUp), link.parameters);
          home.pool.opened(link, request, clock.now());
          flusher.flush();
        },
        failed: (reason) => this.#openFailed(home, request, reason),
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
  }

  #openFailed(home: ServerPool, request: BorrowRequest, reason: OpenFailure): void {
    const { reachability, flusher } = this.#options;
    const { member, pool } = home;
    const isWaiting = pool.isWaiting(request);
    pool.openFailed(request);
    if (reason.kind === 'unreachable') {
      reachability.failed(member, reason.because);
      this.#failWaiting(member, pool, reason);
    } else if (isWaiting) {
      pool.withdraw(request);
      request.failed(member, reason);
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

  #brokeAlone(link: Link): void {
    link.abandon();
    this.discard(link);
  }

  #cleaned(link: Link, isClean: boolean): void {
    const { clock } = this.#options;
    this.#cleaning.delete(link);
    link.owner = undefined;
    if (!isClean) {
      this.#brokeAlone(link);
      return;
    }
    link.isSoiled = false;
    link.settings = NO_SETTINGS;
    link.statements.forgetAll();
    this.#poolWith(link)?.pool.giveBack(link, clock.now());
  }

  #tick(): void {
    const { clock, config, flusher } = this.#options;
    const now = clock.now();
    for (const [link, since] of this.#cleaning) {
      if (now - since > config().server_connect_timeout) this.#cleaned(link, false);
    }
    for (const { pool } of this.#pools.values()) pool.tick(now);
    flusher.flush();
  }

  /** Connections that the limits of the database and of the role still allow on the member. */
  #roomFor({ member, database, user, settings }: ServerPool): number {
    const { databaseConnectionsMax, userConnectionsMax } = settings;
    let room = Number.POSITIVE_INFINITY;
    if (databaseConnectionsMax > 0) {
      const used = this.#count((pool) => pool.member === member && pool.database === database);
      room = databaseConnectionsMax - used;
    }
    if (userConnectionsMax > 0) {
      const used = this.#count((pool) => pool.member === member && pool.user === user);
      room = Math.min(room, userConnectionsMax - used);
    }
    return room;
  }

  #count(isCounted: (pool: ServerPool) => boolean): number {
    let count = 0;
    for (const pool of this.#pools.values()) if (isCounted(pool)) count += pool.pool.size;
    return count;
  }

  /** Closes a free connection of another pool under the same limits. */
  #makeRoomFor(home: ServerPool): boolean {
    for (const other of this.#pools.values()) {
      if (other === home || other.member !== home.member) continue;
      if (other.database !== home.database && other.user !== home.user) continue;
      if (other.pool.closeOneFree()) return true;
    }
    return false;
  }
}

function parametersKey({ database, user, variant }: StartUp): string {
  return `${database}\0${user}\0${variant}`;
}

function nothing(): void {}

/** Whom a connection belongs to while it is cleaned. */
function cleaner(done: (link: Link, isClean: boolean) => void): LinkOwner {
  return {
    arrived: nothing,
    forward: nothing,
    ready: nothing,
    ownAccepted: nothing,
    isPreparedBy: (link) => done(link, link.ownError === undefined),
    ownRefused: (link) => done(link, false),
    failed: () => false,
    confirmed: nothing,
    copyInBegan: nothing,
    asynchronous: nothing,
    parameter: nothing,
    broken: (link) => done(link, false),
  };
}

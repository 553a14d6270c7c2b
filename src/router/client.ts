/**
 * An authenticated client's connection: its socket, its session, and the sockets of the session's server connections.
 * Carries out what the pure parts decide; decides nothing itself but back-pressure: whose socket is read from.
 */
import type { Socket } from 'node:net';
import { failure } from '../base/index.ts';
import { type ErrorFields, ErrorResponse, ProtocolViolation } from '../wire/index.ts';
import type { Admitted } from './admission.ts';
import type { Holdable } from './hold.ts';
import type { Link } from './link.ts';
import type { Login } from './login.ts';
import { Outbox } from './outbox.ts';
import { REPLY } from './replies.ts';
import type { HoldReason } from './route.ts';
import { Session } from './session.ts';
import type { OpenFailure, SessionEffects } from './session-types.ts';
import type { Shared } from './shared.ts';
import { Upstream } from './upstream.ts';

/** With so much unsent the servers are not read from. */
const CLOGGED_BYTES = 256 * 1024;
/** Startup parameters that are the router's own to say, or that it refuses. */
const NOT_FOR_SERVERS: ReadonlySet<string> = new Set(['replication']);

export class ClientConnection implements Holdable {
  readonly processId: number;
  readonly secretKey: Buffer;
  readonly #shared: Shared;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #login: Login;
  readonly #upstreams = new Map<Link, Upstream>();
  readonly #session: Session;
  #isClosed = false;
  #isBacklogged = false;
  #isHeld = false;

  constructor(
    shared: Shared,
    { socket, login }: Admitted,
    identity: { readonly processId: number; readonly secretKey: Buffer },
  ) {
    this.#shared = shared;
    this.#socket = socket;
    this.#login = login;
    this.processId = identity.processId;
    this.secretKey = identity.secretKey;
    this.#outbox = new Outbox(socket, true);
    const { world, classifier, config } = shared;
    this.#session = new Session({
      world,
      classifier,
      effects: this.#effects(),
      processId: this.processId,
      secretKey: this.secretKey,
      holdTimeoutMs: config.hold_timeout,
      retryReads: config.retry_reads,
    });
    socket.on('data', (chunk) => this.#received(chunk));
    socket.on('error', (cause) => shared.log.debug('client-connection-failed', failure(cause)));
    socket.on('close', () => this.#close());
    socket.on('drain', () => this.#pauseServers(false));
  }

  /** Begins its session; `rest` is what it has sent already. */
  start(rest: readonly Buffer[]): void {
    this.#during(() => this.#session.start(this.#shared.clock.now()));
    for (const bytes of rest) this.#received(bytes);
  }

  get state(): 'idle' | 'active' | 'held' {
    if (this.#isHeld) return 'held';
    return this.#session.isIdle ? 'idle' : 'active';
  }

  /** Links to members, for metrics. */
  get links(): Iterable<Link> {
    return this.#session.links;
  }

  tick(now: number): void {
    this.#during(() => this.#session.tick(now));
  }

  worldChanged(now: number): void {
    this.#during(() => this.#session.worldChanged(now));
  }

  /** Another connection asks to cancel what this one does; where to send that, if a server is at work on it. */
  cancel(): Upstream | undefined {
    const link = this.#session.cancel(this.#shared.clock.now());
    this.#flush();
    return link === undefined ? undefined : this.#upstreams.get(link);
  }

  /** Says why, and closes. */
  refuse(fields: ErrorFields): void {
    if (this.#isClosed) return;
    this.#shared.counters.error(fields.code);
    this.#outbox.add(ErrorResponse(fields));
    this.#endClient();
  }

  destroy(): void {
    this.#socket.destroy();
    this.#close();
  }

  // ── bytes and events in ──────────────────────────────────────────────────────────────────────────────────

  #received(chunk: Buffer): void {
    if (this.#isClosed) return;
    try {
      this.#session.receive(chunk, this.#shared.clock.now());
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause;
      this.refuse(REPLY.protocolViolation(cause.message));
    }
    this.#flush();
  }

  #serverReceived(link: Link, chunk: Buffer): void {
    const session = this.#session;
    const now = this.#shared.clock.now();
    try {
      session.receiveFromServer(link, chunk, now);
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause;
      this.#shared.log.error('server-protocol-violation', { member: link.member, ...failure(cause) });
      session.lost(link, 'connection-lost', now);
    }
    this.#flush();
  }

  #during(event: () => void): void {
    event();
    this.#flush();
  }

  /** Sends what the event has gathered, and pauses whoever sends faster than the other side takes. */
  #flush(): void {
    if (this.#isClosed) return;
    this.#outbox.flush();
    let isClogged = false;
    for (const upstream of this.#upstreams.values()) {
      upstream.flush();
      if (upstream.isClogged) isClogged = true;
    }
    if (isClogged) this.#socket.pause();
    if (this.#socket.writableLength > CLOGGED_BYTES) this.#pauseServers(true);
  }

  #pauseServers(isPaused: boolean): void {
    for (const upstream of this.#upstreams.values()) upstream.pauseReading(isPaused);
  }

  #resumeClient(): void {
    if (!this.#isBacklogged && !this.#isClosed) this.#socket.resume();
  }

  // ── effects ──────────────────────────────────────────────────────────────────────────────────────────────

  #effects(): SessionEffects {
    const { counters, hold, log } = this.#shared;
    return {
      toClient: (bytes) => this.#outbox.add(bytes),
      open: (link) => this.#open(link),
      endClient: () => this.#endClient(),
      hold: (because) => this.#hold(because),
      unhold: (outcome) => {
        this.#isHeld = false;
        hold.leave(this);
        counters.hold(outcome);
        if (hold.size === 0) log.info('hold-ends', { outcome });
      },
      backlog: (isFull) => {
        this.#isBacklogged = isFull;
        if (isFull) this.#socket.pause();
        else this.#resumeClient();
      },
      counted: (member, kind) => counters.statement(member, kind),
      routed: (kind, because) => counters.routed(kind, because),
      serverLost: (because) => counters.serverLost(because),
      replied: (sqlstate) => counters.error(sqlstate),
      note: (event, fields) => log.info(event, { client: this.processId, ...fields }),
    };
  }

  #hold(because: HoldReason): boolean {
    const isRoom = this.#shared.hold.enter(this);
    this.#isHeld = isRoom;
    this.#shared.counters.holdBegan(because);
    if (!isRoom) this.#shared.counters.hold('refused');
    if (this.#shared.hold.size === 1) this.#shared.log.info('hold-begins', { because });
    return isRoom;
  }

  #open(link: Link): void {
    const login = this.#login;
    const candidate = this.#shared.world.candidate(link.member);
    if (candidate === undefined || candidate.host === '') {
      // Not from within the session's own call: it would find itself half changed.
      setImmediate(() => this.#openFailed(link, { kind: 'unreachable', because: 'no address is known' }));
      return;
    }
    const upstream = new Upstream(
      {
        address: { host: candidate.host, port: candidate.port },
        parameters: [...login.parameters].filter(([name]) => !NOT_FOR_SERVERS.has(name)),
        credential: { clientKey: login.clientKey, verifier: login.verifier },
        connectTimeoutMs: this.#shared.config.server_connect_timeout,
        readBuffer: this.#shared.readBuffer,
      },
      {
        opened: ({ parameters }) => {
          this.#shared.reachability.reached(link.member);
          const wire = {
            write: (bytes: Buffer) => upstream.write(bytes),
            close: () => {
              this.#upstreams.delete(link);
              upstream.close();
              this.#resumeClient();
            },
          };
          this.#during(() => this.#session.opened(link, wire, parameters, this.#shared.clock.now()));
        },
        failed: (reason) => this.#openFailed(link, reason),
        received: (chunk) => this.#serverReceived(link, chunk),
        lost: () => {
          this.#upstreams.delete(link);
          this.#resumeClient();
          this.#during(() => this.#session.lost(link, 'connection-lost', this.#shared.clock.now()));
        },
        drained: () => this.#resumeClient(),
      },
    );
    this.#upstreams.set(link, upstream);
  }

  #openFailed(link: Link, reason: OpenFailure): void {
    this.#upstreams.delete(link);
    if (reason.kind === 'unreachable') this.#shared.reachability.failed(link.member, reason.because);
    this.#during(() => this.#session.openFailed(link, reason, this.#shared.clock.now()));
  }

  #endClient(): void {
    if (this.#isClosed) return;
    this.#outbox.flush();
    this.#socket.end();
    this.#socket.destroySoon();
    this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#session.end();
    for (const upstream of this.#upstreams.values()) upstream.close();
    this.#upstreams.clear();
    this.#shared.forget(this);
  }
}

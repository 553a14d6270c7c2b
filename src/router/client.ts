/**
 * An authenticated client's connection: its socket and its session. Carries out what the pure parts decide; decides
 * nothing itself but back-pressure: whose socket is read from.
 */
import type { Socket } from 'node:net';
import { background, failure, pause } from '../base/index.ts';
import type { Histogram } from '../metrics/index.ts';
import { type ErrorFields, ErrorResponse, ProtocolViolation } from '../wire/index.ts';
import type { Admitted } from './admission.ts';
import type { Membership } from './catalogs.ts';
import { type ConnectionPlace, placeOf } from './connection-place.ts';
import { decisionOf } from './decisions.ts';
import type { Holdable } from './hold.ts';
import type { Identity } from './identity.ts';
import type { Borrower, Link } from './link.ts';
import { Outbox } from './outbox.ts';
import { overdue } from './overdue.ts';
import { Pace } from './pace.ts';
import { isCongested } from './pool-room.ts';
import type { ReadWaiter } from './read-room.ts';
import { REPLY } from './replies.ts';
import type { HoldReason } from './route.ts';
import type { BorrowRequest } from './servers.ts';
import { Session } from './session.ts';
import { serverDatabaseOf, sessionOptions } from './session-options.ts';
import type { BorrowFailure, SessionEffects } from './session-types.ts';
import type { Shared } from './shared.ts';
import { readShared } from './shared-read.ts';
import { type StartUp, startUpOf } from './start-up.ts';
import type { Tally } from './tally.ts';
import type { Unit } from './unit.ts';

/** With so much unsent neither it nor its servers are read from. */
const CLOGGED_BYTES = 256 * 1024;
const CATALOG_WAIT_MS = 1000;
/** Then others are served before the same client is heard again. */
const TURN_MS = 5;
/** So long a client that is let go may take to read its last answers. */
const LINGER_MS = 10_000;

export class ClientConnection implements Holdable, Borrower, ReadWaiter {
  readonly processId: number;
  readonly secretKey: Buffer;
  readonly startUp: StartUp;
  readonly #shared: Shared;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #session: Session;
  readonly #request: BorrowRequest;
  readonly #tally: Tally;
  readonly #catalog: Membership;
  readonly connectedAt: number;
  /** The member whose connection is awaited, and since when. */
  #waitingFor = '';
  #waitingSince: number | undefined = undefined;
  #requestedAt: number;
  #routedTo: Histogram | undefined = undefined;
  #isClosed = false;
  #isBacklogged = false;
  #isSuspended = false;
  #isPaused = false;
  #isHeld = false;
  readonly #pace = new Pace();

  constructor(shared: Shared, { socket, login }: Admitted, identity: Identity) {
    this.#shared = shared;
    this.#socket = socket;
    this.processId = identity.processId;
    this.secretKey = identity.secretKey;
    this.startUp = startUpOf(login);
    this.#outbox = new Outbox(socket, shared.flusher);
    const { clock } = shared;
    const { startUp } = this;
    this.#tally = shared.servers.tallyOf(startUp.database);
    this.#catalog = shared.catalogs.join(serverDatabaseOf(shared, startUp));
    this.connectedAt = clock.now();
    this.#requestedAt = this.connectedAt;
    const who = { ...identity, startUp, catalog: this.#catalog.now };
    this.#session = new Session(sessionOptions(shared, who, this.#effects()));
    this.#request = {
      login,
      startUp,
      pools: new Map(),
      variant: startUp.variant,
      lent: (link) => {
        this.#assigned(link, clock.now());
        this.#session.lent(link, clock.now());
      },
      crowded: () => this.#session.crowded(clock.now()),
      waitedTooLong: (waitedMs) => this.#borrowFailed(this.#waitingFor, { kind: 'full', waitedMs }),
      failed: (member, reason) => this.#borrowFailed(member, reason),
    };
    socket.on('error', (cause) => shared.log.debug('client-connection-failed', failure(cause)));
    socket.on('close', () => this.#close());
    socket.on('drain', () => {
      for (const link of this.#session.links) link.pauseReading(false);
      this.#resume();
    });
  }

  /** Begins its session; `rest` is what it has sent already. */
  start(rest: readonly Buffer[]): void {
    const { ready } = this.#catalog;
    if (ready === undefined) {
      this.#begin(rest);
      return;
    }
    // The first of a database waits a moment: else all that it says at first would be for the primary.
    this.#pause();
    background(this.#shared.log, 'waiting for a catalogue', this.#beginAfter(ready, rest));
  }

  async #beginAfter(ready: Promise<void>, rest: readonly Buffer[]): Promise<void> {
    await Promise.race([ready, pause(CATALOG_WAIT_MS)]);
    if (!this.#isClosed) this.#begin(rest);
  }

  #begin(rest: readonly Buffer[]): void {
    const { servers, clock, clientBuffer } = this.#shared;
    readShared(this.#socket, clientBuffer, (chunk) => this.#received(chunk));
    this.#isPaused = false;
    if (this.#isSuspended) this.#pause();
    this.#session.start(clock.now(), servers.knownParameters(this.startUp));
    this.#shared.flusher.flush();
    for (const bytes of rest) this.#received(bytes);
  }

  get state(): 'idle' | 'active' | 'held' {
    if (this.#isHeld) return 'held';
    return this.#session.isIdle ? 'idle' : 'active';
  }

  /** Connections it has now, for metrics. */
  get links(): readonly Link[] {
    return this.#session.links;
  }

  /** For the console: since when it waits for a connection, if it does, and the like. */
  get waitingSince(): number | undefined {
    return this.#waitingSince;
  }

  get requestedAt(): number {
    return this.#requestedAt;
  }

  get peer(): ConnectionPlace {
    return placeOf(this.#socket);
  }

  get pin(): Session['pin'] {
    return this.#session.pin;
  }

  get preparedCount(): number {
    return this.#session.prepared.size;
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** Reads nothing more from it for now. */
  suspend(isSuspended: boolean): void {
    this.#isSuspended = isSuspended;
    this.#session.times.heard(this.#shared.clock.now());
    if (isSuspended) this.#pause();
    else this.#resume();
  }

  #assigned(link: Link, now: number): void {
    link.borrower = this;
    if (this.isClogged) link.pauseReading(true);
    const waitMs = now - (this.#waitingSince ?? now);
    this.#waitingSince = undefined;
    this.#tally.serverAssignments += 1;
    this.#tally.waitMs += waitMs;
    const isPrimary = this.#shared.world.leader() === link.member;
    this.#shared.latencies.at(link.member).queue[isPrimary ? 'write' : 'read'].observe(waitMs);
  }

  #borrowFailed(member: string, reason: BorrowFailure): void {
    this.#waitingSince = undefined;
    this.#session.borrowFailed(member, reason, this.#shared.clock.now());
  }

  get isClogged(): boolean {
    return this.#socket.writableLength > CLOGGED_BYTES;
  }

  serverDrained(): void {
    this.#resume();
  }

  tick(now: number): void {
    this.#session.tick(now);
    this.#shared.flusher.flush();
  }

  worldChanged(now: number): void {
    this.#session.worldChanged(now);
    this.#shared.flusher.flush();
  }

  lookAgain(now: number): void {
    if (this.#isClosed) return;
    this.#session.at(now);
    this.#session.placeAgain();
    this.#shared.flusher.flush();
  }

  /** Another connection asks to cancel what this one does; `ended` is called when that can hit nothing any more. */
  cancel(ended: () => void): void {
    this.#session.cancel(this.#shared.clock.now(), ended);
    this.#shared.flusher.flush();
  }

  /** Disconnects it if it is past one of its limits; while nobody is heard nobody is late. */
  checkTimes(now: number): void {
    const { config } = this.#shared;
    const { links, intake, times } = this.#session;
    const isInMessage = links.some((link) => link === intake.openLink);
    const pace = { isInMessage, isPaused: this.#isPaused, limitMs: config.client_message_timeout };
    const isTooSlow = this.#pace.isTooSlow(pace, now);
    const late = this.#isSuspended ? undefined : overdue(times, config, now);
    const fields = isTooSlow ? REPLY.messageTooSlow() : late;
    if (fields === undefined) return;
    this.#shared.log.info('client-overdue', { client: this.processId, sqlstate: fields.code });
    this.dismiss(fields);
  }

  /** The same as `refuse`, and its server goes on for nobody. What waits for one just ends: nobody asked to cancel it. */
  dismiss(fields: ErrorFields): void {
    if (!this.#session.isPlacing) this.cancel(() => undefined);
    this.refuse(fields);
  }

  /** Says why, and closes. */
  refuse(fields: ErrorFields): void {
    if (this.#isClosed) return;
    this.#shared.counters.error(fields.code);
    this.#outbox.add(ErrorResponse(fields));
    this.#end();
  }

  destroy(): void {
    this.#socket.destroy();
    this.#close();
  }

  #received(chunk: Buffer): void {
    if (this.#isClosed) return;
    const { clock } = this.#shared;
    const now = clock.now();
    this.#requestedAt = now;
    this.#tally.receivedBytes += chunk.length;
    this.#pace.arrived(chunk.length);
    try {
      this.#session.receive(chunk, now);
      this.#noteRouted(now);
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause;
      this.refuse(REPLY.protocolViolation(cause.message));
    }
    this.#shared.flusher.flush();
    // It asks without reading what it is answered; or its server takes no more.
    if (this.isClogged || this.#isServerClogged) this.#pause();
  }

  #nextTurn(): void {
    if (this.#isClosed) return;
    this.#session.at(this.#shared.clock.now());
    this.#session.intake.nextTurn();
    this.#shared.flusher.flush();
  }

  get #isServerClogged(): boolean {
    for (const link of this.#session.links) if (link.isClogged) return true;
    return false;
  }

  /** If something was sent on meanwhile: how long it took from its arrival. */
  #noteRouted(arrivedAt: number): void {
    if (this.#routedTo === undefined) return;
    this.#routedTo.observe(this.#shared.clock.now() - arrivedAt);
    this.#routedTo = undefined;
  }

  #pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  #resume(): void {
    if (!this.#isPaused || this.#isBacklogged || this.#isSuspended || this.#isClosed) return;
    if (this.isClogged) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  #effects(): SessionEffects {
    const { counters, hold, latencies, log, reads, servers } = this.#shared;
    return {
      toClient: (bytes) => {
        this.#tally.sentBytes += bytes.length;
        this.#outbox.add(bytes);
      },
      borrow: (member) => {
        const { now } = this.#session;
        const link = servers.borrow(member, this.#request, now);
        if (link === undefined) {
          this.#waitingFor = member;
          this.#waitingSince = now;
        } else {
          this.#assigned(link, now);
        }
        return link;
      },
      isCongested: (member) => isCongested(this.#request.pools.get(member), this.#session.now),
      stopWaiting: () => {
        this.#waitingSince = undefined;
        servers.stopWaiting(this.#waitingFor, this.#request);
      },
      giveBack: (link) => {
        link.borrower = undefined;
        // It may have been paused for the sake of a server that is not the session's any more.
        this.#resume();
        servers.giveBack(link, this.#session.now);
      },
      discard: (link) => {
        this.#resume();
        servers.discard(link);
      },
      awaitPositions: (members) => reads.wait(this, members),
      judged: (outcome) => counters.judged(outcome),
      cancelAt: (link, ended) => servers.cancel(link, ended),
      endClient: () => this.#end(),
      hold: (because) => this.#hold(because),
      unhold: (outcome) => {
        this.#isHeld = false;
        hold.leave(this);
        counters.hold(outcome);
        if (hold.size === 0) log.info('hold-ends', { outcome });
      },
      backlog: (isFull) => {
        this.#isBacklogged = isFull;
        if (isFull) this.#pause();
        else this.#resume();
      },
      isTurnOver: (since) => this.#shared.clock.now() - since > TURN_MS,
      nextTurn: () => void setImmediate(() => this.#nextTurn()),
      counted: (member, kind) => {
        counters.statement(member, kind);
        this.#routedTo = latencies.at(member).route[kind];
      },
      decided: (node, unit) => this.#noteDecision(node, unit),
      served: (member, kind, ms) => latencies.at(member).server[kind].observe(ms),
      routed: (kind, because) => counters.routed(kind, because),
      serverLost: (because) => counters.serverLost(because),
      replied: (sqlstate) => counters.error(sqlstate),
      note: (event, fields) => log.info(event, { client: this.processId, ...fields }),
    };
  }

  #noteDecision(node: string, unit: Unit): void {
    const { decisions, clock } = this.#shared;
    const { user, database } = this.startUp;
    const of = { client: this.processId, atMs: clock.wallNow(), user, database, node };
    decisions.add({ ...of, ...decisionOf(unit) });
  }

  #hold(because: HoldReason): boolean {
    const isRoom = this.#shared.hold.enter(this);
    this.#isHeld = isRoom;
    this.#shared.counters.holdBegan(because);
    if (!isRoom) this.#shared.counters.hold('refused');
    if (this.#shared.hold.size === 1) this.#shared.log.info('hold-begins', { because });
    return isRoom;
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#outbox.flush();
    this.#socket.end();
    this.#socket.destroySoon();
    // Nobody counts it any more: if it did not read, it would be here for ever.
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    this.#socket.once('close', () => clearTimeout(timer));
    this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#session.end();
    this.#catalog.leave();
    this.#shared.forget(this);
    this.#shared.flusher.flush();
  }
}

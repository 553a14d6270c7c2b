/**
 * One server connection: what it still owes, which prepared statements and settings it has, for which term it was
 * proven primary. It is lent to one session at a time, its owner, and turns the server's bytes into calls on it; the rest
 * is forwarded as slices. No socket here: `wire` is given by the shell. Between owners it is clean: nothing owed, no
 * transaction, settings that are known.
 *
 * A message that ends in a later chunk is held back until it is complete (up to a bound), so that a server lost
 * in the middle of a row leaves the client's stream at a message boundary and the client connected.
 */
import type { Poolable, Seat } from '../pool/index.ts';
import {
  BACKEND,
  type Delivery,
  type ErrorFields,
  FRAME_BYTES_MAX,
  FrameReader,
  type FrameSink,
  READY_BYTES,
  readErrorFields,
  readParameterStatus,
  readReadyForQuery,
  SQLSTATE,
  type TransactionStatus,
} from '../wire/index.ts';
import type { ConnectionPlace } from './connection-place.ts';
import type { BrokenReason, LinkOwner, LinkPool, Wire } from './link-types.ts';
import { isPreamble, Pipeline, REQUEST, type Request } from './pipeline.ts';
import { type ServerParameters, serverParameters } from './server-parameters.ts';
import { ServerStatements, type ServerStatementsOptions } from './server-statements.ts';
import { NO_SETTINGS, type Settings } from './settings.ts';
import { parameterCount, shapeOf } from './shape.ts';
import type { Tally } from './tally.ts';
import type { Term } from './world.ts';

/** Whose socket a connection's answers go to. */
export interface Borrower {
  readonly processId: number;
  /** It does not take what it is sent: the server is not read from for now. */
  readonly isClogged: boolean;
  /** The server takes bytes again. */
  readonly serverDrained: () => void;
}

/** Longest message that is held back until it is complete. */
const HOLD_BACK_BYTES_MAX = 64 * 1024;
const SINK_LIMITS = { wholeBytesMax: FRAME_BYTES_MAX };

export interface LinkOptions {
  /** Unique in the router, and never used again. */
  readonly id: number;
  readonly place: ConnectionPlace;
  readonly tally: Tally;
  readonly member: string;
  readonly variant: string;
  readonly wire: Wire;
  /** Monotonic ms: the server process is there since then. */
  readonly connectedAt: number;
  readonly pool: LinkPool;
  readonly parameters: ReadonlyMap<string, string>;
  /** Statements that are kept prepared; the least used is closed for a new one. */
  readonly statementsMax: number;
  /** Names of statements at servers, and what their rows look like. */
  readonly names: ServerStatementsOptions['names'];
  /** The connection broke while it was nobody's. */
  readonly brokeAlone: (link: Link) => void;
}

export class Link implements FrameSink, Poolable {
  readonly id: number;
  readonly place: ConnectionPlace;
  readonly member: string;
  readonly variant: string;
  readonly connectedAt: number;
  readonly pool: LinkPool;
  readonly pipeline = new Pipeline();
  seat: Seat | undefined = undefined;
  /** Whom it is lent to, and whose socket that is. */
  owner: LinkOwner | undefined = undefined;
  borrower: Borrower | undefined = undefined;
  status: TransactionStatus = 'I';
  proof: Term | undefined = undefined;
  settings: Settings = NO_SETTINGS;
  /** Code that nobody looked into has run on it: for all but this owner its settings are not known. */
  doubtedSince: LinkOwner | undefined = undefined;
  /** Such code has run, and the server was not asked yet what it has left. */
  isSuspect = false;
  /** It has, or may have, state of its session that the next one must not see: it is cleaned before it is lent again. */
  isSoiled = false;
  /** What it has does not go away by cleaning: it is closed when its session no longer has it. */
  isSpoilt = false;
  /** It waits for the rest of a message that will not come: nothing can be sent on it any more. */
  isOutOfStep = false;
  /** A row, a completion or COPY data of the present unit has come; before it, an answer can still be taken back. */
  hasResult = false;
  /** The first statement of the query at work is ours, and a notice may come of it. */
  swallowsFirst = false;
  /** Set while our own replies are read: the first row of a probe, and an error of any. */
  probedRow: Buffer | undefined = undefined;
  ownError: ErrorFields | undefined = undefined;
  /** What the last error has answered. */
  failedAt: number | undefined = undefined;

  readonly #options: LinkOptions;
  readonly #wire: Wire;
  readonly statements: ServerStatements;
  #parameters: ServerParameters;
  /** What it reported when it began, before any client had set anything on it. */
  readonly began: ServerParameters;
  readonly #reader = new FrameReader(SINK_LIMITS);
  #isGone = false;
  /** What is taken answers a Describe; a simple query of our own is answered with columns too. */
  #isOfDescribe = false;
  /** How many the statement that is described takes. */
  #parameterCount = 0;
  #swallowing = false;
  /** Bytes of announced 'pass' messages that have not been handed over, and the size of the last of them. */
  #owedBytes = 0;
  #lastBytes = 0;
  #heldBack: Buffer | undefined = undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.id = options.id;
    this.place = options.place;
    this.member = options.member;
    this.variant = options.variant;
    this.connectedAt = options.connectedAt;
    this.#wire = options.wire;
    this.pool = options.pool;
    this.statements = new ServerStatements({
      pipeline: this.pipeline,
      statementsMax: options.statementsMax,
      names: options.names,
      tally: options.tally,
      write: (bytes) => this.#wire.write(bytes),
    });
    this.began = serverParameters(options.parameters);
    this.#parameters = this.began;
  }

  /** What the server reports of its settings. */
  get parameters(): ServerParameters {
    return this.#parameters;
  }

  /** Nothing is owed: a new unit may be sent. */
  get isQuiet(): boolean {
    return this.pipeline.isEmpty && this.owesClientNothing;
  }

  /** What is owed, if anything, are replies of our own. */
  get owesClientNothing(): boolean {
    return this.pipeline.head !== 'forward' && !this.isOutOfStep;
  }

  /** The client has got a part of a message whose rest did not arrive: its stream cannot be mended. */
  get isCutInMessage(): boolean {
    return this.#owedBytes > 0 && this.#heldBack === undefined;
  }

  /** Its settings may be others than they are thought to be, made by somebody else; once. */
  isDoubtfulFor(owner: LinkOwner): boolean {
    if (this.doubtedSince === undefined || this.doubtedSince === owner) return false;
    this.doubtedSince = undefined;
    return true;
  }

  /** Nothing that arrives from here on counts. */
  abandon(): void {
    this.#isGone = true;
    this.owner = undefined;
    this.borrower = undefined;
    this.#wire.close();
  }

  /** Raw bytes of a COPY, or of a long message; dropped if the connection is gone. */
  write(bytes: Buffer): void {
    if (!this.#isGone) this.#wire.write(bytes);
  }

  /** Bytes from the server. Throws `ProtocolViolation` on a broken stream: the shell then reports `lost`. */
  receive(chunk: Buffer, now: number): void {
    if (this.#isGone) return;
    this.owner?.arrived(now);
    this.#reader.push(chunk, this);
  }

  /** The connection is gone. */
  lost(because: 'connection-lost', now: number): void {
    if (this.#isGone) return;
    this.owner?.arrived(now);
    this.#broken(because);
  }

  /** The server takes no more bytes for now. */
  get isClogged(): boolean {
    return this.#wire.isClogged;
  }

  pauseReading(isPaused: boolean): void {
    this.#wire.pauseReading(isPaused);
  }

  /** Sends one of our own simple queries; its whole answer is swallowed. */
  sendOwn(query: Buffer): void {
    this.probedRow = undefined;
    this.ownError = undefined;
    this.statements.forgetUnnamed();
    this.pipeline.expect(REQUEST.query, 'swallow');
    this.#wire.write(query);
  }

  /** Asks a question of our own, which leaves all that is the client's; its whole answer is swallowed. */
  ask(sql: string): void {
    this.probedRow = undefined;
    this.ownError = undefined;
    this.statements.ask(sql);
  }

  /** Sends a message that gets one reply, or none (`request` undefined). */
  send(message: Buffer, request: Request | undefined): void {
    if (request !== undefined) this.pipeline.expect(request, 'forward');
    if (request === REQUEST.query) this.statements.forgetUnnamed();
    this.#wire.write(message);
  }

  delivery(tag: number, bodyLength: number): Delivery {
    if (this.#isGone) return 'whole';
    switch (tag) {
      case BACKEND.DataRow:
      case BACKEND.CopyData:
        this.#swallowing = this.pipeline.head !== 'forward';
        if (!this.#swallowing) this.hasResult = true;
        break;
      case BACKEND.ReadyForQuery:
        return bodyLength === 1 && this.#heldBack === undefined && this.pipeline.head === 'forward'
          ? 'last'
          : 'whole';
      case BACKEND.CopyInResponse:
      case BACKEND.ErrorResponse:
      case BACKEND.ParameterStatus:
      case BACKEND.NoticeResponse:
      case BACKEND.NotificationResponse:
        return 'whole';
      default:
        this.#isOfDescribe = this.pipeline.next === REQUEST.describe;
        this.#swallowing = this.#take(tag);
    }
    if (this.#swallowing) return 'whole';
    this.#lastBytes = bodyLength + 5;
    this.#owedBytes += this.#lastBytes;
    return 'pass';
  }

  whole(tag: number, message: Buffer): void {
    if (this.#isGone) return;
    switch (tag) {
      case BACKEND.ReadyForQuery:
        this.#ready(message, 0);
        return;
      case BACKEND.CopyInResponse:
        if (this.#take(tag)) return;
        // In this order: what waits for it may be answered at once.
        this.owner?.forward(this, message);
        this.owner?.copyInBegan(this);
        return;
      case BACKEND.ErrorResponse:
        this.#error(message);
        return;
      case BACKEND.ParameterStatus: {
        const { name, value } = readParameterStatus(message);
        this.#parameters = serverParameters(new Map([...this.#parameters.values, [name, value]]));
        if (this.pipeline.isEmpty || this.pipeline.head === 'forward')
          this.owner?.parameter(this, name, value);
        return;
      }
      case BACKEND.NoticeResponse:
        if (this.#isOfFirst(this.pipeline.next)) return;
        if (this.pipeline.isEmpty || this.pipeline.head === 'forward') this.owner?.notice(this, message);
        return;
      case BACKEND.NotificationResponse:
        this.owner?.asynchronous(this, Buffer.from(message));
        return;
      case BACKEND.DataRow:
        this.probedRow ??= Buffer.from(message);
        return;
      case BACKEND.RowDescription:
        if (this.#isOfDescribe) this.statements.columns.told(shapeOf(this.#parameterCount, message));
        return;
      case BACKEND.ParameterDescription:
        this.#parameterCount = parameterCount(message);
        return;
      case BACKEND.NoData:
        this.statements.columns.told(shapeOf(this.#parameterCount));
    }
  }

  pass(bytes: Buffer, endsWithLast: boolean): void {
    if (this.#isGone) return;
    if (endsWithLast) {
      const start = bytes.length - READY_BYTES;
      this.#owedBytes -= start;
      this.#ready(bytes, start);
      return;
    }
    this.#owedBytes -= bytes.length;
    let ready = bytes;
    if (this.#heldBack !== undefined) {
      ready = Buffer.concat([this.#heldBack, bytes]);
      this.#heldBack = undefined;
    }
    if (this.#owedBytes > 0 && this.#lastBytes <= HOLD_BACK_BYTES_MAX) {
      const begun = this.#lastBytes - this.#owedBytes;
      const complete = ready.length - begun;
      this.#heldBack = Buffer.from(ready.subarray(complete));
      if (complete === 0) return;
      ready = ready.subarray(0, complete);
    }
    this.owner?.forward(this, ready);
  }

  /** Takes one reply; true: it is ours. */
  #take(tag: number): boolean {
    const { next } = this.pipeline;
    const whose = this.pipeline.reply(tag);
    if (this.#isOfFirst(next) && tag === BACKEND.CommandComplete) {
      this.swallowsFirst = false;
      return true;
    }
    if (whose === 'forward' && !isPreamble(tag)) this.hasResult = true;
    if (whose === 'unexpected') {
      this.#broken('connection-lost');
      return true;
    }
    if (tag === BACKEND.ParseComplete || tag === BACKEND.CloseComplete || next === REQUEST.forget) {
      if (this.statements.confirm()) this.owner?.confirmed(this);
    }
    if (tag === BACKEND.BindComplete || tag === BACKEND.ParameterDescription) this.statements.used();
    if (tag === BACKEND.CommandComplete && whose === 'forward')
      this.owner?.completed(this, next === REQUEST.query);
    return whose === 'swallow';
  }

  #isOfFirst(next: number | undefined): boolean {
    return this.swallowsFirst && next === REQUEST.query && this.pipeline.head === 'forward';
  }

  /** `bytes` end with ReadyForQuery, from `start` on. */
  #ready(bytes: Buffer, start: number): void {
    const status = readReadyForQuery(bytes, start);
    const whose = this.pipeline.reply(BACKEND.ReadyForQuery);
    if (whose !== 'forward' && start > 0) this.owner?.forward(this, bytes.subarray(0, start));
    if (whose === 'unexpected') {
      this.#broken('connection-lost');
      return;
    }
    this.status = status;
    if (whose === 'forward') this.owner?.ready(this, bytes);
    else if (this.pipeline.isEmpty) this.owner?.isPreparedBy(this);
    else if (this.ownError === undefined) this.owner?.ownAccepted(this);
    else this.owner?.ownRefused(this);
  }

  #error(message: Buffer): void {
    const fields = readErrorFields(message);
    if (fields.severity === 'FATAL' || fields.severity === 'PANIC') {
      if (fields.code === SQLSTATE.protocolViolation && this.owner !== undefined)
        this.owner.outOfStep(this, message);
      else
        this.#broken(
          fields.code === SQLSTATE.idleInTransactionTimeout ? 'idle-in-transaction' : 'server-shut-down',
        );
      return;
    }
    this.failedAt = this.pipeline.next;
    const whose = this.pipeline.reply(BACKEND.ErrorResponse);
    this.statements.takeBack(this.failedAt === REQUEST.parse);
    if (whose === 'swallow') this.ownError = fields;
    else {
      const told = this.owner?.failed(this, fields, message);
      if (told !== undefined) this.owner?.forward(this, told);
    }
  }

  #broken(because: BrokenReason): void {
    if (this.owner === undefined) this.#options.brokeAlone(this);
    else this.owner.broken(this, because);
  }
}

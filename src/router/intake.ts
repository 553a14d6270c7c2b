/**
 * The client's side of a session: cuts its bytes into messages, gathers them into the unit of work, decides when
 * the unit is known well enough to be placed, and sends it message by message. A batch is gathered up to its
 * Sync, since a server answers nothing before; a Flush or too many bytes decide for the primary, and the rest streams.
 */
import type { Classification, Classifier } from '../sql/index.ts';
import {
  type Delivery,
  FRAME_BYTES_MAX,
  FRONTEND,
  FrameReader,
  type FrameSink,
  isHead,
  ProtocolViolation,
  QUERY_TEXT_START,
  ReadyForQuery,
  readBind,
  readBindNames,
  readClose,
  readDescribe,
  readQueryEnd,
} from '../wire/index.ts';
import { CopyStream } from './copy-stream.ts';
import { dispatch } from './dispatch.ts';
import { endAmongCopyData, endForViolation, skipMessage } from './not-work.ts';
import { InLimbo } from './in-limbo.ts';
import { Inbox, type Waiting } from './inbox.ts';
import type { Link } from './link.ts';
import { isLong, LongMessage } from './long-message.ts';
import { type RouteReason, UNKNOWN_INTENT } from './route.ts';
import type { Session } from './session.ts';
import type { SessionEffects, SessionOptions } from './session-types.ts';
import type { Statement } from './statement.ts';
import type { Tally } from './tally.ts';
import { isAboutTransaction, noteFacts, noteSpoken } from './unit-facts.ts';
import { Wishing } from './wishing.ts';

/** A batch is gathered up to this size; a longer one goes to the primary as it comes. */
const BATCH_BYTES_MAX = 256 * 1024;

const ENDS_COPY: ReadonlySet<number> = new Set([FRONTEND.CopyDone, FRONTEND.CopyFail]);

export class Intake implements FrameSink {
  readonly copy = new CopyStream();
  readonly long = new LongMessage();
  readonly #session: Session;
  readonly #classifier: Classifier;
  readonly #effects: SessionEffects;
  readonly #tally: Tally;
  readonly #reader = new FrameReader({ wholeBytesMax: FRAME_BYTES_MAX });
  readonly #inbox = new Inbox();
  readonly #inLimbo: InLimbo;
  readonly #wishing: Wishing;
  #isBacklogged = false;
  #isDraining = false;

  constructor(session: Session, options: SessionOptions) {
    const { classifier, effects, tally } = options;
    this.#session = session;
    this.#tally = tally;
    this.#classifier = classifier;
    this.#effects = effects;
    this.#wishing = new Wishing(session, options);
    this.#inLimbo = new InLimbo(session, effects);
  }

  /** Who has got a part of a message. */
  get openLink(): Link | undefined {
    return this.long.link ?? this.copy.link;
  }

  /** The chunk is good during the call only. */
  receive(chunk: Buffer): void {
    this.#reader.push(chunk, this);
    this.#session.unit.own();
    this.#tellBacklog();
  }

  /** Takes up what waited, as far as it can be. */
  resume(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    for (let next = this.#inbox.peek(); next !== undefined; next = this.#inbox.peek()) {
      if (this.#session.isEnded) break;
      if (!this.#isTurnOf(next)) break;
      this.#inbox.shift();
      if (next.kind === 'message') this.#takeLate(next.bytes);
      else if (next.kind === 'copy') this.#copyData(next.bytes, next.missing);
      else this.#passRest(next.bytes, next.missing);
    }
    this.#isDraining = false;
    this.#tellBacklog();
  }

  /** Sends the gathered unit; from here on its further messages go straight to `link`. */
  send(link: Link): void {
    const { unit } = this.#session;
    const { statements } = unit;
    for (let index = 0; index < unit.messageCount; index += 1) {
      const message = unit.messageAt(index);
      if (message !== undefined) this.#dispatch(link, message, statements[index]);
    }
    if (this.long.link === link || (!unit.isClosed && unit.need === 'primary')) {
      unit.stream();
    }
  }

  #dispatch(link: Link, message: Buffer, statement: Statement | undefined): void {
    dispatch(this.#session, link, message, statement);
    if (isHead(message)) this.long.begin(link);
  }

  delivery(tag: number, bodyLength: number): Delivery {
    const isHeadWanted = isLong(tag, bodyLength);
    if (tag !== FRONTEND.CopyData) return isHeadWanted ? 'head' : 'whole';
    this.copy.announce(bodyLength);
    return 'pass';
  }

  whole(tag: number, message: Buffer): void {
    // What comes behind a Terminate is for nobody: it would borrow a connection that nobody gives back.
    if (this.#session.isEnded) return;
    if (this.#inbox.isEmpty && this.#accepts(tag)) this.#take(tag, message);
    else this.#inbox.add({ kind: 'message', bytes: message });
  }

  head(tag: number, beginning: Buffer): void {
    this.whole(tag, beginning);
  }

  rest(bytes: Buffer, missing: number): void {
    if (this.#session.isEnded) return;
    if (this.#inbox.isEmpty && !this.#isHeadKept) this.#passRest(bytes, missing);
    else this.#inbox.add({ kind: 'rest', bytes, missing });
  }

  pass(bytes: Buffer): void {
    if (this.#session.isEnded) return;
    const owed = this.copy.arrive(bytes);
    if (this.#inbox.isEmpty && !this.#isCopyPending) this.#copyData(bytes, owed);
    else this.#inbox.add({ kind: 'copy', bytes, missing: owed });
  }

  #isTurnOf(waiting: Waiting): boolean {
    if (waiting.kind === 'message') return this.#accepts(waiting.bytes[0] ?? 0);
    return waiting.kind === 'copy' ? !this.#isCopyPending : !this.#isHeadKept;
  }

  /** The unit ends with the head of a long message, and has no server yet. */
  get #isHeadKept(): boolean {
    const { unit } = this.#session;
    const last = unit.phase === 'sent' ? undefined : unit.messageAt(unit.messageCount - 1);
    return last !== undefined && isHead(last);
  }

  /** More of a long message. Its end may be what commits: so it is not sent where the unit could not have begun by now. */
  #passRest(bytes: Buffer, missing: number): void {
    const { link } = this.long;
    if (link !== undefined && !this.#session.mayGoOn(link)) this.#session.lose(link, 'primary-unknown');
    this.long.pass(bytes, missing);
  }

  /** COPY data may be wanted, but the server has not said so yet, or has not even got the statement. */
  get #isCopyPending(): boolean {
    const { unit } = this.#session;
    if (this.copy.link !== undefined || unit.kind === 'none') return false;
    return unit.phase === 'placing' || (unit.isClosed && !unit.isCopyOpen);
  }

  /** Whether a message can be taken up now, or must wait until the running unit is answered. */
  #accepts(tag: number): boolean {
    const { unit } = this.#session;
    return unit.kind === 'none' || !unit.isClosed || (unit.isCopyOpen && tag !== FRONTEND.Terminate);
  }

  #tellBacklog(): void {
    const { unit } = this.#session;
    const isPausable = this.#inbox.isFull(unit.bytes) && unit.phase !== 'collecting' && unit.kind !== 'none';
    if (isPausable === this.#isBacklogged) return;
    this.#isBacklogged = isPausable;
    this.#effects.backlog(isPausable);
  }

  /** Raw COPY data goes to whom it is for; data that nobody asked for is dropped, as a server does. */
  #copyData(bytes: Buffer, owed: number): void {
    const { unit } = this.#session;
    const isWanted = unit.isCopyOpen || (unit.kind === 'batch' && !unit.isClosed);
    unit.isCopyFed = true;
    this.copy.pass(bytes, owed, isWanted ? unit.link : undefined);
  }

  #take(tag: number, message: Buffer): void {
    const session = this.#session;
    if (tag === FRONTEND.Terminate) {
      session.end();
      this.#effects.endClient();
      return;
    }
    if (session.standing.isSkipping) skipMessage(session, this.#effects, tag);
    else if (session.unit.kind !== 'none') this.#extend(tag, message);
    else if (session.standing.limbo === undefined) this.#begin(tag, message);
    else {
      const classify = (): Classification => this.#classify(message);
      const note = (): Statement | undefined => this.#note(tag, message);
      this.#inLimbo.take(session.standing.limbo, { tag, message, classify, note });
    }
  }

  /** A message that waited. If it is malformed, that is the client's fault, not that of whoever made it be read now. */
  #takeLate(message: Buffer): void {
    try {
      this.#take(message[0] ?? 0, message);
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause;
      endForViolation(this.#session, this.#effects, cause.message);
    }
  }

  #begin(tag: number, message: Buffer): void {
    const { unit } = this.#session;
    switch (tag) {
      case FRONTEND.Query:
        unit.begin('query');
        this.#beginQuery(message);
        return;
      case FRONTEND.FunctionCall:
        unit.begin('call');
        this.#intendUnknown('calls-function');
        unit.keep(message, undefined);
        this.#session.place();
        return;
      case FRONTEND.Parse:
      case FRONTEND.Bind:
      case FRONTEND.Describe:
      case FRONTEND.Execute:
      case FRONTEND.Close:
        unit.begin('batch');
        this.#extend(tag, message);
        return;
      case FRONTEND.Sync:
        this.#effects.toClient(ReadyForQuery(this.#session.standing.status));
        return;
      case FRONTEND.Flush:
      case FRONTEND.CopyDone: // of a COPY that has failed: a server ignores these too
      case FRONTEND.CopyFail:
        return;
      default:
        throw new ProtocolViolation('bad-value', { message: 'frontend message', tag });
    }
  }

  #beginQuery(message: Buffer): void {
    const { unit } = this.#session;
    const found = this.#intendQuery(message);
    if (unit.forgets !== undefined && !unit.isSeveral && this.#session.forgetHere(unit.forgets)) return;
    unit.keep(message, undefined);
    this.#place(found);
  }

  /** One more message of an open batch, or of a COPY. */
  #extend(tag: number, message: Buffer): void {
    const session = this.#session;
    const { unit } = session;
    if (unit.isCopyOpen && unit.isClosed && !ENDS_COPY.has(tag)) {
      endAmongCopyData(session, this.#effects, tag);
      return;
    }
    // After an error the server reads over everything up to the Sync.
    if (unit.phase === 'sent' && unit.link?.pipeline.skipsToSync === true && tag !== FRONTEND.Sync) return;
    if (unit.phase === 'sent' && unit.link !== undefined && !session.mayGoOn(unit.link)) {
      session.lose(unit.link, 'primary-unknown');
      this.#take(tag, message);
      return;
    }
    const statement = this.#note(tag, message);
    if (tag === FRONTEND.Sync || tag === FRONTEND.Query || tag === FRONTEND.FunctionCall)
      unit.isClosed = true;
    if (unit.phase === 'sent' && unit.link !== undefined) {
      this.#dispatch(unit.link, message, statement);
      unit.isStreamed = true;
      return;
    }
    unit.keep(message, statement);
    if (unit.phase !== 'collecting') return;
    const isMany = unit.bytes > BATCH_BYTES_MAX || isHead(message);
    if (!unit.isClosed && tag !== FRONTEND.Flush && !isMany) return;
    // What else will be in the batch is not known yet.
    const { prelude } = session.standing;
    if (!unit.isClosed && !(prelude.isOpen && prelude.need === 'read')) unit.need = 'primary';
    this.#place(undefined);
  }

  /** The unit is known well enough; in a transaction that no server knows of, that goes with it. */
  #place(found: Classification | undefined): void {
    const session = this.#session;
    const { unit } = session;
    if (unit.isAboutTransaction && session.own.answer(found, session.now)) return;
    this.#wishing.settle();
    session.place();
  }

  /** What a message adds to the unit; the statement that it makes or uses. */
  #note(tag: number, message: Buffer): Statement | undefined {
    const { unit, prepared } = this.#session;
    switch (tag) {
      case FRONTEND.Parse: {
        this.#tally.clientParses += 1;
        const statement = prepared.parse(message);
        unit.require(this.#wishing.intentOf(statement.classification, statement));
        if (isAboutTransaction(statement.classification)) unit.isAboutTransaction = true;
        if (!statement.isKept) unit.leavesState(statement.name);
        return statement;
      }
      case FRONTEND.Bind: {
        this.#tally.binds += 1;
        const statement = prepared.get((isHead(message) ? readBindNames : readBind)(message).statement);
        // Made by PREPARE in SQL, or not at all: who knows what it does.
        if (statement === undefined) this.#intendUnknown('statement-unknown');
        else this.#intend(statement.classification, statement);
        return statement;
      }
      case FRONTEND.Describe: {
        const described = readDescribe(message);
        unit.describes = true;
        if (described.kind === 'portal') return undefined;
        const statement = prepared.get(described.name);
        if (statement !== undefined) unit.require(statement.intent);
        return statement;
      }
      case FRONTEND.Execute:
        unit.executes = true;
        return undefined;
      case FRONTEND.Close: {
        const closed = readClose(message);
        if (closed.kind === 'portal') return undefined;
        const statement = prepared.get(closed.name);
        prepared.close(closed.name);
        return statement;
      }
      case FRONTEND.Query: // in the middle of a batch: unusual, so no cleverness
      case FRONTEND.FunctionCall:
        if (tag === FRONTEND.Query) this.#intendQuery(message);
        else this.#count('write', 'calls-function');
        unit.intend(UNKNOWN_INTENT);
        unit.executes = true;
        return undefined;
      default:
        return undefined;
    }
  }

  #classify(query: Buffer): Classification {
    const end = isHead(query) ? query.length : readQueryEnd(query);
    return this.#classifier.classifyBytes(query, QUERY_TEXT_START, end);
  }

  #intendQuery(message: Buffer): Classification {
    const classification = this.#classify(message);
    this.#session.prepared.forgetUnnamed();
    this.#wishing.query = message;
    this.#intend(classification, undefined);
    return classification;
  }

  #intend(classification: Classification, statement: Statement | undefined): void {
    const { unit } = this.#session;
    this.#wishing.intend(classification, statement);
    this.#count(classification.kind, classification.because);
    noteFacts(unit, classification);
    const { prepared } = this.#session;
    if (classification.because === 'discards-all') prepared.discard();
    if (classification.because === 'executes-prepared') {
      const named = prepared.get(classification.detail ?? '');
      // DISCARD ALL cannot be run so.
      const isMeant = named !== statement && named?.classification.because !== 'discards-all';
      if (isMeant && named !== undefined) this.#intend(named.classification, named);
    }
    if (classification.speaksOf !== undefined) noteSpoken(unit, prepared, classification.speaksOf);
    if (unit.settings.length > 0) this.#intendSettings();
  }

  #intendUnknown(because: RouteReason): void {
    this.#session.unit.intend(UNKNOWN_INTENT);
    this.#session.unit.isSuspect = true;
    this.#count('write', because);
  }

  /** In a transaction whose server is gone nothing is routed any more. */
  #count(kind: Classification['kind'], because: RouteReason): void {
    if (this.#session.standing.limbo === undefined) this.#effects.routed(kind, because);
  }

  /** What cannot be recorded keeps the session where it was made: that had better be the primary. */
  #intendSettings(): void {
    const { unit } = this.#session;
    if (unit.hasMixedFate || !this.#session.canRecord(unit.settings)) unit.need = 'primary';
  }
}

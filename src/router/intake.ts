/**
 * The client's side of a session: cuts its bytes into messages, gathers them into the unit of work, decides when
 * the unit is known well enough to be placed, and sends it message by message. A batch is gathered up to its
 * Sync, since a server answers nothing before; a Flush or too many bytes decide for the primary, and the rest streams.
 */
import type { Classification } from '../sql/index.ts';
import {
  type Delivery,
  describeTag,
  FRAME_BYTES_MAX,
  FRONTEND,
  FrameReader,
  type FrameSink,
  isHead,
  ProtocolViolation,
  ReadyForQuery,
  Sync,
} from '../wire/index.ts';
import { CopyStream } from './copy-stream.ts';
import { dispatch } from './dispatch.ts';
import { InLimbo } from './in-limbo.ts';
import { Inbox, type Waiting } from './inbox.ts';
import { Intending } from './intending.ts';
import type { Link } from './link.ts';
import { isLong, LongMessage } from './long-message.ts';
import { MisleadingCalls } from './misleading.ts';
import { endAmongCopyData, endForViolation, skipMessage } from './not-work.ts';
import { Noting } from './noting.ts';
import { Sending } from './sending.ts';
import type { Session } from './session.ts';
import type { SessionEffects, SessionOptions } from './session-types.ts';
import { type Rest, splitOf } from './split.ts';
import type { Statement } from './statement.ts';
import { Turn } from './turn.ts';
import { Wishing } from './wishing.ts';

/** A batch is gathered up to this size; a longer one goes to the primary as it comes. */
const BATCH_BYTES_MAX = 256 * 1024;

const ENDS_COPY: ReadonlySet<number> = new Set([FRONTEND.CopyDone, FRONTEND.CopyFail]);

export class Intake implements FrameSink {
  readonly copy = new CopyStream();
  readonly long = new LongMessage();
  readonly #session: Session;
  readonly #intending: Intending;
  readonly #effects: SessionEffects;
  readonly #reader = new FrameReader({ wholeBytesMax: FRAME_BYTES_MAX });
  readonly #inbox = new Inbox();
  readonly #inLimbo: InLimbo;
  readonly wishing: Wishing;
  readonly #noting: Noting;
  readonly #turn: Turn;
  readonly sending: Sending;
  readonly misleading: MisleadingCalls;
  /** What is to follow the unit at work if that succeeds, and is behind no transaction any more; it did. */
  #rest: Rest | undefined = undefined;
  #isRestDue = false;
  #isBacklogged = false;
  #isDraining = false;

  constructor(session: Session, options: SessionOptions) {
    const { classifier, effects, tally } = options;
    this.#session = session;
    this.#effects = effects;
    this.wishing = new Wishing(session, options);
    this.#intending = new Intending(session, { classifier, effects, wishing: this.wishing });
    this.#noting = new Noting({ session, tally, intending: this.#intending, wishing: this.wishing });
    this.#inLimbo = new InLimbo(session, effects);
    this.#turn = new Turn(effects);
    this.sending = new Sending(session, this.#turn, this.long);
    this.misleading = new MisleadingCalls(session, options, (query) => this.#intending.classify(query));
  }

  /** Who has got a part of a message. */
  get openLink(): Link | undefined {
    return this.long.link ?? this.copy.link;
  }

  /** The chunk is good during the call only. */
  receive(chunk: Buffer): void {
    const { times, now } = this.#session;
    times.heard(now);
    this.#turn.begin(now);
    this.#reader.push(chunk, this);
    this.#session.unit.own();
    this.#tellBacklog();
  }

  /** A unit is answered: whether there is more of the text or batch that it is of, so that the client is not told yet. */
  goesOn(link: Link): boolean {
    const { unit, standing } = this.#session;
    if (unit.isParted) {
      if (unit.isFailed) standing.skipToSync();
      return true;
    }
    this.#isRestDue = this.#rest !== undefined && !unit.isFailed && link.status === 'I';
    return this.#isRestDue;
  }

  /** The rest of the client's text is not run yet. */
  get hasRest(): boolean {
    return this.#rest !== undefined;
  }

  /** The event loop has served others: what is left of the client's own is sent, and heard. */
  nextTurn(): void {
    this.#turn.next(this.#session.now);
    this.sending.goOn();
    this.resume();
  }

  /** Takes up what waited, as far as it can be. */
  resume(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    if (this.#isRestDue && this.#session.unit.kind === 'none') this.#beginRest();
    for (let next = this.#inbox.peek(); next !== undefined; next = this.#inbox.peek()) {
      if (this.#session.isEnded || this.#turn.isOver) break;
      if (!this.#isTurnOf(next)) break;
      this.#inbox.shift();
      if (next.kind === 'message') this.#takeLate(next.bytes);
      else if (next.kind === 'copy') this.#copyData(next.bytes, next.missing);
      else this.#passRest(next.bytes, next.missing);
    }
    this.#isDraining = false;
    this.#tellBacklog();
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
    if (this.#inbox.isEmpty && !this.#turn.isOver && this.#mayTake) this.#take(tag, message);
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
    if (this.#inbox.isEmpty && this.#mayPassCopy()) this.#copyData(bytes, owed);
    else this.#inbox.add({ kind: 'copy', bytes, missing: owed });
  }

  #isTurnOf(waiting: Waiting): boolean {
    if (waiting.kind === 'message') return this.#mayTake;
    return waiting.kind === 'copy' ? this.#mayPassCopy() : !this.#isHeadKept;
  }

  /** The unit ends with the head of a long message, which no server has got yet. */
  get #isHeadKept(): boolean {
    const { unit } = this.#session;
    const last =
      unit.phase === 'sent' && !unit.isSending ? undefined : unit.messages.at(unit.messages.count - 1);
    return last !== undefined && isHead(last);
  }

  /** More of a long message. Its end may be what commits: so it is not sent where the unit could not have begun by now. */
  #passRest(bytes: Buffer, missing: number): void {
    const { link } = this.long;
    if (link !== undefined && !this.#session.mayGoOn(link)) this.#session.lose(link, 'primary-unknown');
    this.long.pass(bytes, missing);
  }

  /**
   * COPY data has its turn, unless it may be wanted and the server has not said so yet, or has not even got the statement.
   * With data behind it, a batch that nobody has seen yet goes at once, and the data follows it.
   */
  #mayPassCopy(): boolean {
    const { unit } = this.#session;
    const isGathered = unit.kind === 'batch' && unit.phase === 'collecting';
    if (isGathered && this.copy.link === undefined) this.#placeOpen();
    // Also of a batch that could not be placed: its client was told.
    if (this.copy.link !== undefined || unit.kind === 'none') return true;
    if (unit.isSending) return false;
    return unit.phase !== 'placing' && (!unit.isClosed || unit.isCopyOpen);
  }

  /** Whether a message can be taken up now, or must wait until the running unit is answered. */
  get #mayTake(): boolean {
    const { unit } = this.#session;
    if (unit.kind === 'none') return true;
    if (unit.isSending) return false;
    return !unit.isClosed || unit.isCopyOpen;
  }

  #tellBacklog(): void {
    const { unit } = this.#session;
    const isWaiting = this.#turn.isOver || (unit.phase !== 'collecting' && unit.kind !== 'none');
    const isPausable = this.#inbox.isFull(unit.messages.bytes) && isWaiting;
    if (isPausable === this.#isBacklogged) return;
    this.#isBacklogged = isPausable;
    this.#effects.backlog(isPausable);
  }

  /** Raw COPY data goes to whom it is for; data that nobody asked for is dropped, as a server does. */
  #copyData(bytes: Buffer, owed: number): void {
    const { unit, portals } = this.#session;
    if (unit.kind === 'batch' && !unit.isCopyOpen && !portals.copies.mayWantData) {
      this.copy.pass(bytes, owed, undefined);
      return;
    }
    const isWanted = unit.isCopyOpen || (unit.kind === 'batch' && !unit.isClosed);
    unit.isCopyFed = true;
    unit.isSyncInDoubt = unit.isSyncAmongData;
    this.copy.pass(bytes, owed, isWanted ? unit.link : undefined);
  }

  #take(tag: number, message: Buffer): void {
    const session = this.#session;
    this.#turn.spend();
    if (tag === FRONTEND.Terminate) {
      session.end();
      this.#effects.endClient();
      return;
    }
    if (session.standing.isSkipping) skipMessage(session, this.#effects, tag);
    else if (session.unit.kind !== 'none') this.#extend(tag, message);
    else if (session.standing.limbo === undefined) this.#begin(tag, message);
    else {
      const classify = (): Classification => this.#intending.classify(message);
      const note = (): Statement | undefined => this.#noting.note(tag, message);
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
      case FRONTEND.Query: {
        const split = this.#session.isReadOnly
          ? splitOf(message, this.#intending.classify(message))
          : undefined;
        this.#rest = split?.rest;
        this.#beginQuery(split?.first ?? message);
        return;
      }
      case FRONTEND.FunctionCall:
        unit.begin('call');
        this.#intending.unknown('calls-function');
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
        throw new ProtocolViolation('bad-value', {
          message: describeTag(tag),
          field: 'message type',
          offset: 0,
        });
    }
  }

  /** `meant`: what the message is but for its beginning, whose answer is swallowed. */
  #beginQuery(message: Buffer, meant?: Buffer): void {
    const { unit } = this.#session;
    unit.begin('query');
    unit.isRest = meant !== undefined;
    const found = this.#intending.query(meant ?? message);
    if (meant === undefined && this.#intending.isForgottenHere) return;
    unit.keep(message, undefined);
    this.#place(found);
  }

  #beginRest(): void {
    const rest = this.#rest;
    this.#rest = undefined;
    this.#isRestDue = false;
    if (rest !== undefined && !this.#session.isEnded) this.#beginQuery(rest.message, rest.meant);
  }

  /** One more message of an open batch, or of a COPY. */
  #extend(tag: number, message: Buffer): void {
    const session = this.#session;
    const { unit } = session;
    if (unit.isCopyOpen && unit.isClosed && !ENDS_COPY.has(tag)) {
      endAmongCopyData(session, this.#effects, tag);
      return;
    }
    if (session.losses.tell()) {
      this.#take(tag, message);
      return;
    }
    // After an error the server reads over everything up to the Sync.
    if (unit.phase === 'sent' && unit.link?.pipeline.skipsToSync === true && tag !== FRONTEND.Sync) return;
    if (unit.phase === 'sent' && unit.link !== undefined && !session.mayGoOn(unit.link)) {
      session.lose(unit.link, 'primary-unknown');
      this.#take(tag, message);
      return;
    }
    const statement = this.#noting.note(tag, message);
    const isEnd =
      tag === FRONTEND.Sync ? !unit.isCopyOpen : tag === FRONTEND.Query || tag === FRONTEND.FunctionCall;
    if (isEnd) unit.isClosed = true;
    if (unit.phase === 'sent' && unit.link !== undefined) {
      dispatch(session, unit.link, message, statement, unit.mention);
      if (isHead(message)) this.long.begin(unit.link);
      unit.isStreamed = true;
      return;
    }
    unit.keep(message, statement);
    if (unit.phase !== 'collecting') return;
    if (tag === FRONTEND.Execute && unit.ends !== undefined && session.isReadOnly) this.#part();
    const isMany = unit.messages.bytes > BATCH_BYTES_MAX || isHead(message);
    if (unit.isClosed) this.#place(undefined);
    else if (tag === FRONTEND.Flush || isMany) this.#placeOpen();
  }

  /** What else will be in the batch is not known yet. */
  #placeOpen(): void {
    const { unit, standing } = this.#session;
    if (!(standing.prelude.isOpen && standing.prelude.need === 'read')) unit.raise('primary', 'not-whole');
    this.#place(undefined);
  }

  /** What follows the end of a READ ONLY transaction may not be for the standby where that is: as with a text, see split.ts. */
  #part(): void {
    const { unit } = this.#session;
    unit.keep(Sync(), undefined);
    unit.isClosed = true;
    unit.isParted = true;
  }

  /** The unit is known well enough; in a transaction that no server knows of, that goes with it. */
  #place(found: Classification | undefined): void {
    const session = this.#session;
    const { unit } = session;
    if (unit.isAboutTransaction && session.own.answer(found, session.now)) return;
    this.wishing.settle();
    session.place();
  }
}

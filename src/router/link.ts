/**
 * One server connection of a session, as the session sees it: what it still owes, which prepared statements and
 * settings it has, for which term it was proven primary. It turns the server's bytes into calls on its owner and
 * forwards the rest as slices. No socket here: `wire` is given by the shell.
 *
 * A message that ends in a later chunk is held back until it is complete (up to a bound), so that a server lost
 * in the middle of a row leaves the client's stream at a message boundary and the client connected.
 */
import {
  BACKEND,
  Close,
  type Delivery,
  type ErrorFields,
  FRAME_BYTES_MAX,
  FrameReader,
  type FrameSink,
  readBind,
  readDescribe,
  readErrorFields,
  readParameterStatus,
  readReadyForQuery,
  type TransactionStatus,
} from '../wire/index.ts';
import { Pipeline, REQUEST, type Request } from './pipeline.ts';
import type { Statement } from './statement.ts';
import type { Term } from './world.ts';

/** The socket's side, made by the shell. */
export interface Wire {
  /** Writes are gathered and go out at the end of the event. */
  readonly write: (bytes: Buffer) => void;
  readonly close: () => void;
}

/** What a link tells the session. */
export interface LinkOwner {
  /** Bytes of an answer for the client. May alias the chunk: use them before returning. */
  readonly forward: (link: Link, bytes: Buffer) => void;
  /** The server is ready again, and all the client's requests on this link are answered up to here. */
  readonly ready: (link: Link, message: Buffer) => void;
  /** Replies of our own are complete; the server is ready. */
  readonly isPreparedBy: (link: Link) => void;
  /** An error as the client's answer. False: do not forward it, the session has decided otherwise. */
  readonly failed: (link: Link, fields: ErrorFields) => boolean;
  /** A Parse or Close of the client was carried out. */
  readonly confirmed: (link: Link) => void;
  readonly copyInBegan: (link: Link) => void;
  /** Notices, notifications: outside of the sequence of replies. */
  readonly asynchronous: (link: Link, message: Buffer) => void;
  readonly parameter: (link: Link, name: string, value: string) => void;
  /** FATAL, or nonsense: the connection is finished. */
  readonly broken: (link: Link, because: 'server-shut-down' | 'connection-lost') => void;
}

/** Longest message that is held back until it is complete. */
const HOLD_BACK_BYTES_MAX = 64 * 1024;
const SINK_LIMITS = { wholeBytesMax: FRAME_BYTES_MAX };

/** Replies that carry no result yet. */
const PREAMBLE: ReadonlySet<number> = new Set([
  BACKEND.ParseComplete,
  BACKEND.BindComplete,
  BACKEND.ParameterDescription,
  BACKEND.RowDescription,
  BACKEND.NoData,
]);

interface Undo {
  readonly name: string;
  readonly previous: Statement | undefined;
  readonly isClients: boolean;
}

export class Link implements FrameSink {
  readonly member: string;
  readonly pipeline = new Pipeline();
  readonly prepared = new Map<string, Statement>();
  /** Undefined while it is being opened, and after it is gone. */
  wire: Wire | undefined = undefined;
  status: TransactionStatus = 'I';
  /** The term it was last proven primary for. */
  proof: Term | undefined = undefined;
  /** Version of the session's settings that it has. */
  settingsVersion = 0;
  /** A row, a completion or COPY data of the present unit has come; before it, an answer can still be taken back. */
  hasResult = false;
  /** Set while our own replies are read: the first row of a probe, and an error of any. */
  probedRow: Buffer | undefined = undefined;
  ownError: ErrorFields | undefined = undefined;

  readonly #owner: LinkOwner;
  readonly #reader = new FrameReader(SINK_LIMITS);
  readonly #unconfirmed: Undo[] = [];
  #isGone = false;
  #swallowing = false;
  /** Bytes of announced 'pass' messages that have not been handed over, and the size of the last of them. */
  #owedBytes = 0;
  #lastBytes = 0;
  #heldBack: Buffer | undefined = undefined;

  constructor(member: string, owner: LinkOwner) {
    this.member = member;
    this.#owner = owner;
  }

  get isOpen(): boolean {
    return this.wire !== undefined;
  }

  /** Nothing is owed: a new unit may be sent. */
  get isQuiet(): boolean {
    return this.pipeline.isEmpty;
  }

  /** The client has got a part of a message whose rest did not arrive: its stream cannot be mended. */
  get isCutInMessage(): boolean {
    return this.#owedBytes > 0 && this.#heldBack === undefined;
  }

  /** Nothing that arrives from here on counts. */
  abandon(): void {
    this.#isGone = true;
    this.wire?.close();
    this.wire = undefined;
  }

  /** Bytes from the server. */
  receive(chunk: Buffer): void {
    if (!this.#isGone) this.#reader.push(chunk, this);
  }

  /** Sends one of our own simple queries; its whole answer is swallowed. */
  sendOwn(query: Buffer): void {
    this.prepared.delete('');
    this.pipeline.expect(REQUEST.query, 'swallow');
    this.wire?.write(query);
  }

  /** Sends a message that gets one reply, or none (`request` undefined). */
  send(message: Buffer, request: Request | undefined): void {
    if (request !== undefined) this.pipeline.expect(request, 'forward');
    if (request === REQUEST.query) this.prepared.delete('');
    this.wire?.write(message);
  }

  /** Sends the client's Parse of `statement`. */
  sendParse(message: Buffer, statement: Statement): void {
    const { name, replaces, isKept } = statement;
    if (!isKept) {
      // The server has it from here on; nobody else does, and nobody brings it here again.
      this.#note(name, undefined, true);
      this.send(message, REQUEST.parse);
      return;
    }
    // The client may not parse a name twice, and PostgreSQL says so itself if it has the first.
    if (name !== '' && replaces !== undefined) this.#ensure(replaces);
    else if (name !== '' && this.prepared.has(name)) this.#closeStale(name);
    if (replaces === undefined || name === '') this.#note(name, statement, true);
    else this.#note(name, replaces, true);
    this.send(message, REQUEST.parse);
  }

  /** Sends a Bind, or a Describe of a statement; `statement` is what the session knows under its name. */
  sendUse(message: Buffer, request: Request, statement: Statement | undefined): void {
    if (statement !== undefined) this.#ensure(statement);
    else if (this.prepared.size > 0) this.#forgetUnknown(message, request);
    this.send(message, request);
  }

  /** Sends the client's Close of a statement. */
  sendClose(message: Buffer, name: string): void {
    this.#note(name, undefined, true);
    this.send(message, REQUEST.close);
  }

  delivery(tag: number, bodyLength: number): Delivery {
    if (this.#isGone) return 'whole';
    switch (tag) {
      case BACKEND.DataRow:
      case BACKEND.CopyData:
        this.#swallowing = this.pipeline.head !== 'forward';
        this.hasResult = true;
        break;
      case BACKEND.ReadyForQuery:
      case BACKEND.ErrorResponse:
      case BACKEND.ParameterStatus:
      case BACKEND.NoticeResponse:
      case BACKEND.NotificationResponse:
        return 'whole';
      default:
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
        this.#ready(message);
        return;
      case BACKEND.ErrorResponse:
        this.#error(message);
        return;
      case BACKEND.ParameterStatus: {
        const { name, value } = readParameterStatus(message);
        if (this.pipeline.isEmpty || this.pipeline.head === 'forward')
          this.#owner.parameter(this, name, value);
        return;
      }
      case BACKEND.NoticeResponse:
        if (this.pipeline.head === 'forward') this.#owner.asynchronous(this, message);
        return;
      case BACKEND.NotificationResponse:
        this.#owner.asynchronous(this, Buffer.from(message));
        return;
      case BACKEND.DataRow:
        this.probedRow ??= Buffer.from(message);
    }
  }

  pass(bytes: Buffer): void {
    if (this.#isGone) return;
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
    this.#owner.forward(this, ready);
  }

  /** Takes one reply; true: it is ours. */
  #take(tag: number): boolean {
    if (!PREAMBLE.has(tag)) this.hasResult = true;
    const whose = this.pipeline.reply(tag);
    if (whose === 'unexpected') {
      this.#owner.broken(this, 'connection-lost');
      return true;
    }
    if (tag === BACKEND.ParseComplete || tag === BACKEND.CloseComplete) this.#confirm();
    if (tag === BACKEND.CopyInResponse && whose === 'forward') this.#owner.copyInBegan(this);
    return whose === 'swallow';
  }

  #ready(message: Buffer): void {
    const whose = this.pipeline.reply(BACKEND.ReadyForQuery);
    if (whose === 'unexpected') {
      this.#owner.broken(this, 'connection-lost');
      return;
    }
    this.status = readReadyForQuery(message);
    if (whose === 'forward') this.#owner.ready(this, message);
    else if (this.pipeline.isEmpty) this.#owner.isPreparedBy(this);
  }

  #error(message: Buffer): void {
    const fields = readErrorFields(message);
    if (fields.severity === 'FATAL' || fields.severity === 'PANIC') {
      this.#owner.broken(this, 'server-shut-down');
      return;
    }
    const whose = this.pipeline.reply(BACKEND.ErrorResponse);
    this.#takeBack();
    if (whose === 'swallow') this.ownError = fields;
    else if (this.#owner.failed(this, fields)) this.#owner.forward(this, message);
  }

  /** Brings a statement to this connection, ahead of what uses it, unless it has it. */
  #ensure(statement: Statement): void {
    const { name } = statement;
    const has = this.prepared.get(name);
    if (has === statement) return;
    if (has !== undefined && name !== '') this.#closeStale(name);
    this.#note(name, statement, false);
    this.pipeline.expect(REQUEST.parse, 'swallow');
    this.wire?.write(statement.message);
  }

  #closeStale(name: string): void {
    this.#note(name, undefined, false);
    this.pipeline.expect(REQUEST.close, 'swallow');
    this.wire?.write(Close('statement', name));
  }

  /** The session does not know the statement, so it must not be found here either. */
  #forgetUnknown(message: Buffer, request: Request): void {
    const name = request === REQUEST.bind ? readBind(message).statement : readDescribe(message).name;
    if (this.prepared.has(name)) this.#closeStale(name);
  }

  #note(name: string, statement: Statement | undefined, isClients: boolean): void {
    this.#unconfirmed.push({ name, previous: this.prepared.get(name), isClients });
    if (statement === undefined) this.prepared.delete(name);
    else this.prepared.set(name, statement);
  }

  #confirm(): void {
    if (this.#unconfirmed.shift()?.isClients === true) this.#owner.confirmed(this);
  }

  /** After an error the server has skipped these. */
  #takeBack(): void {
    for (let undo = this.#unconfirmed.pop(); undo !== undefined; undo = this.#unconfirmed.pop()) {
      if (undo.previous === undefined) this.prepared.delete(undo.name);
      else this.prepared.set(undo.name, undo.previous);
    }
  }
}

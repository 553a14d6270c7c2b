/**
 * The router's own connection to one server, for its own questions: each is answered with one row, in order. Who opens
 * it says in which words a failure is told; with any but a refused question the connection is of no more use.
 */
import { type Address, type Deferred, deferred, type MatriarchError } from '../base/index.ts';
import {
  BACKEND,
  type Delivery,
  type ErrorFields,
  FRAME_BYTES_MAX,
  FrameReader,
  type FrameSink,
  ProtocolViolation,
  readErrorFields,
} from '../wire/index.ts';
import { Scratch } from './scratch.ts';
import type { ServerTls } from './server-tls.ts';
import { READ_BUFFER_BYTES, Upstream } from './upstream.ts';

/** Whom the router logs in as, and where. */
export interface OwnRole {
  readonly username: string;
  readonly password: string;
  readonly database: string;
}

export interface OwnConnectionOptions {
  readonly address: Address;
  readonly role: OwnRole;
  readonly tls: ServerTls;
  readonly connectTimeoutMs: number;
  /** What the server refused, or why there is no answer, as an error for who asked. */
  readonly failure: (because: ErrorFields | string) => MatriarchError;
  /** The open connection has ended, whoever ended it. */
  readonly lost?: () => void;
  /** Somebody has notified what it listens to. */
  readonly notified?: () => void;
}

interface Question {
  readonly answer: Deferred<readonly Buffer[]>;
  rows: Buffer[];
  /** All rows are wanted, not the last alone. */
  readonly isForAll: boolean;
  failure: MatriarchError | undefined;
}

const READ_BYTES = READ_BUFFER_BYTES / 16;
const LOST = 'the connection was lost';

export class OwnConnection implements FrameSink {
  readonly #frames = new FrameReader({ wholeBytesMax: FRAME_BYTES_MAX });
  readonly #questions: Question[] = [];
  readonly #opened = deferred();
  readonly #upstream: Upstream;
  readonly #options: OwnConnectionOptions;
  #state: 'opening' | 'open' | 'closed' = 'opening';

  constructor(options: OwnConnectionOptions) {
    const { address, role, tls, connectTimeoutMs } = options;
    this.#options = options;
    this.#upstream = new Upstream(
      {
        address,
        parameters: [
          ['user', role.username],
          ['database', role.database],
          ['application_name', 'matriarch router'],
        ],
        credential: { password: role.password },
        tls,
        connectTimeoutMs,
        readBuffer: new Scratch(READ_BYTES),
      },
      {
        opened: () => {
          this.#state = 'open';
          this.#opened.resolve();
        },
        failed: (failure) => {
          this.#state = 'closed';
          this.#opened.reject(options.failure(failure.kind === 'refused' ? failure.fields : failure.because));
        },
        received: (chunk) => this.#received(chunk),
        lost: () => this.#lost(),
        drained: () => {},
      },
    );
  }

  /** Within `connectTimeoutMs`. Rejects with a `failure`. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** Messages that end with one ReadyForQuery. The last row of the answer, if there is one. Rejects with a `failure`. */
  async ask(...messages: readonly Buffer[]): Promise<Buffer | undefined> {
    return (await this.#rowsOf(messages, false)).at(-1);
  }

  /** The same, with all rows. */
  async askAll(...messages: readonly Buffer[]): Promise<readonly Buffer[]> {
    return await this.#rowsOf(messages, true);
  }

  async #rowsOf(messages: readonly Buffer[], isForAll: boolean): Promise<readonly Buffer[]> {
    await this.opened;
    // Nobody would answer, or tell that it was lost.
    if (this.#state === 'closed') throw this.#options.failure(LOST);
    const question: Question = {
      answer: deferred<readonly Buffer[]>(),
      rows: [],
      isForAll,
      failure: undefined,
    };
    this.#questions.push(question);
    for (const message of messages) this.#upstream.write(message);
    this.#upstream.flush();
    return await question.answer.promise;
  }

  close(): void {
    this.#upstream.close();
    this.#lost();
  }

  delivery(): Delivery {
    return 'whole';
  }

  whole(tag: number, message: Buffer): void {
    if (tag === BACKEND.NotificationResponse) this.#options.notified?.();
    const question = this.#questions[0];
    if (question === undefined) return;
    if (tag === BACKEND.DataRow) {
      if (!question.isForAll) question.rows.length = 0;
      question.rows.push(Buffer.from(message));
    } else if (tag === BACKEND.ErrorResponse) {
      question.failure = this.#options.failure(readErrorFields(message));
    } else if (tag === BACKEND.ReadyForQuery) {
      this.#questions.shift();
      if (question.failure === undefined) question.answer.resolve(question.rows);
      else question.answer.reject(question.failure);
    }
  }

  pass(): void {}

  /** A server that talks nonsense is one that was lost. */
  #received(chunk: Buffer): void {
    try {
      this.#frames.push(chunk, this);
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause;
      this.close();
    }
  }

  #lost(): void {
    const { failure, lost } = this.#options;
    const before = this.#state;
    this.#state = 'closed';
    if (before === 'opening') this.#opened.reject(failure(LOST));
    for (const { answer } of this.#questions.splice(0)) answer.reject(failure(LOST));
    if (before === 'open') lost?.();
  }
}

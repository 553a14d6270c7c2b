/** The router's own connection to one server, for questions whose answers are few: roles' passwords, the catalogue. In order. */
import { type Address, type Deferred, deferred, MatriarchError } from '../base/index.ts';
import {
  BACKEND,
  Bind,
  type Delivery,
  type ErrorFields,
  Execute,
  FRAME_BYTES_MAX,
  FrameReader,
  type FrameSink,
  Parse,
  ProtocolViolation,
  readErrorFields,
  readTextColumns,
  Sync,
} from '../wire/index.ts';
import type { ServerTls } from './server-tls.ts';
import { Scratch } from './scratch.ts';
import { READ_BUFFER_BYTES, Upstream } from './upstream.ts';

export interface OwnConnectionOptions {
  /** What it is for, in the words of its errors. */
  readonly purpose: string;
  /** The open connection has ended, whoever ended it. */
  readonly lost: () => void;
  readonly address: Address;
  readonly username: string;
  readonly password: string;
  readonly connectTimeoutMs: number;
  readonly database: string;
  readonly tls: ServerTls;
  /** Somebody, not this connection, has notified what it listens to. */
  readonly notified?: () => void;
}

/** Texts; undefined is NULL. */
export type Row = readonly (string | undefined)[];

/** More than that is not kept of one answer. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

interface Question {
  readonly answer: Deferred<readonly Row[]>;
  readonly rows: Row[];
  bytes: number;
  failure: MatriarchError | undefined;
}

export class OwnConnection implements FrameSink {
  readonly #frames = new FrameReader({ wholeBytesMax: FRAME_BYTES_MAX });
  readonly #questions: Question[] = [];
  readonly #opened = deferred<OwnConnection>();
  readonly #upstream: Upstream;
  readonly #purpose: string;
  readonly #notified: (() => void) | undefined;
  readonly #tellLost: () => void;
  #isOpen = false;

  private constructor(options: OwnConnectionOptions) {
    const { username, password, address, connectTimeoutMs, database, tls } = options;
    this.#purpose = options.purpose;
    this.#notified = options.notified;
    this.#tellLost = options.lost;
    this.#upstream = new Upstream(
      {
        address,
        parameters: [
          ['user', username],
          ['database', database],
          ['application_name', 'matriarch router'],
        ],
        credential: { password },
        tls,
        connectTimeoutMs,
        readBuffer: new Scratch(READ_BUFFER_BYTES / 4),
      },
      {
        opened: () => {
          this.#isOpen = true;
          this.#opened.resolve(this);
        },
        failed: (failure) => {
          this.#opened.reject(
            failure.kind === 'refused' ? this.#refusal(failure.fields) : this.#noServer(failure.because),
          );
        },
        received: (chunk) => this.#received(chunk),
        lost: () => this.#lost(),
        drained: () => {},
      },
    );
  }

  /** Rejects with `router-no-server` or `router-lookup-refused`. */
  static async open(options: OwnConnectionOptions): Promise<OwnConnection> {
    return await new OwnConnection(options).#opened.promise;
  }

  /** The rows of the answer. Rejects as `open` does. */
  async ask(sql: string, parameters: readonly string[] = []): Promise<readonly Row[]> {
    // Nobody would answer, or tell that it was lost.
    if (!this.#isOpen) throw this.#noServer('the connection was lost');
    const question: Question = {
      answer: deferred<readonly Row[]>(),
      rows: [],
      bytes: 0,
      failure: undefined,
    };
    this.#questions.push(question);
    this.#upstream.write(Parse({ name: '', sql, parameterTypes: [] }));
    const texts = parameters.map((parameter) => Buffer.from(parameter));
    this.#upstream.write(Bind({ portal: '', statement: '', parameters: texts }));
    this.#upstream.write(Execute('', 0));
    this.#upstream.write(Sync());
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
    if (tag === BACKEND.NotificationResponse) this.#notified?.();
    const question = this.#questions[0];
    if (question === undefined) return;
    if (tag === BACKEND.DataRow) {
      question.bytes += message.length;
      if (question.bytes > ANSWER_BYTES_MAX) question.rows.length = 0;
      else question.rows.push(readTextColumns(message));
    } else if (tag === BACKEND.ErrorResponse) {
      question.failure = this.#refusal(readErrorFields(message));
    } else if (tag === BACKEND.ReadyForQuery) {
      this.#questions.shift();
      if (question.bytes > ANSWER_BYTES_MAX) question.failure ??= this.#noServer('the answer is too long');
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
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const question of this.#questions.splice(0)) {
      question.answer.reject(this.#noServer('the connection was lost'));
    }
    this.#tellLost();
  }

  #refusal({ code, message }: ErrorFields): MatriarchError {
    const because = `${code} ${message}`;
    return PASSING.has(code.slice(0, 2))
      ? this.#noServer(because)
      : new MatriarchError('router-lookup-refused', `${this.#purpose}: ${because}`);
  }

  #noServer(because: string): MatriarchError {
    return new MatriarchError('router-no-server', `${this.#purpose}: ${because}`);
  }
}

/**
 * Classes of SQLSTATE that pass by themselves: no connection, no resources, not now, broken down. All others are about
 * who asks and what (28P01, 42501, 42883, 3D000 …), and the same the next time.
 */
const PASSING = new Set(['08', '40', '53', '55', '57', '58', 'XX']);

/** The router's own connection to one server, for one question: what is stored of this role's password? One at a time, in order. */
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

export interface LookupOptions {
  /** The open connection has ended, whoever ended it. */
  readonly lost: () => void;
  readonly address: Address;
  readonly username: string;
  readonly password: string;
  readonly connectTimeoutMs: number;
  readonly database: string;
  /** With one parameter, the role. */
  readonly query: string;
  readonly tls: ServerTls;
}

interface Question {
  readonly answer: Deferred<string | undefined>;
  value: string | undefined;
  failure: MatriarchError | undefined;
}

export class LookupConnection implements FrameSink {
  readonly #frames = new FrameReader({ wholeBytesMax: FRAME_BYTES_MAX });
  readonly #questions: Question[] = [];
  readonly #opened = deferred<LookupConnection>();
  readonly #upstream: Upstream;
  readonly #query: string;
  readonly #tellLost: () => void;
  #isOpen = false;

  private constructor(options: LookupOptions) {
    const { username, password, address, connectTimeoutMs, database, tls } = options;
    this.#query = options.query;
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
            failure.kind === 'refused' ? refusal(failure.fields) : noServer(failure.because),
          );
        },
        received: (chunk) => this.#received(chunk),
        lost: () => this.#lost(),
        drained: () => {},
      },
    );
  }

  /** Rejects with `router-no-server` or `router-lookup-refused`. */
  static async open(options: LookupOptions): Promise<LookupConnection> {
    return await new LookupConnection(options).#opened.promise;
  }

  /**
   * What is stored of the role's password: the only column, or the second; undefined: no such role, or no password.
   * Rejects as `open` does.
   */
  async secretOf(role: string): Promise<string | undefined> {
    // Nobody would answer, or tell that it was lost.
    if (!this.#isOpen) throw noServer('the connection was lost');
    const question: Question = {
      answer: deferred<string | undefined>(),
      value: undefined,
      failure: undefined,
    };
    this.#questions.push(question);
    this.#upstream.write(Parse({ name: '', sql: this.#query, parameterTypes: [] }));
    this.#upstream.write(Bind({ portal: '', statement: '', parameters: [Buffer.from(role)] }));
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
    const question = this.#questions[0];
    if (question === undefined) return;
    if (tag === BACKEND.DataRow) {
      const columns = readTextColumns(message);
      question.value = columns.length === 1 ? columns[0] : columns[1];
    } else if (tag === BACKEND.ErrorResponse) {
      question.failure = refusal(readErrorFields(message));
    } else if (tag === BACKEND.ReadyForQuery) {
      this.#questions.shift();
      if (question.failure === undefined) question.answer.resolve(question.value);
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
      question.answer.reject(noServer('the connection was lost'));
    }
    this.#tellLost();
  }
}

/**
 * Classes of SQLSTATE that pass by themselves: no connection, no resources, not now, broken down. All others are about
 * who asks and what (28P01, 42501, 42883, 3D000 …), and the same the next time.
 */
const PASSING = new Set(['08', '40', '53', '55', '57', '58', 'XX']);

function refusal({ code, message }: ErrorFields): MatriarchError {
  const isPassing = PASSING.has(code.slice(0, 2));
  const because = `${code} ${message}`;
  return isPassing
    ? noServer(because)
    : new MatriarchError('router-lookup-refused', `verifier lookup: ${because}`);
}

function noServer(because: string): MatriarchError {
  return new MatriarchError('router-no-server', `verifier lookup: ${because}`);
}

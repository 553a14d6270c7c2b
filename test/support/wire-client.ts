/**
 * A client of PostgreSQL's protocol for tests, without a driver's opinions: sends the bytes it is given, writes down
 * every message of the server, and knows by `ExpectedReplies` when an answer is complete. Logs in with SCRAM.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import {
  BACKEND,
  CancelRequest,
  FRAME_BYTES_MAX,
  FrameReader,
  type FrameSink,
  readAuthentication,
  readBackendKeyData,
  readErrorFields,
  SASLInitialResponse,
  SASLResponse,
  SCRAM_SHA_256,
  type ScramClientStart,
  StartupMessage,
  scramClientFinal,
  scramClientFirst,
  Terminate,
} from '../../src/wire/index.ts';
import { ExpectedReplies } from './expected-replies.ts';
import { renderMessage } from './transcript.ts';

export interface WireAddress {
  readonly host: string;
  readonly port: number;
}

export interface WireLogin extends WireAddress {
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** More parameters of the startup message. */
  readonly parameters?: Readonly<Record<string, string>>;
}

const NONCE_BYTES = 18;
/** A wait that ends by itself, so that a client that is stuck is a finding and not a stuck test. */
const WAIT_MS = 20_000;

export class WireClient implements FrameSink {
  /** All that the server said, and `(closed)` at the end. */
  readonly lines: string[] = [];
  readonly #login: WireLogin;
  readonly #socket: Socket;
  readonly #frames = new FrameReader({ wholeBytesMax: FRAME_BYTES_MAX });
  readonly #expected = new ExpectedReplies();
  readonly #waiting = new Set<() => void>();
  #start: ScramClientStart | undefined = undefined;
  #key: { readonly processId: number; readonly secretKey: Buffer } | undefined = undefined;
  #isLoggedIn = false;
  #isClosed = false;

  /** Resolves when the server is ready for a query or has refused: see `lines`. */
  static async connect(login: WireLogin): Promise<WireClient> {
    const client = new WireClient(login);
    await client.#until(() => client.#isLoggedIn || client.#isClosed);
    return client;
  }

  private constructor(login: WireLogin) {
    this.#login = login;
    this.#socket = connectTcp({ host: login.host, port: login.port });
    this.#socket.on('connect', () => this.#socket.write(StartupMessage(startup(login))));
    this.#socket.on('data', (chunk: Buffer) => {
      this.#frames.push(chunk, this);
      this.#wake();
    });
    // What follows an error is 'close', which is written down.
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.#isClosed = true;
      this.lines.push('(closed)');
      this.#wake();
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isCopyIn(): boolean {
    return this.#expected.isCopyIn;
  }

  /** Messages, whole, in one write. */
  send(messages: readonly Buffer[]): void {
    for (const message of messages) this.#expected.sent(message[0] ?? 0);
    this.#socket.write(Buffer.concat(messages));
  }

  /** Any bytes; what they are answered with is nobody's guess. */
  async sendRaw(bytes: Buffer): Promise<void> {
    if (bytes.length === 0 || this.#isClosed) return;
    await new Promise<void>((resolve) => {
      this.#socket.write(bytes, () => resolve());
    });
  }

  /** Until the server has closed; false: not in time. */
  async closedWithin(withinMs: number): Promise<boolean> {
    return await this.#until(() => this.#isClosed, withinMs);
  }

  /** Until all that was asked is answered; false: not in time. */
  async answered(withinMs = WAIT_MS): Promise<boolean> {
    return await this.#until(() => this.#expected.isQuiet || this.#isClosed, withinMs);
  }

  /** Until a line that begins so has come since the line number `from`. */
  async said(beginning: string, from: number): Promise<boolean> {
    return await this.#until(
      () => this.#isClosed || this.lines.slice(from).some((line) => line.startsWith(beginning)),
    );
  }

  /** Asks, on a connection of its own, to cancel what this one does; resolves when that connection is closed. */
  async cancel(): Promise<void> {
    if (this.#key === undefined) return;
    const socket = connectTcp({ host: this.#login.host, port: this.#login.port });
    socket.on('error', () => undefined);
    socket.write(CancelRequest(this.#key.processId, this.#key.secretKey));
    socket.resume();
    await once(socket, 'close');
  }

  /** Says goodbye, and waits until the server has closed. */
  async end(): Promise<void> {
    if (this.#isClosed) return;
    this.#socket.end(Terminate());
    if (!(await this.#until(() => this.#isClosed))) this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  delivery(): 'whole' {
    return 'whole';
  }

  whole(tag: number, message: Buffer): void {
    this.#expected.received(tag);
    if (this.#isLoggedIn || tag !== BACKEND.Authentication) this.lines.push(renderMessage(message));
    if (this.#isLoggedIn) return;
    if (tag === BACKEND.Authentication) this.#authenticate(message);
    else if (tag === BACKEND.BackendKeyData) {
      const { processId, secretKey } = readBackendKeyData(message);
      this.#key = { processId, secretKey: Buffer.from(secretKey) };
    } else if (tag === BACKEND.ReadyForQuery) this.#isLoggedIn = true;
    else if (tag === BACKEND.ErrorResponse && readErrorFields(message).severity === 'FATAL')
      this.#socket.end();
  }

  pass(): void {}

  #authenticate(message: Buffer): void {
    const asked = readAuthentication(message);
    if (asked.kind === 'sasl') {
      const { clientFirst, start } = scramClientFirst({ nonce: randomBytes(NONCE_BYTES).toString('base64') });
      this.#start = start;
      this.#socket.write(SASLInitialResponse(SCRAM_SHA_256, clientFirst));
    } else if (asked.kind === 'sasl-continue' && this.#start !== undefined) {
      const final = scramClientFinal(this.#start, asked.data, { password: this.#login.password });
      if (final.outcome === 'failed') throw new Error(`SCRAM failed: ${final.because}`);
      this.#socket.write(SASLResponse(final.clientFinal));
    }
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }

  async #until(holds: () => boolean, withinMs = WAIT_MS): Promise<boolean> {
    if (holds()) return true;
    return await new Promise((resolve) => {
      const end = (seen: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(seen);
      };
      const check = (): void => {
        if (holds()) end(true);
      };
      const timer = setTimeout(() => end(false), withinMs);
      this.#waiting.add(check);
    });
  }
}

function* startup({ user, database, parameters = {} }: WireLogin): Generator<readonly [string, string]> {
  yield ['user', user];
  yield ['database', database];
  yield* Object.entries(parameters);
}

/**
 * A server connection's socket: connects, logs in, then hands its bytes to whom it belongs. Reads go into one
 * buffer that all server connections of a router share, so bytes handed over are good during the call only.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { type Address, describe } from '../base/index.ts';
import { ProtocolViolation, type ScramCredential, StartupMessage, Terminate } from '../wire/index.ts';
import type { Flusher } from './flusher.ts';
import type { KeepAlive } from './keep-alive.ts';
import type { Wire } from './link.ts';
import { Outbox } from './outbox.ts';
import { ServerLogin, type ServerReady } from './server-login.ts';
import type { OpenFailure } from './session-types.ts';

export interface UpstreamOptions {
  readonly address: Address;
  readonly parameters: Iterable<readonly [string, string]>;
  readonly credential: ScramCredential;
  readonly connectTimeoutMs: number;
  readonly keepAlive?: KeepAlive;
  /** Shared by all; overwritten by the next read. */
  readonly readBuffer: Buffer;
  /** Flushes what is written at the end of the event; without, `flush` is called. */
  readonly flusher?: Flusher;
}

/** Called at most once each, but for `received` and `drained`. Nothing is called after `close`. */
export interface UpstreamEvents {
  readonly opened: (ready: ServerReady) => void;
  readonly failed: (failure: OpenFailure) => void;
  /** Bytes of the server, good during the call only. */
  readonly received: (chunk: Buffer) => void;
  readonly lost: () => void;
  /** Writes have caught up after `isClogged`. */
  readonly drained: () => void;
}

/** Size of the shared read buffer. */
export const READ_BUFFER_BYTES = 64 * 1024;
/** With so much unsent the other side is not read from. */
const CLOGGED_BYTES = 256 * 1024;
const NONCE_BYTES = 18;

export class Upstream implements Wire {
  readonly #options: UpstreamOptions;
  readonly #events: UpstreamEvents;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #login: ServerLogin;
  readonly #deadline: NodeJS.Timeout;
  #state: 'login' | 'live' | 'closed' = 'login';
  #ready: ServerReady | undefined = undefined;
  #isPaused = false;

  constructor(options: UpstreamOptions, events: UpstreamEvents) {
    this.#options = options;
    this.#events = events;
    const { readBuffer } = options;
    this.#socket = connect({
      host: options.address.host,
      port: options.address.port,
      noDelay: true,
      keepAlive: true,
      ...options.keepAlive,
      onread: {
        buffer: readBuffer,
        callback: (bytes, buffer) => {
          this.#received(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
          return true;
        },
      },
    });
    this.#outbox = new Outbox(this.#socket, options.flusher);
    this.#login = new ServerLogin({
      credential: options.credential,
      nonce: randomBytes(NONCE_BYTES).toString('base64'),
      reply: (bytes) => this.#socket.write(bytes),
    });
    this.#deadline = setTimeout(() => {
      this.#gone(`no answer within ${options.connectTimeoutMs} ms`);
    }, options.connectTimeoutMs);
    this.#socket.once('connect', () => this.#socket.write(StartupMessage(options.parameters)));
    this.#socket.once('error', (cause) => this.#gone(describe(cause)));
    this.#socket.once('close', () => this.#gone('the server closed the connection'));
    this.#socket.on('drain', () => {
      if (this.#state === 'live') events.drained();
    });
  }

  /** What the server told at login; undefined before. */
  get ready(): ServerReady | undefined {
    return this.#ready;
  }

  get address(): Address {
    return this.#options.address;
  }

  get isClogged(): boolean {
    return this.#socket.writableLength > CLOGGED_BYTES;
  }

  write(bytes: Buffer): void {
    this.#outbox.add(bytes);
  }

  flush(): void {
    if (this.#state === 'live') this.#outbox.flush();
  }

  pauseReading(isPaused: boolean): void {
    if (this.#isPaused === isPaused || this.#state === 'closed') return;
    this.#isPaused = isPaused;
    if (isPaused) this.#socket.pause();
    else this.#socket.resume();
  }

  close(): void {
    if (this.#state === 'closed') return;
    const wasLive = this.#state === 'live';
    this.#finish();
    // What the session had gathered is not sent: it gave this connection up.
    if (wasLive) this.#socket.end(Terminate());
    this.#socket.destroySoon();
  }

  #received(chunk: Buffer): void {
    if (this.#state === 'live') this.#events.received(chunk);
    else if (this.#state === 'login') this.#loginReceived(chunk);
  }

  #loginReceived(chunk: Buffer): void {
    try {
      const outcome = this.#login.receive(chunk);
      if (outcome.kind === 'going-on') return;
      if (outcome.kind === 'refused') {
        this.#finish();
        this.#socket.destroy();
        this.#events.failed({ kind: 'refused', fields: outcome.fields });
        return;
      }
      clearTimeout(this.#deadline);
      this.#state = 'live';
      this.#ready = outcome.ready;
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause;
      this.#gone(describe(cause));
      return;
    }
    this.#events.opened(this.#ready);
  }

  #gone(because: string): void {
    if (this.#state === 'closed') return;
    const wasLive = this.#state === 'live';
    this.#finish();
    this.#socket.destroy();
    if (wasLive) this.#events.lost();
    else this.#events.failed({ kind: 'unreachable', because });
  }

  #finish(): void {
    this.#state = 'closed';
    clearTimeout(this.#deadline);
  }
}

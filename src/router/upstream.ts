/**
 * A server connection's socket: connects, logs in, then hands its bytes to whom it belongs. Reads go into one
 * buffer that all server connections of a router share, so bytes handed over are good during the call only; those of an
 * encrypted connection come in buffers of their own.
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type Address, describe } from '../base/index.ts';
import { ProtocolViolation, type ScramBinding, StartupMessage, Terminate } from '../wire/index.ts';
import { type ConnectionPlace, placeOf } from './connection-place.ts';
import type { Flusher } from './flusher.ts';
import type { KeepAlive } from './keep-alive.ts';
import type { Wire } from './link-types.ts';
import { Outbox } from './outbox.ts';
import type { Scratch } from './scratch.ts';
import { fairly } from './shared-read.ts';
import { type ServerCredential, ServerLogin, type ServerReady } from './server-login.ts';
import { NO_TLS, openServerSocket, type ServerTls } from './server-tls.ts';
import type { OpenFailure } from './session-types.ts';

export interface UpstreamOptions {
  readonly address: Address;
  readonly parameters: Iterable<readonly [string, string]>;
  readonly credential: ServerCredential;
  /** Without it, none. */
  readonly tls?: ServerTls;
  readonly connectTimeoutMs: number;
  readonly keepAlive?: KeepAlive;
  /** Shared by all; overwritten by the next read. */
  readonly readBuffer: Scratch;
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
  /** Another one once it is encrypted. */
  #socket: Socket;
  #outbox: Outbox;
  readonly #deadline: NodeJS.Timeout;
  #login: ServerLogin | undefined = undefined;
  #state: 'login' | 'live' | 'closed' = 'login';
  #ready: ServerReady | undefined = undefined;
  #isPaused = false;

  constructor(options: UpstreamOptions, events: UpstreamEvents) {
    this.#options = options;
    this.#events = events;
    const { readBuffer, address, tls = NO_TLS, keepAlive, flusher } = options;
    const onread = {
      buffer: readBuffer.bytes,
      callback: fairly(
        () => this.#socket,
        readBuffer,
        (chunk) => this.#received(chunk),
      ),
    };
    this.#socket = openServerSocket(
      { address, tls, keepAlive, onread },
      {
        ready: (socket, binding) => this.#connected(socket, binding),
        failed: (because) => this.#gone(because),
      },
    );
    this.#outbox = new Outbox(this.#socket, flusher);
    this.#deadline = setTimeout(() => {
      this.#gone(`no answer within ${options.connectTimeoutMs} ms`);
    }, options.connectTimeoutMs);
  }

  /** What the server told at login; undefined before. */
  get ready(): ServerReady | undefined {
    return this.#ready;
  }

  get address(): Address {
    return this.#options.address;
  }

  get tls(): ServerTls {
    return this.#options.tls ?? NO_TLS;
  }

  /** Both ends of the connection, and how it is encrypted, for the console. */
  get place(): ConnectionPlace {
    return placeOf(this.#socket, this.#ready?.processId ?? 0);
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

  #connected(socket: Socket, binding: ScramBinding): void {
    if (this.#state !== 'login') {
      socket.destroy();
      return;
    }
    const options = this.#options;
    if (socket !== this.#socket) {
      this.#socket = socket;
      this.#outbox = new Outbox(socket, options.flusher);
      socket.on('data', (chunk) => this.#received(chunk));
    }
    const parameters = [...options.parameters];
    this.#login = new ServerLogin({
      credential: options.credential,
      user: parameters.findLast(([name]) => name === 'user')?.[1] ?? '',
      binding,
      isEncrypted: socket instanceof TLSSocket,
      nonce: randomBytes(NONCE_BYTES).toString('base64'),
      reply: (bytes) => socket.write(bytes),
    });
    socket.on('error', (cause) => this.#gone(describe(cause)));
    socket.once('close', () => this.#gone('the server closed the connection'));
    socket.on('drain', () => {
      if (this.#state === 'live') this.#events.drained();
    });
    socket.write(StartupMessage(parameters));
  }

  #received(chunk: Buffer): void {
    if (this.#state === 'live') this.#events.received(chunk);
    else if (this.#state === 'login') this.#loginReceived(chunk);
  }

  #loginReceived(chunk: Buffer): void {
    if (this.#login === undefined) return;
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

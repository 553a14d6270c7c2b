/**
 * How this router is taken over from (SIGUSR2): starts the successor, gives it the sockets, and learns whether it listens.
 * Until then nothing changes here; if it fails, nothing has. What is said between the two is in take-over.ts.
 */
import type { Server } from 'node:net';
import type { AdminFacts } from '../admin/index.ts';
import { type Address, formatAddress, type Log } from '../base/index.ts';
import type { PassOnCancel } from './cancel.ts';
import {
  type CancelNaming,
  type Channel,
  readMessage,
  type SocketUse,
  type TakeOverMessage,
} from './take-over.ts';

/** A socket that can be handed over. */
export interface OpenSocket {
  readonly address: Address;
  readonly server: Server;
}

export interface SuccessionParts {
  readonly log: Log;
  /** Starts the successor. */
  readonly start: () => Channel;
  readonly sockets: ReadonlyMap<SocketUse, OpenSocket>;
  /** Why nobody may take over now. */
  readonly refusal: () => string | undefined;
  /** The successor listens. */
  readonly takenOver: () => void;
  /** It does not, and is gone: what it may have changed outside is to be put back. */
  readonly failed: () => void;
  readonly passOnCancel: PassOnCancel;
  /** The successor ends in order. */
  readonly stop: () => void;
}

/** So long a successor may say nothing before it listens. */
const SILENCE_MAX_MS = 30_000;

/** What was ordered at this router's console would be forgotten with it. */
export function takeOverRefusal({ state, databases }: AdminFacts): string | undefined {
  if (state !== 'active') return state;
  if (databases.some(({ isPaused }) => isPaused)) return 'database-paused';
  return databases.some(({ isDisabled }) => isDisabled) ? 'database-disabled' : undefined;
}

export class Succession {
  readonly #parts: SuccessionParts;
  #state: 'none' | 'begun' | 'failing' | 'done' = 'none';
  #said: string | undefined = undefined;
  #silence: NodeJS.Timeout | undefined = undefined;

  constructor(parts: SuccessionParts) {
    this.#parts = parts;
  }

  /** Somebody asks for a successor. */
  request(): void {
    const { log, refusal, start } = this.#parts;
    if (this.#state !== 'none') {
      const because = this.#state === 'done' ? 'taken-over-already' : 'take-over-under-way';
      log.warn('take-over-ignored', { because });
      return;
    }
    const because = refusal();
    if (because !== undefined) {
      log.warn('take-over-refused', { because });
      return;
    }
    this.#state = 'begun';
    this.#said = undefined;
    const channel = start();
    log.info('take-over-begins', { successor: channel.pid });
    this.#expect(channel);
    channel.onMessage((value) => {
      const message = readMessage(value);
      if (message !== undefined && this.#state !== 'failing') this.#received(channel, message);
    });
    channel.onClose((how) => this.#closed(how));
  }

  /** Nobody is waited for any more. */
  close(): void {
    clearTimeout(this.#silence);
  }

  #expect(channel: Channel): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#said = `it said nothing for ${SILENCE_MAX_MS / 1000} s`;
      this.#state = 'failing';
      channel.kill();
    }, SILENCE_MAX_MS);
  }

  #received(channel: Channel, message: TakeOverMessage): void {
    const { log, takenOver, stop } = this.#parts;
    if (this.#state === 'begun') this.#expect(channel);
    switch (message.kind) {
      case 'wants':
        this.#give(channel, message.use, message.address);
        return;
      case 'listening':
        if (this.#state !== 'begun') return;
        clearTimeout(this.#silence);
        this.#state = 'done';
        log.info('taken-over', { successor: channel.pid });
        takenOver();
        return;
      case 'failed':
        this.#said = message.because;
        return;
      case 'cancel':
        this.#passOnCancel(channel, message);
        return;
      case 'stopping':
        stop();
        return;
      case 'socket':
      case 'cancel-ended':
        return;
    }
  }

  #passOnCancel(channel: Channel, { processId, secretKey }: CancelNaming): void {
    const target = { kind: 'cancel-request', processId, secretKey: Buffer.from(secretKey, 'hex') } as const;
    this.#parts.passOnCancel(target, () => {
      void channel.send({ kind: 'cancel-ended', processId, secretKey });
    });
  }

  #give(channel: Channel, use: SocketUse, address: string): void {
    const socket = this.#parts.sockets.get(use);
    const isSame = socket !== undefined && formatAddress(socket.address) === address;
    void channel.send({ kind: 'socket', use }, isSame ? socket.server : undefined);
  }

  #closed(how: string): void {
    if (this.#state === 'done') return;
    clearTimeout(this.#silence);
    this.#state = 'none';
    this.#parts.failed();
    this.#parts.log.error('take-over-failed', { because: this.#said ?? how });
  }
}

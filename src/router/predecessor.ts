/** The router that this one takes over from, as long as it lives: its sockets, and the clients that are still its own. */
import type { Server } from 'node:net';
import { type Address, formatAddress, pause } from '../base/index.ts';
import type { CancelTarget } from '../wire/index.ts';
import { type Channel, readMessage, type SocketUse } from './take-over.ts';

/** Cancels on their way to it; more are dropped, as cancels may be. */
const CANCELS_MAX = 1000;
const LOOK_EVERY_MS = 50;

export class Predecessor {
  readonly #channel: Channel;
  readonly #waits = new Map<SocketUse, (socket: Server | undefined) => void>();
  /** Cancels on their way to it, by what they are for. */
  readonly #cancels = new Map<string, (() => void)[]>();
  #isAlive = true;

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.onMessage((value, socket) => {
      const message = readMessage(value);
      if (message?.kind === 'socket') this.#came(message.use, socket);
      if (message?.kind === 'cancel-ended') this.#cancelEnded(`${message.processId} ${message.secretKey}`);
    });
    channel.onClose(() => {
      this.#isAlive = false;
      for (const use of this.#waits.keys()) this.#came(use, undefined);
      for (const target of this.#cancels.keys()) this.#cancelEnded(target);
    });
  }

  get pid(): number {
    return this.#channel.pid;
  }

  /**
   * Its socket, if it listens at that address. Whoever awaits this must give the socket to a server of its own without
   * awaiting anything else: see `Channel.onMessage`. The predecessor ends a successor that waits for too long.
   */
  async socket(use: SocketUse, address: Address): Promise<Server | undefined> {
    if (!this.#isAlive) return undefined;
    return await new Promise((resolve) => {
      this.#waits.set(use, resolve);
      void this.#channel.send({ kind: 'wants', use, address: formatAddress(address) });
    });
  }

  /** From here on it accepts nobody. */
  async listening(): Promise<void> {
    await this.#channel.send({ kind: 'listening' });
  }

  /** For one of its clients, or its own predecessor's. False: it was not passed on. */
  passOnCancel({ processId, secretKey }: CancelTarget, ended: () => void): boolean {
    const key = secretKey.toString('hex');
    const target = `${processId} ${key}`;
    const onTheirWay = this.#cancels.get(target);
    if (onTheirWay !== undefined) {
      onTheirWay.push(ended);
      return true;
    }
    if (!this.#isAlive || this.#cancels.size >= CANCELS_MAX) return false;
    this.#cancels.set(target, [ended]);
    void this.#channel.send({ kind: 'cancel', processId, secretKey: key });
    return true;
  }

  /** It is to end in order, as we do. */
  async stopping(): Promise<void> {
    await this.#channel.send({ kind: 'stopping' });
  }

  /** Resolves when it has ended, or `signal` aborts. */
  async gone(signal: AbortSignal): Promise<void> {
    while (this.#isAlive && !signal.aborted) await pause(LOOK_EVERY_MS, signal);
  }

  #cancelEnded(target: string): void {
    const onTheirWay = this.#cancels.get(target) ?? [];
    this.#cancels.delete(target);
    for (const ended of onTheirWay) ended();
  }

  #came(use: SocketUse, socket: Server | undefined): void {
    const resolve = this.#waits.get(use);
    this.#waits.delete(use);
    if (resolve === undefined) socket?.close();
    else resolve(socket);
  }
}

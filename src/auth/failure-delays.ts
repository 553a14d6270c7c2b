/**
 * How long a login is delayed because of failures before it: per address and user, doubling, so that guessing a password
 * is slow and everybody else is not. A login waits at most the longest delay, however many fail beside it: nobody can be
 * locked out. The table is bounded; entries end by time, without a timer, the longest unused first.
 */
export interface FailureDelaysOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  readonly forgetMs: number;
  readonly entriesMax: number;
}

interface Entry {
  readonly failures: number;
  readonly at: number;
}

export const FAILURE_DELAYS: FailureDelaysOptions = {
  firstMs: 100,
  maxMs: 3000,
  forgetMs: 60_000,
  entriesMax: 10_000,
};

export class FailureDelays {
  readonly #options: FailureDelaysOptions;
  /** In the order of their last failure. */
  readonly #entries = new Map<string, Entry>();

  constructor(options = FAILURE_DELAYS) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What the next login of the pair waits for before it is answered; 0 without a failure lately. */
  delayMs(address: string, user: string, now: number): number {
    const entry = this.#entries.get(keyOf(address, user));
    if (entry === undefined || now - entry.at > this.#options.forgetMs) return 0;
    const { firstMs, maxMs } = this.#options;
    return Math.min(maxMs, firstMs * 2 ** (entry.failures - 1));
  }

  failed(address: string, user: string, now: number): void {
    const { entriesMax, forgetMs } = this.#options;
    const key = keyOf(address, user);
    const before = this.#entries.get(key);
    const isOld = before === undefined || now - before.at > forgetMs;
    this.#entries.delete(key);
    this.#entries.set(key, { failures: isOld ? 1 : Math.min(before.failures + 1, 32), at: now });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > entriesMax && oldest !== undefined) this.#entries.delete(oldest);
  }

  succeeded(address: string, user: string): void {
    this.#entries.delete(keyOf(address, user));
  }
}

function keyOf(address: string, user: string): string {
  return `${address}\0${user}`;
}

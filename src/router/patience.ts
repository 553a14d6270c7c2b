/** How long one unit of work has been held, when to look again, when to say so, when to give up. Pure. */
import { type BackoffLimits, backoffMs } from '../base/index.ts';
import type { HoldReason } from './route.ts';

/** A held client is told so once, after this long. */
const NOTICE_AFTER_MS = 5000;
/** Short at its longest: of all who wait, only as many as a pool has connections ask a server, and each round costs writes. */
const RETRY: BackoffLimits = { firstMs: 50, maxMs: 200 };
/** Jitter is the shell's affair: held sessions are woken by one timer, in order. */
const NO_JITTER = 1;

export class Patience {
  readonly #holdTimeoutMs: () => number;
  #since = 0;
  #retryAt = 0;
  #attempt = 0;
  #isNoticed = false;
  #because: HoldReason | undefined = undefined;

  constructor(holdTimeoutMs: () => number) {
    this.#holdTimeoutMs = holdTimeoutMs;
  }

  get isHolding(): boolean {
    return this.#because !== undefined;
  }

  get because(): HoldReason {
    return this.#because ?? 'no-leader';
  }

  /** Holds, or goes on holding for another reason; true at the beginning. */
  hold(because: HoldReason, now: number): boolean {
    const begins = this.#because === undefined;
    if (begins) {
      this.#since = now;
      this.#attempt = 0;
      this.#isNoticed = false;
    }
    this.#because = because;
    this.#retryAt = now + backoffMs(this.#attempt, RETRY, NO_JITTER);
    this.#attempt += 1;
    return begins;
  }

  end(): void {
    this.#because = undefined;
  }

  waitedMs(now: number): number {
    return now - this.#since;
  }

  /** What is due at `now`. */
  due(now: number): 'give-up' | 'notice' | 'retry' | 'nothing' {
    if (this.#because === undefined) return 'nothing';
    if (now - this.#since >= this.#holdTimeoutMs()) return 'give-up';
    if (!this.#isNoticed && now - this.#since >= NOTICE_AFTER_MS) {
      this.#isNoticed = true;
      return 'notice';
    }
    return now >= this.#retryAt ? 'retry' : 'nothing';
  }
}

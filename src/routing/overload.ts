/**
 * How much of its reads an overloaded node hands on to others. Judged by what a read costs there, from the moment it asks
 * for a connection until it is answered, against the cheapest other node: so a queue at the pool counts, and so does a node
 * that answers slowly with a pool that has room. What is handed on grows while the node costs far more than the other, and
 * shrinks again, so it settles where both cost about the same. Pure.
 */

/**
 * The median of what is observed, followed step by step: short reads, which are most, decide it, and a few long ones do
 * not. An observation allocates nothing.
 */
export class Median {
  #ms = 0;
  #count = 0;

  /** 0 before the first. */
  get ms(): number {
    return this.#ms;
  }

  get count(): number {
    return this.#count;
  }

  observe(ms: number): void {
    this.#count += 1;
    if (this.#count === 1) this.#ms = ms;
    const step = this.#ms * STEP + STEP_MIN_MS;
    if (ms > this.#ms) this.#ms = Math.min(ms, this.#ms + step);
    else this.#ms = Math.max(ms, this.#ms - step);
  }
}

const STEP = 0.05;
const STEP_MIN_MS = 0.01;

export interface Load {
  /** The part of its reads that it keeps. */
  readonly share: number;
  /** Judgements in a row that found it overloaded. */
  readonly strikes: number;
}

export const noLoad: Load = { share: 1, strikes: 0 };

export interface LoadFacts {
  /** What a read costs there, ms; undefined: too few were served since the last judgement. */
  readonly costMs: number | undefined;
  /** What it costs at the cheapest of the others; undefined: there is none. */
  readonly otherMs: number | undefined;
}

/** A read that costs less than this more than elsewhere is not worth moving. */
const WORTH_MS = 20;
const FACTOR = 2;
const STRIKES = 3;
const SHRINK = 0.75;
const GROW = 0.1;
/** So many reads go on there that it is seen when it is better. */
const SHARE_MIN = 0.1;

/** The load after one judgement. */
export function nextLoad({ share, strikes }: Load, { costMs, otherMs }: LoadFacts): Load {
  const isOver = costMs !== undefined && otherMs !== undefined && costMs > FACTOR * otherMs + WORTH_MS;
  const isEven = costMs === undefined || otherMs === undefined || costMs <= otherMs + WORTH_MS / 2;
  if (isOver) {
    return strikes + 1 < STRIKES
      ? { share, strikes: strikes + 1 }
      : { share: Math.max(SHARE_MIN, share * SHRINK), strikes: strikes + 1 };
  }
  return isEven ? { share: Math.min(1, share + GROW), strikes: 0 } : { share, strikes: 0 };
}

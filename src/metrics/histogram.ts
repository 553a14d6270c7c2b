/**
 * How often something took how long: a count for each of some fixed bounds, in plain arrays, so that an observation
 * costs a few comparisons and no memory. Turned into Prometheus' cumulative form only when somebody asks.
 */

/** Upper bounds in ms: a routing decision takes µs, a far server tens of ms, a queue seconds. */
const BOUNDS_MS = [
  0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000,
];

export interface HistogramCounts {
  /** Observations up to each bound, those up to lower ones among them; the last is without a bound: all. */
  readonly buckets: readonly { readonly boundSeconds: number | undefined; readonly count: number }[];
  readonly sumSeconds: number;
  readonly count: number;
}

export class Histogram {
  readonly #counts = Array.from({ length: BOUNDS_MS.length + 1 }, () => 0);
  #sumMs = 0;

  observe(ms: number): void {
    let index = 0;
    while (index < BOUNDS_MS.length && ms > (BOUNDS_MS[index] ?? 0)) index += 1;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sumMs += ms;
  }

  /** What was observed so far. */
  counts(): HistogramCounts {
    let count = 0;
    const buckets = this.#counts.map((each, index) => {
      count += each;
      const bound = BOUNDS_MS[index];
      return { boundSeconds: bound === undefined ? undefined : bound / 1000, count };
    });
    return { buckets, sumSeconds: this.#sumMs / 1000, count };
  }
}

/**
 * Time, as an argument. Safety arithmetic (leases, fences, deadlines) uses `now` only: it is monotonic
 * (CLOCK_MONOTONIC, one reading for all processes of a host) and never jumps. `wallNow` is for display,
 * schedules and keys that carry a timestamp.
 */
export interface Clock {
  /** Monotonic milliseconds with a fraction; comparable between processes of the same boot. */
  readonly now: () => number;
  /** Milliseconds since 1970 UTC; may jump. */
  readonly wallNow: () => number;
}

const { hrtime } = process;

/** The real clock of this host. */
export const systemClock: Clock = {
  now: () => {
    // Half the cost of `hrtime.bigint`, and the same clock.
    const [seconds, nanoseconds] = hrtime();
    return seconds * 1000 + nanoseconds / 1_000_000;
  },
  wallNow: () => Date.now(),
};

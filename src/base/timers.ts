/**
 * Waiting, as an argument, as `Clock` is for reading the time: what waits through `Timers` can be run where time passes
 * as fast as events do.
 */
export interface Timers {
  /** Calls `callback` once, after `ms`; what it returns calls that off. */
  readonly after: (ms: number, callback: () => void) => () => void;
}

/** The real time of this host. */
export const systemTimers: Timers = {
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/**
 * A store in memory, for tests: revisions, leases on a given clock, resumable watches, compaction, and faults
 * that a test switches on for one client. Kept honest by the conformance suite that real etcd passes too.
 * Events reach watchers in a microtask after the call that made them, never inside it.
 */
import type { Clock } from '../base/index.ts';
import type { Dcs } from './dcs.ts';
import { DcsError } from './dcs-error.ts';

/**
 * What happens to a client's calls. `cut`: nothing goes out (outcome `not-sent`), watches hear nothing.
 * `answers-lost`: changes are made, but the client learns only `unknown`. `requests-lost`: not made, also `unknown`.
 */
export type MemoryFault = 'none' | 'cut' | 'answers-lost' | 'requests-lost';

/** One client of the store; faults are its own, as a network partition is. */
export interface MemoryClient extends Dcs {
  readonly setFault: (fault: MemoryFault) => void;
}

/** The store itself, with the handles that only a test has. */
export interface MemoryDcs {
  readonly connect: () => MemoryClient;
  /** Ends leases and sends contacts that are due by the clock; every call does it first, too. */
  readonly tick: () => void;
  /** Forgets the history up to now, so that a watch that was cut must start from a snapshot. */
  readonly compact: () => void;
  readonly close: () => void;
}

/** `tickEveryMs`: tick by a timer (for a real clock); without it the test moves its clock and calls `tick`. */
export function createMemoryDcs(_options: {
  readonly clock: Clock;
  readonly tickEveryMs?: number;
}): MemoryDcs {
  throw new DcsError('not-sent', 'closed', 'not built yet');
}

/** What one cycle of the agent may decide to do. */
import type { Memory, Observation } from './observation.ts';
import type { Reason } from './reasons.ts';

/** `immediate`: the lock is gone, sessions are cut now. `offline`: the lease still lives for a moment, a fast stop fits in. */
export type DemoteMode = 'immediate' | 'offline';

export type Action =
  | { readonly do: 'wait' }
  /** Stay leader; the shell does a leader's housekeeping (status, history, slots, configuration). */
  | { readonly do: 'lead' }
  | { readonly do: 'ask-peers' }
  /** Race for `initialize`, then initdb. */
  | { readonly do: 'bootstrap' }
  | { readonly do: 'discard-data' }
  | { readonly do: 'clone'; readonly from: string }
  /** `isDiverged`: it has WAL that `from` has not; else it merely does not get on. */
  | { readonly do: 'rejoin'; readonly from: string; readonly isDiverged: boolean }
  | { readonly do: 'start-standby'; readonly upstream: string | undefined }
  | { readonly do: 'start-primary' }
  | { readonly do: 'follow'; readonly upstream: string }
  /** Unless `sync` or `failsafe` has changed since the revisions that this was decided by. */
  | { readonly do: 'acquire-leader'; readonly syncRevision: number; readonly failsafeRevision: number }
  | { readonly do: 'promote' }
  | { readonly do: 'demote'; readonly mode: DemoteMode }
  | { readonly do: 'hand-over'; readonly candidate: string }
  | { readonly do: 'release' }
  | { readonly do: 'restart'; readonly as: 'primary' | 'standby'; readonly upstream: string | undefined }
  /** A fresh copy of `from` in place of a whole data directory. */
  | { readonly do: 'reinit'; readonly from: string }
  | { readonly do: 'clear-request' }
  | { readonly do: 'cancel-job' }
  /** The data is another cluster's: end the agent with a clear error. */
  | { readonly do: 'refuse' };

export interface Decision {
  readonly action: Action;
  readonly because: Reason;
  readonly memory: Memory;
}

/** To be refused by the store when what bears on it has changed since this was observed. */
export function takeLeader({ cluster, failsafe }: Observation): Action {
  return {
    do: 'acquire-leader',
    syncRevision: cluster.syncRevision,
    failsafeRevision: failsafe.revision,
  };
}

/** What is done, and why. */
export type Choice = readonly [Action, Reason];

/**
 * What a router, a CLI or an agent knows of the cluster: one immutable value per revision of the store, plus the
 * proof of how fresh it is. Built only by `apply` functions here, from snapshots and changes of the watch.
 */
import type { Member } from './member.ts';

/** An entry of `history`: the timeline that ended, where, and why. */
export interface HistoryEntry {
  readonly timeline: number;
  readonly lsn: number;
  readonly reason: string;
  readonly at: string | undefined;
  readonly newLeader: string | undefined;
}

/** The value of `failover`: a planned (`leader` set) or manual change of leader. */
export interface FailoverRequest {
  readonly leader: string | undefined;
  readonly candidate: string | undefined;
  readonly scheduledAt: string | undefined;
  readonly modRevision: number;
}

export interface ClusterView {
  /** Revision of the store that this view is of; never goes back. */
  readonly revision: number;
  /** Holder of the leader key; undefined when there is none. */
  readonly leader: string | undefined;
  /** Revisions of the leader key: `createRevision` identifies a term, it changes with each new holder. */
  readonly leaderCreateRevision: number | undefined;
  readonly leaderModRevision: number | undefined;
  readonly leaderLease: string | undefined;
  readonly members: ReadonlyMap<string, Member>;
  /** Members whose JSON could not be read, with the reason: shown, never used. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** `initialize`: undefined = no cluster yet; empty = being made; else the system identifier. */
  readonly systemId: string | undefined;
  /** `status.optime`: the leader's write position as it last said. Bytes. */
  readonly optime: number | undefined;
  readonly failover: FailoverRequest | undefined;
  readonly history: readonly HistoryEntry[];
  /** `config` as it stands in the store, with its revision; undefined when missing or not an object. */
  readonly config: { readonly value: Readonly<Record<string, unknown>>; readonly modRevision: number } | undefined;
  /** The newest timeline any key speaks of: history's last + 1, or a member's own. 0 when nothing is known. */
  readonly newestTimeline: number;
}

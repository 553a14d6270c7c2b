/**
 * A member of the cluster as its JSON in the store says, in Patroni's layout. Reading tolerates anything (other
 * versions, hand edits, garbage: the member is then reported as unreadable, never guessed). Writing is exact.
 */

export type MemberRole =
  | 'primary'
  | 'master'
  | 'replica'
  | 'standby_leader'
  | 'promoted'
  | 'demoted'
  | 'uninitialized';

export type MemberState =
  | 'running'
  | 'starting'
  | 'stopping'
  | 'stopped'
  | 'stop failed'
  | 'start failed'
  | 'restarting'
  | 'restart failed'
  | 'crashed'
  | 'creating replica'
  | 'initializing new cluster'
  | 'initdb failed';

export type TagValue = string | number | boolean;

/** The value of `members/<name>`. Field names and spelling are Patroni's. LSNs are bytes as numbers (< 2^53). */
export interface MemberJson {
  readonly conn_url: string;
  readonly api_url: string;
  readonly state: MemberState;
  readonly role: MemberRole;
  /** Patroni's feature level that is really implemented, not our own version. */
  readonly version: string;
  readonly xlog_location?: number;
  readonly receive_lsn?: number;
  readonly replay_lsn?: number;
  readonly replication_state?: 'streaming' | 'in archive recovery';
  readonly timeline?: number;
  readonly checkpoint_after_promote?: false;
  readonly tags?: Readonly<Record<string, TagValue>>;
  readonly pending_restart?: true;
  readonly pause?: true;
}

/** A member as the rest of the system sees it. */
export interface Member {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly apiUrl: string;
  readonly state: string;
  readonly role: string;
  /** From the tag `datacenter`; empty when the member has none. */
  readonly datacenter: string;
  readonly timeline: number | undefined;
  /** Write position of a primary; the farther of received and replayed of a standby. Bytes. */
  readonly lsn: number | undefined;
  readonly replayLsn: number | undefined;
  readonly replicationState: string | undefined;
  readonly tags: Readonly<Record<string, TagValue>>;
  readonly modRevision: number;
  readonly lease: string | undefined;
}

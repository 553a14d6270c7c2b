/**
 * What one cycle of the agent knows, as a value. The shell fills it in; `decide` reads nothing else, so a cycle
 * can be written down, replayed and simulated. Times are monotonic milliseconds, LSNs are bytes.
 *
 * Nothing here is guessed: what was not seen is `undefined` or `unknown`, and `decide` takes the careful branch.
 */
import type { Promised } from './durability.ts';
import type { FailsafeFacts } from './failsafe.ts';

/** `half-made`: a clone or initdb did not finish there. `unreadable`: exists, but cannot be looked into. */
export type DataDirectory = 'empty' | 'half-made' | 'whole' | 'unreadable';

/** The postmaster of our data directory. `starting` includes crash recovery: it does not yet take connections. */
export type ServerProcess = 'stopped' | 'starting' | 'running' | 'stopping';

/** PostgreSQL's own role: running, as it says; stopped, as its files say. Not the same as holding the leader key. */
export type ServerRole = 'primary' | 'standby' | 'unknown';

export interface LocalServer {
  readonly data: DataDirectory;
  readonly process: ServerProcess;
  readonly role: ServerRole;
  /** Stopped without a shutdown checkpoint, so its last WAL may be newer than what its control file says. */
  readonly crashed: boolean;
  readonly systemId: string | undefined;
  readonly timeline: number | undefined;
  /** Primary: flushed. Running standby: the farther of received and replayed. Stopped: last checkpoint or end of recovery. */
  readonly lsn: number | undefined;
  /** Running standby: how far it has replayed, which goes on without a stream while it has WAL of its own to replay. */
  readonly replayedLsn: number | undefined;
  /** Running standby: its WAL receiver streams now. */
  readonly streaming: boolean;
  /** Running standby: the member that `primary_conninfo` names. */
  readonly upstream: string | undefined;
  /** Long questions in a row that the running server has left without any answer; 0 when it answers, or was not asked. */
  readonly unanswered: number;
}

/**
 * The leader key, seen from here.
 * - `mine`: it hangs on our lease and the lease lives until `deadline` at least (fence margin already taken off); `isFailsafe`: it
 *   is the other members' pledges that make it ours until then, and the store may have lost it (failsafe.ts).
 * - `named`: it names us, but hangs on a lease of an earlier life of this agent.
 * - `lost`: we held it, the store says it is gone or someone else's, and PostgreSQL has not been stopped since.
 * - `unknown`: the store has not been heard lately; `deadline` if we held the key when it was last heard.
 */
export type Lock =
  | { readonly is: 'mine'; readonly deadline: number; readonly isFailsafe?: boolean }
  | { readonly is: 'named' }
  | { readonly is: 'lost' }
  | { readonly is: 'other'; readonly leader: string }
  | { readonly is: 'none' }
  | { readonly is: 'unknown'; readonly deadline: number | undefined };

/** The member that holds the leader key, as its own key describes it. */
export interface LeaderFacts {
  readonly name: string;
  /** Running as a primary, by its own word. */
  readonly isUsable: boolean;
  /** It has written a checkpoint on its present timeline, so that pg_rewind finds it in the control file. */
  readonly hasCheckpointed: boolean;
  /**
   * Our WAL against the leader's timeline history, as the leader itself told it: `diverged` = we have WAL that it has
   * not, so following it as we are would fail or, worse, serve data that the cluster never kept. `unknown`: not asked
   * (we stream, so it cannot be), or it did not answer.
   */
  readonly divergence: 'none' | 'diverged' | 'unknown';
}

/** The `failover` key. `dueInMs` <= 0 means now; requests without a schedule have 0. */
export interface LeaderRequest {
  readonly leader: string | undefined;
  readonly candidate: string | undefined;
  readonly dueInMs: number;
}

export interface ClusterFacts {
  /** `initialize`: undefined = no cluster, '' = being made, else the system identifier. */
  readonly systemId: string | undefined;
  /** The store had a cluster in this life of ours, or a member says that it has data: one is not made beside it. */
  readonly hasTraces: boolean;
  /** `initialize` is being made by us: a claim of ours whose answer was lost, say. */
  readonly isClaimOurs: boolean;
  /** Present only while the leader key names another member. */
  readonly leader: LeaderFacts | undefined;
  /** The standby that this member is told to stream from, while that is fit for it (tag `replicatefrom`). */
  readonly cascade: string | undefined;
  /** That the store speaks of, or our own: a primary may be the only one that knows of its timeline. */
  readonly newestTimeline: number;
  /** The number that was taken last for a promotion, which may have ended before anybody told of it; 0: none is known. */
  readonly takenTimeline: number;
  /** The leader's last published position. */
  readonly optime: number | undefined;
  readonly request: LeaderRequest | undefined;
  readonly maximumLagBytes: number;
  /** Who may lead by the key `sync`; undefined where the cluster is asynchronous. */
  readonly promised: Promised | undefined;
  /** Revision of that key in this view, 0 where there is none: an election is void when it has changed. */
  readonly syncRevision: number;
  /** The cluster-wide configuration says so, as it was last seen. */
  readonly isPaused: boolean;
}

/** What an operator asked of this member (orders.ts). */
export type Order = 'restart' | 'reinit';

/** What decides between standbys beside their position; from the member's tags. */
export interface Standing {
  readonly name: string;
  readonly isNofailover: boolean;
  readonly priority: number;
  /** In the city (tag `city`) of the member that led last; false where no such tags are given. */
  readonly isSameCity: boolean;
  /** It leads only with a watchdog, and has none that would do. */
  readonly lacksWatchdog?: boolean;
}

/** Who might lead, and how far it has come. */
export interface Candidate extends Standing {
  readonly timeline: number | undefined;
  readonly lsn: number | undefined;
}

/** The answer of one peer's REST API to our question for its position; peers that did not answer are not listed. */
export interface PeerAnswer extends Candidate {
  readonly isRunning: boolean;
  readonly role: ServerRole;
  /** It may not lead yet, for a time that ends: a pledge holds it back (failsafe.ts). */
  readonly isHeldBack: boolean;
}

export type JobKind =
  | 'bootstrap'
  | 'clone'
  | 'rejoin'
  | 'discard-data'
  | 'start-standby'
  | 'start-primary'
  | 'promote'
  | 'demote'
  | 'hand-over'
  | 'restart'
  | 'reinit';

/** What `decide` remembers from cycle to cycle; it goes in and comes out, and is kept nowhere else. */
export interface Memory {
  /** Since when there is no leader and nobody who answers is held back by failsafe. */
  readonly openSince: number | undefined;
  /** Since when our running standby, with a usable leader, neither streams nor replays. */
  readonly notStreamingSince: number | undefined;
  /** How far it had replayed then. */
  readonly notStreamingLsn: number | undefined;
  /** The standby that we are told to stream from gave no stream: until then the leader is followed. */
  readonly cascadeShunnedUntil: number | undefined;
  /** We gave leadership away: until then others go first. */
  readonly standBackUntil: number | undefined;
  /** Since when our server has been stopping without a job of ours that sees to it. */
  readonly stoppingSince: number | undefined;
  /** Since when the store has had neither cluster nor leader. */
  readonly clusterlessSince: number | undefined;
  /** Since when our server has been starting, by whomever. */
  readonly startingSince: number | undefined;
  /** Since when our server has been answering without our knowing whether it is, or is about to become, a primary. */
  readonly uncertainSince: number | undefined;
  /** The server has been stopped by a job of ours, and has not run since: it is not stopped by hand. */
  readonly isStoppedByUs: boolean;
}

export const freshMemory: Memory = {
  openSince: undefined,
  notStreamingSince: undefined,
  notStreamingLsn: undefined,
  cascadeShunnedUntil: undefined,
  standBackUntil: undefined,
  stoppingSince: undefined,
  clusterlessSince: undefined,
  startingSince: undefined,
  uncertainSince: undefined,
  isStoppedByUs: false,
};

export interface Limits {
  readonly ttlMs: number;
  /** Begin to step down this long before the fence would strike, so that it need not. */
  readonly stepDownMs: number;
  /** How long a better, answering candidate is waited for before a lesser one goes ahead. */
  readonly courtesyMs: number;
  /** How long a standby may fail to stream from a usable leader before it is rebuilt. */
  readonly streamPatienceMs: number;
  /** How long a standby may give no stream before the leader is followed, and is then left alone. */
  readonly cascadePatienceMs: number;
  readonly cascadeShunMs: number;
  /** How long a shutdown that nobody here sees to may take, before it is made to end. */
  readonly stopPatienceMs: number;
  /** How long a store without a cluster is looked at before one is made. */
  readonly bootstrapGraceMs: number;
  /** How long a primary may take to start while somebody else could lead. */
  readonly startPatienceMs: number;
}

export interface Observation {
  readonly now: number;
  readonly self: Standing;
  readonly local: LocalServer;
  readonly lock: Lock;
  readonly cluster: ClusterFacts;
  readonly failsafe: FailsafeFacts;
  /** Asked in this cycle or just before; undefined = not asked. */
  readonly peers: readonly PeerAnswer[] | undefined;
  /** The one long job that runs now. */
  readonly job: JobKind | undefined;
  /** We won the race for `initialize` and have not finished making the cluster. */
  readonly isBootstrapping: boolean;
  readonly order: Order | undefined;
  /** After a failed job: not before then again. */
  readonly retryAt: number | undefined;
  readonly memory: Memory;
  readonly limits: Limits;
}

/**
 * What the agent sees of its PostgreSQL: one control object over one data directory. Everything here is a value or
 * the signature of `PostgresControl`; the work is done in the files that `control.ts` puts together.
 *
 * LSNs are bytes as numbers (< 2^53). "Failed" outcomes that the agent decides upon are union members; what a person
 * must hear about (a port taken, a full disk) is thrown as `MatriarchError`.
 */
import type { Clock, Log } from '../base/index.ts';
import type { ControlData } from './control-data.ts';
import type { TimelineSwitch } from './timeline-history.ts';

export interface Credential {
  readonly username: string;
  readonly password: string;
}

/** The section `postgresql` of matriarch.yaml, as far as this component needs it. */
export interface PostgresSettings {
  readonly data_dir: string;
  readonly bin_dir: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly os_user: string;
  readonly socket_dir: string;
  readonly authentication: {
    readonly superuser: Credential;
    readonly replication: Credential;
    readonly rewind: Credential;
  };
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  readonly pg_hba: readonly string[];
}

export interface PostgresOptions {
  readonly config: PostgresSettings;
  /** Becomes `cluster_name`. */
  readonly scope: string;
  /** This member: becomes `application_name` of its WAL receiver. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** `partial`: one of our own operations did not end; the content must not be started. `foreign`: not empty, not PostgreSQL's: never touched. */
export type DataDirState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'empty' }
  | { readonly kind: 'partial'; readonly during: Operation }
  | { readonly kind: 'foreign'; readonly because: string }
  /** `isUnclaimed`: initdb made it, and no cluster is known to be in it yet. */
  | { readonly kind: 'initialized'; readonly isUnclaimed: boolean };

export type Operation = 'initdb' | 'basebackup' | 'rewind';

/**
 * `starting`: runs, accepts no connections yet (a standby before consistency stays here). `orphans`: no postmaster, but
 * server processes of this data directory live on; `start` and `stop` end them first.
 */
export type PostmasterState =
  | { readonly kind: 'stopped'; readonly stalePidFile: boolean }
  | { readonly kind: 'starting'; readonly pid: number }
  | { readonly kind: 'accepting'; readonly pid: number }
  | { readonly kind: 'stopping'; readonly pid: number }
  | { readonly kind: 'orphans'; readonly pids: readonly number[] };

export interface Inspection {
  readonly data: DataDirState;
  readonly postmaster: PostmasterState;
  /** pg_controldata; present exactly when `data` is `initialized`. */
  readonly control: ControlData | undefined;
}

/** Another member's PostgreSQL. */
export interface Upstream {
  readonly host: string;
  readonly port: number;
}

export interface DesiredConfig {
  readonly as: Role;
  /** Whom a standby streams from; undefined cuts the stream. Ignored for a primary. */
  readonly upstream: Upstream | undefined;
  /** `primary_slot_name`; undefined for none. */
  readonly slot: string | undefined;
  /** Cluster-wide settings (from the DCS); the file's own `parameters` come on top, then what the agent owns. */
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  /** `synchronous_standby_names`, then nobody else's to set; undefined leaves it to `parameters` and ALTER SYSTEM. */
  readonly synchronousStandbyNames?: string | undefined;
  /** Lines of pg_hba.conf instead of the file's `pg_hba`. */
  readonly pgHba?: readonly string[];
  /**
   * Nobody is let in but the agent and other members. Undefined: as the files of this directory say already, so that what
   * one agent has closed the next one does not open. `if-durable`: also where the files say that the agent saw to durability.
   */
  readonly isClosed?: boolean | 'if-durable' | undefined;
  /** The file's own `parameters` and `pg_hba`, where it was read again since this control was made. */
  readonly own?: {
    readonly parameters: Readonly<Record<string, string | number | boolean>>;
    readonly pgHba: readonly string[];
  };
}

export type Role = 'primary' | 'standby';

/** `changed`: a file is different from before, so `reload` (or a start) is due. */
export interface ConfigWritten {
  readonly changed: boolean;
}

export interface WaitOptions {
  readonly deadlineMs?: number;
}

export interface LongWorkOptions extends WaitOptions {
  /** Ends the work (its process is killed); the outcome is then a failure. */
  readonly signal?: AbortSignal;
}

export interface InitdbOptions extends LongWorkOptions {
  /** `name` or `name=value`, in place of those about checksums, encoding and locale. */
  readonly content?: readonly string[] | undefined;
}

/** `still-starting`: the deadline passed, the postmaster lives and is watched: recovering, or a standby not yet consistent. */
export type StartResult =
  | { readonly outcome: 'accepting'; readonly pid: number }
  | { readonly outcome: 'still-starting'; readonly pid: number };

export type StopResult =
  | { readonly outcome: 'not-running' }
  | { readonly outcome: 'stopped'; readonly by: 'fast' | 'immediate' | 'kill'; readonly tookMs: number }
  /** Processes survive SIGKILL (stuck in the kernel). The caller must not act as if writes had ended. */
  | { readonly outcome: 'failed'; readonly pids: readonly number[] };

export type PromoteResult =
  | { readonly outcome: 'promoted'; readonly tookMs: number }
  /** `stillAllowed` said no just before the signal: nothing was done. */
  | { readonly outcome: 'cancelled' }
  /** Not known to have been promoted; it may still happen. Stop the server before giving up the lease. */
  | { readonly outcome: 'failed'; readonly because: string };

export interface PromoteOptions extends WaitOptions {
  /** The new timeline is this one, or a later one where this one is known here already; undefined: as PostgreSQL numbers it. */
  readonly timeline?: number;
  /** Asked immediately before the signal is sent: lease held, deadline not passed. */
  readonly stillAllowed: () => boolean;
}

/** The end of a postmaster, ours or adopted. `expected`: `stop` was asked for it. */
export interface PostmasterExit {
  readonly pid: number;
  readonly expected: boolean;
}

/** One row of pg_stat_replication. */
export interface StandbyStatus {
  readonly applicationName: string;
  readonly state: string;
  readonly syncState: string;
}

/** What commits on the running primary wait for, and how far its standbys are. */
export interface Synchrony {
  /** `synchronous_standby_names`, as a session sees it. */
  readonly setting: string;
  /** Undefined on a standby. */
  readonly flushLsn: number | undefined;
  /** It has read the configuration of a reload that is not of this instant; backends wait by what it has read. */
  readonly isCheckpointerIdle: boolean;
  /** Roles and databases whose commits wait for no standby by default, as `role x` and `database y`, or `everybody`. */
  readonly weakenedFor: readonly string[];
  readonly standbys: readonly {
    readonly name: string;
    readonly isStreaming: boolean;
    /** Its WAL sender counts it among those that commits wait for. */
    readonly isCounted: boolean;
    readonly flushLsn: number;
  }[];
}

export interface SlotStatus {
  readonly name: string;
  readonly type: 'physical' | 'logical';
  readonly active: boolean;
  /** WAL is kept from there on, bytes; undefined when none is. */
  readonly restartLsn: number | undefined;
  /** `reserved`, `extended`, `unreserved`, or `lost` when WAL that it needs is gone. */
  readonly walStatus: string | undefined;
  /** It keeps rows from vacuum. */
  readonly holdsXmin: boolean;
  /** Logical: PostgreSQL itself carries it over to standbys (from 17 on). */
  readonly isFailover: boolean;
}

/** What the running server says about itself. */
export interface ServerStatus {
  readonly inRecovery: boolean;
  /** Primary: of the WAL being written. Standby: of the WAL being received, else of what was replayed last, which IDENTIFY_SYSTEM tells. */
  readonly timeline: number;
  /** Primary only. */
  readonly flushLsn: number | undefined;
  /** Standby only. */
  readonly receiveLsn: number | undefined;
  readonly replayLsn: number | undefined;
  readonly replayPaused: boolean;
  /** Standby: `streaming`, or `in archive recovery` when there is no running WAL receiver. */
  readonly replicationState: 'streaming' | 'in archive recovery' | undefined;
  /** Timeline of the last checkpoint; below `timeline` after a promotion until the checkpoint is done. */
  readonly checkpointTimeline: number;
  readonly standbys: readonly StandbyStatus[];
  readonly slots: readonly SlotStatus[];
  /** As PostgreSQL prints it, with time zone. */
  readonly postmasterStartTime: string;
  /** It lets nobody in but the agent and other members, by the configuration that it has read. */
  readonly isClosed: boolean;
  /** As `server_version_num`: 150018. */
  readonly serverVersion: number;
  readonly pendingRestart: readonly string[];
}

export interface SlotChanges {
  /** Physical slots that must exist; missing ones are created with their WAL reserved at once. */
  readonly ensure: readonly string[];
  /** Physical slots to drop if they exist and nobody uses them. */
  readonly drop?: readonly string[];
  /** Of `ensure`, those to drop first if nobody uses them. */
  readonly remake?: readonly string[];
  /** Physical slots that nobody uses, to be moved forward: from there on WAL is kept. */
  readonly advance?: readonly { readonly name: string; readonly lsn: number }[];
  /** Logical slots to make, each in its database. */
  readonly logical?: readonly {
    readonly name: string;
    readonly database: string;
    readonly plugin: string;
  }[];
  /** Logical slots to drop if they exist and nobody uses them. */
  readonly dropLogical?: readonly string[];
}

export interface CloneOptions extends LongWorkOptions {
  /** Made on the upstream when missing and kept, so that no WAL is missing between the copy and the first stream. */
  readonly slot?: string;
  /** Whom the copy will stream from, where that is not who is copied: the slot is made there too, before the copy begins. */
  readonly follows?: Upstream;
  /** A whole directory is there, and makes room: it is set aside, and comes back if the copy fails (clone.ts). */
  readonly replaces?: boolean;
  readonly onProgress?: (progress: CloneProgress) => void;
  /** Ends the copy when it reports nothing for so long. */
  readonly stallMs?: number;
}

export interface CloneProgress {
  readonly doneKb: number;
  readonly totalKb: number;
}

/** `damaged`: only a fresh clone helps. The directory may be half rewound and is `partial` now, or no rewind can be right. */
export type RewindResult =
  | { readonly outcome: 'not-needed' }
  | { readonly outcome: 'done'; readonly tookMs: number }
  | { readonly outcome: 'failed'; readonly because: string; readonly damaged: boolean };

/** What a member says over a replication connection. */
export interface UpstreamTimeline {
  readonly systemId: string;
  readonly timeline: number;
  /** Its WAL position (flushed; of a standby, received or replayed). */
  readonly lsn: number;
  readonly inRecovery: boolean;
  /** Oldest first; empty on timeline 1. */
  readonly history: readonly TimelineSwitch[];
}

export interface BootstrapUser {
  readonly username: string;
  readonly password: string;
  /** Created and owned by the role. */
  readonly database?: string | undefined;
  /** Attributes of CREATE ROLE beside LOGIN, each a word. */
  readonly options?: readonly string[] | undefined;
}

/**
 * Control over one data directory. Methods may be called in any order and state; one long work (initdb, clone, rewind,
 * start) at a time. `stop` may be called at any moment, also while `start` is waiting.
 */
export interface PostgresControl {
  /**
   * The data directory, absolute and without symbolic links, itself included. Whoever looks for its processes in /proc (the
   * fence) must use this name: under the one in the file, a linked directory seems to have none.
   */
  readonly dataDir: string;

  /** Looks at the directory, the processes and pg_control. A running postmaster that is found is watched from then on. */
  inspect(): Promise<Inspection>;

  /** The next start of this directory would be as a standby. Never throws: a directory that cannot be read has no such file. */
  hasStandbySignal(): Promise<boolean>;

  /** Makes the cluster (checksums, SCRAM, UTF8). Throws `postgres-initdb-failed` with initdb's last lines; leaves nothing half-made. */
  initdb(options?: InitdbOptions): Promise<void>;

  /** What initdb made here is a cluster from now on, to be kept. */
  claimDataDir(): Promise<void>;

  /** Writes all files that configure the server, each atomically. Due before `start` after initdb, clone, rewind or a new control object. */
  writeConfig(desired: DesiredConfig): Promise<ConfigWritten>;

  /** Starts the server, detached from this process. Throws `address-in-use` or `postgres-start-failed` with the log's last lines. */
  start(options: { readonly as: Role } & WaitOptions): Promise<StartResult>;

  /** Escalates inside the deadline: fast, immediate, SIGKILL of all processes of this data directory. Never throws. */
  stop(options: { readonly mode: 'fast' | 'immediate'; readonly deadlineMs: number }): Promise<StopResult>;

  /** Has the running server read its configuration again. */
  reload(): Promise<void>;

  promote(options: PromoteOptions): Promise<PromoteResult>;

  /** CHECKPOINT, on a connection of its own. */
  checkpoint(options?: WaitOptions): Promise<void>;

  /**
   * Tells of each end of the postmaster within 100 ms. Returns the unsubscription. Backends of a killed postmaster may live
   * on for a moment and still commit: `stop` (or `start`) ends them, so call it before the lease is given up.
   */
  onExit(callback: (exit: PostmasterExit) => void): () => void;

  /** Throws `postgres-unreachable` when there is no answer inside the deadline; the next call reconnects. */
  status(options?: WaitOptions): Promise<ServerStatus>;

  /**
   * Asks on a connection of its own. Any answer is one: a row, a refusal, a connection that is closed. False when there is
   * none inside the deadline, or when so many wait for one already that no connection is to be had.
   */
  isAnswering(options?: WaitOptions): Promise<boolean>;

  /** What is wrong in pg_hba.conf as it is written now, one text a line; a server keeps its rules rather than read such a file. */
  hbaProblems(options?: WaitOptions): Promise<readonly string[]>;

  /** Throws `postgres-unreachable` when there is no answer inside the deadline. */
  synchrony(options?: WaitOptions): Promise<Synchrony>;

  /** Names of the slots that were created and dropped. */
  ensureSlots(
    changes: SlotChanges,
  ): Promise<{ readonly created: readonly string[]; readonly dropped: readonly string[] }>;

  /**
   * Clones `from` into the absent or empty directory, or in place of a stopped one that it `replaces`. Throws
   * `postgres-clone-failed`; a failed clone is removed.
   */
  basebackup(from: Upstream, options?: CloneOptions): Promise<void>;

  /** Makes the stopped directory follow `from` (a primary). Never throws for what the world can cause. */
  rewind(from: Upstream, options?: LongWorkOptions): Promise<RewindResult>;

  /** Removes the content of the stopped directory for good. Refuses one that is `foreign`. */
  removeDataDir(): Promise<void>;

  /** Moves the stopped directory aside and returns the new path; `because` becomes part of its name. */
  quarantine(because: string): Promise<string>;

  /** Asks another member for its system, timeline and history. Throws `postgres-unreachable`. */
  timelineHistory(from: Upstream, options?: WaitOptions): Promise<UpstreamTimeline>;

  /** Whether this slot of another member keeps the WAL from `lsn` on. Throws `postgres-unreachable`. */
  keepsWal(
    from: Upstream,
    options: { readonly slot: string; readonly lsn: number } & WaitOptions,
  ): Promise<boolean>;

  /** On the primary: roles of the agent, the given users with their databases, and the lookup for routers. Idempotent. */
  bootstrapSql(options: { readonly users: readonly BootstrapUser[] }): Promise<void>;

  /** On the primary: the role `matriarch_router` gets this password (made when missing). */
  setRouterCredential(password: string): Promise<void>;

  /** Lets go of connections and watches; the server runs on. */
  close(): Promise<void>;
}

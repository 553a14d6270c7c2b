/**
 * What the admin console knows: values that the router gathers at the moment of a question, and nothing that lives.
 * Counters only grow; times of the wall are ms since 1970, durations carry their unit. Nothing here is a secret.
 */
import type { StatsWindow } from './stats-window.ts';

export interface AdminFacts {
  /** Of Matriarch, such as `0.1.0`. */
  readonly version: string;
  readonly nowMs: number;
  /** Of the whole router: PAUSE and SUSPEND without a database change it, RESUME changes it back. */
  readonly state: 'active' | 'paused' | 'suspended' | 'shutting_down';
  /** Those configured and those in use. */
  readonly databases: readonly DatabaseFacts[];
  /** Those configured and those in use. */
  readonly users: readonly UserFacts[];
  /** Authenticated ones, of the console too; then those that log in. */
  readonly clients: readonly ClientFacts[];
  readonly servers: readonly ServerFacts[];
  readonly pools: readonly PoolFacts[];
  readonly nodes: readonly NodeFacts[];
  readonly catalogs: readonly CatalogFacts[];
  /** By database. */
  readonly stats: ReadonlyMap<string, StatsCounters>;
  /** Earlier values of `stats`, for the averages. */
  readonly window: StatsWindow;
  /** Statements since the start, by class and reason. */
  readonly routes: readonly RouteCount[];
  /** Of clients that want them noted, the oldest first. */
  readonly decisions: readonly DecisionFacts[];
  readonly config: readonly ConfigFacts[];
  readonly memory: readonly MemoryFacts[];
}

/** What is known of a database's definitions. */
export interface CatalogFacts {
  /** As the servers name it. */
  readonly database: string;
  /** off: there is no role to read it as; reading: nothing is known yet; read; stale: the last look at it failed. */
  readonly state: 'off' | 'reading' | 'read' | 'stale';
  /** How often it was found changed. */
  readonly generation: number;
  readonly checkedAtMs: number | undefined;
  readonly functions: number;
  readonly relations: number;
  readonly types: number;
  readonly operators: number;
  /** Sessions that go by it. */
  readonly sessions: number;
  readonly trouble: string | undefined;
}

export interface DatabaseFacts {
  /** As clients name it. */
  readonly name: string;
  /** As the servers name it. */
  readonly serverName: string;
  readonly poolSize: number;
  readonly minPoolSize: number;
  readonly reservePoolSize: number;
  readonly serverLifetimeMs: number;
  /** Its own; undefined: as for all. */
  readonly poolMode: PoolMode | undefined;
  /** 0: no limit. */
  readonly maxConnections: number;
  /** 0: no limit. */
  readonly maxClientConnections: number;
  readonly isPaused: boolean;
  readonly isDisabled: boolean;
}

export type PoolMode = 'transaction' | 'session';

export interface UserFacts {
  readonly name: string;
  /** Its own; undefined: as for all. */
  readonly poolSize: number | undefined;
  readonly reservePoolSize: number | undefined;
  readonly poolMode: PoolMode | undefined;
  /** 0: no limit. */
  readonly maxConnections: number;
  /** 0: no limit. */
  readonly maxClientConnections: number;
}

/** What clients and servers have in common: a connection. */
interface ConnectionFacts {
  /** Unique among its kind, and never used again. */
  readonly id: number;
  readonly user: string;
  readonly database: string;
  readonly replication: 'none' | 'logical' | 'physical';
  /** The other side; `unix` for a Unix socket. */
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly connectedAtMs: number;
  /** The newest request. */
  readonly requestedAtMs: number;
  readonly applicationName: string;
  /** Such as `TLSv1.3/TLS_AES_256_GCM_SHA384`; empty without TLS. */
  readonly tls: string;
  readonly preparedStatements: number;
  /** Received and not yet handled. */
  readonly unreadBytes: number;
  /** Given to the socket and not yet taken by the kernel. */
  readonly unsentBytes: number;
}

export interface ClientFacts extends ConnectionFacts {
  /**
   * active: linked to a server; idle: nothing is asked for; waiting: asked, and no server connection yet (held work
   * too); the other two while a cancel request of it is passed on; login: not authenticated yet.
   */
  readonly state: 'active' | 'idle' | 'waiting' | 'active_cancel_req' | 'waiting_cancel_req' | 'login';
  /** 0 unless it waits. */
  readonly waitMs: number;
  readonly serverId: number | undefined;
  /** Why only one server connection can serve it, and since when. */
  readonly pin: PinFacts | undefined;
}

export interface PinFacts {
  /** Reason codes, such as `listens, creates-temporary`. */
  readonly because: string;
  readonly sinceMs: number;
}

export interface ServerFacts extends ConnectionFacts {
  readonly node: string;
  /** new: logs in; tested: is cleaned or asked for its state; being_canceled: a cancel for it is on its way. */
  readonly state: 'active' | 'idle' | 'new' | 'tested' | 'active_cancel' | 'being_canceled';
  /** It is closed as soon as it is free. */
  readonly isCloseNeeded: boolean;
  readonly processId: number;
  readonly clientId: number | undefined;
}

/** A pool: the server connections of one node, database and role. */
export interface PoolFacts {
  readonly node: string;
  readonly database: string;
  readonly user: string;
  readonly poolMode: PoolMode;
  /** 0: no limit. */
  readonly size: number;
  readonly active: number;
  readonly idle: number;
  readonly tested: number;
  readonly opening: number;
  readonly activeCancel: number;
  readonly beingCanceled: number;
  readonly waiting: number;
  /** How long the first in its queue has waited. */
  readonly oldestWaitMs: number;
}

export interface NodeFacts {
  readonly name: string;
  readonly datacenter: string;
  readonly host: string;
  readonly port: number;
  /** As proven on a connection; unknown while none has shown it. */
  readonly role: 'primary' | 'standby' | 'unknown';
  readonly isLeader: boolean;
  readonly isReachable: boolean;
  /** Whether it is fit for reads: in, out, returning or overloaded. */
  readonly state: string;
  /** Why it is not in; empty if it is. */
  readonly stateBecause: string;
  /** The part of its weight that it gets now, in [0, 1]. */
  readonly share: number;
  /** Reads that others served in its place. */
  readonly spilled: number;
  /** Relative to the other nodes; 0 takes no reads. */
  readonly weight: number;
  /** A reason code of the weight, such as `local`. */
  readonly because: string;
  /** Reads sent to it. */
  readonly reads: number;
  /** Writes sent to it. */
  readonly writes: number;
  /** Behind the primary; undefined: not known. */
  readonly lagBytes: number | undefined;
  readonly lagMs: number | undefined;
  /** As the cluster publishes it, such as `streaming`. */
  readonly replicationState: string | undefined;
  readonly syncState: string | undefined;
  /** When it was last found to be reachable or not, or its role changed. */
  readonly changedAtMs: number;
}

export interface RouteCount {
  readonly class: string;
  readonly because: string;
  readonly count: number;
}

/** What was decided about a unit of work: a simple query, or a batch up to its Sync. */
export interface Decided {
  /** Of its only statement, or the strictest of several: read, write, begin and so on, and the reason code of that. */
  readonly class: string;
  readonly because: string;
  /** What the reason speaks of, such as the name of a function. */
  readonly detail: string;
  readonly need: 'anywhere' | 'read' | 'primary';
  readonly needBecause: string;
  /** In the words of a hint; empty: none. */
  readonly wish: string;
  /** `hint`, `setting`, `rule 3` or `transaction`. */
  readonly wishFrom: string;
  readonly placeBecause: string;
}

export interface DecisionFacts extends Decided {
  readonly client: number;
  readonly atMs: number;
  readonly database: string;
  readonly user: string;
  readonly node: string;
  /** Tries before this one. */
  readonly attempts: number;
}

/** Whose statement is asked about: as a new session would send it. */
export interface RouteQuestion {
  readonly sql: string;
  readonly user: string;
  readonly database: string;
  readonly applicationName: string;
}

/** Where a statement would go, and why. */
export interface RouteFacts extends Decided {
  /** Undefined: nowhere now; it waits, or the router answers it. */
  readonly node: string | undefined;
  /** How fresh its answer would have to be: a level, and perhaps max_staleness. */
  readonly consistency: string;
  /** What the client would be told beside. */
  readonly notices: readonly string[];
  readonly nodes: readonly NodeFacts[];
}

/** Counters of one database; times are µs. */
export interface StatsCounters {
  readonly serverAssignments: number;
  readonly transactions: number;
  readonly queries: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly transactionUs: number;
  readonly queryUs: number;
  readonly waitUs: number;
  /** Prepared statements made by clients. */
  readonly clientParses: number;
  /** Prepared statements made at servers. */
  readonly serverParses: number;
  readonly binds: number;
}

export interface ConfigFacts {
  /** As in `matriarch.yaml`, without `router.`. */
  readonly key: string;
  readonly value: string;
  readonly default: string | undefined;
  /** SET changes it while the router runs. */
  readonly isChangeable: boolean;
}

/** One kind of thing that takes memory. */
export interface MemoryFacts {
  readonly name: string;
  /** Bytes of one. */
  readonly size: number;
  readonly used: number;
  readonly free: number;
}

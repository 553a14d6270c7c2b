/**
 * Every metric there is: its name, help, type and labels. Components only hand over samples of these names, so
 * a metric cannot exist without being documented (`docs/reference/metrics.md` is rendered from here).
 *
 * A new metric? Add a row in its component's section; units last in the name, `_total` for counters, and labels
 * only from small closed sets (never SQL, user names or addresses of clients).
 */
import type { HistogramCounts } from './histogram.ts';

export interface MetricRow {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

const counter = (help: string, ...labels: string[]): MetricRow => ({ type: 'counter', help, labels });
const gauge = (help: string, ...labels: string[]): MetricRow => ({ type: 'gauge', help, labels });
/** Its samples are those of a `Histogram`. */
const histogram = (help: string, ...labels: string[]): MetricRow => ({ type: 'histogram', help, labels });
const patroni = (help: string): MetricRow => gauge(help, 'scope', 'name');

/** All metrics by name, in the order in which they are rendered. */
export const METRICS = {
  // every process
  matriarch_build_info: gauge(
    'Always 1; the labels say which version runs, and as what.',
    'version',
    'role',
    'node',
  ),
  matriarch_process_cpu_seconds_total: counter('CPU time of this process, user and system.'),
  matriarch_process_resident_memory_bytes: gauge('Resident memory of this process.'),
  matriarch_process_uptime_seconds: gauge('Time since this process started.'),

  // agent
  matriarch_agent_leader: gauge('1 while this member holds the leader key, else 0.'),
  matriarch_agent_lease_remaining_seconds: gauge(
    'Time until this member fences unless a keep-alive succeeds; 0 without a lease.',
  ),
  matriarch_agent_watchdog: gauge('1 while the fence holds the watchdog device, else 0.'),
  matriarch_agent_keep_alives_total: counter(
    'Keep-alives of this agent’s lease, by outcome (alive, lost, failed).',
    'outcome',
  ),
  matriarch_agent_decisions_total: counter(
    'Decisions of the HA loop, by action and reason.',
    'action',
    'because',
  ),
  matriarch_postgres_running: gauge('1 while PostgreSQL accepts connections, else 0.'),
  matriarch_postgres_primary: gauge('1 while PostgreSQL is a primary, else 0.'),
  matriarch_postgres_timeline: gauge('Timeline that PostgreSQL is on.'),
  matriarch_postgres_wal_position_bytes: gauge(
    'Flushed WAL position of a primary, received position of a standby.',
  ),
  matriarch_postgres_replay_position_bytes: gauge('Replayed WAL position of a standby.'),

  // agent, by the names that Patroni gives the same things
  patroni_version: patroni('Patroni’s version whose behaviour the agent has, without periods.'),
  patroni_postgres_running: patroni('1 while PostgreSQL accepts connections, else 0.'),
  patroni_postmaster_start_time: patroni('When PostgreSQL was started, in seconds since 1970.'),
  patroni_master: patroni('1 while PostgreSQL is a running primary, else 0.'),
  patroni_primary: patroni('1 while PostgreSQL is a running primary, else 0.'),
  patroni_standby_leader: patroni('Always 0: there are no standby clusters.'),
  patroni_replica: patroni('1 while this member is a standby, else 0.'),
  patroni_sync_standby: patroni('1 while commits wait for this standby and it may lead, else 0.'),
  patroni_xlog_location: patroni('Flushed WAL position of a primary in bytes, else 0.'),
  patroni_xlog_received_location: patroni('Received WAL position of a standby in bytes, else 0.'),
  patroni_xlog_replayed_location: patroni('Replayed WAL position of a standby in bytes, else 0.'),
  patroni_xlog_paused: patroni('1 while replay is paused, else 0.'),
  patroni_postgres_streaming: patroni('1 while this standby streams, else 0.'),
  patroni_postgres_in_archive_recovery: patroni('1 while this standby does not stream, else 0.'),
  patroni_postgres_server_version: patroni('PostgreSQL’s version as a number while it runs, else 0.'),
  patroni_cluster_unlocked: patroni('1 while nobody holds the leader key, else 0.'),
  patroni_failsafe_mode_is_active: patroni(
    '1 while the leader goes on by the pledges of all members, on those as well, else 0.',
  ),
  patroni_postgres_timeline: patroni('Timeline of PostgreSQL while it runs, else 0.'),
  patroni_dcs_last_seen: patroni('When the store was last heard, in seconds since 1970.'),
  patroni_pending_restart: patroni('1 while a setting waits for a restart, else 0.'),
  patroni_is_paused: patroni('1 while the cluster is paused, else 0.'),

  // router
  matriarch_router_clients: gauge('Client connections now, by state (login, idle, active, held).', 'state'),
  matriarch_router_clients_total: counter(
    'Client connections since start, by outcome of the login.',
    'outcome',
  ),
  matriarch_router_servers: gauge(
    'Server connections now, by member and state (idle, active).',
    'member',
    'state',
  ),
  matriarch_router_pool_servers: gauge(
    'Server connections now, of all roles of a database, by state (active, idle, login).',
    'database',
    'member',
    'datacenter',
    'role',
    'state',
  ),
  matriarch_router_pool_waiting: gauge(
    'Clients that wait for a server connection now.',
    'database',
    'member',
    'datacenter',
    'role',
  ),
  matriarch_router_pool_oldest_wait_seconds: gauge(
    'How long the first of them has waited.',
    'database',
    'member',
    'datacenter',
    'role',
  ),
  matriarch_router_phase_seconds: histogram(
    'Time of work in each phase: queue (for a server connection), connect (a new one), route (deciding), server (sent until answered).',
    'phase',
    'member',
    'datacenter',
    'role',
  ),
  matriarch_router_statements_total: counter(
    'Statements sent, by member and kind (read, write).',
    'member',
    'datacenter',
    'kind',
  ),
  matriarch_router_node_share: gauge(
    'Part of its weight that a node gets of the reads now: 0 out, less than 1 returning or overloaded.',
    'member',
    'datacenter',
    'state',
    'because',
  ),
  matriarch_router_node_lag_bytes: gauge(
    'What a standby had not replayed when it was asked last.',
    'member',
    'datacenter',
  ),
  matriarch_router_node_lag_seconds: gauge('For how long it had not.', 'member', 'datacenter'),
  matriarch_router_reads_spilled_total: counter(
    'Reads that other nodes served because this one had no room or too much to do.',
    'member',
    'datacenter',
  ),
  matriarch_router_routed_total: counter(
    'Statements by kind (read, write …) and by the reason why they are of it.',
    'kind',
    'because',
  ),
  matriarch_router_texts_total: counter(
    'Texts of SQL that were classified, by how: from the cache (hit) or by the grammar (miss).',
    'cache',
  ),
  matriarch_router_grammars_lost_total: counter(
    'Times the grammar broke on a text and was loaded anew; such texts go to the primary.',
  ),
  matriarch_router_hold_reasons_total: counter(
    'Times work was held, by the reason at the beginning.',
    'because',
  ),
  matriarch_router_servers_lost_total: counter(
    'Server connections of clients that were lost or given up, by reason.',
    'because',
  ),
  matriarch_router_reads_rescued_total: counter(
    'Reads that a standby refused before any row, and that were run again elsewhere, by reason.',
    'because',
  ),
  matriarch_router_reads_moved_total: counter(
    'Reads whose first server did not have all that they must see, by what was done: waited for it (waited), another server (elsewhere), the primary (at-primary), or a server that is not known to have it, after waiting (not-proven).',
    'outcome',
  ),
  matriarch_router_catalog_generation: gauge(
    'How often a database’s catalogue was read and found changed since its first client came.',
    'database',
  ),
  matriarch_router_catalog_age_seconds: gauge(
    'Time since a database’s catalogue was last known to be as it was read.',
    'database',
  ),
  matriarch_router_holds_total: counter(
    'Times work was held for want of a primary, by how it ended.',
    'outcome',
  ),
  matriarch_router_errors_total: counter(
    'Errors that the router itself sent to clients, by SQLSTATE.',
    'sqlstate',
  ),
  matriarch_router_primary_known: gauge('1 while the router knows a primary it may write to, else 0.'),
  matriarch_router_dcs_contact_age_seconds: gauge('Time since etcd last proved that the view is current.'),
} as const satisfies Readonly<Record<string, MetricRow>>;

export type MetricName = keyof typeof METRICS;

/** One value at the moment of the scrape. `labels` has exactly the labels of its row. */
export interface Sample {
  readonly name: MetricName;
  readonly labels?: Readonly<Record<string, string>>;
  /** Counts of a histogram for a row of that type, else a number. */
  readonly value: number | HistogramCounts;
}

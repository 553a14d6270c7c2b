/** Whose word counts for a setting of PostgreSQL: the cluster-wide configuration, the host's own file, or the agent. [pure] */

type Settings = Readonly<Record<string, string | number | boolean>>;

/**
 * Settings that must agree between a primary and its standbys, or decide what replication can do: where the cluster-wide
 * configuration gives one, a host's own file does not count. Patroni's list, without what the agent decides by itself.
 */
const CLUSTER_WIDE: readonly string[] = [
  'max_connections',
  'max_locks_per_transaction',
  'max_worker_processes',
  'max_prepared_transactions',
  'max_wal_senders',
  'max_replication_slots',
  'wal_level',
  'track_commit_timestamp',
];

/** The settings of a server: of the cluster, overruled by the host's own file but for those that are of the cluster alone. */
export function mergeParameters(ofCluster: Settings, ofHost: Settings): Settings {
  const fixed = Object.entries(ofCluster).filter(([name]) => CLUSTER_WIDE.includes(name.toLowerCase()));
  return { ...ofCluster, ...ofHost, ...Object.fromEntries(fixed) };
}

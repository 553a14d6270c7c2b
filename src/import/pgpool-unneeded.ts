/** Keys of pgpool-II 4.3 to 4.6 for which there is nothing to set, by the reason. Keys with a number are without it. */
import type { Row, Table } from './row.ts';

const ON_STDOUT =
  'logs go to standard output, as JSON or text (log.format); what keeps them is the service manager';
const NOT_LOGGED = 'statements are not logged; /metrics counts reads and writes by node';
const NO_PCP =
  'there is no PCP; state is served over HTTP (/nodes, /metrics, /readyz), and signals reload and stop';
const NO_CACHE = 'results are not cached; the next read may be served by any node';
const NO_WATCHDOG =
  'routers need no watchdog: each decides for itself, from the servers or from etcd, and none holds an address';
const NO_FAILOVER =
  'a router follows a promotion and makes none; `matriarch agent` or what you use for it does';
const NO_RECOVERY = 'a router does not rebuild servers; `matriarch agent` does';
const ONE_WRITER = 'writes go to the primary alone';
const NO_CATALOG =
  'statements are classified without the catalog; a standby’s refusal sends them to the primary';

const group = (none: string, keys: string, silentIf?: readonly string[]): [string, Row][] =>
  keys.split(/\s+/).map((key) => [key, silentIf === undefined ? { none } : { none, silentIf }]);

export const PGPOOL_UNNEEDED: Table = Object.fromEntries([
  ...group(NO_PCP, 'pcp_listen_addresses pcp_port pcp_socket_dir log_pcp_processes'),
  ...group(
    ON_STDOUT,
    `log_destination log_line_prefix log_error_verbosity client_min_messages logging_collector log_directory
     log_filename log_file_mode log_truncate_on_rotation log_rotation_age log_rotation_size syslog_facility
     syslog_ident debug_level`,
  ),
  ...group(
    NOT_LOGGED,
    `log_statement log_per_node_statement notice_per_node_statement log_client_messages log_backend_messages
     log_connections log_disconnections log_hostname`,
    ['off', 'none'],
  ),
  ...group('the process stays in the foreground; router.pid_file names a file for its pid', 'pid_file_name'),
  ...group('the process keeps no state in files', 'logdir'),
  ...group(
    ONE_WRITER,
    `replicate_select insert_lock lobj_lock_table replication_stop_on_mismatch
     failover_if_affected_tuples_mismatch`,
    ['off', ''],
  ),
  ...group(
    NO_FAILOVER,
    `failover_command failback_command follow_primary_command failover_on_backend_error
     failover_on_backend_shutdown detach_false_primary search_primary_node_timeout auto_failback
     auto_failback_interval`,
    [''],
  ),
  ...group(
    NO_RECOVERY,
    `recovery_user recovery_password recovery_1st_stage_command recovery_2nd_stage_command recovery_timeout
     client_idle_limit_in_recovery`,
    ['', '0'],
  ),
  ...group(
    NO_WATCHDOG,
    `use_watchdog trusted_servers trusted_server_command ping_path hostname wd_port pgpool_port wd_priority
     wd_authkey wd_ipc_socket_dir delegate_ip if_cmd_path if_up_cmd if_down_cmd arping_path arping_cmd
     clear_memqcache_on_escalation wd_escalation_command wd_de_escalation_command failover_when_quorum_exists
     failover_require_consensus allow_multiple_failover_requests_from_node enable_consensus_with_half_votes
     wd_monitoring_interfaces_list wd_lifecheck_method wd_interval heartbeat_hostname heartbeat_port
     heartbeat_device wd_heartbeat_keepalive wd_heartbeat_deadtime wd_life_point wd_lifecheck_query
     wd_lifecheck_dbname wd_lifecheck_user wd_lifecheck_password wd_remove_shutdown_nodes
     wd_lost_node_removal_timeout wd_no_show_node_removal_timeout`,
    ['', 'off'],
  ),
  ...group(
    NO_CACHE,
    `memory_cache_enabled memqcache_method memqcache_memcached_host memqcache_memcached_port memqcache_total_size
     memqcache_max_num_cache memqcache_expire memqcache_auto_cache_invalidation memqcache_maxcache
     memqcache_cache_block_size memqcache_oiddir cache_safe_memqcache_table_list
     cache_unsafe_memqcache_table_list`,
    ['', 'off'],
  ),
  ...group(
    NO_CATALOG,
    `relcache_expire relcache_size enable_shared_relcache relcache_query_target check_temp_table
     check_unlogged_table`,
  ),
]);

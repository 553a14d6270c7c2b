/**
 * Every key of pgpool-II 4.3 to 4.6 that has a counterpart, or is translated with others, or has none for a reason of
 * its own; those that have none by the dozen are in pgpool-unneeded.ts. Keys with a number are here without it.
 */
import { oneOf, type Table, text, time, whole } from './row.ts';
import { PGPOOL_UNNEEDED } from './pgpool-unneeded.ts';

const seconds = time('s');
const CLASSIFIED =
  'which function writes is known from the statement and from what a standby refuses, not from a list';
const ROUTED = 'is not taken over; router.rules place reads by database, role and application';
const NODE_TLS = 'TLS 1.2 and 1.3 with the ciphers of the Node.js in use';
const CHECKED = 'each node is asked every router.node_check_period, with router.node_check_timeout';

const KEYS: Table = {
  backend_clustering_mode: {
    none: 'only streaming replication is there: one primary, and standbys that replay its WAL',
    silentIf: ['streaming_replication', 'raw'],
  },
  listen_addresses: { together: 'router.listen' },
  port: { together: 'router.listen' },
  socket_dir: { together: 'router.unix_socket_dir' },
  unix_socket_directories: { together: 'router.unix_socket_dir' },
  unix_socket_permissions: { to: 'router.unix_socket_mode', read: text },
  unix_socket_group: { none: 'the socket has the group of the process', silentIf: [''] },
  reserved_connections: {
    none: 'clients above max_client_conn are refused at once, with SQLSTATE 53300',
    silentIf: ['0'],
  },
  listen_backlog_multiplier: { none: 'the backlog is 1024' },
  serialize_accept: { none: 'one process accepts', silentIf: ['off'] },

  backend_hostname: { together: 'nodes[].address' },
  backend_port: { together: 'nodes[].address' },
  backend_weight: { together: 'nodes[].weight' },
  backend_application_name: { together: 'nodes[].name' },
  backend_data_directory: { none: 'a router does not touch data directories; an agent does' },
  backend_flag: {
    none: 'a router never takes a node out for good, and never believes one to be primary without asking it',
    silentIf: ['allow_to_failover', 'disallow_to_failover'],
  },

  enable_pool_hba: { together: 'router.auth_type and router.auth_hba_file' },
  pool_passwd: { together: 'router.auth_file' },
  authentication_timeout: { to: 'router.client_login_timeout', read: seconds },
  allow_clear_text_frontend_auth: { none: 'no password is asked for in clear', silentIf: ['off'] },

  ssl: { together: 'router.client_tls_sslmode and router.server_tls_sslmode' },
  ssl_key: { to: 'router.client_tls_key_file', read: text },
  ssl_cert: { to: 'router.client_tls_cert_file', read: text },
  ssl_ca_cert: { together: 'router.client_tls_ca_file and router.server_tls_ca_file' },
  ssl_ca_cert_dir: { none: 'one file holds the certificates of all authorities', silentIf: [''] },
  ssl_crl_file: { none: 'there are no revocation lists', silentIf: [''] },
  ssl_ciphers: { none: NODE_TLS },
  ssl_prefer_server_ciphers: { none: NODE_TLS, silentIf: ['off'] },
  ssl_ecdh_curve: { none: NODE_TLS, silentIf: ['prime256v1'] },
  ssl_dh_params_file: { none: NODE_TLS, silentIf: [''] },
  ssl_passphrase_command: { none: 'a key is not protected by a passphrase', silentIf: [''] },

  num_init_children: { together: 'router.max_client_conn and router.default_pool_size' },
  max_pool: { none: 'a client is lent a connection of a common pool per node, database and role' },
  process_management_mode: { none: 'one process serves all clients', silentIf: ['static'] },
  process_management_strategy: { none: 'one process serves all clients' },
  min_spare_children: { none: 'one process serves all clients' },
  max_spare_children: { none: 'one process serves all clients' },
  child_life_time: { none: 'one process serves all clients' },
  child_max_connections: { none: 'one process serves all clients', silentIf: ['0'] },
  connection_life_time: {
    to: 'router.server_idle_timeout',
    read: seconds,
    absent: '0s',
  },
  client_idle_limit: { together: 'router.client_idle_timeout and router.idle_transaction_timeout' },
  connection_cache: { none: 'server connections are always pooled', silentIf: ['on'] },
  reset_query_list: {
    none: 'server connections carry the state of the session that they are lent to; nothing is to be reset',
  },

  load_balance_mode: {
    none: 'reads are always spread; a node with the weight 0 takes none',
    silentIf: ['on'],
  },
  ignore_leading_white_space: { none: 'statements are parsed; blanks do not matter', silentIf: ['on'] },
  allow_sql_comments: { none: 'statements are parsed; comments do not matter', silentIf: ['on'] },
  read_only_function_list: { none: CLASSIFIED, silentIf: [''] },
  write_function_list: { none: CLASSIFIED, silentIf: [''] },
  primary_routing_query_pattern_list: {
    none: 'no pattern sends a statement to the primary; BEGIN in front of it, a hint or router.rules do',
    silentIf: [''],
  },
  user_redirect_preference_list: { none: ROUTED, silentIf: [''] },
  database_redirect_preference_list: { none: ROUTED, silentIf: [''] },
  app_name_redirect_preference_list: { none: ROUTED, silentIf: [''] },
  disable_load_balance_on_write: {
    none: 'a transaction that may write is on the primary from its first statement to its last; reads after it are spread',
  },
  dml_adaptive_object_relationship_list: {
    none: 'a transaction that may write is on the primary from its first statement to its last',
    silentIf: [''],
  },
  statement_level_load_balance: {
    none: 'each read outside of a transaction is placed by itself',
    silentIf: ['on'],
  },

  sr_check_user: { to: 'router.auth_user', read: text },
  sr_check_password: { to: 'router.auth_password', read: text },
  sr_check_database: { to: 'router.auth_dbname', read: text },
  sr_check_period: { none: CHECKED },
  delay_threshold: { together: 'router.max_lag' },
  delay_threshold_by_time: { together: 'router.max_lag' },
  prefer_lower_delay_standby: {
    none: 'reads of a standby that lags too much go to all others by their weights',
    silentIf: ['off'],
  },
  log_standby_delay: { none: 'how far a standby lags is not logged' },
  connect_timeout: { to: 'router.server_connect_timeout', read: time('ms'), absent: '10s' },
  health_check_period: { none: CHECKED },
  health_check_timeout: { none: CHECKED },
  health_check_user: {
    none: 'nodes are asked as router.auth_user, for which sr_check_user is taken',
    silentIf: [''],
  },
  health_check_password: { none: 'nodes are asked as router.auth_user', silentIf: [''] },
  health_check_database: { none: 'nodes are asked in router.auth_dbname', silentIf: [''] },
  health_check_max_retries: { none: CHECKED },
  health_check_retry_delay: { none: CHECKED },

  log_min_messages: {
    to: 'log.level',
    read: oneOf({
      debug5: 'debug',
      debug4: 'debug',
      debug3: 'debug',
      debug2: 'debug',
      debug1: 'debug',
      info: 'info',
      notice: 'info',
      log: 'info',
      warning: { value: 'info', says: 'is taken as info: changes of the cluster are told at that level' },
      error: 'error',
      fatal: 'error',
      panic: 'error',
    }),
  },
};

export const PGPOOL_KEYS: Table = { ...KEYS, ...PGPOOL_UNNEEDED };

/** pgpool's own bounds of a client limit are wider than ours. */
export const clientsMax = whole(1, 100_000);

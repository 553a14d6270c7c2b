/** Every key of the section [pgbouncer] of PgBouncer 1.25, and what becomes of it. */
import { connections, flag, list, oneOf, type Table, text, time, whole } from './row.ts';

const seconds = time('s');
const LOG =
  'logs go to standard output, as JSON or text (log.format); what keeps them is the service manager';
const NODE_TLS = 'TLS 1.2 and 1.3 with the ciphers of the Node.js in use';
const NO_DNS = 'names are resolved by the system at each connection';
const NODE_SOCKET = 'sockets are as Node.js makes them';
const NO_NEED =
  'server connections carry the state of the session that they are lent to; nothing is to be reset';

const tlsMode = oneOf({
  disable: 'disable',
  allow: 'allow',
  prefer: 'prefer',
  require: 'require',
  'verify-ca': 'verify-ca',
  'verify-full': 'verify-full',
});

export const PGBOUNCER_KEYS: Table = {
  logfile: { none: LOG },
  pidfile: {
    none: 'a process of `matriarch router` stays in the foreground; router.pid_file names a file for its pid',
  },
  listen_addr: { together: 'router.listen' },
  listen_port: { together: 'router.listen' },
  unix_socket_dir: { together: 'router.unix_socket_dir' },
  unix_socket_mode: { to: 'router.unix_socket_mode', read: text },
  unix_socket_group: { none: 'the socket has the group of the process', silentIf: [''] },
  user: { none: 'it runs as who starts it; say User= in its unit file', silentIf: [''] },
  pool_mode: {
    to: 'router.pool_mode',
    read: oneOf({
      session: 'session',
      transaction: 'transaction',
      statement: {
        value: 'transaction',
        says: 'is taken as transaction: transactions of several statements are allowed',
      },
    }),
    absent: 'session',
  },
  max_client_conn: { to: 'router.max_client_conn', read: whole(1, 100_000), absent: 100 },
  default_pool_size: { to: 'router.default_pool_size', read: connections },
  min_pool_size: { to: 'router.min_pool_size', read: connections },
  reserve_pool_size: { to: 'router.reserve_pool_size', read: connections },
  reserve_pool_timeout: { to: 'router.reserve_pool_timeout', read: seconds },
  max_db_connections: { to: 'router.max_db_connections', read: connections },
  max_db_client_connections: {
    none: 'there is one per database only: router.databases.NAME.max_db_client_connections',
    silentIf: ['0'],
  },
  max_user_connections: { to: 'router.max_user_connections', read: connections },
  max_user_client_connections: {
    none: 'there is one per role only: router.users.NAME.max_user_client_connections',
    silentIf: ['0'],
  },
  server_round_robin: { none: 'the connection used last is used first', silentIf: ['0'] },
  track_extra_parameters: { none: 'every setting is tracked, reported by the server or not' },
  ignore_startup_parameters: {
    none: 'no start-up parameter is refused, and none is ignored: each is a setting of the session',
  },
  peer_id: { none: 'a router keeps its cancel keys to itself', silentIf: ['0'] },
  disable_pqexec: { none: 'simple queries cannot be refused', silentIf: ['0'] },
  application_name_add_host: {
    none: 'application_name is the client’s own',
    silentIf: ['0'],
  },
  conffile: { none: 'the file is named with --config' },
  service_name: { none: 'it runs on Linux only' },
  job_name: { none: 'it runs on Linux only' },
  stats_period: { none: 'counters are read at any time from /metrics' },
  max_prepared_statements: {
    to: 'router.max_prepared_statements',
    read: (value) =>
      value === '0'
        ? { value: 200, says: 'prepared statements cannot be switched off; the default of 200 is taken' }
        : whole(1, 100_000)(value),
  },
  scram_iterations: { none: 'a verifier has the iterations that it was made with' },
  auth_type: {
    to: 'router.auth_type',
    read: oneOf({
      trust: 'trust',
      md5: 'md5',
      'scram-sha-256': 'scram-sha-256',
      cert: 'cert',
      hba: 'hba',
      any: { value: 'trust', says: 'is taken as trust: the role is the one that the client names' },
      plain: 'plain',
      ldap: { value: 'scram-sha-256', says: 'there is no LDAP; scram-sha-256 is taken' },
      pam: { value: 'scram-sha-256', says: 'there is no PAM; scram-sha-256 is taken' },
    }),
    absent: 'md5',
  },
  auth_hba_file: { together: 'router.auth_hba_file' },
  auth_ident_file: { together: 'router.auth_ident_file' },
  auth_file: { together: 'router.auth_file' },
  auth_user: { together: 'router.auth_user, and router.auth_password from auth_file' },
  auth_query: { to: 'router.auth_query', read: text },
  auth_dbname: { to: 'router.auth_dbname', read: text },
  auth_ldap_options: { none: 'there is no LDAP', silentIf: [''] },
  syslog: { none: LOG, silentIf: ['0'] },
  syslog_ident: { none: LOG },
  syslog_facility: { none: LOG },
  log_connections: { none: 'single connections are not logged; their number is in /metrics' },
  log_disconnections: { none: 'single connections are not logged; their number is in /metrics' },
  log_pooler_errors: { none: 'errors of the router are always logged', silentIf: ['1'] },
  log_stats: { none: 'counters are read at any time from /metrics' },
  verbose: {
    to: 'log.level',
    read: (value) => {
      const read = whole(0, 3)(value);
      return 'bad' in read ? read : { value: read.value === 0 ? 'info' : 'debug' };
    },
  },
  admin_users: { to: 'router.admin_users', read: list },
  stats_users: { to: 'router.stats_users', read: list },
  server_reset_query: { none: NO_NEED },
  server_reset_query_always: { none: NO_NEED, silentIf: ['0'] },
  server_check_delay: { none: 'a connection that was lost is noticed by the kernel’s word, not by a query' },
  server_check_query: { none: 'a connection that was lost is noticed by the kernel’s word, not by a query' },
  server_fast_close: {
    none: 'a session in session mode keeps its server connection to its end',
    silentIf: ['0'],
  },
  server_lifetime: { to: 'router.server_lifetime', read: seconds },
  server_idle_timeout: { to: 'router.server_idle_timeout', read: seconds },
  server_connect_timeout: { to: 'router.server_connect_timeout', read: seconds, absent: '15s' },
  server_login_retry: {
    none: 'a node that cannot be reached is left out, and tried twice a second until it answers',
  },
  client_login_timeout: { to: 'router.client_login_timeout', read: seconds },
  autodb_idle_timeout: {
    none: 'an unused pool costs nothing; its connections end after server_idle_timeout',
  },
  pool_idle_timeout: {
    none: 'an unused pool costs nothing; its connections end after server_idle_timeout',
    silentIf: ['0'],
  },
  dns_max_ttl: { none: NO_DNS },
  dns_nxdomain_ttl: { none: NO_DNS },
  dns_zone_check_period: { none: NO_DNS, silentIf: ['0'] },
  resolv_conf: { none: NO_DNS, silentIf: [''] },
  query_wait_notify: { none: 'a client that waits is told by a notice of its own accord' },
  login_notify_message: { none: 'a client is not greeted', silentIf: [''] },
  client_tls_sslmode: { to: 'router.client_tls_sslmode', read: tlsMode, absent: 'disable' },
  client_tls_key_file: { to: 'router.client_tls_key_file', read: text },
  client_tls_cert_file: { to: 'router.client_tls_cert_file', read: text },
  client_tls_ca_file: { to: 'router.client_tls_ca_file', read: text },
  client_tls_protocols: {
    to: 'router.client_tls_protocols',
    read: oneOf({
      secure: 'secure',
      'tlsv1.2,tlsv1.3': 'secure',
      'tlsv1.2': 'tlsv1.2',
      'tlsv1.3': 'tlsv1.3',
      all: { value: 'secure', says: 'is taken as secure: TLS before 1.2 is not spoken' },
    }),
  },
  client_tls_ciphers: {
    to: 'router.client_tls_ciphers',
    read: (value) => ({ value: /^(default|secure|fast|normal)$/.test(value) ? undefined : value }),
  },
  client_tls13_ciphers: { none: NODE_TLS, silentIf: ['', '<empty>'] },
  client_tls_ecdhcurve: { none: NODE_TLS, silentIf: ['auto'] },
  client_tls_dheparams: { none: NODE_TLS, silentIf: ['auto'] },
  server_tls_sslmode: { to: 'router.server_tls_sslmode', read: tlsMode, absent: 'prefer' },
  server_tls_ca_file: { to: 'router.server_tls_ca_file', read: text },
  server_tls_key_file: { to: 'router.server_tls_key_file', read: text },
  server_tls_cert_file: { to: 'router.server_tls_cert_file', read: text },
  server_tls_protocols: { none: NODE_TLS, silentIf: ['secure', 'tlsv1.2,tlsv1.3'] },
  server_tls_ciphers: { none: NODE_TLS, silentIf: ['default', 'secure', 'fast', 'normal'] },
  server_tls13_ciphers: { none: NODE_TLS, silentIf: ['', '<empty>'] },
  query_timeout: { to: 'router.query_timeout', read: seconds },
  query_wait_timeout: { to: 'router.query_wait_timeout', read: seconds },
  cancel_wait_timeout: { none: 'a cancel goes out at once, on a connection of its own' },
  client_idle_timeout: { to: 'router.client_idle_timeout', read: seconds },
  idle_transaction_timeout: { to: 'router.idle_transaction_timeout', read: seconds },
  transaction_timeout: { to: 'router.transaction_timeout', read: seconds },
  pkt_buf: { none: 'one buffer of 64 kB is shared by all server connections' },
  max_packet_size: {
    none: 'messages are passed on in pieces, up to PostgreSQL’s own 1 GB',
    silentIf: ['2147483647'],
  },
  listen_backlog: { none: 'it is 1024' },
  sbuf_loopcnt: { none: 'each read gives others their turn' },
  so_reuseport: { none: 'one process listens', silentIf: ['0'] },
  suspend_timeout: { none: 'there is no SUSPEND' },
  tcp_defer_accept: { none: NODE_SOCKET, silentIf: ['0'] },
  tcp_socket_buffer: { none: NODE_SOCKET, silentIf: ['0'] },
  tcp_keepalive: { to: 'router.tcp_keepalive', read: flag },
  tcp_keepcnt: { none: NODE_SOCKET, silentIf: ['0'] },
  tcp_keepidle: { to: 'router.tcp_keepidle', read: seconds },
  tcp_keepintvl: { none: NODE_SOCKET, silentIf: ['0'] },
  tcp_user_timeout: { none: NODE_SOCKET, silentIf: ['0'] },
};

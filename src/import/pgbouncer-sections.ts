/** The keys of the connection strings in the other sections of a pgbouncer.ini, and what becomes of them. */
import { connections, oneOf, type Table } from './row.ts';

const poolMode = oneOf({
  session: 'session',
  transaction: 'transaction',
  statement: {
    value: 'transaction',
    says: 'is taken as transaction: transactions of several statements are allowed',
  },
});
const FOR_ALL = 'there is one for all only: router.';
const SESSION_SETTING = 'the client’s own setting counts; for a default: ALTER DATABASE … SET';

/** [databases] */
export const DATABASE_KEYS: Table = {
  dbname: { together: 'router.databases.NAME.dbname' },
  host: { together: 'nodes' },
  port: { together: 'nodes' },
  user: { none: 'server connections are the client’s own role; give clients that role, or use SET ROLE' },
  password: {
    none: 'server connections are made with the client’s own SCRAM key, or the user list’s password',
  },
  auth_user: { none: `${FOR_ALL}auth_user` },
  auth_query: { none: `${FOR_ALL}auth_query` },
  auth_dbname: { none: `${FOR_ALL}auth_dbname` },
  pool_size: { to: 'pool_size', read: connections },
  min_pool_size: { to: 'min_pool_size', read: connections },
  reserve_pool_size: { to: 'reserve_pool_size', read: connections },
  reserve_pool: { to: 'reserve_pool_size', read: connections },
  connect_query: { none: 'nothing is run on a new server connection; for settings: ALTER DATABASE … SET' },
  pool_mode: { to: 'pool_mode', read: poolMode },
  query_wait_timeout: { none: `${FOR_ALL}query_wait_timeout` },
  load_balance_hosts: { together: 'nodes, which are all used' },
  target_session_attrs: { none: 'statements go where they belong: writes to the primary, reads by weight' },
  max_db_connections: { to: 'max_db_connections', read: connections },
  max_db_client_connections: { to: 'max_db_client_connections', read: connections },
  server_lifetime: { none: `${FOR_ALL}server_lifetime` },
  client_encoding: { none: SESSION_SETTING },
  datestyle: { none: SESSION_SETTING },
  timezone: { none: SESSION_SETTING },
  application_name: { none: SESSION_SETTING },
};

/** [users] */
export const USER_KEYS: Table = {
  pool_mode: { to: 'pool_mode', read: poolMode },
  pool_size: { to: 'pool_size', read: connections },
  reserve_pool_size: { none: `${FOR_ALL}reserve_pool_size` },
  max_user_connections: { to: 'max_user_connections', read: connections },
  max_user_client_connections: { to: 'max_user_client_connections', read: connections },
  query_timeout: { none: `${FOR_ALL}query_timeout` },
  query_wait_timeout: { none: `${FOR_ALL}query_wait_timeout` },
  idle_transaction_timeout: { none: `${FOR_ALL}idle_transaction_timeout` },
  transaction_timeout: { none: `${FOR_ALL}transaction_timeout` },
  client_idle_timeout: { none: `${FOR_ALL}client_idle_timeout` },
};

/** [peers] */
export const PEER_KEYS: Table = {
  host: { none: 'a router keeps its cancel keys to itself' },
  port: { none: 'a router keeps its cancel keys to itself' },
  pool_size: { none: 'a router keeps its cancel keys to itself' },
};

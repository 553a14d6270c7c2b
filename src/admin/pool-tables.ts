/**
 * POOLS, DATABASES, USERS, LISTS in PgBouncer's columns, and NODE_POOLS in ours. PgBouncer's pool is a database and a
 * role, and tools take these two for a key: so POOLS adds up the nodes, and NODE_POOLS shows them one by one.
 */
import type { AdminFacts, ClientFacts, DatabaseFacts, PoolFacts } from './facts.ts';
import { microsecondPart } from './socket-tables.ts';
import { type Table, tableOf } from './table.ts';

/** A database and a role; its servers at all nodes. */
interface PoolRow {
  readonly database: string;
  readonly user: string;
  readonly clients: readonly ClientFacts[];
  readonly pools: readonly PoolFacts[];
  readonly maxWaitMs: number;
  readonly poolMode: string;
}

export const POOLS: Table = tableOf(
  (facts) => poolRows(facts),
  ({ text, int4 }) => [
    text('database', ({ database }) => database),
    text('user', ({ user }) => user),
    int4('cl_active', (pool) => clientsIn(pool, 'active') + clientsIn(pool, 'idle')),
    int4('cl_waiting', (pool) => clientsIn(pool, 'waiting')),
    int4('cl_active_cancel_req', (pool) => clientsIn(pool, 'active_cancel_req')),
    int4('cl_waiting_cancel_req', (pool) => clientsIn(pool, 'waiting_cancel_req')),
    int4('sv_active', ({ pools }) => sum(pools, ({ active }) => active)),
    int4('sv_active_cancel', ({ pools }) => sum(pools, ({ activeCancel }) => activeCancel)),
    int4('sv_being_canceled', ({ pools }) => sum(pools, ({ beingCanceled }) => beingCanceled)),
    int4('sv_idle', ({ pools }) => sum(pools, ({ idle }) => idle)),
    int4('sv_used', () => 0),
    int4('sv_tested', ({ pools }) => sum(pools, ({ tested }) => tested)),
    int4('sv_login', ({ pools }) => sum(pools, ({ opening }) => opening)),
    int4('maxwait', ({ maxWaitMs }) => Math.floor(maxWaitMs / 1000)),
    int4('maxwait_us', ({ maxWaitMs }) => microsecondPart(maxWaitMs)),
    text('pool_mode', ({ poolMode }) => poolMode),
    text('load_balance_hosts', () => undefined),
  ],
);

export const NODE_POOLS: Table = tableOf(
  ({ pools, nodes }) => pools.map((pool) => ({ pool, node: nodes.find(({ name }) => name === pool.node) })),
  ({ text, int4 }) => [
    text('node', ({ pool }) => pool.node),
    text('datacenter', ({ node }) => node?.datacenter),
    text('role', ({ node }) => node?.role),
    text('database', ({ pool }) => pool.database),
    text('user', ({ pool }) => pool.user),
    int4('sv_active', ({ pool }) => pool.active),
    int4('sv_idle', ({ pool }) => pool.idle),
    int4('sv_tested', ({ pool }) => pool.tested),
    int4('sv_login', ({ pool }) => pool.opening),
    int4('cl_waiting', ({ pool }) => pool.waiting),
    int4('maxwait', ({ pool }) => Math.floor(pool.oldestWaitMs / 1000)),
    int4('maxwait_us', ({ pool }) => microsecondPart(pool.oldestWaitMs)),
    int4('pool_size', ({ pool }) => pool.size),
    text('pool_mode', ({ pool }) => pool.poolMode),
  ],
);

interface DatabaseRow {
  readonly database: DatabaseFacts;
  readonly hosts: string;
  readonly port: number;
  readonly connections: number;
  readonly clients: number;
}

export const DATABASES: Table = tableOf(
  (facts) => databaseRows(facts),
  ({ text, int4 }) => [
    text('name', ({ database }) => database.name),
    text('host', ({ hosts }) => hosts),
    int4('port', ({ port }) => port),
    text('database', ({ database }) => database.serverName),
    text('force_user', () => undefined),
    int4('pool_size', ({ database }) => database.poolSize),
    int4('min_pool_size', ({ database }) => database.minPoolSize),
    int4('reserve_pool_size', ({ database }) => database.reservePoolSize),
    int4('server_lifetime', ({ database }) => Math.floor(database.serverLifetimeMs / 1000)),
    text('pool_mode', ({ database }) => database.poolMode),
    text('load_balance_hosts', () => undefined),
    int4('max_connections', ({ database }) => database.maxConnections),
    int4('current_connections', ({ connections }) => connections),
    int4('max_client_connections', ({ database }) => database.maxClientConnections),
    int4('current_client_connections', ({ clients }) => clients),
    int4('paused', ({ database }) => Number(database.isPaused)),
    int4('disabled', ({ database }) => Number(database.isDisabled)),
  ],
);

export const USERS: Table = tableOf(
  ({ users, servers, clients }) => {
    const connections = countBy(servers, ({ user }) => user);
    const connected = countBy(clients.filter(isIn), ({ user }) => user);
    return users.map((user) => ({
      user,
      connections: connections.get(user.name) ?? 0,
      clients: connected.get(user.name) ?? 0,
    }));
  },
  ({ text, int4 }) => [
    text('name', ({ user }) => user.name),
    text('pool_size', ({ user }) => user.poolSize?.toString()),
    text('reserve_pool_size', ({ user }) => user.reservePoolSize?.toString()),
    text('pool_mode', ({ user }) => user.poolMode),
    int4('max_user_connections', ({ user }) => user.maxConnections),
    int4('current_connections', ({ connections }) => connections),
    int4('max_user_client_connections', ({ user }) => user.maxClientConnections),
    int4('current_client_connections', ({ clients }) => clients),
  ],
);

interface ListRow {
  readonly name: string;
  readonly items: number;
}

/** Names and order are PgBouncer's. We keep nothing for later use, and leave names to the system: those are 0. */
export const LISTS: Table = tableOf(
  (facts): readonly ListRow[] => [
    { name: 'databases', items: facts.databases.length },
    { name: 'users', items: facts.users.length },
    { name: 'peers', items: 0 },
    { name: 'pools', items: facts.pools.length },
    { name: 'peer_pools', items: 0 },
    { name: 'free_clients', items: 0 },
    { name: 'used_clients', items: facts.clients.length },
    { name: 'login_clients', items: facts.clients.filter((client) => !isIn(client)).length },
    { name: 'free_servers', items: 0 },
    { name: 'used_servers', items: facts.servers.length },
    { name: 'dns_names', items: 0 },
    { name: 'dns_zones', items: 0 },
    { name: 'dns_queries', items: 0 },
    { name: 'dns_pending', items: 0 },
  ],
  ({ text, int4 }) => [text('list', ({ name }) => name), int4('items', ({ items }) => items)],
);

/** In the order in which their pools, then their clients, are known. */
function poolRows({ pools, clients, databases }: AdminFacts): readonly PoolRow[] {
  const rows = new Map<
    string,
    { database: string; user: string; clients: ClientFacts[]; pools: PoolFacts[] }
  >();
  const rowFor = (database: string, user: string) => {
    const key = JSON.stringify([database, user]);
    const known = rows.get(key);
    if (known !== undefined) return known;
    const made = { database, user, clients: [], pools: [] };
    rows.set(key, made);
    return made;
  };
  for (const pool of pools) rowFor(pool.database, pool.user).pools.push(pool);
  for (const client of clients) if (isIn(client)) rowFor(client.database, client.user).clients.push(client);
  return [...rows.values()].map((row) => ({
    ...row,
    maxWaitMs: Math.max(0, ...row.pools.map(({ oldestWaitMs }) => oldestWaitMs), longestWait(row.clients)),
    poolMode:
      row.pools[0]?.poolMode ??
      databases.find(({ name }) => name === row.database)?.poolMode ??
      'transaction',
  }));
}

/** Of clients that wait for a node that has no pool yet, or are held. */
function longestWait(clients: readonly ClientFacts[]): number {
  return clients.reduce((longest, { waitMs }) => Math.max(longest, waitMs), 0);
}

function databaseRows({ databases, nodes, servers, clients }: AdminFacts): readonly DatabaseRow[] {
  const hosts = nodes.map(({ host }) => host).join(',');
  const connections = countBy(servers, ({ database }) => database);
  const connected = countBy(clients.filter(isIn), ({ database }) => database);
  return databases.map((database) => ({
    database,
    hosts,
    port: nodes[0]?.port ?? 0,
    connections: connections.get(database.name) ?? 0,
    clients: connected.get(database.name) ?? 0,
  }));
}

/** It has said who it is. */
function isIn({ state }: ClientFacts): boolean {
  return state !== 'login';
}

function clientsIn({ clients }: PoolRow, state: ClientFacts['state']): number {
  return clients.filter((client) => client.state === state).length;
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}

function countBy<T>(values: readonly T[], keyOf: (value: T) => string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(keyOf(value), (counts.get(keyOf(value)) ?? 0) + 1);
  return counts;
}

/** What SHOW shows: each table by its name. The small ones are here. */
import type { Shown } from './command.ts';
import type { AdminFacts } from './facts.ts';
import { CATALOG, NODES, POOL_NODES } from './node-tables.ts';
import { DATABASES, LISTS, NODE_POOLS, POOLS, USERS } from './pool-tables.ts';
import { DECISIONS, ROUTES } from './route-tables.ts';
import { ACTIVE_SOCKETS, CLIENTS, PINS, SERVERS, SOCKETS } from './socket-tables.ts';
import { STATS, STATS_AVERAGES, STATS_TOTALS, TOTALS } from './stats-tables.ts';
import { type Column, type Table, tableOf } from './table.ts';

/** The release of PgBouncer whose columns these are; said with the version, for tools that go by it. */
export const PGBOUNCER_RELEASE = '1.25';

const CONFIG: Table = tableOf(
  ({ config }) => config,
  ({ text }) => [
    text('key', ({ key }) => key),
    text('value', ({ value }) => value),
    text('default', (entry) => entry.default),
    text('changeable', ({ isChangeable }) => yesOrNo(isChangeable)),
  ],
);

const MEM: Table = tableOf(
  ({ memory }) => memory,
  ({ text, int4 }) => [
    text('name', ({ name }) => name),
    int4('size', ({ size }) => size),
    int4('used', ({ used }) => used),
    int4('free', ({ free }) => free),
    int4('memtotal', ({ size, used, free }) => size * (used + free)),
  ],
);

const STATES: readonly AdminFacts['state'][] = ['active', 'paused', 'suspended'];

const STATE: Table = tableOf(
  ({ state }) => STATES.map((key) => ({ key, value: yesOrNo(key === state) })),
  ({ text }) => [text('key', ({ key }) => key), text('value', ({ value }) => value)],
);

const VERSION: Table = tableOf(
  ({ version }) => [`Matriarch ${version} (PgBouncer ${PGBOUNCER_RELEASE})`],
  ({ text }) => [text('version', (version) => version)],
);

/** Names are the system's affair, and there are no peers: tools find the table, with no row. */
const empty = (...columns: readonly Column[]): Table => ({ columns, rows: () => [] });

export const TABLES: Readonly<Record<Shown, Table>> = {
  active_sockets: ACTIVE_SOCKETS,
  catalog: CATALOG,
  clients: CLIENTS,
  config: CONFIG,
  databases: DATABASES,
  dns_hosts: empty(
    { name: 'hostname', type: 'text' },
    { name: 'ttl', type: 'int8' },
    { name: 'addrs', type: 'text' },
  ),
  dns_zones: empty(
    { name: 'zonename', type: 'text' },
    { name: 'serial', type: 'int8' },
    { name: 'count', type: 'int4' },
  ),
  lists: LISTS,
  mem: MEM,
  peers: empty(
    { name: 'peer_id', type: 'int4' },
    { name: 'host', type: 'text' },
    { name: 'port', type: 'int4' },
    { name: 'pool_size', type: 'int4' },
  ),
  peer_pools: empty(
    { name: 'peer_id', type: 'int4' },
    { name: 'cl_active_cancel_req', type: 'int4' },
    { name: 'cl_waiting_cancel_req', type: 'int4' },
    { name: 'sv_active_cancel', type: 'int4' },
    { name: 'sv_login', type: 'int4' },
  ),
  pools: POOLS,
  servers: SERVERS,
  sockets: SOCKETS,
  state: STATE,
  stats: STATS,
  stats_averages: STATS_AVERAGES,
  stats_totals: STATS_TOTALS,
  totals: TOTALS,
  users: USERS,
  version: VERSION,
  nodes: NODES,
  node_pools: NODE_POOLS,
  pins: PINS,
  pool_nodes: POOL_NODES,
  routes: ROUTES,
  decisions: DECISIONS,
};

function yesOrNo(is: boolean): string {
  return is ? 'yes' : 'no';
}

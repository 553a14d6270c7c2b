/** NODES and CATALOG, in columns of ours, and POOL_NODES, in pgpool-II's: the cluster as this router sees it. */
import type { PoolFacts } from './facts.ts';
import { type Table, tableOf } from './table.ts';
import { timestamp, timestampWithoutZone } from './timestamp.ts';

export const NODES: Table = tableOf(
  ({ nodes, pools }) =>
    nodes.map((node) => ({ node, pools: pools.filter((pool) => pool.node === node.name) })),
  ({ text, int4, int8 }) => [
    text('node', ({ node }) => node.name),
    text('datacenter', ({ node }) => node.datacenter),
    text('host', ({ node }) => node.host),
    int4('port', ({ node }) => node.port),
    text('role', ({ node }) => node.role),
    int4('leader', ({ node }) => Number(node.isLeader)),
    int4('reachable', ({ node }) => Number(node.isReachable)),
    int4('weight', ({ node }) => node.weight),
    text('because', ({ node }) => node.because),
    text('state', ({ node }) => node.state),
    text('state_because', ({ node }) => node.stateBecause),
    int4('share_percent', ({ node }) => Math.round(node.share * 100)),
    int8('reads', ({ node }) => node.reads),
    int8('writes', ({ node }) => node.writes),
    int8('spilled', ({ node }) => node.spilled),
    int8('lag_bytes', ({ node }) => node.lagBytes),
    int8('lag_ms', ({ node }) => node.lagMs && Math.round(node.lagMs)),
    int4('sv_active', ({ pools }) => total(pools, ({ active }) => active)),
    int4('sv_idle', ({ pools }) => total(pools, ({ idle }) => idle)),
    int4('sv_login', ({ pools }) => total(pools, ({ opening }) => opening)),
    int4('cl_waiting', ({ pools }) => total(pools, ({ waiting }) => waiting)),
    text('changed_at', ({ node }) => timestamp(node.changedAtMs)),
  ],
);

export const CATALOG: Table = tableOf(
  ({ catalogs, nowMs }) => catalogs.map((catalog) => ({ catalog, nowMs })),
  ({ text, int4, int8 }) => [
    text('database', ({ catalog }) => catalog.database),
    text('state', ({ catalog }) => catalog.state),
    int8('generation', ({ catalog }) => catalog.generation),
    int8('age_ms', ({ catalog: { checkedAtMs }, nowMs }) =>
      checkedAtMs === undefined ? undefined : Math.round(nowMs - checkedAtMs),
    ),
    int4('functions', ({ catalog }) => catalog.functions),
    int4('relations', ({ catalog }) => catalog.relations),
    int4('types', ({ catalog }) => catalog.types),
    int4('operators', ({ catalog }) => catalog.operators),
    int4('sessions', ({ catalog }) => catalog.sessions),
    text('trouble', ({ catalog }) => catalog.trouble ?? ''),
  ],
);

/** All columns are text, as pgpool-II's are. `status` is the router's view, `pg_status` and `pg_role` the server's own. */
export const POOL_NODES: Table = tableOf(
  ({ nodes }) => {
    const weights = nodes.reduce((sum, { weight, share }) => sum + weight * share, 0);
    return nodes.map((node, id) => ({ id, node, weights }));
  },
  ({ text }) => [
    text('node_id', ({ id }) => String(id)),
    text('hostname', ({ node }) => node.host),
    text('port', ({ node }) => String(node.port)),
    text('status', ({ node }) => (node.isReachable ? 'up' : 'down')),
    text('pg_status', ({ node }) => (node.isReachable ? 'up' : 'down')),
    text('lb_weight', ({ node, weights }) =>
      (weights === 0 ? 0 : (node.weight * node.share) / weights).toFixed(6),
    ),
    text('role', ({ node }) => (node.isLeader ? 'primary' : 'standby')),
    text('pg_role', ({ node }) => node.role),
    text('select_cnt', ({ node }) => String(node.reads)),
    // Chosen for each statement, so no node is that of the session.
    text('load_balance_node', () => 'false'),
    text('replication_delay', ({ node }) => String(node.lagBytes ?? 0)),
    text('replication_state', ({ node }) => node.replicationState ?? ''),
    text('replication_sync_state', ({ node }) => node.syncState ?? ''),
    text('last_status_change', ({ node }) => timestampWithoutZone(node.changedAtMs)),
  ],
);

function total(pools: readonly PoolFacts[], of: (pool: PoolFacts) => number): number {
  return pools.reduce((sum, pool) => sum + of(pool), 0);
}

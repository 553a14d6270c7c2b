/** The pools as metrics, from the same facts as the admin console's tables: by database, node, datacenter and role. Pure. */
import type { AdminFacts, NodeFacts, PoolFacts } from '../admin/index.ts';
import type { Sample } from '../metrics/index.ts';

interface Sum {
  readonly labels: Readonly<Record<string, string>>;
  active: number;
  idle: number;
  login: number;
  waiting: number;
  oldestWaitMs: number;
}

/** Roles of the database are added up: their names are no labels. */
export function poolSamples({ pools, nodes }: Pick<AdminFacts, 'pools' | 'nodes'>): Sample[] {
  const sums = new Map<string, Sum>();
  for (const pool of pools) {
    const key = JSON.stringify([pool.database, pool.node]);
    const sum = sums.get(key) ?? newSum(pool, nodes);
    sums.set(key, sum);
    sum.active += pool.active + pool.tested + pool.activeCancel + pool.beingCanceled;
    sum.idle += pool.idle;
    sum.login += pool.opening;
    sum.waiting += pool.waiting;
    sum.oldestWaitMs = Math.max(sum.oldestWaitMs, pool.oldestWaitMs);
  }
  return [...sums.values()].flatMap(({ labels, ...sum }): Sample[] => [
    ...(['active', 'idle', 'login'] as const).map(
      (state): Sample => ({
        name: 'matriarch_router_pool_servers',
        labels: { ...labels, state },
        value: sum[state],
      }),
    ),
    { name: 'matriarch_router_pool_waiting', labels, value: sum.waiting },
    { name: 'matriarch_router_pool_oldest_wait_seconds', labels, value: sum.oldestWaitMs / 1000 },
  ]);
}

function newSum({ database, node }: PoolFacts, nodes: readonly NodeFacts[]): Sum {
  const found = nodes.find(({ name }) => name === node);
  const labels = {
    database,
    member: node,
    datacenter: found?.datacenter ?? '',
    role: found?.role ?? 'unknown',
  };
  return { labels, active: 0, idle: 0, login: 0, waiting: 0, oldestWaitMs: 0 };
}

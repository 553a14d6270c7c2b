/** Where reads go: so many of them through a router, and how many each node served. */
import type { Client } from 'pg';
import type { RunningRouter } from './router.ts';

/** Reads served by each node, in the order of their names: `10000 1000 1000`. */
export async function shareOut(
  router: RunningRouter,
  clients: readonly Client[],
  reads: number,
): Promise<string> {
  const before = await router.counts();
  let left = reads;
  await Promise.all(
    clients.map(async (client) => {
      while (left > 0) {
        left -= 1;
        await client.query('SELECT 1');
      }
    }),
  );
  const after = await router.counts();
  return Object.keys(after)
    .sort()
    .map((name) => String((after[name]?.reads ?? 0) - (before[name]?.reads ?? 0)))
    .join(' ');
}

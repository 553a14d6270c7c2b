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
  await read(clients, reads);
  const after = await router.counts();
  return Object.keys(after)
    .sort()
    .map((name) => String((after[name]?.reads ?? 0) - (before[name]?.reads ?? 0)))
    .join(' ');
}

/**
 * Those nodes that have not served what is expected of them, after as many reads as that is: exactly so many, but for what
 * nodes have handed on to others, as one does to which connections are slow to be made on a busy machine.
 */
export async function unfair(
  router: RunningRouter,
  clients: readonly Client[],
  expected: Readonly<Record<string, number>>,
): Promise<readonly string[]> {
  const before = await router.counts();
  await read(
    clients,
    Object.values(expected).reduce((sum, one) => sum + one, 0),
  );
  const after = await router.counts();
  const since = (name: string, what: 'reads' | 'spilled'): number =>
    (after[name]?.[what] ?? 0) - (before[name]?.[what] ?? 0);
  const names = Object.keys(after).sort();
  const handedOn = names.reduce((sum, name) => sum + since(name, 'spilled'), 0);
  return names.flatMap((name) => {
    const served = since(name, 'reads');
    const least = (expected[name] ?? 0) - since(name, 'spilled');
    return served >= least && served <= least + handedOn ? [] : [`${name}: ${served}, ${handedOn} handed on`];
  });
}

async function read(clients: readonly Client[], reads: number): Promise<void> {
  let left = reads;
  await Promise.all(
    clients.map(async (client) => {
      while (left > 0) {
        left -= 1;
        await client.query('SELECT 1');
      }
    }),
  );
}

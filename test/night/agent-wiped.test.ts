/** etcd loses everything while a cluster runs, and an empty host comes to it at that moment. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { it } from 'node:test';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { connectEtcd, type Dcs } from '../../src/dcs/index.ts';
import { keyLayout } from '../../src/topology/index.ts';
import { type Host, sharedLogs, someHosts } from '../support/agents.ts';
import { startEtcd } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';

const LIMIT = { timeout: 240_000 };
const layout = keyLayout('/service/', 'herd');
const call = { timeoutMs: 5000 };

it(
  'an empty host makes no second cluster of a store that has lost the first one, and joins that',
  LIMIT,
  async (t) => {
    const etcd = await startEtcd(t);
    const dcs = connectEtcd(
      { endpoints: etcd.urls, request_timeout: 5000 },
      { clock: systemClock, log: silentLog },
    );
    t.after(async () => await dcs.close());
    const hosts = await someHosts(t, { names: ['one', 'two', 'three'], etcd: etcd.urls });
    const { watched, showLogs } = sharedLogs(() => hosts);
    try {
      await watched(() => play(hosts, dcs))();
    } finally {
      await showLogs();
    }
  },
);

async function play([first, second, third]: readonly Host[], dcs: Dcs): Promise<void> {
  ok(first !== undefined && second !== undefined && third !== undefined);
  first.start();
  await answers(first, '/primary');
  await first.sql('CREATE TABLE kept AS SELECT 1 AS id');
  second.start();
  await answers(second, '/replica?lag=0');
  const identity = async (): Promise<string | undefined> => (await dcs.get(layout.initialize, call))?.value;
  const before = await identity();
  third.start();
  const { entries } = await dcs.range(layout.prefix, call);
  for (const { key } of entries) await dcs.transact({ when: [], then: [{ op: 'delete', key }] }, call);
  await answers(third, '/replica?lag=0');
  equal(await identity(), before);
  deepEqual(await third.sql('SELECT id FROM kept'), [{ id: 1 }]);
}

async function answers(host: Host, path: string): Promise<void> {
  await eventually(`${host.name} answers ${path}`, () => host.rest(path).catch(() => undefined), {
    holds: (answer) => answer?.status === 200,
    withinMs: 90_000,
  });
}

/** What a lab of our agents gets in etcd before Patroni runs it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/base/index.ts';
import { createMemoryDcs } from '../../../src/dcs/index.ts';
import { giveOwnDynamic } from '../../../src/lab/patroni.ts';
import { keyLayout } from '../../../src/topology/index.ts';

const { config: key } = keyLayout('/service/', 'matriarch');
const call = { timeoutMs: 1000 };

test('Patroni gets its own timing and durability, and the rest of the configuration stays', async () => {
  const dcs = createMemoryDcs({ clock: systemClock }).connect();
  const value = JSON.stringify({
    ttl: 5,
    loop_wait: 1,
    synchronous_mode: 'quorum',
    pause: true,
    postgresql: { use_slots: true, parameters: { work_mem: '8MB' } },
  });
  await dcs.transact({ when: [], then: [{ op: 'put', key, value }] }, call);
  await giveOwnDynamic(dcs);
  assert.deepEqual(JSON.parse((await dcs.get(key, call))?.value ?? ''), {
    ttl: 30,
    loop_wait: 10,
    retry_timeout: 10,
    maximum_lag_on_failover: 1024 * 1024,
    synchronous_mode: true,
    pause: true,
    postgresql: { use_slots: true, parameters: { work_mem: '8MB', max_connections: 300 } },
  });
});

test('a cluster that is still to be made gets its configuration from Patroni’s file', async () => {
  const dcs = createMemoryDcs({ clock: systemClock }).connect();
  await giveOwnDynamic(dcs);
  assert.equal(await dcs.get(key, call), undefined);
});

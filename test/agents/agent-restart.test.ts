/**
 * An agent that dies alone, and one that is started again within its lease: PostgreSQL goes on, and so does its term. The
 * lease is longer than the product's own, so that it is the agent that is tested and not how busy this machine is.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { pause, silentLog, systemClock } from '../../src/base/index.ts';
import { connectEtcd } from '../../src/dcs/index.ts';
import { keyLayout } from '../../src/topology/index.ts';
import { aPairOfHosts, startInOrder } from '../support/asking-agents.ts';
import { eventually } from '../support/eventually.ts';

const TTL_MS = 12_000;
const layout = keyLayout('/service/', 'herd');
const call = { timeoutMs: 2000 };

test('an agent that is killed and started again adopts its PostgreSQL without touching it', async (t) => {
  const { etcd, alpha, beta, watched } = await aPairOfHosts(t, TTL_MS);
  const dcs = connectEtcd(
    { endpoints: etcd.urls, request_timeout: 2000 },
    { clock: systemClock, log: silentLog },
  );
  t.after(() => dcs.close());

  await watched(async () => {
    await startInOrder(alpha, beta, 30_000);
    const client = await alpha.connect();
    const now = async (): Promise<unknown> => ({
      backend: (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows,
      postmaster: await alpha.postmasterPid(),
      term: (await dcs.get(layout.leader, call))?.createRevision,
    });
    await client.query('CREATE TABLE kept (id int)');
    const was = await now();

    await alpha.killAgent();
    const killedAt = performance.now();
    await client.query('INSERT INTO kept VALUES (1)');
    alpha.start();
    await eventually(
      'the key hangs on a lease that is kept alive',
      () => alpha.rest('/leader').catch(() => undefined),
      { holds: (answer) => answer?.status === 200, withinMs: TTL_MS },
    );
    process.stdout.write(`# led again after ${Math.round(performance.now() - killedAt)} ms\n`);
    // Longer than the old lease could live: the key is truly ours again.
    await pause(TTL_MS + 1000);
    await client.query('INSERT INTO kept VALUES (2)');
    deepEqual(await now(), was);
    equal((await beta.rest('/patroni')).body['replication_state'], 'streaming');
    await client.end();
  })();
});

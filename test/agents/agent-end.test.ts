/** How an agent ends when it must not run, or a part of it that it cannot be without has ended. */
import { rejects } from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startAgent } from '../../src/agent/index.ts';
import { silentLog, systemClock, withDeadline } from '../../src/base/index.ts';
import { checkConfig } from '../../src/config/index.ts';
import { createMemoryDcs } from '../../src/dcs/index.ts';
import { keyLayout } from '../../src/topology/index.ts';
import { rest } from '../support/a-rest-api.ts';
import { freshLoopback } from '../support/loopback.ts';
import { BIN_DIR } from '../support/postgres.ts';
import { scratchFolder } from '../support/scratch.ts';

/** Starts `alpha` over a store in which `alpha` is known to be at this REST API, and that grants no lease. */
async function endOfAlpha(t: TestContext, knownAt?: string): Promise<void> {
  const folder = await scratchFolder(t);
  const store = createMemoryDcs({ clock: systemClock, tickEveryMs: 100 });
  t.after(() => store.close());
  const address = freshLoopback();
  const loaded = checkConfig(
    JSON.stringify({
      scope: 'herd',
      name: 'alpha',
      datacenter: 'dc1',
      etcd: { endpoints: ['http://127.0.0.1:1'] },
      restapi: { listen: `${address}:8008` },
      watchdog: { mode: 'off' },
      postgresql: {
        data_dir: join(folder, 'data'),
        bin_dir: BIN_DIR,
        listen: `${address}:5432`,
        socket_dir: join(folder, 'run'),
        authentication: {
          superuser: { password: 'a' },
          replication: { password: 'b' },
          rewind: { password: 'c' },
        },
      },
    }),
    {},
    'agent',
  );
  if (loaded.outcome !== 'ok') throw new Error(JSON.stringify(loaded.problems));
  const dcs = { ...store.connect(), grantLease: () => Promise.reject(new TypeError('a bug of ours')) };
  if (knownAt !== undefined) {
    const key = keyLayout(loaded.config.namespace, 'herd').member('alpha');
    const value = JSON.stringify({ conn_url: 'postgres://127.0.0.1:5432/postgres', api_url: knownAt });
    await dcs.transact({ when: [], then: [{ op: 'put', key, value }] }, { timeoutMs: 1000 });
  }
  const ended = startAgent({
    config: loaded.config,
    dcs,
    clock: systemClock,
    log: silentLog,
    signal: new AbortController().signal,
    random: () => 0.5,
  });
  await withDeadline(ended, 10_000, 'the end of the agent');
}

test('an agent whose keep-alive breaks ends with the reason, instead of living on without one', async (t) => {
  await rejects(endOfAlpha(t), /a bug of ours/);
});

test('an agent of a name under which another one answers elsewhere does not run', async (t) => {
  const { url } = await rest(t, {});
  await rejects(endOfAlpha(t, url), {
    code: 'name-taken',
    message: `another agent runs as alpha, at ${url}`,
  });
});

test('an agent that has moved, and answers nowhere else, runs', async (t) => {
  await rejects(endOfAlpha(t, `http://${freshLoopback()}:8008/patroni`), /a bug of ours/);
});

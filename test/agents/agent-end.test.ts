/** How an agent ends when a part of it that it cannot be without has ended. */
import { rejects } from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { startAgent } from '../../src/agent/index.ts';
import { silentLog, systemClock, withDeadline } from '../../src/base/index.ts';
import { checkConfig } from '../../src/config/index.ts';
import { createMemoryDcs } from '../../src/dcs/index.ts';
import { freshLoopback } from '../support/loopback.ts';
import { BIN_DIR } from '../support/postgres.ts';
import { scratchFolder } from '../support/scratch.ts';

test('an agent whose keep-alive breaks ends with the reason, instead of living on without one', async (t) => {
  const folder = await scratchFolder(t);
  const store = createMemoryDcs({ clock: systemClock, tickEveryMs: 100 });
  const address = freshLoopback();
  const loaded = checkConfig(
    JSON.stringify({
      scope: 'herd',
      name: 'alpha',
      datacenter: 'dc1',
      etcd: { endpoints: ['http://127.0.0.1:1'] },
      restapi: { listen: `${address}:8008` },
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
  const ended = startAgent({
    config: loaded.config,
    dcs,
    clock: systemClock,
    log: silentLog,
    signal: new AbortController().signal,
    random: () => 0.5,
  });
  await rejects(withDeadline(ended, 10_000, 'the end of the agent'), /a bug of ours/);
  store.close();
});

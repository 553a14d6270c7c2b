/** Health checks and documents by what the keys of the store say: who commits wait for, what is paused or scheduled. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { look } from '../../../src/agent/look.ts';
import { isRecord, parseJson } from '../../../src/base/index.ts';
import { rest } from '../../support/a-rest-api.ts';
import { aStatus } from '../../support/an-agent.ts';

const call = { timeoutMs: 1000 };
const PATHS = [
  '/sync',
  '/synchronous',
  '/quorum',
  '/async',
  '/asynchronous',
  '/read-only-sync',
  '/read-only-quorum',
];

test('a standby that commits wait for is synchronous, and any other is not', async (t) => {
  const { url, agent } = await rest(t, {});
  const { ctx, server, other, see } = agent;
  const put = async (key: string, value: object): Promise<void> => {
    await other.transact({ when: [], then: [{ op: 'put', key, value: JSON.stringify(value) }] }, call);
    await see();
  };
  const yes = async (): Promise<readonly string[]> => {
    const codes = await Promise.all(PATHS.map(async (path) => (await fetch(new URL(path, url))).status));
    return PATHS.filter((_path, index) => codes[index] === 200);
  };
  server.postmaster = { kind: 'accepting', pid: 1 };
  server.status = aStatus({ inRecovery: true, receiveLsn: 5, replayLsn: 5 });
  await put(ctx.layout.sync, { leader: 'beta', quorum: 0, sync_standby: 'alpha,gamma' });
  await look(ctx);
  deepEqual(
    await yes(),
    ['/async', '/asynchronous'],
    'the key means nothing while the cluster is asynchronous',
  );
  await put(ctx.layout.config, { synchronous_mode: true, pause: true });
  deepEqual(await yes(), ['/sync', '/synchronous', '/quorum', '/read-only-sync', '/read-only-quorum']);
  const document = parseJson(await (await fetch(url)).text());
  equal(isRecord(document) && document['sync_standby'] === true && document['pause'] === true, true);
  await put(ctx.layout.sync, { leader: 'beta', quorum: 0, sync_standby: 'gamma' });
  deepEqual(await yes(), ['/async', '/asynchronous']);
  await put(ctx.layout.sync, { leader: 'beta', quorum: 2, sync_standby: 'alpha,gamma' });
  deepEqual(await yes(), ['/async', '/asynchronous'], 'nobody but beta may lead by this key');
});

test('what is paused and scheduled is in GET /cluster, and members that wait for a restart', async (t) => {
  const { url, agent } = await rest(t, {});
  const { ctx, other, see } = agent;
  const at = '2030-01-01T00:00:00+00:00';
  const values: Readonly<Record<string, object>> = {
    [ctx.layout.config]: { pause: true, synchronous_mode: 'on' },
    [ctx.layout.sync]: { leader: 'alpha', quorum: 0, sync_standby: 'beta' },
    [ctx.layout.failover]: { leader: 'alpha', member: 'beta', scheduled_at: at },
    [ctx.layout.member('beta')]: {
      conn_url: 'postgres://10.0.0.2:5432/postgres',
      api_url: 'http://10.0.0.2:8008/patroni',
      state: 'running',
      role: 'replica',
      xlog_location: 5,
      pending_restart: true,
      scheduled_restart: { schedule: at },
      pause: true,
    },
  };
  for (const [key, value] of Object.entries(values))
    await other.transact({ when: [], then: [{ op: 'put', key, value: JSON.stringify(value) }] }, call);
  await see();
  deepEqual(parseJson(await (await fetch(new URL('/cluster', url))).text()), {
    members: [
      {
        name: 'beta',
        role: 'sync_standby',
        state: 'running',
        api_url: 'http://10.0.0.2:8008/patroni',
        host: '10.0.0.2',
        port: 5432,
        pending_restart: true,
        scheduled_restart: { schedule: at },
        lag: 'unknown',
      },
    ],
    scope: 'herd',
    pause: true,
    scheduled_switchover: { at, from: 'alpha', to: 'beta' },
  });
});

/** A router that comes up before anything else, and what its parts say when there is nothing to talk to. */
import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { Client } from 'pg';
import { MatriarchError, silentLog, systemClock, withDeadline } from '../../src/base/index.ts';
import { createMemoryDcs } from '../../src/dcs/index.ts';
import { startRouter } from '../../src/router/index.ts';
import { Verifiers } from '../../src/router/verifiers.ts';
import { freshLoopback } from '../support/loopback.ts';
import { until } from '../support/postgres.ts';
import { recordingLog } from '../support/recording-log.ts';
import { routerConfig } from '../support/router.ts';

const KEY = '/matriarch/test/router-credential';

function verifiers(dcs: ReturnType<typeof aStore>, host: string): Verifiers {
  return new Verifiers({
    dcs,
    credentialKey: KEY,
    clock: systemClock,
    log: silentLog,
    members: () => [{ name: 'n1', address: { host, port: 5432 }, isLeader: true }],
    connectTimeoutMs: () => 1000,
  });
}

function aStore() {
  return createMemoryDcs({ clock: systemClock }).connect();
}

/** The codes of an error and of what caused it. */
async function codesOf(work: Promise<unknown>): Promise<string[]> {
  try {
    await work;
    return [];
  } catch (cause) {
    assert(cause instanceof MatriarchError);
    return cause.cause instanceof MatriarchError ? [cause.code, cause.cause.code] : [cause.code];
  }
}

test('without the key of its credential, and then without a server, a router says which is missing', async () => {
  const dcs = aStore();
  const host = freshLoopback();
  assert.deepEqual(await codesOf(verifiers(dcs, host).lookup('app')), [
    'router-no-server',
    'router-no-credential',
  ]);
  const value = JSON.stringify({ username: 'matriarch_router', password: 'x' });
  await dcs.transact({ when: [], then: [{ op: 'put', key: KEY, value }] }, { timeoutMs: 1000 });
  assert.deepEqual(await codesOf(verifiers(dcs, host).lookup('app')), [
    'router-no-server',
    'router-no-server',
  ]);
});

test('a router without a cluster tells its clients so, is alive but not ready, and stops in order', async () => {
  const host = freshLoopback();
  const { log, lines } = recordingLog();
  const stopping = new AbortController();
  const config = routerConfig({ etcdUrls: ['http://127.0.0.1:2379'] }, host, ['hold_timeout: 600ms']);
  const dcs = createMemoryDcs({ clock: systemClock, tickEveryMs: 50 });
  const options = { config, dcs: dcs.connect(), clock: systemClock, log };
  const running = startRouter({ ...options, signal: stopping.signal });
  try {
    await until('it listens', async () => lines.some((line) => line.event === 'router-listening'));
    const client = new Client({ host, user: 'app', password: 'app', database: 'app' });
    await assert.rejects(client.connect(), { code: '57P03' });
    const status = async (path: string) => (await fetch(`http://${host}:8009${path}`)).status;
    assert.deepEqual([await status('/healthz'), await status('/readyz')], [200, 503]);
  } finally {
    stopping.abort();
    await running;
    dcs.close();
  }
  assert.equal(lines.at(-1)?.event, 'router-stopped');
});

test('a login is told when etcd was never reached, not that servers are missing', async () => {
  const host = freshLoopback();
  const { log, lines } = recordingLog();
  const stopping = new AbortController();
  const config = routerConfig({ etcdUrls: ['http://127.0.0.1:2379'] }, host, ['hold_timeout: 600ms']);
  const store = createMemoryDcs({ clock: systemClock, tickEveryMs: 50 });
  const dcs = store.connect();
  dcs.setFault('cut');
  const running = startRouter({ config, dcs, clock: systemClock, log, signal: stopping.signal });
  try {
    await until('it listens', async () => lines.some((line) => line.event === 'router-listening'));
    const client = new Client({ host, user: 'app', password: 'app', database: 'app' });
    await assert.rejects(client.connect(), {
      code: '57P03',
      message: /the router has not reached etcd since it was started/,
    });
  } finally {
    stopping.abort();
    await running;
    store.close();
  }
});

test('a router whose HTTP address is taken ends at once, whoever would connect', async (t) => {
  const host = freshLoopback();
  const taken = createServer();
  await new Promise<void>((resolve) => {
    taken.listen(8009, host, resolve);
  });
  t.after(() => taken.close());
  const config = routerConfig({ etcdUrls: ['http://127.0.0.1:2379'] }, host);
  const store = createMemoryDcs({ clock: systemClock });
  t.after(() => store.close());
  const { signal } = new AbortController();
  const running = startRouter({ config, dcs: store.connect(), clock: systemClock, log: silentLog, signal });
  const early = connect({ host, port: 5432 });
  t.after(() => early.destroy());
  early.on('error', () => undefined);
  await assert.rejects(withDeadline(running, 1000, 'the end of the router'), { code: 'address-in-use' });
});

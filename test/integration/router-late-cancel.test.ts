/** Cancels on their way: who asks for one knows when it is over, and one that comes too late must hit nobody. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancel, keyOf } from '../support/cancel.ts';
import { eventually } from '../support/eventually.ts';
import { aServer } from '../support/one-server.ts';
import { sql } from '../support/sql.ts';
import { aClient, aRouter } from '../support/router.ts';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts';

test('the connection of a cancel is closed when the server has passed it on, and not before', {
  timeout: 60_000,
}, async (t) => {
  const { proxy, router, running } = await aStage(t);
  const client = await aClient(t, router.as({}));
  const slow = assert.rejects(client.query('SELECT pg_sleep(30) /* cancelled */'), { code: '57014' });
  await running('/* cancelled */');
  proxy.setMode('hold-cancels');
  const { processID, secretKey } = keyOf(client);
  const cancelled = cancel(router, processID, secretKey);
  await heldOne(proxy);
  // Time enough for a router that would close it at once.
  assert.equal(await Promise.race([cancelled, sleep(300, 'open')]), 'open');
  await proxy.deliverCancels();
  await slow;
  await cancelled;
  // One for nobody is closed at once.
  await cancel(router, processID, secretKey ^ 1);
});

test('a cancel that arrives late does not hit the next borrower, since its connection was closed', {
  timeout: 60_000,
}, async (t) => {
  const { server, proxy, router, running } = await aStage(t, ['default_pool_size: 1']);
  const one = await aClient(t, router.as({ application_name: 'one' }));
  const other = await aClient(t, router.as({ application_name: 'other' }));
  proxy.setMode('hold-cancels');
  const slow = one.query('SELECT pg_sleep(1) /* cancelled */');
  const firstPid = await running('/* cancelled */');
  const { processID, secretKey } = keyOf(one);
  const given = cancel(router, processID, secretKey);
  await heldOne(proxy);
  // It was not cancelled; nothing but the cancel keeps its connection from being lent on.
  assert.equal((await slow).rowCount, 1);
  const next = other.query('SELECT pg_sleep(3) /* next */');
  const nextPid = await running('/* next */');
  assert.notEqual(nextPid, firstPid);
  assert.deepEqual(await sql(server, `SELECT 1 FROM pg_stat_activity WHERE pid = ${firstPid}`), []);

  await proxy.deliverCancels();
  assert.equal((await next).rowCount, 1);
  await given;
  proxy.setMode('open');
  assert.equal((await one.query('SELECT 1')).rowCount, 1);
});

/** A router whose way to its one server is a proxy. */
async function aStage(t: TestContext, settings: readonly string[] = []) {
  const proxies: TcpProxy[] = [];
  const { server, dcs, etcdUrls } = await aServer(t, {}, async (address) => {
    const started = await startProxy(t, address);
    proxies.push(started);
    return started;
  });
  const [proxy] = proxies;
  assert(proxy !== undefined);
  const router = await aRouter(t, { dcs, etcdUrls }, settings);
  /** Of the process that runs the statement, which is never the same again. */
  const running = async (text: string) => {
    const rows = await eventually(
      `${text} runs`,
      async () =>
        await sql(
          server,
          `SELECT pid FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%${text}%'`,
        ),
      { holds: (found) => found.length === 1, withinMs: 10_000 },
    );
    return Number(rows[0]?.['pid']);
  };
  return { server, proxy, router, running };
}

async function heldOne(proxy: TcpProxy): Promise<void> {
  await eventually('the cancel is on its way', () => proxy.heldCancels(), {
    holds: (held) => held === 1,
    withinMs: 5000,
  });
}

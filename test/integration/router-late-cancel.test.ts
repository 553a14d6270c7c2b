/** A cancel that reaches the server long after the router has given it up: it must hit nobody. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cancel, keyOf } from '../support/cancel.ts';
import { eventually } from '../support/eventually.ts';
import { aServer } from '../support/one-server.ts';
import { sql } from '../support/postgres.ts';
import { aClient, aRouter } from '../support/router.ts';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts';

test('a cancel that arrives late does not hit the next borrower, since its connection was closed', {
  timeout: 60_000,
}, async (t) => {
  const proxies: TcpProxy[] = [];
  const { server, dcs, etcdUrls } = await aServer(t, {}, async (address) => {
    const started = await startProxy(t, address);
    proxies.push(started);
    return started;
  });
  const [proxy] = proxies;
  assert(proxy !== undefined);
  const router = await aRouter(t, { dcs, etcdUrls }, ['default_pool_size: 1']);
  const one = await aClient(t, router.as({ application_name: 'one' }));
  const other = await aClient(t, router.as({ application_name: 'other' }));
  /** Of the process that runs the statement, which is never the same again. */
  const running = async (text: string): Promise<number> => {
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

  proxy.setMode('hold-cancels');
  const slow = one.query('SELECT pg_sleep(1) /* cancelled */');
  const firstPid = await running('/* cancelled */');
  const { processID, secretKey } = keyOf(one);
  await cancel(router, processID, secretKey);
  await eventually('the cancel is on its way', () => proxy.heldCancels(), {
    holds: (held) => held === 1,
    withinMs: 5000,
  });
  // It was not cancelled; nothing but the cancel keeps its connection from being lent on.
  assert.equal((await slow).rowCount, 1);
  const next = other.query('SELECT pg_sleep(3) /* next */');
  const nextPid = await running('/* next */');
  assert.notEqual(nextPid, firstPid);
  assert.deepEqual(await sql(server, `SELECT 1 FROM pg_stat_activity WHERE pid = ${firstPid}`), []);

  await proxy.deliverCancels();
  assert.equal((await next).rowCount, 1);
  proxy.setMode('open');
  assert.equal((await one.query('SELECT 1')).rowCount, 1);
});

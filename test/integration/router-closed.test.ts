/** What clients of a router see while the primary is closed to clients, as one is that was restarted: real servers, keys written by the test. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { pause } from '../../src/base/index.ts';
import { sql } from '../support/sql.ts';
import { aClient, aRouter, aStage } from '../support/router.ts';

test('a primary that is closed to clients is waited for, and reads go elsewhere', {
  timeout: 150_000,
}, async (t) => {
  const stage = await aStage(t);
  const { control } = stage.nodes.n1;
  const router = await aRouter(t, stage, ['hold_timeout: 20s']);
  const app = { user: 'app', password: 'app', database: 'app' };
  await sql(stage.nodes.n1, 'CREATE TABLE t (id int PRIMARY KEY)', app);
  const client = await aClient(t, router.as());
  await client.query('INSERT INTO t VALUES (1)');

  const close = async (isClosed: boolean): Promise<void> => {
    await control.writeConfig({ as: 'primary', upstream: undefined, slot: undefined, isClosed });
    deepEqual(await control.hbaProblems(), []);
    await control.reload();
  };
  await stage.publish('n1', { role: 'primary', closed_to_clients: true });
  await close(true);
  while (!(await control.status()).isClosed) await pause(20);
  await sql(
    stage.nodes.n1,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('app', 'matriarch_router')`,
  ).then(
    () => equal('a superuser by TCP', 'is let in'),
    (cause: unknown) => ok(cause instanceof Error && 'code' in cause && cause.code === '28000'),
  );
  // As a restart would have ended them.
  await control.stop({ mode: 'fast', deadlineMs: 10_000 });
  await control.start({ as: 'primary' });
  equal((await control.status()).isClosed, true);

  const events: string[] = [];
  const writing = client.query('INSERT INTO t VALUES (2)').then(() => events.push('written'));
  const fresh = await aClient(t, router.as());
  for (let n = 0; n < 12; n += 1) await fresh.query('SELECT count(*) FROM t');
  const counts = await router.counts();
  await pause(1500);
  events.push('opened');
  await close(false);
  while ((await control.status()).isClosed) await pause(20);
  await stage.publish('n1', { role: 'primary' });
  await writing;
  deepEqual(events, ['opened', 'written']);
  const after = await router.counts();
  equal(after['n1']?.reads, counts['n1']?.reads, 'no read was sent to it meanwhile');
  deepEqual((await fresh.query('SELECT id FROM t ORDER BY id')).rows, [{ id: 1 }, { id: 2 }]);
});

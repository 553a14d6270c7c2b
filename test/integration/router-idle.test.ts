/** Limits of time before real servers: who waits for the router is not taken for idle. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Client } from 'pg';
import { pair, value } from '../support/asking.ts';
import { sql } from '../support/sql.ts';
import { aClient, aRouter, aStage } from '../support/router.ts';

const AS_APP = { user: 'app', password: 'app', database: 'app' };

const during = async (hold: Promise<unknown>, waiting: readonly Promise<unknown>[]): Promise<void> => {
  await hold;
  assert.deepEqual(
    await Promise.all(waiting),
    waiting.map(() => 'DELETE'),
  );
};

test('clients of a router with limits of time', { timeout: 60_000 }, async (suite) => {
  const stage = await aStage(suite);
  await sql(stage.nodes.n1, 'CREATE TABLE t (id int PRIMARY KEY, v text)', AS_APP);

  await suite.test(
    'the first client of a database is let in by a router with client_idle_timeout',
    async (t) => {
      const router = await aRouter(t, stage, ['client_idle_timeout: 1s']);
      // The router has run for longer than the limit.
      await setTimeout(1300);
      for (const database of ['app', 'postgres']) {
        const client = await aClient(t, router.as({ database }));
        await setTimeout(500);
        assert.equal(await value(client, 'SELECT 1'), 1, database);
      }
    },
  );

  await suite.test('who waits for the router is not idle, and is served in the end', async (t) => {
    const limits = ['client_idle_timeout: 1s', 'idle_transaction_timeout: 1s'];
    const router = await aRouter(t, stage, [...limits, 'admin_users: [app]', 'default_pool_size: 1']);
    const admin = await aClient(t, router.as({ database: 'matriarch' }));
    const [one, other] = await pair(t, router);
    const begun = await aClient(t, router.as());
    const statement = 'DELETE FROM t WHERE false';
    const commandOf = async (client: Client): Promise<string> => (await client.query(statement)).command;
    await begun.query('BEGIN');
    const busy = one.query('SELECT pg_sleep(2) FROM pg_advisory_xact_lock(97)');
    await during(busy, [commandOf(other), commandOf(begun)]);
    await begun.query('ROLLBACK');

    await admin.query('PAUSE app');
    const login = aClient(t, router.as({ options: '-c TimeZone=Asia/Tokyo' })).then(commandOf);
    const paused = setTimeout(1600).then(async () => await admin.query('RESUME app'));
    await during(paused, [commandOf(one), commandOf(other), commandOf(begun), login]);

    await admin.query('SUSPEND');
    const suspended = setTimeout(1600).then(async () => await admin.query('RESUME'));
    await during(suspended, [commandOf(one), commandOf(other), commandOf(begun)]);
  });
});

/** Sessions do not go back in time: with standbys that are late, a primary that goes, and a failover. Real servers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from 'pg';
import { until } from '../support/postgres.ts';
import { sql } from '../support/sql.ts';
import { aClient, aRouter } from '../support/router.ts';
import { aTravelStage, type Found, inWords, travel } from '../support/time-travel.ts';

const READ = 'SELECT v::int AS v FROM steps WHERE k = 1';

const valueOf = async (client: Client, hint = ''): Promise<number | undefined> =>
  (await client.query<{ v: number }>(`${hint}${READ}`)).rows[0]?.v;

const isMuch = ({ reads, writes }: Found): boolean => reads > 300 && writes > 50;
const isFound = ({ ownWrites, backwards, others }: Found): boolean =>
  ownWrites > 0 && backwards > 0 && others > 0;

test('a session reads what it has written, and not older than it has read', {
  timeout: 150_000,
}, async (suite) => {
  const stage = await aTravelStage(suite);
  const { n1, n2, n3 } = stage.nodes;
  await suite.test('from 32 clients, while standbys are late, stop and start', async (t) => {
    for (const level of ['session', 'shared', 'eventual'] as const) {
      const isEnough = level === 'eventual' ? isFound : isMuch;
      const travels = await travel(t, stage, { level, ms: level === 'eventual' ? 1000 : 4000, isEnough });
      t.diagnostic(`${level}: ${inWords(travels)}`);
      const { ownWrites, backwards, others } = travels;
      if (level === 'eventual') assert.ok(isFound(travels), inWords(travels));
      else assert.deepEqual([isMuch(travels), ownWrites, backwards], [true, 0, 0], inWords(travels));
      if (level === 'shared') assert.equal(others, 0, inWords(travels));
    }
  });

  await suite.test('with a standby that replays nothing, soon and elsewhere', async (t) => {
    const router = await aRouter(t, stage, [
      'weights: { local: 1, remote: 0 }',
      'read_wait: 50ms',
      'max_lag: 1h',
    ]);
    const client = await aClient(t, router.as());
    const before = await valueOf(client);
    await sql(n2, 'SELECT pg_wal_replay_pause()');
    try {
      await client.query('UPDATE steps SET v = v + 1 WHERE k = 1');
      const startedAt = performance.now();
      assert.equal(await valueOf(client), (before ?? 0) + 1);
      assert.ok(performance.now() - startedAt < 3000);
      assert.equal(await valueOf(client, '/* matriarch: node=n2, consistency=eventual */ '), before);
      // Who has seen nothing reads what is there; who has read the new value elsewhere does not read the old one.
      const other = await aClient(t, router.as());
      const strong = '/* matriarch: consistency=strong */ ';
      assert.equal(await valueOf(other, strong), (before ?? 0) + 1);
      assert.equal(await valueOf(other), (before ?? 0) + 1);
      const bounded = '/* matriarch: max_staleness=100ms */ ';
      assert.equal(await valueOf(await aClient(t, router.as()), bounded), (before ?? 0) + 1);
    } finally {
      await sql(n2, 'SELECT pg_wal_replay_resume()');
    }
  });

  await suite.test(
    'a commit that a standby shows and the primary still waits with, whatever the view says meanwhile',
    async (t) => {
      const router = await aRouter(t, stage, ['weights: { local: 10, remote: 1 }', 'read_wait: 5s']);
      await sql(n1, "ALTER SYSTEM SET synchronous_standby_names = '2 (*)'");
      await sql(n1, "ALTER SYSTEM SET synchronous_commit = 'remote_apply'");
      await sql(n1, 'SELECT pg_reload_conf()');
      const [reader, writer] = [await aClient(t, router.as()), await aClient(t, router.as())];
      const before = (await valueOf(reader)) ?? 0;
      await until('the primary waits for both', async () => {
        const [row] = await sql(
          n1,
          "SELECT count(*)::int AS n FROM pg_stat_replication WHERE sync_state = 'sync'",
        );
        return row?.['n'] === 2;
      });
      for (const [index, hint] of ['node=n1', 'primary', 'consistency=strong'].entries()) {
        await sql(n3, 'SELECT pg_wal_replay_pause()');
        const wanted = before + index + 1;
        const writing = writer.query('UPDATE steps SET v = v + 1 WHERE k = 1');
        try {
          const there = '/* matriarch: node=n2 */ ';
          await until('the standby shows it', async () => (await valueOf(reader, there)) === wanted);
          await stage.publish('n1', { role: 'primary', state: 'stopping', tags: { datacenter: 'dc2' } });
          await new Promise((resolve) => setTimeout(resolve, 100));
          await stage.publish('n1', { role: 'primary', tags: { datacenter: 'dc2' } });
          await new Promise((resolve) => setTimeout(resolve, 300));
          const reading = valueOf(reader, `/* matriarch: ${hint} */ `);
          await new Promise((resolve) => setTimeout(resolve, 100));
          await sql(n3, 'SELECT pg_wal_replay_resume()');
          assert.equal(await reading, wanted, hint);
        } finally {
          await sql(n3, 'SELECT pg_wal_replay_resume()');
        }
        await writing;
      }
      await sql(n1, "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'");
      await sql(n1, 'ALTER SYSTEM RESET synchronous_commit');
      await sql(n1, 'SELECT pg_reload_conf()');
      await until('the primary waits for one', async () => {
        const [row] = await sql(n1, 'SHOW synchronous_standby_names');
        return row?.['synchronous_standby_names'] === 'ANY 1 (*)';
      });
    },
  );

  await suite.test(
    'without a primary where that is known, else at the next one, on its timeline',
    async (t) => {
      const router = await aRouter(t, stage, ['hold_timeout: 20s', 'read_wait: 50ms']);
      const [calm, hasty] = [await aClient(t, router.as()), await aClient(t, router.as())];
      await calm.query('UPDATE steps SET v = 1000 WHERE k = 1');
      // So long that the router has asked everybody since.
      const has = async (value: number): Promise<boolean> =>
        (await sql(n2, READ, { user: 'app', password: 'app', database: 'app' }))[0]?.['v'] === value;
      await until('the standbys have it', async () => await has(1000));
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await hasty.query('UPDATE steps SET v = 2000 WHERE k = 1');
      // The commit waits for one of two, which need not be the one that is promoted.
      await until('the next primary has it', async () => await has(2000));
      await n1.control.stop({ mode: 'immediate', deadlineMs: 5000 });
      await stage.setLeader(undefined);
      await stage.remove('n1');
      assert.ok(((await valueOf(calm)) ?? 0) >= 1000);
      let isAnswered = false;
      const held = valueOf(hasty).finally(() => {
        isAnswered = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 500));
      const promotion = await n2.control.promote({ stillAllowed: () => true });
      assert.equal(promotion.outcome, 'promoted');
      await sql(n2, "ALTER SYSTEM SET synchronous_standby_names = ''");
      await sql(n2, 'SELECT pg_reload_conf()');
      assert.equal(isAnswered, false);
      await stage.publish('n2', { role: 'primary', timeline: 2, tags: { datacenter: 'dc1' } });
      await stage.setLeader('n2');
      assert.equal(await held, 2000);
      await hasty.query('UPDATE steps SET v = 3000 WHERE k = 1');
      for (let n = 0; n < 12; n += 1) assert.equal(await valueOf(hasty), 3000);
      assert.equal((await sql(n3, 'SELECT pg_is_in_recovery() AS r'))[0]?.['r'], true);
    },
  );
});

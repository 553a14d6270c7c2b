/** Many clients on few server connections, before real servers: what they share, and what they must not see of each other. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Client } from 'pg';
import { codeOf, pair, value } from '../support/asking.ts';
import { cancel, keyOf } from '../support/cancel.ts';
import { eventually } from '../support/eventually.ts';
import { sql } from '../support/sql.ts';
import { aClient, aRouter, aStage, type RunningRouter } from '../support/router.ts';

const AS_APP = { user: 'app', password: 'app', database: 'app' };

const clients = async (t: TestContext, router: RunningRouter, count: number): Promise<readonly Client[]> =>
  await Promise.all(Array.from({ length: count }, async () => await aClient(t, router.as())));

const run = async (client: Client, name: string, number: number): Promise<unknown> =>
  Object.values(
    (
      await client.query<Record<string, unknown>>({
        name,
        text: `INSERT INTO t VALUES (${number} + $1) RETURNING id`,
        values: [1000],
      })
    ).rows[0] ?? {},
  )[0];

/** Which server process serves the client; asked at the primary. */
const backend = async (client: Client): Promise<unknown> =>
  await value(client, 'SELECT pg_backend_pid() FROM pg_advisory_xact_lock(99)');

/** Settings as the client's next statements see them. */
const shown = async (client: Client): Promise<readonly unknown[]> => {
  const names = ['search_path', 'work_mem', 'timezone', 'application_name'];
  const values: unknown[] = [];
  for (const name of names) values.push(await value(client, `SHOW ${name}`));
  return values;
};

/** Two transactions at once: none of two connections is bound to somebody else. */
const takeBoth = async (t: TestContext, router: RunningRouter, other: Client): Promise<void> => {
  const third = await aClient(t, router.as());
  for (const client of [third, other]) await client.query('BEGIN; LOCK t IN SHARE MODE');
  for (const client of [other, third]) await client.query('ROLLBACK');
};

test('many clients on few server connections', { timeout: 120_000 }, async (suite) => {
  const stage = await aStage(suite);
  const primary = stage.nodes.n1;
  await sql(primary, 'CREATE TABLE t (id int PRIMARY KEY, v text)', AS_APP);

  /** Server connections of clients at the primary. */
  const connections = async (): Promise<number> => {
    const [row] = await sql(primary, "SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'app'");
    return Number(row?.['n']);
  };
  await suite.test('30 clients in transactions share 2 connections, and each sees its own', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 2']);
    const all = await clients(t, router, 30);
    let seen = 0;
    await Promise.all(
      all.map(async (client, index) => {
        await client.query('BEGIN');
        await client.query('INSERT INTO t VALUES ($1, $2)', [index, `client ${index}`]);
        seen = Math.max(seen, await connections());
        assert.equal(await value(client, 'SELECT v FROM t WHERE id = $1', [index]), `client ${index}`);
        await client.query(index % 2 === 0 ? 'COMMIT' : 'ROLLBACK');
      }),
    );
    assert.equal(seen, 2);
    assert.equal(
      await value(all[0] ?? assert.fail(), 'SELECT count(*)::int FROM t FOR SHARE OF t').catch(() => 15),
      15,
    );
    assert.equal((await sql(primary, 'SELECT count(*)::int AS n FROM t', AS_APP))[0]?.['n'], 15);
  });

  await suite.test(
    'settings follow each client on one connection, and a reset goes back to its start',
    async (t) => {
      const router = await aRouter(t, stage, ['default_pool_size: 1']);
      const one = await aClient(t, router.as({ application_name: 'one', options: '-c work_mem=5MB' }));
      const other = await aClient(t, router.as({ application_name: 'other' }));
      await one.query("SET search_path TO 'one'");
      await one.query('SET work_mem TO 7000');
      await other.query("SET timezone TO 'Asia/Tokyo'");
      for (let round = 0; round < 3; round += 1) {
        assert.deepEqual((await shown(one)).slice(0, 2), ['one', '7000kB']);
        assert.deepEqual((await shown(other)).slice(2), ['Asia/Tokyo', 'other']);
      }
      await one.query('RESET work_mem');
      assert.deepEqual((await shown(one)).slice(1, 2), ['5MB']);
      await one.query('RESET ALL');
      assert.deepEqual([(await shown(one))[0], (await shown(one))[3]], ['"$user", public', 'one']);
    },
  );

  await suite.test('a setting in a transaction counts if that commits', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1']);
    const [one, other] = await pair(t, router);
    await one.query('BEGIN');
    await one.query("SET statement_timeout TO '11s'");
    await one.query('ROLLBACK');
    await other.query('SELECT 1');
    assert.equal(await value(one, 'SHOW statement_timeout'), '0');
    await one.query('BEGIN');
    await one.query("SET statement_timeout TO '12s'");
    await one.query('COMMIT');
    assert.equal(await value(other, 'SHOW statement_timeout'), '0');
    assert.equal(await value(one, 'SHOW statement_timeout'), '12s');
  });

  await suite.test(
    'what all clients prepare is prepared once on a connection, and least used first out',
    async (t) => {
      const router = await aRouter(t, stage, ['default_pool_size: 1', 'max_prepared_statements: 2']);
      const [one, other] = await pair(t, router);
      await one.query('BEGIN');
      assert.equal(await run(one, 'same', 1), 1001);
      await one.query('ROLLBACK');
      assert.equal(await run(other, 'theirs', 1), 1001);
      await one.query('DELETE FROM t WHERE id = 1001');
      // Three statements in turn on a connection that keeps two.
      for (let round = 0; round < 3; round += 1) {
        for (const number of [1, 2, 3]) {
          assert.equal(await run(one, `s${number}`, number), 1000 + number);
          await other.query('DELETE FROM t WHERE id > 1000');
        }
      }
      const kept = await one
        .query('SELECT name FROM pg_prepared_statements FOR SHARE')
        .catch(
          async () =>
            await one
              .query('BEGIN')
              .then(async () => await one.query<{ name: string }>('SELECT name FROM pg_prepared_statements')),
        );
      assert.ok(kept.rows.length <= 2, JSON.stringify(kept.rows));
      await one.query('ROLLBACK');
    },
  );

  await suite.test('a table that was altered is no error for who comes after', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1']);
    const [one, other] = await pair(t, router);
    await one.query('CREATE TABLE changing (a int)');
    const text = 'SELECT * FROM changing FOR UPDATE';
    await one.query({ name: 'before', text });
    await sql(primary, 'ALTER TABLE changing ADD COLUMN b text', AS_APP);
    // Not seen by the router: healed when the server says so, since the driver asks for the columns anew.
    assert.equal((await other.query({ name: 'after', text })).fields.length, 2);
    await one.query('ALTER TABLE changing ADD COLUMN c text');
    await one.query('BEGIN');
    const fresh = await aClient(t, router.as());
    await one.query('COMMIT');
    await fresh.query('BEGIN');
    assert.equal((await fresh.query({ name: 'after that', text })).fields.length, 3);
    await fresh.query('COMMIT');
    await one.query('DROP TABLE changing');
  });

  await suite.test('EXECUTE of what cannot be prepared any more says why, and loses nothing', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1']);
    const client = await aClient(t, router.as());
    await client.query('CREATE TABLE gone (a int)');
    await client.query('PREPARE q AS SELECT * FROM gone');
    await client.query('DROP TABLE gone');
    const pid = await backend(client);
    assert.equal(await codeOf(client.query('EXECUTE q')), '42P01');
    await client.query('BEGIN');
    await client.query('INSERT INTO t VALUES (5001)');
    await client.query('SAVEPOINT a');
    assert.equal(await codeOf(client.query('EXECUTE q')), '42P01');
    await client.query('ROLLBACK TO a');
    await client.query('COMMIT');
    assert.equal(await value(client, 'DELETE FROM t WHERE id = 5001 RETURNING id'), 5001);
    assert.equal(await backend(client), pid);
  });

  await suite.test('a statement prepared by the protocol can be forgotten in SQL', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1']);
    const [one, other] = await pair(t, router);
    const prepared = { name: 'p', text: 'SELECT $1::int AS n' };
    for (const client of [one, other]) await client.query({ ...prepared, values: [1] });
    assert.equal((await one.query('DEALLOCATE p')).command, 'DEALLOCATE');
    assert.equal(await codeOf(one.query('DEALLOCATE p')), '26000');
    assert.equal((await other.query({ ...prepared, values: [2] })).rows[0]?.n, 2);
    assert.equal((await other.query('DEALLOCATE ALL')).command, 'DEALLOCATE');
  });

  await suite.test('state that cannot be carried keeps its connection, until it is gone', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 2']);
    const [one, other] = await pair(t, router);
    const states: [string, string, string][] = [
      ['CREATE TEMP TABLE mine (a int)', 'SELECT count(*) FROM mine', 'DROP TABLE mine'],
      ['SELECT pg_advisory_lock(1)', 'SELECT 1', 'SELECT pg_advisory_unlock(1)'],
      ['LISTEN news', 'SELECT 1', 'UNLISTEN news'],
      ['PREPARE mine(int) AS SELECT $1', 'EXECUTE mine(1)', 'DEALLOCATE mine'],
    ];
    for (const [make, use, end] of states) {
      await one.query(make);
      const home = await backend(one);
      for (let round = 0; round < 3; round += 1) {
        await one.query(use);
        assert.notEqual(await backend(other), home, make);
        assert.equal(await backend(one), home, make);
      }
      await one.query(end);
      await takeBoth(t, router, other);
    }
    const undone = [
      'CREATE TEMP TABLE mine (a nothing)',
      'BEGIN; CREATE TEMP TABLE mine (a int) ON COMMIT DROP; COMMIT',
      "SELECT set_config('work_mem', '5MB', false)",
    ];
    for (const text of undone) {
      await one.query(text).catch(() => undefined);
      await takeBoth(t, router, other);
    }
    assert.deepEqual(
      [await value(other, 'SHOW work_mem'), await value(one, 'SHOW work_mem')],
      ['4MB', '5MB'],
    );
  });

  await suite.test('a client that leaves state behind leaves nothing to the next', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1']);
    const one = await aClient(t, router.as());
    await one.query('CREATE TEMP TABLE left_behind (a int)');
    await one.query('SELECT pg_advisory_lock(7)');
    await one.query('SET work_mem TO 5000');
    await one.end();
    const other = await aClient(t, router.as());
    assert.equal(await value(other, 'SELECT pg_try_advisory_lock(7)'), true);
    assert.equal(await codeOf(other.query('INSERT INTO left_behind VALUES (1)')), '42P01');
    assert.equal(await value(other, 'SHOW work_mem'), '4MB');
    const [row] = await sql(primary, "SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory'");
    assert.equal(row?.['n'], 1);
  });

  await suite.test('who waits too long for a connection is told, and stays connected', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1', 'query_wait_timeout: 300ms']);
    const [one, other] = await pair(t, router);
    await one.query('BEGIN');
    await one.query('SELECT 1 FROM t FOR UPDATE');
    assert.equal(await codeOf(other.query('DELETE FROM t WHERE false')), '53300');
    await one.query('COMMIT');
    assert.equal((await other.query('DELETE FROM t WHERE false')).command, 'DELETE');
  });

  await suite.test('who was cancelled in the queue is not served afterwards', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1']);
    const [one, other] = await pair(t, router);
    await one.query('BEGIN');
    await one.query('SELECT 1 FROM t FOR UPDATE');
    const waiting = codeOf(other.query('INSERT INTO t VALUES (7777)'));
    const canceller = await aClient(t, router.as());
    await eventually(
      'it is cancelled',
      async () => {
        const { processID, secretKey } = keyOf(other);
        await cancel(router, processID, secretKey);
        return await Promise.race([waiting, setTimeout(100)]);
      },
      { holds: (code) => code === '57014', withinMs: 3000 },
    );
    await one.query('COMMIT');
    assert.equal(
      (await sql(primary, 'SELECT count(*)::int AS n FROM t WHERE id = 7777', AS_APP))[0]?.['n'],
      0,
    );
    assert.equal(await value(canceller, 'SELECT 1'), 1);
    assert.equal((await other.query('DELETE FROM t WHERE false')).command, 'DELETE');
  });

  await suite.test('in session mode a client keeps its connection', async (t) => {
    const router = await aRouter(t, stage, ['databases: { app: { pool_mode: session, pool_size: 2 } }']);
    const [one, other] = await pair(t, router);
    const [first, second] = [await backend(one), await backend(other)];
    assert.notEqual(first, second);
    assert.deepEqual([await backend(one), await backend(other)], [first, second]);
    await one.query('SELECT set_config($1, $2, false)', ['work_mem', '6MB']);
    await one.end();
    const third = await aClient(t, router.as());
    assert.equal(await backend(third), first);
    assert.equal(
      await value(third, "SELECT current_setting('work_mem') FROM pg_advisory_xact_lock(98)"),
      '4MB',
    );
  });

  await suite.test('limits of time end a client with its own SQLSTATE', async (t) => {
    const limits: [string, string, string[]][] = [
      ['client_idle_timeout', '57P05', []],
      ['idle_transaction_timeout', '25P03', ['BEGIN']],
      ['transaction_timeout', '25P04', ['BEGIN', 'SELECT 1']],
      ['query_timeout', '57014', ['SELECT pg_sleep(30)']],
    ];
    for (const [key, code, statements] of limits) {
      const router = await aRouter(t, stage, [`${key}: 300ms`]);
      const client = new Client(router.as());
      // Heard from the first, since the end may come with the welcome.
      const ended = new Promise<unknown>((resolve) => {
        client.on('error', (cause) => resolve('code' in cause ? cause.code : cause.message));
      });
      await client.connect();
      t.after(() => client.end());
      const failed = (async () => {
        for (const statement of statements) await client.query(statement);
        return await new Promise<never>(() => {});
      })().catch((cause: unknown) => (cause instanceof Error && 'code' in cause ? cause.code : cause));
      assert.equal(await Promise.race([ended, failed]), code, key);
      await router.stop();
    }
    await eventually(
      'nothing of theirs runs on',
      async () =>
        await sql(
          primary,
          "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND state = 'active' AND pid <> pg_backend_pid()",
        ),
      {
        holds: (rows) => rows.length === 0,
        withinMs: 5000,
      },
    );
  });

  await suite.test(
    'a server process that is silent when it is asked is given up, and another serves',
    async (t) => {
      const router = await aRouter(t, stage, ['default_pool_size: 1', 'server_connect_timeout: 500ms']);
      const [one, other] = await pair(t, router);
      await one.query('CREATE TEMP TABLE held (a int)');
      const pid = Number(
        await value(one, 'SELECT pg_backend_pid() FROM held RIGHT JOIN (VALUES (1)) v ON true'),
      );
      process.kill(pid, 'SIGSTOP');
      // Its connection comes back with state, and cannot be cleaned.
      await one.end();
      assert.equal((await other.query('DELETE FROM t WHERE false')).command, 'DELETE');
      process.kill(pid, 'SIGCONT');
    },
  );

  await suite.test('limits of clients of a database and of a role are told', async (t) => {
    const router = await aRouter(t, stage, [
      'databases: { postgres: { max_db_client_connections: 1 } }',
      'users: { app: { max_user_client_connections: 3, pool_size: 5, max_user_connections: 5 } }',
    ]);
    await aClient(t, router.as({ database: 'postgres' }));
    assert.equal(await codeOf(aClient(t, router.as({ database: 'postgres' }))), '53300');
    await clients(t, router, 2);
    assert.equal(await codeOf(aClient(t, router.as())), '53300');
  });

  await suite.test('connections of a node and database are limited over all roles', async (t) => {
    const router = await aRouter(t, stage, [
      'max_db_connections: 1',
      'max_user_connections: 1',
      'min_pool_size: 1',
      'reserve_pool_size: 1',
      'reserve_pool_timeout: 100ms',
      'server_lifetime: 1min',
      'server_idle_timeout: 1min',
    ]);
    const one = await aClient(t, router.as());
    await one.query('DELETE FROM t WHERE false');
    const other = await aClient(
      t,
      router.as({ user: 'postgres', password: primary.settings.authentication.superuser.password }),
    );
    // The free connection of the first role makes room; its server takes a moment to go.
    await other.query('DELETE FROM t WHERE false');
    await eventually(
      'the first role has none',
      async () =>
        await sql(primary, "SELECT * FROM pg_stat_activity WHERE datname = 'app' AND usename = 'app'"),
      { holds: (rows) => rows.length === 0, withinMs: 5000 },
    );
  });
});

/** Settings of clients that share server connections, before a real server: what they come to, by whose rights, and what they make. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Client } from 'pg';
import { Query } from '../../src/wire/index.ts';
import { codeOf, pair, value } from '../support/asking.ts';
import { eventually } from '../support/eventually.ts';
import { sql } from '../support/sql.ts';
import { aClient, aRouter, aStage, type RunningRouter } from '../support/router.ts';
import { WireClient } from '../support/wire-client.ts';

/** Two transactions at once, at the primary. */
const takeBoth = async (t: TestContext, router: RunningRouter, other: Client): Promise<void> => {
  const third = await aClient(t, router.as());
  for (const client of [third, other]) await client.query('BEGIN READ WRITE; SELECT 1');
  for (const client of [other, third]) await client.query('ROLLBACK');
};

const configOf = (style: string) => `SELECT set_config('datestyle', '${style}', false)`;

/** What it was told last. */
const zoneOf = ({ lines }: WireClient): string | undefined =>
  lines.findLast((line) => line.startsWith('ParameterStatus TimeZone='));

const ask = async (guest: WireClient, text: string): Promise<void> => {
  guest.send([Query(text)]);
  await guest.answered();
};

test('settings of clients on few server connections', { timeout: 120_000 }, async (suite) => {
  const stage = await aStage(suite);
  const primary = stage.nodes.n1;

  await suite.test(
    'a date reads the same whoever used the connection between, with a DateStyle set in parts',
    async (t) => {
      const router = await aRouter(t, stage, ['default_pool_size: 1']);
      const [one, other] = await pair(t, router);
      for (const sets of [
        ["SET datestyle = 'SQL, DMY'", "SET datestyle = 'ISO'"],
        ['SET datestyle = DMY', 'SET datestyle = SQL'],
        ['SET datestyle = German', 'SET datestyle = DMY'],
        ['SET datestyle = YMD', "SET datestyle = 'German, DEFAULT'"],
        ['SET datestyle = SQL', 'SET datestyle = DEFAULT', 'SET datestyle = European'],
        [configOf('SQL, DMY'), configOf('ISO')],
      ]) {
        for (const text of sets) await one.query(text);
        const before = await value(one, 'SHOW datestyle');
        await other.query("SET datestyle = 'Postgres, YMD'");
        assert.equal(await value(one, 'SHOW datestyle'), before);
        await other.query('RESET datestyle');
        await one.query('RESET datestyle');
        assert.equal(await value(other, 'SHOW datestyle'), 'ISO, MDY');
      }
    },
  );

  await suite.test(
    'what one client has set by a role that it has left fails no statement of another, nor its own',
    async (t) => {
      await sql(primary, 'CREATE ROLE r2 SUPERUSER; GRANT r2 TO app');
      t.after(async () => await sql(primary, 'DROP ROLE r2'));
      const router = await aRouter(t, stage, ['default_pool_size: 2']);
      const [one, other] = await pair(t, router);
      // Still in that role: what it has set is in the way of the next client, and comes back with the first.
      for (const text of ['SET ROLE r2', "SET log_statement = 'all'"]) await one.query(text);
      for (let round = 0; round < 3; round += 1) {
        await takeBoth(t, router, other);
        assert.equal(await value(other, 'SHOW log_statement'), 'none');
        assert.equal(await value(one, 'SHOW log_statement'), 'all');
      }
      await one.query('RESET ROLE');
      for (let round = 0; round < 3; round += 1) {
        await other.query('BEGIN; SELECT 1; COMMIT');
        assert.equal(await value(one, 'SHOW log_statement'), 'all');
        assert.equal(await value(other, 'SHOW log_statement'), 'none');
      }
      await one.query('RESET ALL');
      await takeBoth(t, router, other);
      for (const client of [one, other]) assert.equal(await value(client, 'SHOW log_statement'), 'none');
    },
  );

  await suite.test(
    'what takes settings back first in a transaction leaves the rest of it the client’s own',
    async (t) => {
      const router = await aRouter(t, stage, ['default_pool_size: 1']);
      const [one, other] = await pair(t, router);
      await one.query("SET app.x = 'one'");
      for (const begin of ['BEGIN', 'BEGIN READ ONLY'])
        for (const text of ['RESET ROLE', 'RESET SESSION AUTHORIZATION', 'SET ROLE NONE']) {
          await other.query("SET app.x = 'other'");
          await other.query('BEGIN READ WRITE; SELECT 1; COMMIT');
          await one.query(begin);
          await one.query(text);
          assert.equal(await value(one, "SELECT current_setting('app.x')"), 'one', `${begin}; ${text}`);
          await one.query('COMMIT');
        }
    },
  );

  await suite.test(
    'a setting in letters of another encoding is the client’s, on whatever connection',
    async (t) => {
      const router = await aRouter(t, stage, ['default_pool_size: 2']);
      const latin = await aClient(t, router.as({ client_encoding: 'LATIN1' }));
      const [, other] = await pair(t, router);
      // What pg sends is UTF-8: to the server two letters of Latin-1, which follow the client to the letter.
      await latin.query("SET application_name = 'é'");
      const before = await value(latin, "SELECT octet_length(current_setting('application_name'))");
      for (let round = 0; round < 3; round += 1) {
        await takeBoth(t, router, other);
        assert.equal(await value(latin, "SELECT octet_length(current_setting('application_name'))"), before);
      }
    },
  );

  await suite.test('who has a setting that is refused by now gets rid of it by RESET ALL', async (t) => {
    await sql(primary, 'CREATE ROLE r3; GRANT r3 TO app');
    t.after(async () => await sql(primary, 'DROP ROLE r3'));
    const router = await aRouter(t, stage, ['default_pool_size: 1']);
    for (const text of ['RESET ALL', 'DISCARD ALL']) {
      const one = await aClient(t, router.as());
      await one.query("SET app.x = 'mine'");
      await one.query('SET ROLE r3');
      await sql(primary, 'REVOKE r3 FROM app');
      // Another takes it back meanwhile.
      const other = await aClient(t, router.as());
      await other.query('BEGIN READ WRITE; SELECT 1; COMMIT');
      assert.equal(await codeOf(one.query('SELECT 1')), '42501');
      // Who one is stays, as in PostgreSQL, where RESET ALL is of settings.
      await one.query(text);
      if (text === 'RESET ALL') await one.query('RESET ROLE');
      assert.equal(
        await value(one, "SELECT current_user || coalesce(current_setting('app.x', true), '')"),
        'app',
      );
      await sql(primary, 'GRANT r3 TO app');
      await one.end();
    }
  });

  await suite.test(
    'a table that search_path has made temporary is seen by nobody else, and stays with its client',
    async (t) => {
      const router = await aRouter(t, stage, ['default_pool_size: 3']);
      const [one, other] = await pair(t, router);
      for (const text of ['SET search_path = pg_temp', 'CREATE TABLE q (a int)', 'INSERT INTO q VALUES (7)'])
        await one.query(text);
      for (let round = 0; round < 3; round += 1) {
        await takeBoth(t, router, other);
        assert.equal(await value(other, "SELECT to_regclass('pg_temp.q')::text"), null);
        assert.equal(await value(one, 'SELECT a FROM q'), 7);
      }
      await one.query('DROP TABLE q');
      await one.query('SET search_path = pg_temp; CREATE TYPE q AS ENUM ()');
      await takeBoth(t, router, await aClient(t, router.as()));
      assert.equal(await value(other, "SELECT to_regtype('pg_temp.q')::text"), null);
      assert.equal(await value(one, "SELECT to_regtype('q')::text"), 'q');
    },
  );

  await suite.test('a statement_timeout that ends what the router asks pins nobody for longer', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1', 'query_wait_timeout: 5s']);
    const [one, other] = await pair(t, router);
    for (let round = 0; round < 10; round += 1) {
      // Of the client's own statements one may take too long, too.
      await one.query("SET statement_timeout = '1ms'");
      await one.query('DO $$BEGIN NULL; END$$').catch(() => undefined);
      await one.query('RESET statement_timeout').catch(() => undefined);
      await one.query('SET statement_timeout = 0');
      await one.query('SELECT 1');
      assert.equal(await value(other, 'SELECT pg_advisory_xact_lock(1)::text'), '');
    }
  });

  await suite.test(
    'a client that begins is told the settings of the server, not of others, with no connection free',
    async (t) => {
      const router = await aRouter(t, stage, ['default_pool_size: 1', 'admin_users: [app]']);
      const { host, port } = router;
      const aGuest = async (): Promise<WireClient> => {
        const login = { host, port, user: 'app', password: 'app', database: 'app', parameters: {} };
        const guest = await WireClient.connect(login);
        t.after(() => guest.end());
        return guest;
      };
      const one = await aGuest();
      const before = zoneOf(one);
      await ask(one, "SET TimeZone = 'Asia/Tokyo'; BEGIN READ WRITE; SELECT 1");
      assert.equal(zoneOf(one), 'ParameterStatus TimeZone=Asia/Tokyo');
      assert.equal(zoneOf(await aGuest()), before);
      await ask(one, 'ROLLBACK');
      // What has changed is told at the start once a connection has begun with it.
      t.after(async () => {
        await sql(primary, 'ALTER SYSTEM RESET TimeZone');
        await sql(primary, 'SELECT pg_reload_conf()');
      });
      await sql(primary, "ALTER SYSTEM SET TimeZone = 'Europe/Bucharest'");
      await sql(primary, 'SELECT pg_reload_conf()');
      const admin = await aClient(t, router.as({ database: 'matriarch' }));
      const zoneAnew = async (): Promise<string | undefined> => {
        await admin.query('RECONNECT');
        await ask(one, 'SELECT pg_advisory_xact_lock(1)');
        return zoneOf(await aGuest());
      };
      await eventually('the new default is told', zoneAnew, {
        holds: (line) => line === 'ParameterStatus TimeZone=Europe/Bucharest',
        withinMs: 10_000,
      });
    },
  );

  await suite.test(
    'what no DISCARD ends is gone with its client: a backup, a temporary slot, a seed',
    async (t) => {
      await sql(primary, 'ALTER ROLE app REPLICATION');
      const grant = 'GRANT EXECUTE ON FUNCTION pg_backup_start TO app';
      await sql(primary, grant, { user: 'postgres', password: "su'per\\user:1", database: 'app' });
      for (const mode of ['transaction', 'session']) {
        const router = await aRouter(t, stage, ['default_pool_size: 1', `pool_mode: ${mode}`]);
        for (const [make, again] of [
          ["SELECT pg_backup_start('x', true) IS NULL", "SELECT pg_backup_start('y', true) IS NULL"],
          [
            "SELECT pg_create_physical_replication_slot('gone', true, true) IS NULL",
            "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'gone')",
          ],
          ['SELECT setseed(0.5) IS NULL', 'SELECT random() = 0.9851677175347999'],
        ] as const) {
          const one = await aClient(t, router.as());
          await one.query(make);
          await one.end();
          const other = await aClient(t, router.as());
          assert.equal(await value(other, again), false, `${mode}: ${make}`);
          await other.end();
        }
        await router.stop();
      }
    },
  );

  await suite.test('who notifies itself knows itself', async (t) => {
    const router = await aRouter(t, stage, []);
    const one = await aClient(t, router.as());
    const seen: { readonly processId: number; readonly payload: string | undefined }[] = [];
    one.on('notification', ({ processId, payload }) => void seen.push({ processId, payload }));
    await one.query('LISTEN own');
    await one.query("NOTIFY own, 'me'");
    const other = await aClient(t, router.as());
    await other.query("NOTIFY own, 'another'");
    await eventually('both are heard', () => seen.length, { holds: (n) => n === 2, withinMs: 5000 });
    const own: unknown = Reflect.get(one, 'processID');
    assert.deepEqual(
      seen.map(({ processId, payload }) => [processId === own, payload]),
      [
        [true, 'me'],
        [false, 'another'],
      ],
    );
  });

  await suite.test('a text that the server reads otherwise is not judged by ours', async (t) => {
    const hidden = "SELECT '\\''; INSERT INTO odd VALUES (1); --'";
    await sql(primary, 'CREATE TABLE odd (a int)', { user: 'app', password: 'app', database: 'app' });
    await sql(primary, 'ALTER ROLE app SET standard_conforming_strings = off');
    t.after(async () => await sql(primary, 'ALTER ROLE app RESET standard_conforming_strings'));
    const router = await aRouter(t, stage, ['weights: { members: { n1: 0 } }']);
    for (let round = 0; round < 3; round += 1) {
      const client = await aClient(t, router.as());
      await client.query(hidden);
      assert.equal(await value(client, 'SELECT count(*)::int FROM odd'), round + 1);
      await client.end();
    }
  });
});

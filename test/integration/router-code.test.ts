/** What code that the router cannot look into leaves on a connection, before a real server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from 'pg';
import { codeOf, pair, value } from '../support/asking.ts';
import { sql } from '../support/sql.ts';
import { aClient, aRouter, aStage } from '../support/router.ts';

/** What was made past the router is known by then. */
const CATALOG_POLLED_MS = 6000;

const set = (to: string): string => `set_config('work_mem', '${to}', false)`;

/** The server's process, at the primary. */
const PID = 'SELECT pg_backend_pid() FROM pg_advisory_xact_lock(98)';

/** One setting, at the primary. */
const settingOf = async (client: Client, name: string): Promise<string> =>
  String(await value(client, `SELECT current_setting('${name}', true) FROM pg_advisory_xact_lock(98)`));

/** What the one who holds it excludes is nobody else's. */
const LOCK = 'SELECT pg_try_advisory_xact_lock(4711)';

test('code that nobody looked into', { timeout: 120_000 }, async (suite) => {
  const stage = await aStage(suite);
  const primary = stage.nodes.n1;
  await sql(primary, 'CREATE TABLE t (id int)', { user: 'app', password: 'app', database: 'app' });

  await suite.test(
    'what code that nobody looked into leaves on a connection is not the next client’s',
    async (t) => {
      const router = await aRouter(t, stage, ['default_pool_size: 1', 'query_wait_timeout: 300ms']);
      const [one, other] = await pair(t, router);
      await one.query(`CREATE OR REPLACE FUNCTION leave(what text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
      IF what = 'lock' THEN PERFORM pg_advisory_lock(55); END IF;
      IF what = 'unlock' THEN PERFORM pg_advisory_unlock(55); END IF;
      IF what = 'setting' THEN PERFORM set_config('my.tenant', 'one', false); END IF;
    END $$`);
      await one.query("SELECT leave('setting')");
      assert.equal(
        await value(one, "SELECT current_setting('my.tenant', true) FROM pg_advisory_xact_lock(98)"),
        'one',
      );
      const theirs = await value(
        other,
        "SELECT current_setting('my.tenant', true) FROM pg_advisory_xact_lock(98)",
      );
      assert.ok(theirs === null || theirs === '', String(theirs));
      await one.query("SELECT leave('lock')");
      // The only connection is the first client's while it holds the lock.
      assert.equal(await codeOf(other.query('DELETE FROM t WHERE false')), '53300');
      await one.query("SELECT leave('unlock')");
      assert.equal((await other.query('DELETE FROM t WHERE false')).command, 'DELETE');
      await one.query('DROP FUNCTION leave');
    },
  );

  await suite.test('each statement of a text acts, whichever says where the text runs', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1', 'query_wait_timeout: 300ms']);
    const [one, other] = await pair(t, router);
    const isTaken = async (): Promise<boolean> =>
      (await codeOf(other.query('DELETE FROM t WHERE false'))) === '53300';
    const firsts = ['NOTIFY q', 'UNLISTEN *', 'CLOSE ALL', 'DISCARD TEMP', 'DEALLOCATE ALL', 'DELETE FROM t'];
    for (const first of firsts) {
      await one.query(`${first}; DO $$ BEGIN PERFORM ${set('6MB')}; END $$`);
      assert.equal(await settingOf(other, 'work_mem'), '4MB', first);
      assert.equal(await settingOf(one, 'work_mem'), '6MB', first);
      await one.query('RESET work_mem');
      await one.query(`${first}; DO $$ BEGIN PERFORM pg_advisory_lock(57); END $$`);
      assert.equal(await isTaken(), true, first);
      await one.query(`${first}; SELECT pg_advisory_unlock(57)`);
      assert.equal(await isTaken(), false, first);
    }
    await one.query('LISTEN q; SELECT setseed(0.5)');
    await one.query('UNLISTEN q');
    // Nobody can ask for the seed: it is the client's for as long as that is there.
    assert.equal(await isTaken(), true);
    await one.end();
    assert.equal(await isTaken(), false);
  });

  await suite.test('a definition that any client has changed is not known to be harmless', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1', 'query_wait_timeout: 300ms']);
    const [one, other] = await pair(t, router);
    await one.query(`CREATE TABLE watched (a int);
      CREATE FUNCTION watching() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM ${set('5MB')}; RETURN NEW; END $$`);
    await new Promise((resolve) => setTimeout(resolve, CATALOG_POLLED_MS));
    for (const first of ['', 'DELETE FROM watched; ']) {
      await other.query(
        `${first}CREATE OR REPLACE TRIGGER x BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION watching()`,
      );
      await one.query('INSERT INTO watched VALUES (1)');
      assert.equal(await settingOf(other, 'work_mem'), '4MB');
      assert.equal(await settingOf(one, 'work_mem'), '5MB');
      await one.query('RESET work_mem');
      await other.query('DROP TRIGGER x ON watched');
      await new Promise((resolve) => setTimeout(resolve, CATALOG_POLLED_MS));
    }
    await one.query('DROP TABLE watched; DROP FUNCTION watching');
  });

  for (const mode of ['transaction', 'session'])
    await suite.test(
      `a temporary table stands before another one, in plans of before, too: ${mode} mode`,
      async (t) => {
        const router = await aRouter(t, stage, ['default_pool_size: 1', `pool_mode: ${mode}`]);
        const maker = await aClient(t, {
          ...stage.nodes.n1.address,
          user: 'app',
          password: 'app',
          database: 'app',
        });
        await maker.query(`CREATE TABLE account (v text);
        CREATE FUNCTION put(v text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO account VALUES (v); END $$;
        CREATE FUNCTION make() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE account (v text); END $$;
        CREATE FUNCTION pass() RETURNS void LANGUAGE plpgsql AS $$
          BEGIN CREATE TEMP TABLE passing (v text); DROP TABLE passing; END $$`);
        await new Promise((resolve) => setTimeout(resolve, CATALOG_POLLED_MS));
        const temporary = 'CREATE TEMP TABLE account (v text)';
        const failing = `CREATE TEMP TABLE nothing (v int); SELECT 1/0`;
        const makes = [
          [temporary],
          ['SELECT make()'],
          ['BEGIN', temporary],
          ['BEGIN', 'SELECT make()'],
          ['BEGIN', 'SAVEPOINT a', 'CREATE TEMP TABLE other (v int)', 'ROLLBACK TO a', temporary],
          ['BEGIN', 'SAVEPOINT a', failing, 'ROLLBACK TO a', temporary],
          ['BEGIN', `${temporary}; SAVEPOINT a; SELECT 1/0`, 'ROLLBACK TO a'],
          ['BEGIN', 'SET LOCAL search_path = pg_temp, public', 'CREATE TABLE account (v text)'],
          [failing, temporary],
          ['SELECT setseed(0.5)', 'SELECT make()'],
        ];
        const formers = [
          ['CREATE TEMP TABLE former (v int)', 'DROP TABLE former'],
          ['CREATE TEMP TABLE former (v int) ON COMMIT DROP'],
          ['DO $$ BEGIN CREATE TEMP TABLE former (v int) ON COMMIT DROP; END $$'],
          ['SELECT pass()'],
          ['CREATE TABLE pg_temp.former (v int)', 'DISCARD ALL'],
          ['SET standard_conforming_strings = off', 'SELECT pass()', 'DISCARD ALL'],
        ];
        const staying = mode === 'transaction' ? await aClient(t, router.as()) : undefined;
        for (const [index, texts] of makes.entries()) {
          // An earlier client has had temporary tables at the connection, and goes if it would keep that.
          const former = staying ?? (await aClient(t, router.as()));
          const pid = await value(former, PID);
          for (const text of formers[index % formers.length] ?? []) await former.query(text);
          if (staying === undefined) await former.end();
          const client = await aClient(t, router.as());
          await client.query("SELECT put('everybody’s')");
          await client.query("PREPARE all_of(int) AS SELECT string_agg(v, ',') FROM account WHERE $1 = 1");
          await client.query('EXECUTE all_of(1)');
          for (const text of texts) await client.query(text).catch(() => undefined);
          await client.query("SELECT put('own')");
          assert.equal(await value(client, 'EXECUTE all_of(1)'), 'own', texts.join('; '));
          assert.notEqual(await value(client, PID), pid, texts.join('; '));
          await client.end();
        }
        const client = await aClient(t, router.as());
        await client.query("SELECT put('everybody’s')");
        await client.query(`${temporary}; SELECT put('own')`);
        assert.equal(await value(client, 'SELECT v FROM pg_temp.account'), 'own', 'in one text');
        assert.equal(await value(maker, "SELECT count(*)::int FROM account WHERE v = 'own'"), 0);
        await maker.query('DROP TABLE account; DROP FUNCTION put, make, pass');
      },
    );

  await suite.test('what an event trigger leaves is not the next client’s', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1', 'query_wait_timeout: 300ms']);
    const [one, other] = await pair(t, router);
    const { username: user, password } = primary.settings.authentication.superuser;
    const admin = { user, password, database: 'app' };
    await sql(
      primary,
      `CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM ${set('6MB')}; END $$;
       CREATE TABLE commented (a int); ALTER TABLE commented OWNER TO app; CREATE MATERIALIZED VIEW stale AS SELECT 1 AS a;
       ALTER MATERIALIZED VIEW stale OWNER TO app; CREATE EVENT TRIGGER ours ON ddl_command_end EXECUTE FUNCTION seen()`,
      admin,
    );
    await new Promise((resolve) => setTimeout(resolve, CATALOG_POLLED_MS));
    for (const text of [
      'SELECT 1 AS a INTO kept',
      'WITH w AS (SELECT 1 AS a) SELECT a INTO kept_too FROM w',
      'CREATE TABLE made_by_all (a int)',
      "COMMENT ON TABLE commented IS 'x'",
      'REFRESH MATERIALIZED VIEW stale',
      'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC',
      'ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC',
      'DROP TABLE kept, kept_too, made_by_all',
    ]) {
      await one.query('RESET work_mem');
      await one.query(text);
      assert.deepEqual([text, await settingOf(other, 'work_mem')], [text, '4MB']);
      assert.deepEqual([text, await settingOf(one, 'work_mem')], [text, '6MB']);
    }
    await sql(primary, 'DROP EVENT TRIGGER ours; DROP TABLE commented; DROP MATERIALIZED VIEW stale', admin);
  });

  await suite.test('operators of the client’s own have no say in what it has left', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1', 'query_wait_timeout: 300ms']);
    const [one, other] = await pair(t, router);
    await one.query(`CREATE SCHEMA ours;
      CREATE TABLE ours.asked (what text);
      CREATE FUNCTION ours.no(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO ours.asked VALUES ($1); RETURN false; END $$;
      CREATE FUNCTION ours.no(name, name) RETURNS boolean LANGUAGE sql AS 'SELECT false';
      CREATE FUNCTION ours.no(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT false';
      CREATE OPERATOR ours.= (LEFTARG = text, RIGHTARG = text, FUNCTION = ours.no);
      CREATE OPERATOR ours.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = ours.no);
      CREATE OPERATOR ours.= (LEFTARG = name, RIGHTARG = name, FUNCTION = ours.no);
      CREATE OPERATOR ours.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = ours.no);
      CREATE FUNCTION ours.lock() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM pg_catalog.pg_advisory_lock(56); END'`);
    await one.query('SET search_path = ours, pg_catalog');
    await one.query('SELECT ours.lock()');
    assert.equal(await codeOf(other.query('DELETE FROM public.t WHERE false')), '53300');
    assert.equal(await value(one, 'SELECT pg_catalog.pg_advisory_unlock(56)'), true);
    assert.equal((await other.query('DELETE FROM public.t WHERE false')).command, 'DELETE');
    assert.equal(await value(other, 'SELECT count(*)::int FROM ours.asked'), 0);
    await one.query('DROP SCHEMA ours CASCADE');
  });

  await suite.test('settings that code makes follow the client, and nobody else', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1', 'query_wait_timeout: 300ms']);
    const [one, other] = await pair(t, router);
    await one.query(`CREATE OR REPLACE FUNCTION set_for_me(name text, value text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN PERFORM set_config(name, value, false); END $$`);
    const make: [string, string, string, string?][] = [
      ['work_mem', '6MB', "SELECT set_for_me('work_mem', '6MB')"],
      ['search_path', '"$user", foo', `SELECT set_for_me('search_path', '"$user", foo')`],
      ['DateStyle', 'German, DMY', "DO $$ BEGIN PERFORM set_config('datestyle', 'German', false); END $$"],
      ['TimeZone', '<-03>+03', 'SELECT set_config($1, $2, false)', '<-03>+03'],
      ['TimeZone', 'Asia/Tokyo', "SELECT set_config('timezone', $1, false)", 'Asia/Tokyo'],
      ['app.tenant', '7', "SELECT set_config('app.tenant', $1, false)", '7'],
      ['app.tenant', '8', "SELECT set_for_me('app.tenant', '8')"],
      ['role', 'pg_monitor', "BEGIN; SELECT set_for_me('role', 'pg_monitor'); COMMIT"],
      ['role', 'none', "SELECT set_for_me('role', 'none')"],
      ['lock_timeout', '7s', "BEGIN; SET lock_timeout = '7s'; SAVEPOINT s; RELEASE s; COMMIT"],
      ['lock_timeout', '7s', "BEGIN; SAVEPOINT s; SET lock_timeout = '8s'; ROLLBACK TO s; COMMIT"],
      ['lock_timeout', '0', 'DO $$ BEGIN RESET lock_timeout; END $$'],
    ];
    await sql(primary, 'GRANT pg_monitor TO app');
    for (const [name, wanted, text, parameter] of make) {
      const theirs = await settingOf(other, name);
      if (parameter === undefined)
        for (const part of text.startsWith('BEGIN') ? text.split('; ') : [text]) await one.query(part);
      else if (text.includes('$2')) await one.query(text, [name, parameter]);
      else await one.query(text, [parameter]);
      // Its name was not written out: the client stays with the only connection until it gives that up.
      if (text.includes('$2')) assert.equal(await codeOf(other.query('DELETE FROM t WHERE false')), '53300');
      if (text.includes('$2')) await one.query('DISCARD ALL');
      else assert.equal(await settingOf(one, name), wanted, text);
      const seen = await settingOf(other, name);
      assert.ok(seen === theirs || (seen === '' && theirs === 'null'), `${text}: ${seen}`);
      if (!text.includes('$2')) assert.equal(await settingOf(one, name), wanted, text);
    }
    for (const text of ["LOAD 'nothing_such'", 'SET standard_conforming_strings = off'])
      await one.query(text).catch(() => undefined);
    await one.query('RESET standard_conforming_strings');
    await one.query('CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$');
    assert.equal(await codeOf(other.query('DELETE FROM t WHERE false')), '53300');
    await one.query('DROP FUNCTION pg_temp.mine()');
    await one.query('CREATE TEMP TABLE brief (v int) ON COMMIT DROP');
    assert.equal((await other.query('DELETE FROM t WHERE false')).command, 'DELETE');
    await one.query('DROP FUNCTION set_for_me');
  });

  await suite.test('in session mode what code makes is seen by every statement behind it', async (t) => {
    const router = await aRouter(t, stage, ['pool_mode: session']);
    const maker = await aClient(t, router.as());
    await maker.query(`CREATE SCHEMA hiding; CREATE TABLE hiding.doc (v text); INSERT INTO hiding.doc VALUES ('permanent');
      CREATE FUNCTION hiding.hide() RETURNS void LANGUAGE plpgsql AS $$
        BEGIN CREATE TEMP TABLE doc AS SELECT 'temporary'::text AS v; END $$;
      CREATE FUNCTION hiding.be(tenant text) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN PERFORM set_config('app.tenant', tenant, false); END $$;
      ALTER DATABASE app SET search_path = hiding, public`);
    const made: readonly (readonly [code: string, read: string, seen: string])[] = [
      ['SELECT hiding.hide()', 'SELECT v FROM doc', 'temporary'],
      ["SELECT hiding.be('seven')", "SELECT current_setting('app.tenant', true)", 'seven'],
      [
        "DO $$ BEGIN PERFORM set_config('timezone', 'Asia/Tokyo', false); END $$",
        'SHOW timezone',
        'Asia/Tokyo',
      ],
    ];
    for (const [code, read, seen] of made) {
      const client = await aClient(t, router.as());
      await client.query(code);
      for (let time = 0; time < 12; time += 1) assert.equal(await value(client, read), seen, code);
    }
    await maker.query('ALTER DATABASE app RESET search_path; DROP SCHEMA hiding CASCADE');
  });

  await suite.test('what a write runs behind the statement leaves nothing to the next client', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1', 'query_wait_timeout: 300ms']);
    const [one, other] = await pair(t, router);
    for (const text of [
      `CREATE FUNCTION setting() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM ${set('1MB')}; RETURN coalesce(NEW, OLD); END $$`,
      `CREATE FUNCTION set_it() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN ${set('2MB')}; END $$`,
      ...['before', 'after', 'late', 'ruled', 'plain', 'numbers', 'guarded'].map(
        (name) => `CREATE TABLE ${name} (a int)`,
      ),
      'CREATE TRIGGER x AFTER DELETE ON after FOR EACH STATEMENT EXECUTE FUNCTION setting()',
      `CREATE CONSTRAINT TRIGGER x AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
         EXECUTE FUNCTION setting()`,
      `CREATE TABLE defaulting (a int, b text DEFAULT ${set('3MB')}); CREATE TABLE coded (a int, b text DEFAULT set_it())`,
      `CREATE TABLE checked (a int CHECK (${set('4MB')} IS NOT NULL))`,
      `CREATE RULE x AS ON UPDATE TO ruled DO INSTEAD SELECT set_it(); CREATE VIEW seen AS SELECT a FROM before;
       CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int REFERENCES parent ON DELETE CASCADE)`,
      'INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1)',
      'CREATE TABLE split (a int) PARTITION BY LIST (a); CREATE TABLE split_1 PARTITION OF split DEFAULT',
      ...['BEFORE INSERT ON before', 'AFTER DELETE ON child', 'BEFORE INSERT ON split_1'].map(
        (when) => `CREATE TRIGGER x ${when} FOR EACH ROW EXECUTE FUNCTION setting()`,
      ),
      `CREATE TABLE texts (a text); CREATE TYPE made_of_text AS (a int);
       CREATE FUNCTION cast_it(x text) RETURNS made_of_text LANGUAGE plpgsql AS $$
         BEGIN PERFORM ${set('8MB')}; RETURN ROW(1)::made_of_text; END $$;
       CREATE CAST (text AS made_of_text) WITH FUNCTION cast_it(text) AS ASSIGNMENT; CREATE TABLE casting (c made_of_text)`,
      `CREATE FUNCTION split_by(x int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM ${set('9MB')}; RETURN x; END $$;
       CREATE TABLE splitting (a int) PARTITION BY RANGE (split_by(a)); CREATE TABLE splitting_1 PARTITION OF splitting DEFAULT`,
      `CREATE FUNCTION cast_back(x made_of_text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM ${set('10MB')}; RETURN 1; END $$;
       CREATE CAST (made_of_text AS int) WITH FUNCTION cast_back(made_of_text) AS ASSIGNMENT`,
      `CREATE FUNCTION when_it(x int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM ${set('11MB')}; RETURN false; END $$;
       CREATE TRIGGER x BEFORE UPDATE ON guarded FOR EACH ROW WHEN (when_it(OLD.a))
         EXECUTE FUNCTION suppress_redundant_updates_trigger(); INSERT INTO guarded VALUES (1)`,
      `CREATE DOMAIN defaulted AS text DEFAULT ${set('12MB')}; CREATE TABLE of_domain (a defaulted)`,
      `CREATE TABLE counted AS SELECT 1 AS a, 2 AS b; CREATE STATISTICS counting ON (split_by(a)) FROM counted`,
    ])
      await sql(primary, text, { user: 'app', password: 'app', database: 'app' });
    await new Promise((resolve) => setTimeout(resolve, CATALOG_POLLED_MS));
    for (const text of [
      ...'before late defaulting coded checked seen split splitting'
        .split(' ')
        .map((name) => `INSERT INTO ${name} VALUES (1)`),
      ...['after', 'parent'].map((name) => `DELETE FROM ${name}`),
      'MERGE INTO defaulting d USING plain p ON false WHEN NOT MATCHED THEN INSERT (a) VALUES (1)',
      'UPDATE ruled SET a = 1',
      'WITH w AS (INSERT INTO before VALUES (2) RETURNING a) SELECT * FROM w',
      'INSERT INTO texts SELECT set_it()',
      'EXPLAIN ANALYZE SELECT set_it()',
      "INSERT INTO casting VALUES ('x'::text)",
      "UPDATE casting SET c = 'x'::text",
      "INSERT INTO plain SELECT (('x'::text)::made_of_text).a",
      'INSERT INTO numbers VALUES (ROW(1)::made_of_text)',
      'UPDATE guarded SET a = 1',
      'ANALYZE counted',
      'ANALYZE; INSERT INTO of_domain DEFAULT VALUES',
      'CREATE TABLE made AS SELECT set_it()',
      "UPDATE pg_settings SET setting = '5MB' WHERE name = 'work_mem'",
      `SELECT query_to_xml('SELECT ${set('7MB').replaceAll("'", "''")}', true, true, '')`,
    ]) {
      await one.query('RESET work_mem');
      await one.query(text);
      const mine = await settingOf(one, 'work_mem');
      assert.deepEqual([text, await settingOf(other, 'work_mem')], [text, '4MB']);
      assert.equal(await settingOf(one, 'work_mem'), mine, text);
    }
  });

  await suite.test(
    'what a standby would do in vain is refused in a READ ONLY transaction there',
    async (t) => {
      const router = await aRouter(t, stage, ['weights: { local: 0, remote: 1 }']);
      const [one, other] = await pair(t, router);
      await one.query('BEGIN READ ONLY');
      await one.query('SELECT 1');
      assert.equal(await value(one, 'SELECT pg_is_in_recovery() FROM clock_timestamp(), random()'), true);
      await one.query('SAVEPOINT before');
      for (const query of [{ text: LOCK }, { name: 'lock', text: LOCK }]) {
        const refused = one.query(query);
        await assert.rejects(refused, {
          code: '25006',
          message:
            'cannot run pg_try_advisory_xact_lock() at the standby that serves the READ ONLY transaction',
          detail: 'An advisory lock that is taken at a standby excludes nobody at the primary.',
        });
        assert.equal(await codeOf(one.query('SELECT 1')), '25P02');
        assert.equal(await codeOf(one.query(query)), '25P02');
        await one.query('ROLLBACK TO before');
        assert.equal(await value(one, 'SELECT 2'), 2);
      }
      for (const node of ['n2', 'n3'] as const) {
        const [row] = await sql(
          stage.nodes[node],
          "SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory'",
        );
        assert.deepEqual(row, { n: 0 });
      }
      const victim = Number(await value(other, 'SELECT pg_backend_pid()'));
      assert.equal(await codeOf(one.query('SELECT pg_terminate_backend($1)', [victim])), '25006');
      assert.equal((await one.query('COMMIT')).command, 'ROLLBACK');

      await one.query('BEGIN READ ONLY');
      assert.equal(await value(one, LOCK), true);
      assert.equal(await value(one, LOCK), true);
      assert.equal(await value(other, LOCK), false);
      await one.query('COMMIT');
      assert.equal(await value(other, LOCK), true);
    },
  );
});

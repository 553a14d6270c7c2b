/** What code that the router cannot look into leaves on a connection, before a real server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from 'pg';
import { codeOf, pair, value } from '../support/asking.ts';
import { sql } from '../support/postgres.ts';
import { aRouter, aStage } from '../support/router.ts';

/** One setting, at the primary. */
const settingOf = async (client: Client, name: string): Promise<string> =>
  String(await value(client, `SELECT current_setting('${name}', true) FROM pg_advisory_xact_lock(98)`));

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
    assert.equal((await other.query('DELETE FROM t WHERE false')).command, 'DELETE');
    await one.query('DROP FUNCTION set_for_me');
  });
});

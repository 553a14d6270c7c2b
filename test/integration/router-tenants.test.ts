/** Tenants who are told apart by what their clients begin with: they share connections, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from 'pg';
import { value } from '../support/asking.ts';
import { eventually } from '../support/eventually.ts';
import { sql } from '../support/sql.ts';
import { aClient, aRouter, aStage, type RunningRouter } from '../support/router.ts';

const TENANTS = ['a', 'b', 'c', 'd', 'e', 'f'];
const TABLES = TENANTS.map(
  (name) => `CREATE SCHEMA ${name} CREATE TABLE who (name text); INSERT INTO ${name}.who VALUES ('${name}')`,
);

const FUNCTIONS = `
  CREATE FUNCTION public.f() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'read' $$;
  CREATE FUNCTION a.f() RETURNS text LANGUAGE sql AS $$ INSERT INTO a.who VALUES ('new') RETURNING name $$`;

/** What a client sees of itself: by its search_path, and by a setting of its own. */
const seen = async (client: Client): Promise<string> => {
  const { rows } = await client.query<{ readonly name: string; readonly tenant: string }>(
    "SELECT name, current_setting('app.tenant') AS tenant FROM who",
  );
  return `${rows[0]?.name} ${rows[0]?.tenant}`;
};

/** Statements that were sent to servers as reads so far. */
const readsOf = async (router: RunningRouter): Promise<number> =>
  Object.values(await router.counts()).reduce((sum, node) => sum + node.reads, 0);

test('tenants on few connections', { timeout: 120_000 }, async (suite) => {
  const stage = await aStage(suite);
  const primary = stage.nodes.n1;
  await sql(primary, 'CREATE DATABASE tenants OWNER app');
  const asOwner = { user: 'app', password: 'app', database: 'tenants' };
  for (const text of TABLES) await sql(primary, text, asOwner);
  const router = await aRouter(suite, stage, ['default_pool_size: 2', 'weights: { local: 1, remote: 1 }']);
  const clients = await Promise.all(
    TENANTS.map((name) =>
      aClient(
        suite,
        router.as({ database: 'tenants', options: `-c search_path=${name},public -c app.tenant=${name}` }),
      ),
    ),
  );
  const both = TENANTS.map((name) => `${name} ${name}`);

  await suite.test('each sees its own, and connections are not opened for it', async () => {
    await sql(primary, 'SELECT pg_stat_reset_single_table_counters(0), pg_stat_clear_snapshot()');
    const opened = async (): Promise<number> => {
      const rows = await sql(primary, "SELECT sessions FROM pg_stat_database WHERE datname = 'tenants'");
      return Number(rows[0]?.['sessions']);
    };
    assert.deepEqual(await Promise.all(clients.map(seen)), both);
    const before = await opened();
    for (let round = 0; round < 20; round += 1) assert.deepEqual(await Promise.all(clients.map(seen)), both);
    const after = await opened();
    assert.ok(after - before <= 2, `${after - before} connections were opened`);
  });

  await suite.test('each keeps its own past what takes settings back', async () => {
    const [one, other] = clients;
    assert(one !== undefined && other !== undefined);
    for (const text of [
      'DISCARD ALL',
      'RESET ALL',
      'RESET search_path',
      'SET search_path TO DEFAULT',
      'BEGIN; SET search_path = b; ROLLBACK',
      'BEGIN; RESET ALL; COMMIT',
    ]) {
      await one.query(text);
      assert.equal(await seen(one), 'a a', text);
      assert.equal(await seen(other), 'b b', text);
    }
    assert.equal(await value(one, 'SHOW search_path'), 'a,public');
  });

  await suite.test('a reset goes back to it at once, in a text and in a transaction', async () => {
    const [one] = clients;
    assert(one !== undefined);
    const results: unknown = await one.query('SET search_path = b; RESET search_path; SELECT name FROM who');
    assert.match(JSON.stringify(results), /"name":"a"/);
    await one.query('BEGIN');
    await one.query("SET search_path = b; SET app.tenant = 'b'");
    assert.equal(await seen(one), 'b b');
    await one.query('RESET ALL');
    assert.equal(await seen(one), 'a a');
    await one.query('ROLLBACK');
    assert.equal(await seen(one), 'a a');
  });

  await suite.test('a name means what it means under the path that a client has begun with', async () => {
    await sql(primary, FUNCTIONS, asOwner);
    const [one, other] = clients;
    assert(one !== undefined && other !== undefined);
    // The catalogue is read again once somebody has asked in vain.
    await eventually('the functions are known', () => value(other, 'SELECT f()'), {
      holds: (found) => found === 'read',
      withinMs: 10_000,
    });
    const before = await readsOf(router);
    assert.equal(await value(one, 'SELECT f()'), 'new');
    assert.equal(await readsOf(router), before);
    await eventually(
      'the other is read at a standby',
      async () => {
        await value(other, 'SELECT f()');
        return await readsOf(router);
      },
      { holds: (found) => found > before, withinMs: 10_000 },
    );
  });
});

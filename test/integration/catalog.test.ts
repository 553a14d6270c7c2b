/** How a router comes to know what a database defines: at its first client, after changes by clients, and by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from 'pg';
import { eventually } from '../support/eventually.ts';
import { aServer } from '../support/one-server.ts';
import { sql } from '../support/sql.ts';
import { Bind, Execute, Parse, Sync } from '../../src/wire/index.ts';
import { aClient, aRouter, type RunningRouter } from '../support/router.ts';
import { WireClient } from '../support/wire-client.ts';

const AS_APP = { user: 'app', password: 'app', database: 'app' };
const ROUTED = /^matriarch_router_routed_total\{kind="(\w+)",because="([\w-]+)"\} (\d+)/gm;

async function counts(router: RunningRouter): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${router.http}/metrics`)).text();
  return new Map(
    Array.from(text.matchAll(ROUTED), ([, kind, because, n]) => [`${kind} ${because}`, Number(n)] as const),
  );
}

/** What the statement was taken for, and why: of a client that is the only one. */
async function routed(router: RunningRouter, client: Client, text: string): Promise<string> {
  const before = await counts(router);
  await client.query(text);
  return difference(before, await counts(router));
}

/** What a statement was taken for whose one parameter is declared to be of this type; it is answered with one row. */
async function routedAsGuest(
  router: RunningRouter,
  text: string,
  { oid, value, row }: { readonly oid: number; readonly value: string; readonly row: string },
): Promise<string> {
  const { host = '', port = 0 } = router.as();
  const guest = await WireClient.connect({ host, port, ...AS_APP });
  const before = await counts(router);
  guest.send([
    Parse({ name: '', sql: text, parameterTypes: [oid] }),
    Bind({ portal: '', statement: '', parameters: [Buffer.from(value)] }),
    Execute('', 0),
    Sync(),
  ]);
  await guest.answered();
  await guest.end();
  assert.ok(guest.lines.includes(`DataRow "${row}"`), guest.lines.join('; '));
  return difference(before, await counts(router));
}

function difference(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string {
  return Array.from(after.keys())
    .filter((key) => after.get(key) !== before.get(key))
    .join();
}

const NEVER = 'catalog_poll: 1h';
const WITHIN_MS = 10_000;

test('the catalogue of a database', { timeout: 120_000 }, async (suite) => {
  const server = await aServer(suite);
  const direct = async (text: string): Promise<void> => void (await sql(server.server, text, AS_APP));
  await direct("CREATE FUNCTION f(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT $1'");

  await suite.test('is known to the first client', async (t) => {
    const router = await aRouter(t, server, [NEVER, 'admin_users: [app]']);
    const client = await aClient(t, router.as());
    assert.equal(await routed(router, client, 'SELECT f(1)'), 'read function-trusted');
    const admin = await aClient(t, router.as({ database: 'matriarch' }));
    const [shown] = (await admin.query<Record<string, unknown>>('SHOW CATALOG')).rows;
    assert.deepEqual(
      [
        shown?.['database'],
        shown?.['state'],
        shown?.['generation'],
        shown?.['functions'],
        shown?.['sessions'],
      ],
      ['app', 'read', '1', 1, 1],
    );
  });

  await suite.test('is read anew when a client of any router changes it', async (t) => {
    const [one, other] = [await aRouter(t, server, [NEVER]), await aRouter(t, server, [NEVER])];
    const here = await aClient(t, one.as());
    const there = await aClient(t, other.as());
    assert.equal(await routed(other, there, 'SELECT f(1)'), 'read function-trusted');
    await here.query("CREATE OR REPLACE FUNCTION f(int) RETURNS int VOLATILE LANGUAGE sql AS 'SELECT $1'");
    const now = await routed(one, here, 'SELECT f(1)');
    assert.ok(['write catalog-not-read', 'write function-volatile'].includes(now), now);
    await eventually('the other router knows', async () => await routed(other, there, 'SELECT f(1)'), {
      holds: (seen) => seen === 'write function-volatile',
      withinMs: WITHIN_MS,
    });
    assert.equal(await routed(one, here, 'SELECT f(1)'), 'write function-volatile');
  });

  await suite.test('knows what aggregates, casts and types of parameters lead to', async (t) => {
    await direct(
      'CREATE AGGREGATE locks(bigint) (sfunc = int8larger, stype = bigint, finalfunc = pg_try_advisory_lock)',
    );
    await direct('CREATE TYPE pair AS (a int, b int); CREATE TABLE pairs (c pair)');
    await direct("CREATE FUNCTION first_of(pair) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1.a'");
    await direct('CREATE CAST (pair AS int) WITH FUNCTION first_of(pair) AS IMPLICIT');
    await direct("CREATE FUNCTION notes(int) RETURNS int VOLATILE LANGUAGE sql AS 'SELECT $1'");
    await direct("CREATE FUNCTION checks(int) RETURNS boolean VOLATILE LANGUAGE sql AS 'SELECT true'");
    await direct('CREATE DOMAIN checked AS int CHECK (checks(VALUE))');
    await direct("CREATE TYPE mood AS ENUM ('glad'); CREATE TABLE moods (m mood)");
    await direct(
      "CREATE FUNCTION as_json(mood) RETURNS json VOLATILE LANGUAGE sql AS $$ SELECT '1'::json $$",
    );
    await direct('CREATE CAST (mood AS json) WITH FUNCTION as_json(mood)');
    const router = await aRouter(t, server, [NEVER]);
    const client = await aClient(t, router.as());
    for (const json of ['to_json(m)', 'json_agg(m)', 'jsonb_build_array(m)', 'row_to_json(moods)'])
      assert.equal(await routed(router, client, `SELECT ${json} FROM moods`), 'write function-volatile');
    assert.equal(
      await routed(router, client, "SELECT table_to_xml('moods', true, false, '')"),
      'write function-volatile',
    );
    assert.equal(await routed(router, client, 'SELECT locks(77)'), 'session holds-session-lock');
    assert.equal(await routed(router, client, 'SELECT (c).notes FROM pairs'), 'write function-volatile');
    const [row] = await sql(server.server, "SELECT 'checked'::regtype::oid::int AS oid", AS_APP);
    const checked = { oid: Number(row?.['oid']), value: '1', row: '1' };
    assert.equal(await routedAsGuest(router, 'SELECT $1', checked), 'write function-volatile');
  });

  await suite.test(
    'knows operators and casts of rows, arrays, multiranges and types of parameters',
    async (t) => {
      await direct(
        `CREATE TABLE places (a int); CREATE TYPE span AS RANGE (subtype = text); CREATE TYPE shade AS ENUM ('a')`,
      );
      const operands = { places: 'places', arrays: 'pair[]', spans: 'span_multirange', shades: 'shade' };
      for (const [name, type] of Object.entries(operands))
        await direct(`CREATE FUNCTION on_${name}(${type}, ${type}) RETURNS boolean VOLATILE LANGUAGE sql AS 'SELECT true';
        CREATE OPERATOR = (LEFTARG = ${type}, RIGHTARG = ${type}, FUNCTION = on_${name})`);
      await direct(`CREATE FUNCTION number_of(places) RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';
      CREATE CAST (places AS int) WITH FUNCTION number_of(places)`);
      const router = await aRouter(t, server, [NEVER]);
      const client = await aClient(t, router.as());
      for (const text of [
        'SELECT x = x FROM places x',
        'SELECT x::int FROM places x',
        'SELECT ARRAY[ROW(1, 2)::pair] = ARRAY[ROW(1, 2)::pair]',
        "SELECT span_multirange(span('a', 'b')) = span_multirange(span('a', 'b'))",
        'SELECT range_agg(s) = range_agg(s) FROM (SELECT span(NULL, NULL) AS s) AS x',
      ])
        assert.equal(await routed(router, client, text), 'write function-volatile', text);
      assert.equal(await routed(router, client, "SELECT 'a' = 'b'"), 'read only-reads');
      const [row] = await sql(server.server, "SELECT 'shade'::regtype::oid::int AS oid", AS_APP);
      const shade = { oid: Number(row?.['oid']), value: 'a', row: 't' };
      assert.equal(await routedAsGuest(router, 'SELECT $1 = $1', shade), 'write function-volatile');
    },
  );

  await suite.test('is looked at again and again', async (t) => {
    const router = await aRouter(t, server, ['catalog_poll: 200ms']);
    const client = await aClient(t, router.as());
    await direct('CREATE TABLE plain (id int)');
    await eventually('the table is known', async () => await routed(router, client, 'SELECT * FROM plain'), {
      holds: (seen) => seen === 'read only-reads',
      withinMs: WITHIN_MS,
    });
    await direct('ALTER TABLE plain SET UNLOGGED');
    await eventually('it is unlogged', async () => await routed(router, client, 'SELECT * FROM plain'), {
      holds: (seen) => seen === 'write relation-unlogged',
      withinMs: WITHIN_MS,
    });
    await direct('ALTER ROLE app IN DATABASE app SET search_path = nowhere');
    await eventually('the role has a search_path', async () => await routed(router, client, 'SELECT 1'), {
      holds: () => router.lines.filter(({ event }) => event === 'catalog-read').length === 4,
      withinMs: WITHIN_MS,
    });
    await direct('ALTER ROLE app IN DATABASE app RESET search_path');
  });

  await suite.test('that may not be read leaves what refers to it for the primary', async (t) => {
    await sql(server.server, 'REVOKE CONNECT ON DATABASE app FROM PUBLIC');
    await sql(server.server, 'GRANT CONNECT ON DATABASE app TO app');
    t.after(async () => await sql(server.server, 'GRANT CONNECT ON DATABASE app TO PUBLIC'));
    const router = await aRouter(t, server, [NEVER]);
    const client = await aClient(t, router.as());
    assert.equal(await routed(router, client, 'SELECT * FROM pg_class LIMIT 1'), 'write catalog-not-read');
    assert.equal(await routed(router, client, 'SELECT 1'), 'read only-reads');
    assert.ok(router.lines.some(({ event }) => event === 'catalog-unreadable'));
  });

  await suite.test('is not read where the file says so', async (t) => {
    const router = await aRouter(t, server, ['catalog_poll: 0']);
    const client = await aClient(t, router.as());
    assert.equal(await routed(router, client, 'SELECT f(1)'), 'write function-not-known');
    assert.equal(await routed(router, client, 'SELECT * FROM plain'), 'read only-reads');
  });
});

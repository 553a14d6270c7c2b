/**
 * What a statement leads to by the catalogue of a real server: operators that are picked by other types than they name,
 * definitions that are evaluated where nobody names them, and changes that are seen only in rows of their own.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from 'pg';
import { codeOf, pair, value } from '../support/asking.ts';
import { eventually } from '../support/eventually.ts';
import { sql } from '../support/sql.ts';
import { aClient, aRouter, aStage } from '../support/router.ts';

const WITHIN_MS = 15_000;

/** Read with `app` as the role of the session, so that nothing here needs a superuser but where it says so. */
const READS_SETUP = `
CREATE DOMAIN di AS int; CREATE DOMAIN dt AS text; CREATE DOMAIN many AS int[]; CREATE TYPE foo AS (v int);
CREATE FUNCTION vdi(di, di) RETURNS boolean VOLATILE LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION vdt(dt, dt) RETURNS boolean VOLATILE LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION vmany(di[], di[]) RETURNS boolean VOLATILE LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION vfoo(foo, foo) RETURNS boolean VOLATILE LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION vmood(mood, mood) RETURNS boolean VOLATILE LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR #> (leftarg = di, rightarg = di, function = vdi);
CREATE OPERATOR ## (leftarg = dt, rightarg = dt, function = vdt);
CREATE OPERATOR <@ (leftarg = di[], rightarg = di[], function = vmany);
CREATE OPERATOR #- (leftarg = foo, rightarg = foo, function = vfoo);
CREATE OPERATOR |>> (leftarg = mood, rightarg = mood, function = vmood);
CREATE TYPE bar AS (w int);
CREATE FUNCTION vbar(bar, bar) RETURNS boolean VOLATILE LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR |&> (leftarg = bar, rightarg = bar, function = vbar);
CREATE OPERATOR <> (leftarg = bar, rightarg = bar, function = vbar);
CREATE TYPE tale AS (v int); CREATE TABLE tales (id int, c tale);
CREATE TABLE t (a int, b text); CREATE TABLE moods (m mood);
CREATE FUNCTION vrow(t) RETURNS boolean VOLATILE LANGUAGE sql AS 'SELECT true';
CREATE DOMAIN checked_row AS t CHECK (vrow(VALUE));
CREATE FUNCTION vhash(int) RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION same(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR === (leftarg = int, rightarg = int, function = same, hashes)`;

const READS = [
  ['an operator over a domain, of its base type', 'SELECT a #> 2 FROM t'],
  ['an operator over a domain of text, of literals', "SELECT 'a' ## 'b'"],
  [
    'an operator over an array of a domain, of an array of its base type',
    'SELECT ARRAY[1] <@ ARRAY[a] FROM t',
  ],
  ['an operator over what is cast to without being named', 'SELECT a #- 2 FROM t'],
  ['an operator over a composite type, of anonymous rows', 'SELECT x |&> x FROM (SELECT 1) AS x'],
  ['a cast to text inside of ||', "SELECT c || 'x' FROM tales"],
  ['a cast to text inside of quote_literal', 'SELECT quote_literal(c) FROM tales'],
  ['a condition that casts as an assignment does', 'SELECT id FROM tales WHERE c'],
  ['a subscript that casts as an assignment does', 'SELECT (ARRAY[1])[c] FROM tales'],
  ['a domain over a row, behind a point', 'SELECT t.checked_row FROM t'],
  ['a function that was added to a family of operators', 'SELECT x.a FROM t x JOIN t y ON x.a === y.a'],
] as const;

const WRITES_SETUP = `
CREATE FUNCTION leaves(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
  IF current_setting('my.armed', true) = 'on' THEN PERFORM pg_advisory_lock(77); END IF; RETURN $1; END $$;
CREATE FUNCTION leaving() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM leaves(1); RETURN NULL; END $$;
CREATE DOMAIN leaving_text AS text CHECK (leaves(length(VALUE)) > 0);
CREATE TABLE source (b text); INSERT INTO source VALUES ('x');
CREATE TABLE defaulting (a int, b text DEFAULT ('x'::leaving_text)::text);
CREATE VIEW looking AS SELECT leaves(1) AS c;
CREATE TABLE guarded (a int); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON guarded FOR INSERT WITH CHECK (EXISTS (SELECT FROM looking WHERE c > 0));
CREATE TABLE indexed (a int); INSERT INTO indexed VALUES (1); CREATE INDEX of_indexed ON indexed (leaves(a));
CREATE TABLE parent (a int PRIMARY KEY); CREATE TABLE child (a int REFERENCES parent);
CREATE TRIGGER x AFTER TRUNCATE ON child FOR EACH STATEMENT EXECUTE FUNCTION leaving();
CREATE DOMAIN checked AS int; CREATE TABLE of_checked (a checked); INSERT INTO of_checked VALUES (1);
ALTER DOMAIN checked ADD CONSTRAINT late CHECK (leaves(VALUE) > 0) NOT VALID;
CREATE TABLE whole (a int) PARTITION BY LIST ((leaves(a))); CREATE TABLE part PARTITION OF whole FOR VALUES IN (1, 2);
CREATE MATERIALIZED VIEW stored AS SELECT (b::leaving_text)::text AS c FROM source;
CREATE TABLE plain (a int)`;

const WRITES = [
  ['a default that casts to a domain', 'INSERT INTO defaulting (a) VALUES (1)'],
  ['a policy that reads a view', 'INSERT INTO guarded VALUES (1)'],
  ['an index that is named by itself', 'REINDEX INDEX of_indexed'],
  ['a trigger of a table that is emptied with another', 'TRUNCATE parent CASCADE'],
  ['a check of a domain that is validated', 'ALTER DOMAIN checked VALIDATE CONSTRAINT late'],
  ['a partition’s place among the others', 'INSERT INTO part VALUES (1)'],
  ['a stored view that casts to a domain', 'REFRESH MATERIALIZED VIEW stored'],
] as const;

test('what the catalogue leads to', { timeout: 240_000 }, async (suite) => {
  const stage = await aStage(suite);
  const primary = stage.nodes.n1;
  const asApp = { user: 'app', password: 'app', database: 'app' };
  const { password } = primary.settings.authentication.superuser;
  const direct = async (text: string): Promise<void> => void (await sql(primary, text, asApp));
  const asSuperuser = async (text: string): Promise<void> =>
    void (await sql(primary, text, { user: 'postgres', password, database: 'app' }));
  await direct(`CREATE TYPE mood AS ENUM ('glad'); ${READS_SETUP}`);
  await asSuperuser(`CREATE FUNCTION made(int) RETURNS foo IMMUTABLE LANGUAGE sql AS 'SELECT ROW($1)::foo';
    CREATE CAST (int AS foo) WITH FUNCTION made(int) AS IMPLICIT;
    CREATE FUNCTION as_text(tale) RETURNS text VOLATILE LANGUAGE sql AS 'SELECT ''''';
    CREATE FUNCTION as_truth(tale) RETURNS boolean VOLATILE LANGUAGE sql AS 'SELECT true';
    CREATE FUNCTION as_number(tale) RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';
    CREATE CAST (tale AS text) WITH FUNCTION as_text(tale);
    CREATE CAST (tale AS boolean) WITH FUNCTION as_truth(tale) AS ASSIGNMENT;
    CREATE CAST (tale AS int) WITH FUNCTION as_number(tale) AS ASSIGNMENT;
    CREATE EXTENSION seg; UPDATE pg_proc SET provolatile = 'v' WHERE proname LIKE 'gseg%';
    CREATE TABLE spans (id int, s seg); GRANT SELECT ON spans TO app;
    CREATE OPERATOR FAMILY loose USING hash;
    ALTER OPERATOR FAMILY loose USING hash ADD OPERATOR 1 === (int, int), FUNCTION 1 (int) vhash(int)`);
  await direct(WRITES_SETUP);

  await suite.test('reads that run what is volatile are for the primary', async (t) => {
    const router = await aRouter(t, stage, ['admin_users: [app]']);
    const admin = await aClient(t, router.as({ database: 'matriarch' }));
    const reasonOf = async (text: string): Promise<string> => {
      const shown = await admin.query<{ because: string }>(`SHOW ROUTE '${text.replaceAll("'", "''")}'`);
      return shown.rows[0]?.because ?? '';
    };
    await aClient(t, router.as());
    for (const [what, text] of READS) assert.match(await reasonOf(text), /^function-volatile: /, what);
    // What has no such type in it is not kept from standbys by it.
    const others = [
      'SELECT a |>> 2 FROM t',
      'SELECT x <> x FROM (SELECT 1) AS x',
      // What only an index calls, and is C, is as PostGIS declares it.
      "SELECT id FROM spans WHERE s && '1..2'",
    ];
    for (const text of others) assert.doesNotMatch(await reasonOf(text), /volatile/, text);
    assert.match(await reasonOf('SELECT m |>> m FROM moods'), /^function-volatile: /);
  });

  await suite.test('writes that run what leaves something leave nothing to the next client', async (t) => {
    const router = await aRouter(t, stage, ['default_pool_size: 1', 'query_wait_timeout: 300ms']);
    const [one, other] = await armed(t, router);
    for (const [what, text] of WRITES) {
      await one.query(text);
      await isKeptFrom(other, one, what);
    }
  });

  await suite.test('an index, a type of an attribute and a name of a role are seen to change', async (t) => {
    const router = await aRouter(t, stage, [
      'default_pool_size: 1',
      'query_wait_timeout: 300ms',
      'catalog_poll: 1s',
      'admin_users: [app]',
    ]);
    const [one, other] = await armed(t, router);
    const admin = await aClient(t, router.as({ database: 'matriarch' }));
    const generation = async (): Promise<number> =>
      Number((await admin.query<{ generation: string }>('SHOW CATALOG')).rows[0]?.generation);
    const seen = async (what: string, change: () => Promise<unknown>): Promise<void> => {
      const before = await generation();
      await change();
      await eventually(what, generation, { holds: (now) => now > before, withinMs: WITHIN_MS });
    };
    await seen('the index', async () => await direct('CREATE INDEX ON plain (leaves(a))'));
    await one.query('INSERT INTO plain VALUES (1)');
    await isKeptFrom(other, one, 'the index');
    await seen('the type', async () => await direct('ALTER TYPE foo ALTER ATTRIBUTE v TYPE checked'));
    await asSuperuser("CREATE ROLE before; ALTER ROLE before SET search_path = 'x'");
    await seen('the name', async () => await asSuperuser('ALTER ROLE before RENAME TO behind'));
    await asSuperuser('DROP ROLE behind');
  });
});

/** Two clients of one connection, of which the first makes what leaves something do so. */
async function armed(
  t: Parameters<typeof pair>[0],
  router: Parameters<typeof pair>[1],
): Promise<readonly [Client, Client]> {
  const [one, other] = await pair(t, router);
  await one.query("SET my.armed = 'on'");
  return [one, other];
}

/** The lock that the first client has left on the only connection keeps that from the other, until it is given back. */
async function isKeptFrom(other: Client, one: Client, what: string): Promise<void> {
  assert.equal(await codeOf(other.query('DELETE FROM source WHERE false')), '53300', what);
  assert.equal(await value(one, 'SELECT pg_advisory_unlock(77)'), true, `${what}: it has done nothing`);
  await one.query('SELECT pg_advisory_unlock_all()');
  assert.equal((await other.query('DELETE FROM source WHERE false')).command, 'DELETE', what);
}

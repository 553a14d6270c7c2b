/**
 * Prepared statements whose columns have changed under their client: PostgreSQL refuses them, so that nobody decodes rows by
 * an old description, and so must a router that prepares them anew elsewhere. Others are prepared anew without a word.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Bind, Describe, Execute, Parse, Query, Sync } from '../../src/wire/index.ts';
import { aServer } from '../support/one-server.ts';
import { aClient, aRouter } from '../support/router.ts';
import { WireClient } from '../support/wire-client.ts';

const RUN = [Bind({ portal: '', statement: 's' }), Execute('', 0), Sync()];
const REFUSED = '0A000 cached plan must not change result type';

/** Rows and errors, in short. */
async function said(client: WireClient, messages: readonly Buffer[]): Promise<readonly string[]> {
  const from = client.lines.length;
  client.send([...messages]);
  await client.answered();
  return client.lines.slice(from).flatMap((line) => {
    const error = /^ErrorResponse .*"code":"(\w+)","message":"([^"]*)"/.exec(line);
    if (error !== null) return [`${error[1]} ${error[2]}`];
    return line.startsWith('DataRow') ? [line.slice('DataRow '.length)] : [];
  });
}

test('columns that a client was told of', { timeout: 120_000 }, async (suite) => {
  const stage = await aServer(suite);
  const router = await aRouter(suite, stage, ['default_pool_size: 2']);

  const guest = async (t: TestContext): Promise<WireClient> => {
    const { host = '', port = 0 } = router.as();
    const client = await WireClient.connect({ host, port, user: 'app', password: 'app', database: 'app' });
    t.after(() => client.end());
    return client;
  };

  /** Holds each of the two connections in turn, so that what is between is run on the other. */
  const onEach = async (t: TestContext, work: () => Promise<void>): Promise<void> => {
    const first = await aClient(t, router.as());
    const second = await aClient(t, router.as());
    for (const client of [first, second]) await client.query('BEGIN READ WRITE; SELECT 1');
    await first.query('COMMIT');
    await work();
    await first.query('BEGIN READ WRITE; SELECT 1');
    await second.query('COMMIT');
    await work();
    await first.query('COMMIT');
    for (const client of [first, second]) await client.end();
  };

  const prepared = async (t: TestContext, text: string): Promise<WireClient> => {
    const client = await guest(t);
    await said(client, [
      Parse({ name: 's', sql: text, parameterTypes: [] }),
      Describe('statement', 's'),
      Sync(),
    ]);
    return client;
  };

  await suite.test('are not changed by what another client defines', async (t) => {
    const other = await aClient(t, router.as());
    await other.query('CREATE TABLE a (x int); INSERT INTO a VALUES (1)');
    const client = await prepared(t, 'SELECT * FROM a');
    await other.query('CREATE TABLE unrelated (x int)');
    await onEach(t, async () => assert.deepEqual(await said(client, RUN), ['"1"']));
    await other.query('ALTER TABLE a ADD y int DEFAULT 2');
    await onEach(t, async () => assert.deepEqual(await said(client, RUN), [REFUSED]));
    const errors = client.lines.filter((line) => line.startsWith('ErrorResponse'));
    assert.ok(
      errors.length > 1 && errors.every((line) => line.includes('"RevalidateCachedQuery"')),
      errors.join('; '),
    );
    assert.deepEqual(await said(client, [Query('BEGIN'), ...RUN]), [REFUSED]);
    assert.ok(client.lines.at(-1)?.endsWith('E'), client.lines.at(-1));
    await said(client, [Query('ROLLBACK')]);
    // A query ends what a Sync has not: the server reads over it.
    await onEach(t, async () => {
      const among = [...RUN.slice(0, 2), Query('SELECT 1'), Sync()];
      assert.deepEqual(await said(client, among), [REFUSED]);
      assert.deepEqual(await said(client, [Query('SELECT 5')]), ['"5"']);
    });
    // As a driver does then.
    const again = await prepared(t, 'SELECT * FROM a');
    await onEach(t, async () => assert.deepEqual(await said(again, RUN), ['"1" | "2"']));
  });

  await suite.test('are not changed by a search_path of its own', async (t) => {
    const other = await aClient(t, router.as());
    await other.query('CREATE TABLE b (x int, y int); INSERT INTO b VALUES (1, 100)');
    await other.query('CREATE SCHEMA s2; CREATE TABLE s2.b (y int, x int); INSERT INTO s2.b VALUES (100, 1)');
    const client = await prepared(t, 'SELECT * FROM b');
    assert.deepEqual(await said(client, RUN), ['"1" | "100"']);
    await said(client, [Query('SET search_path = s2')]);
    await onEach(t, async () => assert.deepEqual(await said(client, RUN), [REFUSED]));
    await said(client, [Query("SET search_path = public, 's2'")]);
    await onEach(t, async () => assert.deepEqual(await said(client, RUN), ['"1" | "100"']));
    await said(client, [Query('CREATE TEMP TABLE b (y int, x int)')]);
    assert.deepEqual(await said(client, RUN), [REFUSED]);
  });

  await suite.test('are not those of what the router has run ahead', async (t) => {
    const narrow = await aRouter(t, stage, ['default_pool_size: 1']);
    const { host = '', port = 0 } = narrow.as();
    const [client, other] = await Promise.all(
      ['a', 'b'].map(async () => {
        const each = await WireClient.connect({ host, port, user: 'app', password: 'app', database: 'app' });
        t.after(() => each.end());
        return each;
      }),
    );
    assert.ok(client !== undefined && other !== undefined);
    await said(client, [Query("SELECT set_config('work_mem', '7MB', false)")]);
    // The connection has the default again; the setting is put back in front of the next batch.
    assert.deepEqual(await said(other, [Query('SHOW work_mem')]), ['"4MB"']);
    const parse = Parse({ name: 's', sql: 'SELECT 42 AS a', parameterTypes: [] });
    await said(client, [parse, Sync()]);
    await said(client, [Query("SET TimeZone = 'Asia/Tokyo'")]);
    assert.deepEqual(await said(client, RUN), ['"42"']);
    await said(other, [parse, Sync()]);
    await said(other, [Query("SET TimeZone = 'Europe/Paris'")]);
    assert.deepEqual(await said(other, RUN), ['"42"']);
  });

  await suite.test('are told anew to one that asks for them', async (t) => {
    const other = await aClient(t, router.as());
    await other.query('CREATE TABLE c (x int); INSERT INTO c VALUES (1)');
    const client = await prepared(t, 'SELECT * FROM c');
    await said(client, RUN);
    const described = [Bind({ portal: '', statement: 's' }), Describe('portal', ''), Execute('', 0), Sync()];
    await other.query('ALTER TABLE c ADD y int DEFAULT 2');
    const seen = await said(client, described);
    assert.ok(seen.length === 1 && ['"1" | "2"', REFUSED].includes(seen[0] ?? ''), seen.join());
  });

  await suite.test('of what is dropped: the error is PostgreSQL’s', async (t) => {
    const other = await aClient(t, router.as());
    await other.query('CREATE TABLE d (x int)');
    const client = await prepared(t, 'SELECT * FROM d');
    await other.query('DROP TABLE d');
    await onEach(t, async () => assert.match((await said(client, RUN)).join(), /^42P01 relation /));
  });

  await suite.test('of a FETCH are those of its client’s cursor, and none where that is gone', async (t) => {
    const describes = [Describe('statement', 's'), Sync()];
    const columns = async (client: WireClient): Promise<string> => {
      const from = client.lines.length;
      client.send(describes);
      await client.answered();
      return client.lines.slice(from).find((line) => /^(RowDescription|NoData|Error)/.test(line)) ?? '';
    };
    const fetching = async (query: string): Promise<WireClient> => {
      const client = await guest(t);
      await said(client, [Query(`BEGIN READ WRITE; DECLARE c CURSOR FOR ${query}`)]);
      await said(client, [Parse({ name: 's', sql: 'FETCH 1 FROM c', parameterTypes: [] }), Sync()]);
      return client;
    };
    const one = await fetching('SELECT 1 AS only');
    const two = await fetching("SELECT 'x' AS b, 'y' AS c");
    assert.match(await columns(one), /only/);
    assert.match(await columns(two), / b:.* c:/);
    assert.deepEqual(await said(two, RUN), ['"x" | "y"']);
    for (const client of [one, two]) await said(client, [Query('COMMIT')]);
    // A server that is asked for the columns of its old copy ends itself and all sessions.
    for (const client of [one, two]) assert.match(await columns(client), /^NoData/);
    assert.match((await said(one, RUN)).join(), /^34000 /);
    assert.deepEqual(await said(two, [Query('SELECT 1')]), ['"1"']);
  });

  await suite.test('an unnamed FETCH or EXECUTE is nobody else’s', async (t) => {
    const unnamed = [Bind({ portal: '', statement: '' }), Execute('', 0), Sync()];
    // As many as there are server connections, and one more; a query by which they had one would end what is unnamed there.
    const others = [await guest(t), await guest(t), await guest(t)];
    for (const client of others) await said(client, [Query('PREPARE p AS SELECT 2')]);
    for (const sql of ['EXECUTE p', 'FETCH 1 FROM c', 'CLOSE c']) {
      const one = await guest(t);
      await said(one, [Query('PREPARE p AS SELECT 1')]);
      await said(one, [Parse({ name: '', sql, parameterTypes: [] }), Sync()]);
      for (const client of others) assert.match((await said(client, unnamed)).join(), /^26000 /, sql);
      await one.end();
    }
  });
});

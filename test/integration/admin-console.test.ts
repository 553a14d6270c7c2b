/** Real clients at the admin console, psql, node-postgres and postgres.js, and the console of a real PgBouncer beside it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, type ClientConfig, type QueryResult } from 'pg';
import postgres from 'postgres';
import { type AdminOrder, type OrderOutcome, SHOWN } from '../../src/admin/index.ts';
import { someFacts } from '../support/admin-facts.ts';
import { ADMIN_PASSWORD, type AdminServer, anAdminServer } from '../support/admin-server.ts';
import { eventually } from '../support/eventually.ts';
import { aPgBouncerConsole, hasPgBouncer } from '../support/pgbouncer.ts';
import { type Finished, runProgram } from '../support/program.ts';

const options = { timeout: 60_000 };

const atOnce = (_order: AdminOrder, done: (outcome: OrderOutcome) => void): void => done({ kind: 'done' });

async function psql(server: AdminServer, user: string, ...commands: readonly string[]): Promise<Finished> {
  const { host, port } = server;
  const args = ['-X', '-A', '-h', host, '-p', String(port), '-U', user, '-d', 'pgbouncer'];
  return await runProgram('psql', [...args, ...commands.flatMap((command) => ['-c', command])], {
    env: { PGPASSWORD: ADMIN_PASSWORD },
    timeoutMs: 10_000,
  });
}

async function connected(server: AdminServer, changes: ClientConfig = {}): Promise<Client> {
  const { host, port } = server;
  const client = new Client({
    host,
    port,
    user: 'ops',
    password: ADMIN_PASSWORD,
    database: 'matriarch',
    ...changes,
  });
  await client.connect();
  return client;
}

test('psql shows tables, orders, and is told what it did wrong', options, async (t) => {
  const orders: AdminOrder[] = [];
  const server = await anAdminServer(t, {
    facts: () => someFacts(),
    perform: (order, done) => {
      orders.push(order);
      done({ kind: 'done' });
    },
  });
  const shown = await psql(server, 'ops', 'SHOW POOLS;', 'show state', 'PAUSE app', 'SHOW HELP;');
  assert.equal(shown.code, 0, shown.stderr);
  assert.deepEqual(shown.stdout.split('\n'), [
    'database|user|cl_active|cl_waiting|cl_active_cancel_req|cl_waiting_cancel_req|sv_active|sv_active_cancel|sv_being_canceled|sv_idle|sv_used|sv_tested|sv_login|maxwait|maxwait_us|pool_mode|load_balance_hosts',
    'app|app|1|1|0|0|1|0|0|2|0|0|1|1|500250|transaction|',
    '(1 row)',
    'key|value',
    'active|yes',
    'paused|no',
    'suspended|no',
    '(3 rows)',
    'PAUSE',
    'SHOW',
    '',
  ]);
  assert.deepEqual(orders, [{ kind: 'pause', database: 'app' }]);
  assert.match(shown.stderr, /^NOTICE: {2}Console usage\nDETAIL: {2}\n\tSHOW HELP\|/);
  const wrong = await psql(server, 'ops', 'SELECT * FROM pg_class');
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /ERROR: {2}invalid command 'SELECT \* FROM pg_class', use SHOW HELP;/);
});

test('who may only look is refused orders, and a stranger is refused whole', options, async (t) => {
  const server = await anAdminServer(t, { facts: () => someFacts(), perform: atOnce });
  const looking = await psql(server, 'monitoring', 'SHOW VERSION', 'KILL');
  assert.match(looking.stdout, /Matriarch 0\.1\.0/);
  assert.match(looking.stderr, /ERROR: {2}admin access needed/);
  const stranger = await psql(server, 'app', 'SHOW VERSION');
  assert.equal(stranger.code, 2);
  assert.match(stranger.stderr, /FATAL: {2}not allowed/);
  assert.deepEqual(server.refused, ['42501']);
  await eventually('nobody is connected any more', () => server.connections.size, {
    holds: (size) => size === 0,
    withinMs: 5000,
  });
});

test(
  'node-postgres reads every table alike in the simple, extended and prepared protocol',
  options,
  async (t) => {
    const server = await anAdminServer(t, { facts: () => someFacts(), perform: atOnce });
    const client = await connected(server);
    for (const name of SHOWN) {
      const text = `SHOW ${name}`;
      const simple: QueryResult = await client.query(text);
      assert.equal(simple.command, 'SHOW');
      assert.ok(simple.fields.length > 0);
      for (const query of [
        { text, queryMode: 'extended' },
        { text, name },
        { text, name },
      ]) {
        const { rows, fields }: QueryResult = await client.query(query);
        assert.deepEqual(rows, simple.rows, text);
        assert.deepEqual(fields, simple.fields, text);
      }
    }
    await client.end();
  },
);

test('postgres.js, which prepares everything, shows and orders', options, async (t) => {
  const orders: AdminOrder[] = [];
  const server = await anAdminServer(t, {
    facts: () => someFacts(),
    perform: (order, done) => {
      orders.push(order);
      setImmediate(done, { kind: 'done' });
    },
  });
  const { host, port } = server;
  // It would ask the catalog for arrays first, and here is no catalog.
  const sql = postgres({
    host,
    port,
    user: 'ops',
    password: ADMIN_PASSWORD,
    database: 'pgbouncer',
    max: 1,
    fetch_types: false,
  });
  t.after(() => sql.end());
  const pools = await sql.unsafe('SHOW POOLS', [], { prepare: true });
  assert.deepEqual(pools[0]?.['sv_idle'], 2);
  const stats = await sql`SHOW STATS`;
  assert.equal(stats[0]?.['total_query_count'], '1200');
  const paused = await sql`PAUSE app`;
  assert.equal(paused.command, 'PAUSE');
  assert.deepEqual(orders, [{ kind: 'pause', database: 'app' }]);
  await assert.rejects(async () => await sql`PAUSE pgbouncer`, { code: '0A000' });
  assert.equal((await sql`SHOW STATE`).length, 3);
});

test('who waits for an order can give up, and the connection is as good as before', options, async (t) => {
  let isWaitedFor = false;
  const server = await anAdminServer(t, {
    facts: () => someFacts(),
    perform: () => {
      isWaitedFor = true;
    },
  });
  const client = await connected(server);
  const waiting = assert.rejects(client.query('PAUSE'), { code: '57014' });
  await eventually('the order is given', () => isWaitedFor, { holds: Boolean, withinMs: 5000 });
  for (const connection of server.connections.values()) connection.cancel(() => undefined);
  await waiting;
  const { rows }: QueryResult = await client.query('SHOW STATE');
  assert.equal(rows.length, 3);
  await client.end();
});

test('a client that breaks the protocol is told so and cut', options, async (t) => {
  const server = await anAdminServer(t, { facts: () => someFacts(), perform: atOnce });
  const client = await connected(server);
  client.on('error', () => {});
  const failed = new Promise((resolve) => client.once('error', resolve));
  await assert.rejects(client.query(`SHOW ${'x'.repeat(70_000)}`), { code: '08P01' });
  await failed;
  assert.deepEqual(server.refused, ['08P01']);
});

const compared = { ...options, skip: hasPgBouncer ? false : 'no pgbouncer on this machine' };

/** Names that PgBouncer has changed since the release that Debian has. */
const RENAMED: Readonly<Record<string, string>> = { reserve_pool: 'reserve_pool_size' };

async function columnsAt(client: Client, text: string) {
  const { fields }: QueryResult = await client.query(text);
  return fields.map(({ name, dataTypeID, dataTypeSize }) => ({
    name: RENAMED[name] ?? name,
    dataTypeID,
    dataTypeSize,
  }));
}

async function firsts(client: Client, text: string): Promise<readonly unknown[]> {
  const { rows }: QueryResult<Record<string, unknown>> = await client.query(text);
  return rows.map((row) => Object.values(row)[0]);
}

test(
  'columns and their types are those of a real PgBouncer, in its order, and newer ones',
  compared,
  async (t) => {
    const server = await anAdminServer(t, { facts: () => someFacts(), perform: atOnce });
    const [ours, theirs] = [await connected(server), await aPgBouncerConsole(t)];
    const names =
      'POOLS CLIENTS SERVERS SOCKETS ACTIVE_SOCKETS DATABASES STATS STATS_TOTALS STATS_AVERAGES TOTALS LISTS CONFIG USERS VERSION MEM DNS_HOSTS DNS_ZONES';
    for (const name of names.split(' ')) {
      const expected = await columnsAt(theirs, `SHOW ${name}`);
      const known = new Set(expected.map((column) => column.name));
      const found = (await columnsAt(ours, `SHOW ${name}`)).filter((column) => known.has(column.name));
      assert.ok(expected.length > 0);
      assert.deepEqual(found, expected, name);
    }
    await ours.end();
  },
);

test('lists and totals have PgBouncer’s rows; tags and errors are its own', compared, async (t) => {
  const server = await anAdminServer(t, { facts: () => someFacts(), perform: atOnce });
  const [ours, theirs] = [await connected(server), await aPgBouncerConsole(t)];
  for (const text of ['SHOW LISTS', 'SHOW TOTALS']) {
    const expected = await firsts(theirs, text);
    const found = await firsts(ours, text);
    assert.deepEqual(
      found.filter((each) => expected.includes(each)),
      expected,
      text,
    );
  }
  for (const text of ['RELOAD', 'DISABLE app', 'ENABLE app', 'RECONNECT', 'PAUSE app', 'SHOW timezone']) {
    const { command }: QueryResult = await theirs.query(text);
    const { command: ourCommand }: QueryResult = await ours.query(text);
    assert.equal(ourCommand, command, text);
  }
  for (const text of ['foo', 'SHOW', 'RESUME nodb', 'KILL nodb', 'DISABLE', 'PAUSE pgbouncer']) {
    const expected: unknown = await theirs.query(text).catch((cause: unknown) => cause);
    assert.ok(expected instanceof Error, text);
    await assert.rejects(ours.query(text), { message: expected.message }, text);
  }
  await ours.end();
});

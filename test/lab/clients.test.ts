/** Real clients through the routers, side by side with the same against PostgreSQL directly. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import postgres from 'postgres';
import { ACCOUNTS, inspectMachine } from '../../src/lab/index.ts';
import { matriarch } from '../support/command.ts';
import { placeForLab, type TestLab } from '../support/lab.ts';
import { type Finished, runProgram } from '../support/program.ts';

let lab: TestLab;
let binDir: string;

before(async () => {
  lab = await placeForLab();
  await lab.verb('up', '--base-octet', String(lab.baseOctet));
  binDir = (await inspectMachine(0, process.env['PATH'] ?? '')).binDir;
  const made = await bench(router(0), ['-i', '-q', '-s', '1']);
  assert.equal(made.code, 0, made.stderr);
});
after(() => lab.end());

const { username, password, database } = ACCOUNTS.application;

interface Place {
  readonly host: string;
  readonly port: number;
}

const router = (index: 0 | 1 | 2): Place => lab.layout.appHosts[index].router;
/** The first server is the first primary. */
const direct = (): Place => lab.layout.dbHosts[0].postgres;

async function bench(place: Place, args: readonly string[]): Promise<Finished> {
  const connection = ['-h', place.host, '-p', String(place.port), '-U', username];
  return await runProgram(join(binDir, 'pgbench'), [...args, ...connection, database], {
    env: { PGPASSWORD: password },
    timeoutMs: 120_000,
  });
}

async function psql(
  place: Place,
  args: readonly string[],
  user: string = username,
  secret: string = password,
  db: string = database,
): Promise<Finished> {
  const connection = ['-X', '-h', place.host, '-p', String(place.port), '-U', user, '-d', db];
  return await runProgram('psql', [...connection, ...args], {
    env: { PGPASSWORD: secret },
    timeoutMs: 60_000,
  });
}

for (const mode of ['simple', 'extended', 'prepared']) {
  test(`pgbench -M ${mode} -c 32 runs select-only and TPC-B without a failed transaction`, async (t) => {
    for (const script of ['select-only', 'tpcb-like']) {
      for (const place of [router(0), router(1), router(2), direct()]) {
        const run = await bench(place, ['-n', '-M', mode, '-b', script, '-c', '32', '-j', '2', '-T', '2']);
        const label = `${mode} ${script} at ${place.host}`;
        assert.equal(run.code, 0, `${label}: ${run.stderr}`);
        assert.match(run.stdout, /number of failed transactions: 0 /, label);
        t.diagnostic(`${label}: ${/tps = [\d.]+/.exec(run.stdout)?.[0] ?? 'no tps'}`);
      }
    }
    // TPC-B keeps the sums of its tables equal, whichever way the transactions came.
    const sums = await psql(router(1), [
      '-Atc',
      'BEGIN; SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history); COMMIT',
    ]);
    assert.equal(
      sums.stdout.split('\n').find((line) => line.includes('|')),
      't|t',
    );
  });
}

test('psql prints the same through a router as from PostgreSQL', async () => {
  const scripts = [
    "SELECT 1 AS one, NULL AS nothing, repeat('x', 20000) AS long",
    'SELECT * FROM generate_series(1, 1000) AS n',
    'BEGIN; CREATE TABLE t_psql (a int); INSERT INTO t_psql VALUES (1), (2); SELECT sum(a) FROM t_psql; ROLLBACK',
    'SELECT 1/0',
    'SELECT * FROM no_such_table',
    'SELEC 1',
    "SET TimeZone TO 'Europe/Bucharest'; SHOW TimeZone",
    'COPY (SELECT g FROM generate_series(1, 5) g) TO STDOUT',
    'CREATE TEMP TABLE t_temp (a int); INSERT INTO t_temp VALUES (7); SELECT a FROM t_temp',
    'SELECT 1; SELECT 2; SELECT 3',
    "DO $$ BEGIN RAISE NOTICE 'seen'; END $$",
    '\\d pgbench_accounts',
    '',
  ];
  for (const script of scripts) {
    for (const args of [
      ['-c', script],
      ['-1', '-c', script],
    ]) {
      const expected = await psql(direct(), args);
      const got = await psql(router(0), args);
      assert.deepEqual(got, expected, script);
    }
  }
});

test('node-postgres: types, parameters, prepared statements, transactions, errors, a pool, notifications', async () => {
  const answers = [];
  for (const place of [direct(), router(2)]) answers.push(await withNodePostgres(place));
  assert.deepEqual(answers[1], answers[0]);
});

async function withNodePostgres(place: Place): Promise<unknown[]> {
  const pool = new pg.Pool({
    host: place.host,
    port: place.port,
    user: username,
    password,
    database,
    max: 5,
    connectionTimeoutMillis: 10_000,
  });
  const seen: unknown[] = [];
  try {
    seen.push(
      (
        await pool.query(
          "SELECT 1::int8 AS a, 2.5::numeric AS b, '{1,2}'::int[] AS c, now() IS NOT NULL AS d, '\\x01ff'::bytea AS e",
        )
      ).rows,
    );
    const named = (id: number): Promise<pg.QueryResult> =>
      pool.query({
        name: 'by-id',
        text: 'SELECT abalance IS NOT NULL AS found FROM pgbench_accounts WHERE aid = $1',
        values: [id],
      });
    seen.push(
      (await Promise.all(Array.from({ length: 200 }, (_, index) => named(index + 1)))).map(
        ({ rows }) => rows as unknown,
      ),
    );
    const client = await pool.connect();
    const heard: unknown[] = [];
    client.on('notification', ({ channel, payload }) => heard.push([channel, payload]));
    await client.query('LISTEN news');
    await client.query("NOTIFY news, 'hello'");
    await client.query('SELECT 1');
    seen.push(heard);
    await client.query('BEGIN');
    await client.query('CREATE TEMP TABLE t_pg (a int) ON COMMIT DROP');
    seen.push(
      await client
        .query('INSERT INTO t_pg SELECT generate_series(1, 10) RETURNING a')
        .then(({ rowCount }) => rowCount),
    );
    seen.push(
      await client
        .query('SELECT 1/0')
        .catch((cause: unknown) => (cause instanceof pg.DatabaseError ? cause.code : cause)),
    );
    seen.push(
      await client
        .query('SELECT 1')
        .catch((cause: unknown) => (cause instanceof pg.DatabaseError ? cause.code : cause)),
    );
    await client.query('ROLLBACK');
    seen.push((await client.query('SELECT 42 AS answer')).rows);
    client.release();
  } finally {
    await pool.end();
  }
  return seen;
}

test('postgres.js: tagged queries, pipelining, transactions, cursors, errors', async () => {
  const answers = [];
  for (const place of [direct(), router(1)]) answers.push(await withPostgresJs(place));
  assert.deepEqual(answers[1], answers[0]);
});

async function withPostgresJs(place: Place): Promise<unknown[]> {
  const sql = postgres({
    host: place.host,
    port: place.port,
    username,
    password,
    database,
    max: 3,
    connect_timeout: 10,
    onnotice: () => {},
  });
  const seen: unknown[] = [];
  try {
    seen.push([...(await sql`SELECT ${42}::int AS answer, ${'text'} AS words, ${[1, 2]}::int[] AS list`)]);
    const many = await Promise.all(Array.from({ length: 100 }, (_, index) => sql`SELECT ${index}::int AS n`));
    seen.push(many.map((rows) => [...rows]));
    seen.push(
      await sql.begin(async (inside) => {
        await inside`CREATE TEMP TABLE t_js (a int) ON COMMIT DROP`;
        await inside`INSERT INTO t_js SELECT generate_series(1, 5)`;
        return [...(await inside`SELECT sum(a)::int AS total FROM t_js`)];
      }),
    );
    const chunks: number[] = [];
    await sql`SELECT * FROM generate_series(1, 25) AS n`.cursor(10, (rows) => {
      chunks.push(rows.length);
    });
    seen.push(chunks);
    seen.push(
      await sql`SELECT * FROM nowhere`.catch((cause: unknown) =>
        cause instanceof postgres.PostgresError ? cause.code : cause,
      ),
    );
  } finally {
    await sql.end({ timeout: 5 });
  }
  return seen;
}

test('a wrong password, an unknown user and an unknown database read as from PostgreSQL', async () => {
  const cases = [
    ['app', 'wrong', 'app', /password authentication failed for user "app"/],
    ['nobody', 'app', 'app', /password authentication failed for user "nobody"/],
    ['app', 'app', 'nowhere', /database "nowhere" does not exist/],
  ] as const;
  for (const [user, secret, db, said] of cases) {
    const run = await psql(router(0), ['-c', 'SELECT 1'], user, secret, db);
    assert.equal(run.code, 2);
    assert.match(run.stderr, said);
    const wanted = await psql(direct(), ['-c', 'SELECT 1'], user, secret, db);
    const [got, expected] = [run, wanted].map(({ stderr }) => stderr.slice(stderr.indexOf('FATAL')));
    assert.equal(got, expected);
  }
});

test('status shows three members, and a planned switchover costs no client an error', async () => {
  const errors: unknown[] = [];
  const done = new AbortController();
  let count = 0;
  const writer = async (index: 0 | 1 | 2): Promise<void> => {
    const client = new pg.Client({
      ...router(index),
      user: username,
      password,
      database,
      connectionTimeoutMillis: 10_000,
    });
    client.on('error', (cause) => errors.push(cause));
    await client.connect();
    await client
      .query('CREATE TABLE IF NOT EXISTS t_switch (id int)')
      .catch((cause: unknown) => errors.push(cause));
    while (!done.signal.aborted) {
      await client.query('INSERT INTO t_switch VALUES (1)').catch((cause: unknown) => errors.push(cause));
      count += 1;
    }
    await client.end();
  };
  const config = join(lab.folder, 'hosts', 'db-sib-01', 'matriarch.yaml');
  const command = async (...args: readonly string[]): Promise<{ readonly primary: string }> => {
    const { status, out, err } = await matriarch([...args, '--json', '--config', config], { cwd: tmpdir() });
    assert.equal(status, 0, out + err);
    const parsed: { readonly primary: string } = JSON.parse(out);
    return parsed;
  };
  const { primary } = await command('status');
  const candidate = primary === 'db-sib-03' ? 'db-sib-01' : 'db-sib-03';
  const writing = writer(0);
  await command('switchover', '--candidate', candidate);
  done.abort();
  await writing;
  assert.equal((await command('status')).primary, candidate);
  assert.ok(count > 0);
  // A write whose answer the stop of the old primary cut off is in doubt and told so; nothing else may be seen.
  assert.deepEqual(
    errors.filter((cause) => !(cause instanceof pg.DatabaseError && cause.code === '08007')),
    [],
  );
});

test('a second lab on the same addresses is refused before anything is made', async () => {
  const other = await placeForLab();
  const { status, err } = await other.run('up', '--base-octet', String(lab.baseOctet));
  await other.end();
  assert.equal(status, 3);
  assert.match(err, /the lab's addresses are taken: .*PostgreSQL of db-sib-01.* and 15 more/);
  assert.match(err, /--base-octet/);
});

/** The router before real servers: logging in, routing, the protocol. What happens when servers go: router-failover.test.ts. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import postgres from 'postgres';
import { z } from 'zod';
import { MatriarchError, silentLog, systemClock } from '../../src/base/index.ts';
import { startRouter } from '../../src/router/index.ts';
import { readErrorFields, SSLRequest, StartupMessage } from '../../src/wire/index.ts';
import { eventually } from '../support/eventually.ts';
import { BIN_DIR } from '../support/postgres.ts';
import { sql } from '../support/sql.ts';
import { aClient, aRouter, aStage, routerConfig } from '../support/router.ts';

async function run(command: string, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

/** What `work` is refused with. */
async function refusal(
  work: () => Promise<unknown>,
): Promise<{ code: unknown; message: string; severity: unknown }> {
  try {
    await work();
  } catch (cause) {
    assert(cause instanceof Error);
    const code = 'code' in cause ? cause.code : undefined;
    const severity = 'severity' in cause ? cause.severity : undefined;
    return { code, message: cause.message, severity };
  }
  throw new Error('nothing was refused');
}

const wrongPassword = (user: string) => `password authentication failed for user "${user}"`;

test('the router before real servers', { timeout: 120_000 }, async (suite) => {
  const stage = await aStage(suite);
  // On a busy machine, too, a read waits until its node is known to have all rather than going elsewhere.
  const router = await aRouter(suite, stage, ['read_wait: 5s']);
  await sql(stage.nodes.n1, 'CREATE TABLE t (id int PRIMARY KEY, v text)', {
    user: 'app',
    password: 'app',
    database: 'app',
  });

  /** Counts since `before`. */
  const counted = async (work: () => Promise<unknown>) => {
    const earlier = await router.counts();
    await work();
    const later = await router.counts();
    return Object.fromEntries(
      Object.entries(later).map(([name, { reads, writes }]) => [
        name,
        [reads - (earlier[name]?.reads ?? 0), writes - (earlier[name]?.writes ?? 0)],
      ]),
    );
  };

  await suite.test('psql logs in with SCRAM and reads', async () => {
    const { code, output } = await run(
      join(BIN_DIR, 'psql'),
      ['-X', '-At', '-h', router.host, '-U', 'app', 'app', '-c', 'SELECT 40 + 2'],
      { PGPASSWORD: 'app' },
    );
    assert.deepEqual({ code, output }, { code: 0, output: '42\n' });
  });

  await suite.test('a wrong password and an unknown user get the same answer', async (t) => {
    const wrong = await refusal(() => aClient(t, router.as({ password: 'nope' })));
    const unknown = await refusal(() => aClient(t, router.as({ user: 'nobody' })));
    assert.deepEqual(wrong, { code: '28P01', message: wrongPassword('app'), severity: 'FATAL' });
    assert.deepEqual(unknown, { code: '28P01', message: wrongPassword('nobody'), severity: 'FATAL' });
  });

  await suite.test('a password that was changed is known at the second try at the latest', async (t) => {
    await sql(stage.nodes.n1, "CREATE ROLE changing LOGIN PASSWORD 'one'");
    await eventually(
      'the new role can log in',
      async () =>
        await aClient(t, router.as({ user: 'changing', password: 'one' })).then(
          () => 'in',
          (cause: unknown) => String(cause),
        ),
      { holds: (seen) => seen === 'in', withinMs: 5000 },
    );
    await sql(stage.nodes.n1, "ALTER ROLE changing PASSWORD 'two'");
    await eventually(
      'the new password works',
      async () =>
        await aClient(t, router.as({ user: 'changing', password: 'two' })).then(
          () => 'in',
          (cause: unknown) => String(cause),
        ),
      { holds: (seen) => seen === 'in', withinMs: 5000 },
    );
  });

  await suite.test('an unknown database is refused by the server, in its words', async (t) => {
    assert.deepEqual(await refusal(() => aClient(t, router.as({ database: 'nowhere' }))), {
      code: '3D000',
      message: 'database "nowhere" does not exist',
      severity: 'FATAL',
    });
  });

  await suite.test('a port that is taken is one clear error', async () => {
    const config = routerConfig(stage, router.host);
    const options = { config, datacenter: 'dc1', dcs: stage.dcs, clock: systemClock, log: silentLog };
    await assert.rejects(
      startRouter({ ...options, signal: new AbortController().signal }),
      (cause) => cause instanceof MatriarchError && cause.code === 'address-in-use',
    );
  });

  await suite.test(
    'reads are spread 10 to 1 to 1 from this datacenter, over all clients together',
    async (t) => {
      const clients = await Promise.all([1, 2, 3].map(() => aClient(t, router.as())));
      const seen = await counted(async () => {
        for (let round = 0; round < 80; round += 1)
          for (const client of clients) await client.query('SELECT 1');
      });
      assert.deepEqual(seen, { n1: [200, 0], n2: [20, 0], n3: [20, 0] });
    },
  );

  await suite.test('writes, and transactions that may write, go to the primary', async (t) => {
    const client = await aClient(t, router.as());
    const seen = await counted(async () => {
      await client.query("INSERT INTO t VALUES (1, 'one')");
      await client.query('BEGIN');
      await client.query('SELECT * FROM t');
      await client.query("UPDATE t SET v = 'uno'");
      await client.query('COMMIT');
    });
    assert.deepEqual(seen, { n1: [0, 4], n2: [0, 0], n3: [0, 0] });
  });

  await suite.test('a READ ONLY transaction stays on one node and refuses writes', async (t) => {
    const client = await aClient(t, router.as());
    for (let round = 0; round < 12; round += 1) {
      await client.query('BEGIN READ ONLY');
      const { code } = await refusal(() => client.query("INSERT INTO t VALUES (9, 'nine')"));
      assert.equal(code, '25006');
      assert.equal((await refusal(() => client.query('SELECT 1'))).code, '25P02');
      await client.query('ROLLBACK');
    }
    assert.equal((await client.query('SELECT count(*)::int AS n FROM t WHERE id = 9')).rows[0].n, 0);
  });

  await suite.test('a named prepared statement works on every node', async (t) => {
    const client = await aClient(t, router.as());
    const seen = await counted(async () => {
      for (let n = 0; n < 48; n += 1) {
        const { rows } = await client.query({ name: 'twice', text: 'SELECT $1::int * 2 AS v', values: [n] });
        assert.deepEqual(rows, [{ v: n * 2 }]);
      }
    });
    // How many each is a matter of time: a node that has not replayed what this session was shown is passed over.
    const counts = Object.values(seen);
    assert.ok(
      counts.every(([reads = 0, writes]) => reads > 0 && writes === 0),
      JSON.stringify(seen),
    );
    assert.equal(
      counts.reduce((sum, [reads = 0]) => sum + reads, 0),
      48,
    );
  });

  await suite.test('settings follow the client to every node, and nobody else', async (t) => {
    const client = await aClient(t, router.as());
    const other = await aClient(t, router.as());
    await client.query("SET application_name = 'one'; SET work_mem = '5MB'");
    await client.query("SET application_name = 'two'");
    const names = new Set<string>();
    for (let n = 0; n < 13; n += 1) {
      const { rows } = await client.query(
        "SELECT current_setting('application_name') || current_setting('work_mem') AS v",
      );
      names.add(rows[0].v);
    }
    assert.deepEqual([...names], ['two5MB']);
    for (let n = 0; n < 13; n += 1) {
      const { rows } = await other.query("SELECT current_setting('application_name') AS v");
      assert.equal(rows[0].v, '');
    }
  });

  await suite.test('temporary tables stay reachable: the session keeps to the primary', async (t) => {
    const client = await aClient(t, router.as());
    await client.query('CREATE TEMP TABLE mine (v int)');
    await client.query('INSERT INTO mine VALUES (7)');
    for (let n = 0; n < 13; n += 1) assert.equal((await client.query('SELECT v FROM mine')).rows[0].v, 7);
  });

  await suite.test('an error in a batch leaves the connection in step', async (t) => {
    const client = await aClient(t, router.as());
    assert.equal((await refusal(() => client.query('SELECT $1::int / 0', [1]))).code, '22012');
    assert.equal(
      (await refusal(() => client.query({ name: 'bad', text: 'SELECT nothing FROM nowhere' }))).code,
      '42P01',
    );
    assert.equal(
      (await refusal(() => client.query({ name: 'bad', text: 'SELECT nothing FROM nowhere' }))).code,
      '42P01',
    );
    assert.deepEqual((await client.query('SELECT $1::int AS v', [5])).rows, [{ v: 5 }]);
  });

  await suite.test(
    'postgres.js works: pipelined queries, transactions, COPY in both directions',
    async () => {
      const db = postgres({
        host: router.host,
        port: 5432,
        user: 'app',
        password: 'app',
        database: 'app',
        max: 2,
      });
      try {
        const answers = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => db`SELECT ${n}::int AS v`));
        assert.deepEqual(
          answers.map((rows) => rows[0]?.['v']),
          [1, 2, 3, 4, 5, 6],
        );
        await db.begin(async (tx) => {
          await tx`INSERT INTO t VALUES (100, 'a'), (101, 'b')`;
          assert.equal((await tx`SELECT count(*)::int AS n FROM t WHERE id >= 100`)[0]?.['n'], 2);
        });
        const sink = await db`COPY t FROM STDIN`.writable();
        await new Promise<void>((resolve, reject) => {
          sink.on('finish', resolve).on('error', reject);
          for (let id = 200; id < 2200; id += 1) sink.write(`${id}\t${'x'.repeat(200)}\n`);
          sink.end();
        });
        let copied = '';
        for await (const chunk of await db`COPY (SELECT id FROM t WHERE id >= 200 ORDER BY id) TO STDOUT`.readable()) {
          copied += String(chunk);
        }
        assert.equal(copied.trim().split('\n').length, 2000);
        await assert.rejects(db`SELECT 1/0`, { code: '22012' });
      } finally {
        await db.end();
      }
    },
  );

  await suite.test('psql copies in and out', async () => {
    const psql = (text: string) =>
      run(join(BIN_DIR, 'psql'), ['-X', '-At', '-h', router.host, '-U', 'app', 'app', '-c', text], {
        PGPASSWORD: 'app',
      });
    const folder = await run(
      'bash',
      [
        '-c',
        `printf '9001\\tnine\\n9002\\tten\\n' | ${BIN_DIR}/psql -X -h ${router.host} -U app app -c 'COPY t FROM STDIN' -c 'SELECT count(*) FROM t WHERE id > 9000'`,
      ],
      { PGPASSWORD: 'app' },
    );
    assert.match(folder.output, /COPY 2/);
    assert.deepEqual((await psql('COPY (VALUES (1), (2)) TO STDOUT')).output, '1\n2\n');
  });

  await suite.test('a client can cancel its own statement, and with a wrong key nobody’s', async (t) => {
    const client = await aClient(t, router.as());
    const sleeping = refusal(() => client.query('SELECT pg_sleep(15)'));
    const child = z.object({ processID: z.number(), secretKey: z.number() }).parse(client);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const cancel = (key: number) =>
      new Promise<void>((resolve) => {
        const bytes = Buffer.alloc(16);
        [16, 80877102, child.processID, key].forEach((word, index) =>
          bytes.writeInt32BE(word | 0, index * 4),
        );
        const socket = connect(5432, router.host, () => socket.end(bytes));
        socket.on('close', () => resolve()).resume();
      });
    await cancel(child.secretKey ^ 1);
    await cancel(child.secretKey);
    assert.equal((await sleeping).code, '57014');
    assert.deepEqual((await client.query('SELECT 1 AS v')).rows, [{ v: 1 }]);
  });

  await suite.test('encryption is declined, and bytes sent ahead of that are refused', async () => {
    const parameters: [string, string][] = [
      ['user', 'app'],
      ['database', 'app'],
    ];
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const socket = connect(5432, router.host, () =>
        socket.write(Buffer.concat([SSLRequest(), StartupMessage(parameters)])),
      );
      let bytes = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
      });
      socket.on('close', () => resolve(bytes)).on('error', reject);
    });
    assert.equal(answer.toString('latin1', 0, 1), 'N');
    const { code, message } = readErrorFields(answer.subarray(1));
    assert.deepEqual([code, message], ['08P01', 'received unencrypted data after SSL request']);
  });

  await suite.test('pgbench runs in all its modes', async () => {
    const { host } = router;
    const pgbench = (...args: string[]) =>
      run(join(BIN_DIR, 'pgbench'), ['-h', host, '-U', 'app', ...args, 'app'], { PGPASSWORD: 'app' });
    assert.equal((await pgbench('-i', '-q', '-s', '1')).code, 0);
    for (const mode of ['simple', 'extended', 'prepared']) {
      for (const script of ['-S', '-N']) {
        const { code, output } = await pgbench('-n', '-M', mode, script, '-c', '8', '-t', '20');
        assert.equal(code, 0, output);
        assert.match(output, /160\/160/);
      }
    }
  });

  await suite.test('one client too many is refused with 53300, and only that one', async (t) => {
    const small = await aRouter(t, stage, ['max_client_conn: 2']);
    const clients = [await aClient(t, small.as()), await aClient(t, small.as())];
    assert.equal((await refusal(() => aClient(t, small.as()))).code, '53300');
    for (const client of clients) assert.deepEqual((await client.query('SELECT 1 AS v')).rows, [{ v: 1 }]);
    await clients[0]?.end();
    await eventually(
      'there is room again',
      async () => await aClient(t, small.as()).then(() => 'in', String),
      {
        holds: (seen) => seen === 'in',
        withinMs: 2000,
      },
    );
  });

  await suite.test('metrics and health tell what happens', async () => {
    const metrics = await (await fetch(`${router.http}/metrics`)).text();
    assert.match(
      metrics,
      /matriarch_router_statements_total\{member="n1",datacenter="dc1",kind="read"\} \d+/,
    );
    assert.match(metrics, /matriarch_router_primary_known 1/);
    assert.match(metrics, /matriarch_router_routed_total\{kind="write",because="changes-data"\} \d+/);
    assert.equal((await fetch(`${router.http}/healthz`)).status, 200);
  });
});

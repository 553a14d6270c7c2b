/** Messages of clients that are too long to be held: through a router of its own process, whose memory is looked at. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { describe } from '../../src/base/index.ts';
import { Bind, Execute, FRONTEND, Parse, Query, Sync } from '../../src/wire/index.ts';
import { aSelfSigned, giveTo } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { freshLoopback } from '../support/loopback.ts';
import { aServer } from '../support/one-server.ts';
import type { TestMember } from '../support/postgres.ts';
import { sql } from '../support/sql.ts';
import { scratchFolder } from '../support/scratch.ts';
import { aTlsTunnel } from '../support/tls-tunnel.ts';
import { WireClient } from '../support/wire-client.ts';

const MB = 1024 * 1024;
const AS_APP = { user: 'app', password: 'app', database: 'app' };
const TRUST = { pg_hba: ['host all app 127.0.0.0/8 trust', 'host all postgres 127.0.0.0/8 trust'] };
/** What a router may grow by, however long the message. */
const GROWTH_BYTES_MAX = 96 * MB;
const SLOW_MS = 60_000;
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-subj', '/CN=both'];

interface Place {
  readonly host: string;
  readonly port: number;
}

/** A router in a process of its own, in front of the one server. */
async function aRouterProcess(
  t: TestContext,
  server: TestMember,
  line = '',
): Promise<Place & { pid: number }> {
  const host = freshLoopback();
  const folder = await scratchFolder(t);
  const path = join(folder, 'matriarch.yaml');
  const { host: node, port } = server.address;
  await writeFile(
    path,
    `scope: test
name: app1
datacenter: dc1
nodes:
  - { name: n1, address: "${node}:${port}" }
router:
  listen: "${host}:5432"
  http_listen: "${host}:8009"
  auth_type: trust
${line}
`,
  );
  const child: ChildProcess = spawn(
    process.execPath,
    [join(process.cwd(), 'bin', 'matriarch'), 'router', '--config', path],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  t.after(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  await eventually(
    'the router is ready',
    async () => {
      if (child.exitCode !== null) throw new Error(said);
      return await fetch(`http://${host}:8009/readyz`).then(({ status }) => String(status), describe);
    },
    { holds: (seen) => seen === '200', withinMs: 15_000 },
  );
  return { host, port: 5432, pid: child.pid ?? 0 };
}

const rssBytes = async (pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
};

const connected = async (t: TestContext, { host, port }: Place): Promise<WireClient> => {
  const client = await WireClient.connect({ host, port, ...AS_APP });
  t.after(() => client.destroy());
  return client;
};

/** Sends a value of `bytes` as a parameter, a piece at a time: nobody holds all of it. */
async function sendLongBind(client: WireClient, statement: string, bytes: number): Promise<void> {
  const piece = Buffer.alloc(MB, 'x');
  const whole = Bind({ portal: '', statement, parameterFormats: [1], parameters: [Buffer.alloc(0)] });
  // Up to the length of the value; behind it is the number of result formats.
  const head = whole.subarray(0, whole.length - 2);
  head.writeInt32BE(whole.length - 1 + bytes, 1);
  head.writeInt32BE(bytes, head.length - 4);
  await client.sendRaw(head);
  for (let sent = 0; sent < bytes; sent += piece.length) {
    await client.sendRaw(piece.subarray(0, Math.min(piece.length, bytes - sent)));
  }
  await client.sendRaw(Buffer.from([0, 0]));
}

const LENGTH_OF = { sql: 'SELECT length($1)', parameterTypes: [17] };

test('a Bind of 100 MB goes through a router that does not hold it', { timeout: 120_000 }, async (t) => {
  const { server } = await aServer(t, TRUST);
  const router = await aRouterProcess(t, server);
  const client = await connected(t, router);
  client.send([Query('SELECT 1')]);
  assert.ok(await client.answered());
  const before = await rssBytes(router.pid, 'VmRSS');
  client.send([Parse({ name: 's', ...LENGTH_OF })]);
  const size =
    Number(process.env['LONG_MESSAGE_MB'] ?? '100') * MB - (process.env['LONG_MESSAGE_MB'] ? 64 : 0);
  const startedAt = performance.now();
  await sendLongBind(client, 's', size);
  client.send([Execute('', 0), Sync()]);
  assert.ok(await client.answered(SLOW_MS));
  const seconds = (performance.now() - startedAt) / 1000;
  const grown = (await rssBytes(router.pid, 'VmHWM')) - before;
  t.diagnostic(
    `${size} bytes in ${seconds.toFixed(1)} s; RSS ${before} before, grown by ${grown} at its peak`,
  );
  assert.ok(
    client.lines.some((line) => line.includes(String(size))),
    client.lines.join('\n').slice(0, 2000),
  );
  assert.ok(grown < GROWTH_BYTES_MAX, `it grew by ${grown}`);
});

const lives = async (client: WireClient): Promise<void> => {
  const from = client.lines.length;
  client.send([Query('SELECT 42')]);
  assert.ok(await client.answered());
  assert.deepEqual(client.lines.slice(from + 1), [
    'DataRow "42"',
    'CommandComplete SELECT 1',
    'ReadyForQuery I',
  ]);
};

interface Way {
  readonly server: TestMember;
  /** Where clients go to. */
  readonly place: Place;
  readonly copyMB: number;
}

async function goesWrong(suite: TestContext, { server, place, copyMB }: Way): Promise<void> {
  const backends = async (): Promise<number> => {
    const rows = await sql(
      server,
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'app' AND pid <> pg_backend_pid()",
    );
    return Number(rows[0]?.['n']);
  };
  const kill = async (): Promise<void> => {
    await sql(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
    await eventually('the backends are gone', backends, { holds: (seen) => seen === 0, withinMs: 5000 });
  };

  await suite.test(`a COPY message of ${copyMB} MB passes`, async (t) => {
    const client = await connected(t, place);
    client.send([Query('CREATE TEMP TABLE c (v text)'), Query('COPY c FROM STDIN')]);
    assert.ok(await client.said('CopyInResponse', 0));
    const header = Buffer.from('d....');
    header.writeInt32BE(copyMB * MB + 4, 1);
    await client.sendRaw(header);
    const piece = Buffer.concat([Buffer.alloc(MB - 1, 'x'), Buffer.from('\n')]);
    for (let sent = 0; sent < copyMB; sent += 1) await client.sendRaw(piece);
    client.send([Buffer.from([FRONTEND.CopyDone, 0, 0, 0, 4])]);
    assert.ok(await client.said(`CommandComplete COPY ${copyMB}`, 0));
  });

  await suite.test(
    'a server killed in the middle: one error, the rest swallowed, the client goes on',
    async (t) => {
      const client = await connected(t, place);
      const text = `SELECT length('${'x'.repeat(8 * MB)}')`;
      const query = Query(text);
      await lives(client);
      const from = client.lines.length;
      await client.sendRaw(query.subarray(0, 4 * MB));
      await kill();
      await client.sendRaw(query.subarray(4 * MB));
      assert.ok(await client.said('ReadyForQuery', from));
      const seen = client.lines.slice(from).map((line) => line.split(' ')[0]);
      assert.deepEqual(seen, ['ErrorResponse', 'ReadyForQuery']);
      assert.match(client.lines[from] ?? '', /08006/);
      await lives(client);
    },
  );

  await suite.test('a client killed in the middle leaves no server in the middle of a message', async (t) => {
    const client = await connected(t, place);
    await lives(client);
    await client.sendRaw(Query(`SELECT '${'x'.repeat(8 * MB)}'`).subarray(0, 4 * MB));
    client.destroy();
    await eventually('its connection is closed', backends, {
      holds: (seen) => seen === 0,
      withinMs: 15_000,
    });
    await lives(await connected(t, place));
  });

  await suite.test('an error of the server in the middle of a batch: the message is read over', async (t) => {
    const client = await connected(t, place);
    const from = client.lines.length;
    client.send([Parse({ name: '', sql: 'SELECT nothing_of_that_name', parameterTypes: [] })]);
    const bind = Bind({ portal: '', statement: '', parameters: [Buffer.alloc(4 * MB, 'x')] });
    await client.sendRaw(bind.subarray(0, 2 * MB));
    await client.sendRaw(bind.subarray(2 * MB));
    client.send([Execute('', 0), Sync()]);
    assert.ok(await client.said('ReadyForQuery', from));
    const seen = client.lines.slice(from).map((line) => line.split(' ')[0]);
    assert.deepEqual(seen, ['ErrorResponse', 'ReadyForQuery']);
    assert.match(client.lines[from] ?? '', /42703/);
    await lives(client);
  });

  await suite.test('a Bind of 32 MB, and an unnamed statement of which the router has no copy', async (t) => {
    const client = await connected(t, place);
    client.send([Parse({ name: 's', ...LENGTH_OF })]);
    await sendLongBind(client, 's', 32 * MB);
    client.send([Execute('', 0), Sync()]);
    assert.ok(await client.answered(SLOW_MS));
    assert.ok(client.lines.includes(`DataRow "${32 * MB}"`));
    const from = client.lines.length;
    client.send([Parse({ name: '', sql: `SELECT 7${' '.repeat(2 * MB)}`, parameterTypes: [] }), Sync()]);
    client.send([Bind({ portal: '', statement: '' }), Execute('', 0), Sync()]);
    assert.ok(await client.answered(SLOW_MS));
    assert.ok(client.lines.slice(from).includes('DataRow "7"'), client.lines.slice(from).join('\n'));
    await lives(client);
  });
}

test('long messages that go wrong', { timeout: 180_000 }, async (suite) => {
  const { server } = await aServer(suite, TRUST);
  const router = await aRouterProcess(suite, server);
  await goesWrong(suite, { server, place: router, copyMB: 80 });

  await suite.test('16 long messages at once, in a pipeline each, are held no more', async (t) => {
    const clients = await Promise.all(Array.from({ length: 16 }, async () => await connected(t, router)));
    await Promise.all(
      clients.map(async (client) => {
        client.send([Query('SELECT 1'), Parse({ name: 's', ...LENGTH_OF })]);
        await sendLongBind(client, 's', 16 * MB);
        client.send([Execute('', 0), Sync(), Query('SELECT 2')]);
        assert.ok(await client.answered(SLOW_MS));
        assert.ok(client.lines.includes(`DataRow "${16 * MB}"`), client.lines.slice(-8).join('\n'));
        await lives(client);
      }),
    );
    const peak = await rssBytes(router.pid, 'VmHWM');
    t.diagnostic(`256 MB of 16 clients: RSS ${peak} at its peak`);
    assert.ok(peak < 320 * MB, `it had ${peak}`);
  });

  await suite.test('one too long for PostgreSQL ends the connection', async (t) => {
    for (const [tag, length] of [
      [0x42, 0x3fffffff],
      [0x45, 10_001],
    ] as const) {
      const client = await connected(t, router);
      const header = Buffer.from('.....');
      header[0] = tag;
      header.writeInt32BE(length, 1);
      await client.sendRaw(header);
      assert.ok(await client.closedWithin(5000));
      assert.match(client.lines.at(-2) ?? '', /FATAL.*08P01/);
      const direct = await connected(t, server.address);
      const said = direct.lines.length;
      await direct.sendRaw(header);
      assert.ok(await direct.closedWithin(5000));
      assert.deepEqual(direct.lines.slice(said), ['(closed)']);
    }
  });
});

test('long messages in session mode, over TLS on both sides', { timeout: 180_000 }, async (suite) => {
  const certificate = await aSelfSigned(await scratchFolder(suite), 'both', EC);
  await giveTo('postgres', certificate.key);
  const ssl = { ssl: true, ssl_cert_file: certificate.cert, ssl_key_file: certificate.key };
  const { server } = await aServer(suite, {
    ...TRUST,
    parameters: { shared_buffers: '16MB', fsync: false, ...ssl },
  });
  const router = await aRouterProcess(
    suite,
    server,
    `  pool_mode: session
  client_tls_sslmode: require
  client_tls_cert_file: ${certificate.cert}
  client_tls_key_file: ${certificate.key}
  server_tls_sslmode: require`,
  );
  const before = await rssBytes(router.pid, 'VmRSS');
  await goesWrong(suite, { server, place: await aTlsTunnel(suite, router), copyMB: 16 });
  const grown = (await rssBytes(router.pid, 'VmHWM')) - before;
  suite.diagnostic(`RSS ${before} before, grown by ${grown} at its peak`);
  assert.ok(grown < GROWTH_BYTES_MAX, `it grew by ${grown}`);
});

test('who stalls in the middle of a message is disconnected', { timeout: 60_000 }, async (t) => {
  const { server } = await aServer(t, TRUST);
  const router = await aRouterProcess(t, server, '  client_message_timeout: 1s');
  const client = await connected(t, router);
  await client.sendRaw(Query(`SELECT '${'x'.repeat(MB)}'`).subarray(0, MB / 2));
  assert.ok(await client.closedWithin(10_000));
  assert.match(client.lines.at(-2) ?? '', /FATAL.*57P05/);
});

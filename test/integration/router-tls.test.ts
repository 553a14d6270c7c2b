/** TLS of clients at a router, with libpq's own client, openssl's certificates and a real server. */
import assert from 'node:assert/strict';
import { copyFile, rename, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { BACKEND, CancelRequest, readErrorFields, SSLRequest, StartupMessage } from '../../src/wire/index.ts';
import { aCa, aLeaf, aSelfSigned, type Certificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { aServer } from '../support/one-server.ts';
import { psql } from '../support/psql.ts';
import { aClient, aRouter } from '../support/router.ts';
import { aRecordTap } from '../support/tls-records.ts';
import { scratchFolder } from '../support/scratch.ts';

/** Lines of `router:` for a router with this certificate. */
function clientTls(mode: string, { cert, key }: Certificate, more: readonly string[] = []): string[] {
  return [
    `client_tls_sslmode: ${mode}`,
    `client_tls_cert_file: ${cert}`,
    `client_tls_key_file: ${key}`,
    ...more,
  ];
}

/** What a raw connection is told until it is closed, or until `enough` bytes came. */
async function told(socket: Socket, enough = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) {
    assert(Buffer.isBuffer(chunk));
    chunks.push(chunk);
    if (Buffer.concat(chunks).length >= enough) break;
  }
  return Buffer.concat(chunks);
}

test('clients: encrypted, bound to the certificate, or refused, as they and the router want', async (t) => {
  const folder = await scratchFolder(t);
  const ca = await aCa(folder, 'ca');
  const stage = await aServer(t);
  const certificate = await aLeaf(folder, ca, { name: 'router', san: 'IP:127.0.0.1', digest: 'sha512' });
  const router = await aRouter(t, stage, clientTls('prefer', certificate));
  const at = `host=${router.host} user=app dbname=app sslrootcert=${ca.cert}`;

  await t.test('sslmode=require and channel_binding=require work together', async () => {
    const { stdout, stderr } = await psql(`${at} sslmode=verify-ca channel_binding=require`, 'SELECT 1');
    assert.deepEqual([stdout, stderr], ['1\n', '']);
  });

  await t.test('a client that wants no encryption needs none, but gets no channel binding then', async () => {
    assert.equal((await psql(`${at} sslmode=disable`, 'SELECT 1')).stdout, '1\n');
    assert.match(
      (await psql(`${at} sslmode=disable channel_binding=require`, 'SELECT 1')).stderr,
      /channel binding/,
    );
  });

  await t.test('a wrong password is refused over TLS as without', async () => {
    assert.match(
      (await psql(`${at} sslmode=require`, 'SELECT 1', 'wrong')).stderr,
      /password authentication failed/,
    );
  });

  await t.test('bytes that were sent in the clear ahead of the handshake end the connection', async () => {
    const socket = connect(5432, router.host);
    socket.write(Buffer.concat([SSLRequest(), StartupMessage([['user', 'app']])]));
    const answer = await told(socket);
    assert.equal(answer[0], BACKEND.ErrorResponse);
    const fields = readErrorFields(answer);
    assert.deepEqual([fields.code, fields.message], ['08P01', 'received unencrypted data after SSL request']);
  });

  await t.test('a handshake that is nonsense ends its connection alone', async () => {
    const socket = connect(5432, router.host);
    socket.on('error', () => undefined);
    socket.write(SSLRequest());
    socket.once('data', () => socket.write('this is no handshake at all'));
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
    });
    assert.equal((await psql(`${at} sslmode=require`, 'SELECT 1')).stdout, '1\n');
  });

  await t.test('TLS without asking first works if the client says that it speaks PostgreSQL', async () => {
    const direct = connectTls({
      host: router.host,
      port: 5432,
      ALPNProtocols: ['postgresql'],
      rejectUnauthorized: false,
    });
    direct.write(StartupMessage([['user', 'app']]));
    assert.equal((await told(direct, 9))[0], BACKEND.Authentication);
    direct.destroy();
    const silent = connectTls({ host: router.host, port: 5432, rejectUnauthorized: false });
    assert.match(readErrorFields(await told(silent)).message, /ALPN/);
  });

  await t.test(
    'no record is longer than those of a server: who waits for the socket has all of it',
    async () => {
      const tap = await aRecordTap(t, { host: router.host, port: 5432 });
      const through = `host=${tap.host} user=app dbname=app sslmode=require`;
      const { stdout } = await psql(through, "SELECT repeat('x', 300000) FROM generate_series(1, 3)");
      assert.equal(stdout.length, 3 * 300_001);
      assert.ok(
        tap.lengths.length > 100 && Math.max(...tap.lengths) <= 8192 + 256,
        `${Math.max(...tap.lengths)}`,
      );
    },
  );

  await t.test('a query that runs over TLS is cancelled over TLS', async () => {
    const client = await aClient(t, { ...router.as(), ssl: { rejectUnauthorized: false } });
    const [pid, secret]: unknown[] = [Reflect.get(client, 'processID'), Reflect.get(client, 'secretKey')];
    assert(typeof secret === 'number' && typeof pid === 'number');
    const key = Buffer.alloc(4);
    key.writeInt32BE(secret);
    const sleeping = assert.rejects(client.query('SELECT pg_sleep(20)'), { code: '57014' });
    const other = await aClient(t, router.as());
    await eventually(
      'it sleeps',
      async () =>
        (
          await other.query(
            "SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)' AND wait_event = 'PgSleep'",
          )
        ).rowCount,
      { holds: (count) => count === 1, withinMs: 5000 },
    );
    const socket = connectTls({
      host: router.host,
      port: 5432,
      ALPNProtocols: ['postgresql'],
      rejectUnauthorized: false,
    });
    socket.end(CancelRequest(pid, key));
    await sleeping;
  });

  await t.test('megabytes go through as they are', async () => {
    const client = await aClient(t, { ...router.as(), ssl: { rejectUnauthorized: false } });
    const text = 'x'.repeat(5_000_000);
    const { rows } = await client.query<{ length: number }>('SELECT length($1), $1 AS text', [text]);
    assert.equal(rows[0]?.length, 5_000_000);
  });
});

test('a handshake that is begun and left is ended by client_login_timeout', async (t) => {
  const folder = await scratchFolder(t);
  const certificate = await aSelfSigned(folder, 'router', ['-newkey', 'rsa:2048']);
  const stage = await aServer(t);
  const router = await aRouter(t, stage, clientTls('require', certificate, ['client_login_timeout: 500ms']));
  const socket = connect(5432, router.host);
  socket.on('error', () => undefined);
  socket.write(SSLRequest());
  const startedAt = performance.now();
  assert.equal((await told(socket))[0], 'S'.charCodeAt(0));
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs > 400 && tookMs < 5000, `closed after ${tookMs} ms`);
});

test('a renewed certificate is shown to new clients, and nobody is disconnected', async (t) => {
  const folder = await scratchFolder(t);
  const ca = await aCa(folder, 'ca');
  const other = await aCa(folder, 'other');
  const stage = await aServer(t);
  const certificate = await aLeaf(folder, ca, { name: 'router', file: 'used' });
  const router = await aRouter(t, stage, clientTls('require', certificate));
  const before = await aClient(t, { ...router.as(), ssl: { rejectUnauthorized: false } });
  const renewed = await aLeaf(folder, other, { name: 'router', file: 'new' });
  await copyFile(renewed.cert, join(folder, 'half'));
  await rename(join(folder, 'half'), certificate.cert);
  await eventually(
    'a certificate without its key is refused',
    () => router.lines.some(({ event }) => event === 'access-reload-refused'),
    { holds: (isSo) => isSo, withinMs: 5000 },
  );
  const at = `host=${router.host} user=app dbname=app sslmode=verify-ca`;
  assert.equal((await psql(`${at} sslrootcert=${ca.cert}`, 'SELECT 1')).stdout, '1\n');
  await rename(renewed.key, certificate.key);
  await eventually(
    'it is shown',
    async () => (await psql(`${at} sslrootcert=${other.cert}`, 'SELECT 1')).stdout,
    {
      holds: (out) => out === '1\n',
      withinMs: 5000,
    },
  );
  assert.match((await psql(`${at} sslrootcert=${ca.cert}`, 'SELECT 1')).stderr, /certificate verify failed/);
  assert.equal((await before.query('SELECT 1')).rowCount, 1);
});

test('client certificates: by name or by map, of the right authority only', async (t) => {
  const folder = await scratchFolder(t);
  const ca = await aCa(folder, 'ca');
  const strangers = await aCa(folder, 'strangers');
  const stage = await aServer(t, { pg_hba: ['host all all all trust'] });
  const [certificate, app, robot, forged] = await Promise.all([
    aLeaf(folder, ca, { name: 'router' }),
    aLeaf(folder, ca, { name: 'app' }),
    aLeaf(folder, ca, { name: 'robot@example.com', file: 'robot' }),
    aLeaf(folder, strangers, { name: 'app', file: 'forged' }),
  ]);
  await writeFile(join(folder, 'ident.conf'), 'robots /^robot@(.*)$ app\n');
  const router = await aRouter(
    t,
    stage,
    clientTls('require', certificate, [
      `client_tls_ca_file: ${ca.cert}`,
      `auth_ident_file: ${join(folder, 'ident.conf')}`,
      'auth_type: hba',
      'hba: ["hostssl postgres all all cert map=robots", "hostssl all all all cert"]',
    ]),
  );
  const as = (who: Certificate | undefined, database: string): string =>
    `host=${router.host} user=app dbname=${database} sslmode=require` +
    (who === undefined ? ' sslcert=/nonexistent' : ` sslcert=${who.cert} sslkey=${who.key}`);
  assert.equal((await psql(as(app, 'app'), 'SELECT current_user')).stdout, 'app\n');
  assert.equal((await psql(as(robot, 'postgres'), 'SELECT current_user')).stdout, 'app\n');
  const refusals: [string, Certificate | undefined, string, RegExp][] = [
    ['of another name', robot, 'app', /certificate authentication failed for user "app"/],
    ['that no map names', app, 'postgres', /certificate authentication failed for user "app"/],
    ['of a stranger', forged, 'app', /requires a valid client certificate/],
    ['that is not there', undefined, 'app', /requires a valid client certificate/],
  ];
  for (const [what, who, database, words] of refusals) {
    await t.test(`a certificate ${what} lets nobody in`, async () => {
      assert.match((await psql(as(who, database), 'SELECT 1')).stderr, words);
    });
  }
  const strict = await aRouter(t, stage, [
    ...clientTls('verify-full', certificate, [`client_tls_ca_file: ${ca.cert}`, 'auth_type: trust']),
  ]);
  const at = `host=${strict.host} user=app dbname=app sslmode=require`;
  assert.match((await psql(`${at} sslcert=/nonexistent`, 'SELECT 1')).stderr, /valid client certificate/);
  assert.match(
    (await psql(at.replace('require', 'disable'), 'SELECT 1')).stderr,
    /encrypted connections only/,
  );
  assert.equal((await psql(`${at} sslcert=${app.cert} sslkey=${app.key}`, 'SELECT 1')).stdout, '1\n');
});

test('a certificate whose signature has no hash of its own is used without channel binding', async (t) => {
  const folder = await scratchFolder(t);
  const stage = await aServer(t);
  const certificate = await aSelfSigned(folder, 'ed', ['-newkey', 'ed25519']);
  const router = await aRouter(t, stage, clientTls('require', certificate));
  const at = `host=${router.host} user=app dbname=app sslmode=require`;
  assert.equal((await psql(at, 'SELECT 1')).stdout, '1\n');
  assert.match((await psql(`${at} channel_binding=require`, 'SELECT 1')).stderr, /channel binding/);
});

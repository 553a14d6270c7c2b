/** TLS of a router at servers: the modes, the certificates, and what the login is bound to. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type TestContext, test } from 'node:test';
import { createSecureContext } from 'node:tls';
import { endPointBinding } from '../../src/auth/index.ts';
import { ServerLogin } from '../../src/router/server-login.ts';
import { openServerSocket } from '../../src/router/server-tls.ts';
import {
  AuthenticationOk,
  CancelRequest,
  deriveKeys,
  parseVerifier,
  type ScramBinding,
  StartupMessage,
} from '../../src/wire/index.ts';
import { aCa, aLeaf, aSelfSigned, type Certificate, giveTo } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { freshLoopback } from '../support/loopback.ts';
import { aServer } from '../support/one-server.ts';
import { sql } from '../support/sql.ts';
import { runProgram } from '../support/program.ts';
import { psql } from '../support/psql.ts';
import { aClient, aRouter } from '../support/router.ts';
import { scratchFolder } from '../support/scratch.ts';

/** A node that cannot be reached is tried every 500 ms. */
const TRIED_AGAIN_MS = 1200;

const HOW_ENCRYPTED = 'SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()';

/** A server that speaks TLS, with rules that let nobody in without. */
async function aTlsServer(t: TestContext, rules = ['hostssl all all all scram-sha-256']) {
  const folder = await scratchFolder(t);
  const ca = await aCa(folder, 'ca');
  const host = freshLoopback();
  const certificate = await aLeaf(folder, ca, { name: 'server', san: `IP:${host}`, digest: 'sha384' });
  await giveTo('postgres', certificate.key);
  const stage = await aServer(t, {
    listen: { host, port: 5432 },
    parameters: {
      shared_buffers: '16MB',
      fsync: false,
      ssl: true,
      ssl_cert_file: certificate.cert,
      ssl_key_file: certificate.key,
      ssl_ca_file: ca.cert,
    },
    pg_hba: rules,
  });
  return { stage, folder, ca };
}

test('servers: each mode asks for what it says, and -PLUS is spoken with a carried ClientKey', async (t) => {
  const { stage, folder, ca } = await aTlsServer(t);
  const wrong = await aCa(folder, 'wrong');
  const cases: [string, string[], RegExp | undefined][] = [
    ['prefer', [], undefined],
    ['require', [], undefined],
    ['verify-ca', [`server_tls_ca_file: ${ca.cert}`], undefined],
    ['verify-full', [`server_tls_ca_file: ${ca.cert}`], undefined],
    ['verify-ca', [`server_tls_ca_file: ${wrong.cert}`], /no server/],
    ['disable', [], /no pg_hba.conf entry|no server/],
  ];
  for (const [mode, more, refusal] of cases) {
    await t.test(
      `${mode} ${refusal === undefined ? 'lets in' : 'refuses'} (${more.length} authorities)`,
      async () => {
        const router = await aRouter(t, stage, [
          `server_tls_sslmode: ${mode}`,
          'hold_timeout: 500ms',
          ...more,
        ]);
        const { stdout, stderr } = await psql(`host=${router.host} user=app dbname=app`, HOW_ENCRYPTED);
        if (refusal === undefined) assert.deepEqual([stdout, stderr], ['t|TLSv1.3\n', '']);
        else assert.match(stderr, refusal);
      },
    );
  }
  await t.test('a server that is there, but cannot be trusted, stays out', async () => {
    const users = join(folder, 'users.txt');
    await writeFile(users, '"app" "app"\n');
    const router = await aRouter(t, stage, [
      'server_tls_sslmode: verify-ca',
      `server_tls_ca_file: ${wrong.cert}`,
      `auth_file: ${users}`,
      'hold_timeout: 500ms',
    ]);
    const { stderr } = await psql(`host=${router.host} user=app dbname=app`, 'SELECT 1');
    assert.match(stderr, /no server|certificate/);
    await pause(TRIED_AGAIN_MS);
    assert.match((await router.states())['n1'] ?? '', /^out unreachable/);
  });
  await t.test('a cancel reaches a server over TLS', async () => {
    const router = await aRouter(t, stage, [
      'server_tls_sslmode: verify-full',
      `server_tls_ca_file: ${ca.cert}`,
    ]);
    const client = await aClient(t, router.as());
    const [pid, secret]: unknown[] = [Reflect.get(client, 'processID'), Reflect.get(client, 'secretKey')];
    assert(typeof secret === 'number' && typeof pid === 'number');
    const key = Buffer.alloc(4);
    key.writeInt32BE(secret);
    const sleeping = assert.rejects(client.query('SELECT pg_sleep(20)'), { code: '57014' });
    const other = await aClient(t, router.as());
    await eventually(
      'it sleeps',
      async () => (await other.query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'")).rowCount,
      { holds: (count) => count === 1, withinMs: 5000 },
    );
    connect(5432, router.host).end(CancelRequest(pid, key));
    await sleeping;
  });
  await t.test('verify-full refuses a certificate of another host; verify-ca does not', async () => {
    const { host } = stage.server.address;
    const named = await aLeaf(folder, ca, { name: 'server', san: 'IP:192.0.2.1', digest: 'sha384' });
    await giveTo('postgres', named.key);
    await stage.server.control.reload();
    assert.notEqual(host, '192.0.2.1');
    const full = await aRouter(t, stage, [
      'server_tls_sslmode: verify-full',
      `server_tls_ca_file: ${ca.cert}`,
      'hold_timeout: 500ms',
    ]);
    assert.match((await psql(`host=${full.host} user=app dbname=app`, 'SELECT 1')).stderr, /no server/);
    const some = await aRouter(t, stage, ['server_tls_sslmode: verify-ca', `server_tls_ca_file: ${ca.cert}`]);
    assert.equal((await psql(`host=${some.host} user=app dbname=app`, 'SELECT 1')).stdout, '1\n');
  });
});

test('the router binds its login to the certificate of a real server, with a ClientKey that a client showed elsewhere', async (t) => {
  const { stage, ca } = await aTlsServer(t);
  const [row] = await sql(stage.server, "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'", {
    user: 'postgres',
    password: stage.server.settings.authentication.superuser.password,
    ssl: { rejectUnauthorized: false },
  });
  const verifier = parseVerifier(String(row?.['rolpassword']));
  assert(verifier !== undefined);
  const { clientKey } = deriveKeys('app', verifier.salt, verifier.iterations);
  const context = createSecureContext({ ca: await readFile(ca.cert) });
  const login = async (bind: (binding: ScramBinding) => ScramBinding): Promise<string> =>
    await new Promise((resolve, reject) => {
      openServerSocket(
        { address: stage.server.address, tls: { mode: 'verify-full', context } },
        {
          failed: (because) => reject(new Error(because)),
          ready: (socket, binding) => {
            const machine = new ServerLogin({
              credential: { clientKey, verifier },
              user: 'app',
              binding: bind(binding),
              isEncrypted: true,
              nonce: 'a-nonce-of-a-test',
              reply: (bytes) => socket.write(bytes),
            });
            socket.on('data', (chunk) => {
              const outcome = machine.receive(chunk);
              if (outcome.kind === 'going-on') return;
              socket.destroy();
              resolve(outcome.kind === 'ready' ? 'ready' : outcome.fields.message);
            });
            socket.write(StartupMessage([['user', 'app']]));
          },
        },
      );
    });
  assert.equal(await login((binding) => binding), 'ready');
  assert.equal(await login(() => ({ endPoint: Buffer.alloc(48) })), 'SCRAM channel binding check failed');
  // Says under the proof that it would have bound: the server knows then that its offer was changed on the way.
  assert.equal(await login(() => 'none'), 'ready');
});

test('a server that answers SSLRequest with more than its yes or no is not believed', async (t) => {
  const host = freshLoopback();
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(Buffer.concat([Buffer.from('S'), AuthenticationOk()])));
  });
  await new Promise<void>((resolve) => {
    server.listen(5432, host, resolve);
  });
  t.after(() => server.close());
  const because = await new Promise<string>((resolve, reject) => {
    openServerSocket(
      { address: { host, port: 5432 }, tls: { mode: 'prefer', context: undefined } },
      { failed: resolve, ready: () => reject(new Error('it was believed')) },
    );
  });
  assert.equal(because, 'the server sent bytes ahead of the TLS handshake');
});

test('the hash of a certificate is that of its signature, as openssl computes it', async (t) => {
  const folder = await scratchFolder(t);
  const ca = await aCa(folder, 'ca');
  const rsa = ['-newkey', 'rsa:2048'];
  const pss = [...rsa, '-sigopt', 'rsa_padding_mode:pss', '-sha384'];
  const made: [string, string, Certificate][] = [
    ['sha1 becomes sha256', 'sha256', await aLeaf(folder, ca, { name: 'a', digest: 'sha1' })],
    ['sha256', 'sha256', await aLeaf(folder, ca, { name: 'b', digest: 'sha256' })],
    ['sha384', 'sha384', await aLeaf(folder, ca, { name: 'c', digest: 'sha384' })],
    ['sha512', 'sha512', await aLeaf(folder, ca, { name: 'd', digest: 'sha512' })],
    ['RSA with sha512', 'sha512', await aSelfSigned(folder, 'e', [...rsa, '-sha512'])],
    ['RSA-PSS with sha384', 'sha384', await aSelfSigned(folder, 'f', pss)],
  ];
  for (const [what, hash, { cert }] of made) {
    const der = new X509Certificate(await readFile(cert)).raw;
    const file = join(folder, 'der');
    await writeFile(file, der);
    const { stdout } = await runProgram('openssl', ['dgst', `-${hash}`, '-r', file], { timeoutMs: 5000 });
    assert.equal(endPointBinding(der)?.toString('hex'), stdout.split(' ')[0], what);
  }
  const ed = await aSelfSigned(folder, 'g', ['-newkey', 'ed25519']);
  assert.equal(endPointBinding(new X509Certificate(await readFile(ed.cert)).raw), undefined);
  assert.equal(endPointBinding(Buffer.from('3082ffff30', 'hex')), undefined);
});

test('require refuses a server without TLS, where prefer goes on', async (t) => {
  const stage = await aServer(t);
  const required = await aRouter(t, stage, ['server_tls_sslmode: require', 'hold_timeout: 500ms']);
  assert.match((await psql(`host=${required.host} user=app dbname=app`, 'SELECT 1')).stderr, /no server/);
  const preferred = await aRouter(t, stage, ['server_tls_sslmode: prefer']);
  assert.equal((await psql(`host=${preferred.host} user=app dbname=app`, HOW_ENCRYPTED)).stdout, 'f|\n');
});

/** Who gets into a router, by which rule, file or query, and what it looks like from outside. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rename, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import { BACKEND, buildVerifier, renderVerifier, StartupMessage } from '../../src/wire/index.ts';
import { matriarch } from '../support/command.ts';
import { eventually } from '../support/eventually.ts';
import { aServer, type OneServer } from '../support/one-server.ts';
import { sql } from '../support/sql.ts';
import { psql } from '../support/psql.ts';
import { refusalOf } from '../support/refusal.ts';
import { aRouter } from '../support/router.ts';
import { scratchFolder } from '../support/scratch.ts';

const md5 = (password: string, user: string): string =>
  `md5${execFileSync('md5sum', { input: password + user })
    .toString()
    .slice(0, 32)}`;

/** A second role beside `app`, with an md5 password. */
async function withOldRole({ server }: OneServer): Promise<void> {
  await sql(server, "SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'old-secret'");
}

/** The first message that a client of this name gets, and how long it took. */
async function firstAnswer(host: string, user: string): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    const socket = connect(5432, host);
    socket.once('error', reject);
    socket.once('data', (chunk) => {
      socket.destroy();
      resolve(chunk);
    });
    socket.write(StartupMessage([['user', user]]));
  });
}

async function msOf(work: Promise<unknown>): Promise<number> {
  const startedAt = systemClock.now();
  await work;
  return systemClock.now() - startedAt;
}

test('a user file: plain, md5 and SCRAM secrets log in, here and at the server; others are unknown', async (t) => {
  const stage = await aServer(t, { pg_hba: ['host all old all md5', 'host all all all scram-sha-256'] });
  await withOldRole(stage);
  const folder = await scratchFolder(t);
  const file = join(folder, 'userlist.txt');
  const scram = String(
    (await sql(stage.server, "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'"))[0]?.['rolpassword'],
  );
  await sql(stage.server, "CREATE ROLE plain LOGIN PASSWORD 'it''s \"plain\"'");
  await writeFile(
    file,
    `; users\n"plain" "it's ""plain"""\n"old" "${md5('old-secret', 'old')}"\n"app" "${scram}" ignored\n`,
  );
  const router = await aRouter(t, stage, [`auth_file: ${file}`, 'auth_type: md5']);
  const who = 'SELECT current_user';
  const as = (user: string): string => `host=${router.host} dbname=postgres user=${user}`;
  assert.equal((await psql(as('plain'), who, `it's "plain"`)).stdout, 'plain\n');
  assert.equal((await psql(as('old'), who, 'old-secret')).stdout, 'old\n');
  assert.equal((await psql(as('app'), who)).stdout, 'app\n');
  const unknown = await psql(as('postgres'), who, stage.server.settings.authentication.superuser.password);
  assert.match(unknown.stderr, /password authentication failed for user "postgres"/);
  for (const user of ['plain', 'old', 'app'])
    assert.match((await psql(as(user), who, 'wrong')).stderr, /password authentication failed/, user);

  await t.test('md5 is asked for only of who has nothing better', async () => {
    const kinds = await Promise.all(
      ['old', 'app', 'plain'].map(async (user) => (await firstAnswer(router.host, user)).readInt32BE(5)),
    );
    assert.deepEqual(kinds, [5, 10, 10]);
  });

  await t.test('a stranger is asked exactly what a user with the usual kind of secret is asked', async () => {
    const [stranger, known] = await Promise.all([
      firstAnswer(router.host, 'nobody'),
      firstAnswer(router.host, 'app'),
    ]);
    assert.deepEqual(stranger, known);
  });

  await t.test('a changed file is read again; one that is broken changes nothing', async () => {
    await writeFile(`${file}.new`, '"app" not quoted\n');
    await rename(`${file}.new`, file);
    await eventually(
      'it is refused',
      () => router.lines.some((line) => line.event === 'access-reload-refused'),
      {
        holds: (isSo) => isSo,
        withinMs: 5000,
      },
    );
    const refused = router.lines.find((line) => line.event === 'access-reload-refused');
    assert.match(JSON.stringify(refused), /userlist\.txt:1: expected/);
    assert.equal((await psql(as('app'), who)).stdout, 'app\n');
    await sql(stage.server, "ALTER ROLE app PASSWORD 'newer'");
    await writeFile(`${file}.new`, '"app" "newer"\n');
    await rename(`${file}.new`, file);
    await eventually('it is read', async () => (await psql(as('app'), who, 'newer')).stdout, {
      holds: (out) => out === 'app\n',
      withinMs: 8000,
    });
  });
});

test('auth_type plain asks for the password itself, and logs in to the server with it', async (t) => {
  const stage = await aServer(t);
  const router = await aRouter(t, stage, ['auth_type: plain']);
  const at = `host=${router.host} dbname=app user=app`;
  assert.equal((await firstAnswer(router.host, 'app')).readInt32BE(5), 3);
  assert.equal((await firstAnswer(router.host, 'nobody')).readInt32BE(5), 3);
  assert.equal((await psql(at, 'SELECT 1')).stdout, '1\n');
  assert.match((await psql(at, 'SELECT 1', 'wrong')).stderr, /password authentication failed/);
});

test('host rules: the first that fits decides, none refuses, in PostgreSQL’s own words', async (t) => {
  const stage = await aServer(t, { pg_hba: ['host all all all trust'] });
  const folder = await scratchFolder(t);
  const rules = join(folder, 'router_hba.conf');
  await writeFile(
    rules,
    'host postgres app all reject\nhost app app 127.0.0.0/8 trust\nlocal all app scram-sha-256\n',
  );
  const router = await aRouter(t, stage, ['auth_type: hba', `auth_hba_file: ${rules}`]);
  const at = (database: string, user: string): string =>
    `host=${router.host} dbname=${database} user=${user}`;
  assert.equal((await psql(at('app', 'app'), 'SELECT 1', 'any password')).stdout, '1\n');
  assert.match(
    (await psql(at('postgres', 'app'), 'SELECT 1')).stderr,
    /FATAL: {2}pg_hba.conf rejects connection for host "127\.[\d.]+", user "app", database "postgres", no encryption/,
  );
  assert.match(
    (await psql(at('app', 'other'), 'SELECT 1')).stderr,
    /FATAL: {2}no pg_hba.conf entry for host "127\.[\d.]+", user "other", database "app", no encryption/,
  );
  for (const word of ['true', 't', 'ye', 'TRU', '1', 'on'])
    assert.match(
      (await psql(`${at('app', 'app')} replication=${word}`, 'IDENTIFY_SYSTEM')).stderr,
      /no pg_hba.conf entry for replication connection from host/,
      word,
    );
  assert.match(
    (await psql(`${at('app', 'app')} replication=maybe`, 'SELECT 1')).stderr,
    /FATAL: {2}invalid value for parameter "replication": "maybe"/,
  );
  await writeFile(rules, 'host all all all reject\n');
  await eventually('the new rules hold', async () => (await psql(at('app', 'app'), 'SELECT 1')).stderr, {
    holds: (said) => said.includes('rejects'),
    withinMs: 5000,
  });
});

test('a rule, a user or a key that cannot be used stops the start, with file and line', async (t) => {
  const folder = await scratchFolder(t);
  const file = join(folder, 'file');
  await writeFile(file, '# rules\nlocal all all peer\nhost all all 0.0.0.0/0 ldap\n');
  assert.equal(
    await refusalOf(t, ['auth_type: hba', `auth_hba_file: ${file}`]),
    `router-access-invalid: ${file}:2: peer is not supported: Node.js does not tell who is on the other side of a Unix socket\n` +
      `${file}:3: unknown method "ldap": expected trust, reject, scram-sha-256, md5, password, cert`,
  );
  const yaml = join(folder, 'matriarch.yaml');
  await writeFile(
    yaml,
    `scope: a\nname: b\ndatacenter: c\netcd: { endpoints: ['http://127.0.0.1:1'] }\nrouter: { auth_hba_file: ${file} }\n`,
  );
  const checked = await matriarch(['config', 'check', yaml, '--for', 'router'], { cwd: folder });
  assert.deepEqual([checked.status, /file:2: peer is not supported/.test(checked.err)], [2, true]);
  assert.match(
    await refusalOf(t, [`auth_file: ${file}`]),
    /router-access-invalid: .*file:2: expected "user" "secret"/,
  );
  assert.match(
    await refusalOf(t, ['auth_file: /nonexistent']),
    /router-access-invalid: \/nonexistent: .*ENOENT/,
  );
  const tls = [
    'client_tls_sslmode: require',
    `client_tls_cert_file: ${file}`,
    `client_tls_key_file: ${file}`,
  ];
  assert.match(await refusalOf(t, tls), /router-access-invalid: .*file with /);
  assert.match(await refusalOf(t, ['auth_user: someone']), /password of auth_user someone is nowhere given/);
});

test('failures of an address and user delay its next logins, and nobody else’s', async (t) => {
  const stage = await aServer(t);
  await sql(stage.server, "CREATE ROLE calm LOGIN PASSWORD 'calm'");
  const router = await aRouter(t, stage);
  const as = (user: string): string => `host=${router.host} dbname=postgres user=${user}`;
  const quick = await msOf(psql(as('app'), 'SELECT 1'));
  for (let failure = 0; failure < 4; failure += 1) await psql(as('app'), 'SELECT 1', 'wrong');
  const slow = await msOf(firstAnswer(router.host, 'app'));
  const calm = await msOf(psql(as('calm'), 'SELECT 1', 'calm'));
  assert.ok(slow >= 750, `the fifth login was asked after ${slow} ms`);
  assert.ok(calm < 750, `another user was asked after ${calm} ms, alone it took ${quick} ms`);
  assert.equal((await psql(as('app'), 'SELECT 1')).stdout, '1\n');
  assert.ok((await msOf(firstAnswer(router.host, 'app'))) < 100, 'a success ends it');
});

test('auth_query: a role that is no superuser looks up, in a database and with a query of one’s own', async (t) => {
  const stage = await aServer(t, {
    pg_hba: ['host all old all md5', 'host all all all scram-sha-256'],
  });
  await withOldRole(stage);
  const { server } = stage;
  const { host } = server.address;
  const folder = await scratchFolder(t);
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, 'look-up\n');
  const superuser = encodeURIComponent(server.settings.authentication.superuser.password);
  const installed = await matriarch(
    [
      'auth',
      'install',
      '--url',
      `postgres://postgres:${superuser}@${host}/app`,
      '--role',
      'looker',
      '--password-file',
      passwordFile,
    ],
    { cwd: folder },
  );
  assert.deepEqual(installed, {
    status: 0,
    out: 'looker can look up verifiers with matriarch.router_lookup\n',
    err: '',
  });
  const common = ['auth_user: looker', `auth_password_file: ${passwordFile}`, 'auth_dbname: app'];
  const router = await aRouter(t, stage, common);
  assert.equal((await psql(`host=${router.host} dbname=app user=app`, 'SELECT 1')).stdout, '1\n');
  await assert.rejects(sql(server, 'SELECT * FROM pg_authid', { user: 'looker', password: 'look-up' }), {
    code: '42501',
  });

  await t.test('two columns are the name and the secret, as PgBouncer’s; md5 among them', async () => {
    await sql(
      server,
      'CREATE FUNCTION public.look(text, OUT text, OUT text) LANGUAGE sql SECURITY DEFINER AS $$ SELECT rolname, rolpassword FROM pg_authid WHERE rolname = $1 $$',
    );
    const own = await aRouter(t, stage, [
      'auth_user: looker',
      'auth_password: look-up',
      'auth_query: SELECT * FROM public.look($1)',
      'auth_type: md5',
    ]);
    assert.equal(
      (await psql(`host=${own.host} dbname=postgres user=old`, 'SELECT 1', 'old-secret')).stdout,
      '1\n',
    );
    assert.match(
      (await psql(`host=${own.host} dbname=postgres user=old`, 'SELECT 1', 'wrong')).stderr,
      /password authentication failed/,
    );
  });

  await t.test('a changed password is known after one failure', async () => {
    await sql(server, "ALTER ROLE app PASSWORD 'changed'");
    const at = `host=${router.host} dbname=app user=app`;
    await psql(at, 'SELECT 1', 'changed');
    assert.equal((await psql(at, 'SELECT 1', 'changed')).stdout, '1\n');
  });

  await t.test('the SQL that is printed makes the same, and may be run again', async () => {
    const printed = await matriarch(['auth', 'install', '--print', '--password-file', passwordFile], {
      cwd: folder,
    });
    assert.deepEqual([printed.status, printed.err, printed.out.includes('look-up')], [0, '', false]);
    await sql(server, printed.out);
    await sql(server, printed.out);
    const rows = await sql(
      server,
      `SELECT count(*)::int AS seen, pg_has_role('pg_read_all_stats', 'usage') AS sees
       FROM matriarch.router_lookup('app')`,
      { user: 'matriarch_router', password: 'look-up' },
    );
    assert.deepEqual(rows, [{ seen: 1, sees: true }]);
  });

  await t.test('the command refuses what it cannot do', async () => {
    assert.equal((await matriarch(['auth', 'install'], { cwd: folder })).status, 2);
    const url = `postgres://looker:look-up@${host}/app`;
    const refused = await matriarch(['auth', 'install', '--url', url], { cwd: folder });
    assert.deepEqual([refused.status, /nothing was installed/.test(refused.err)], [1, true]);
  });
});

test('a role that is trusted here logs in to the server only if that trusts it, or its password is known', async (t) => {
  const stage = await aServer(t);
  const folder = await scratchFolder(t);
  const file = join(folder, 'userlist.txt');
  await writeFile(file, '"app" "app"\n"known" ""\n');
  await sql(stage.server, 'CREATE ROLE known LOGIN');
  const router = await aRouter(t, stage, ['auth_type: trust', `auth_file: ${file}`]);
  assert.equal((await psql(`host=${router.host} dbname=app user=app`, 'SELECT 1', '')).stdout, '1\n');
  assert.match(
    (await psql(`host=${router.host} dbname=app user=known`, 'SELECT 1', '')).stderr,
    /no password of role "known" that the server accepts\nHINT: .*router\.auth_file\./,
  );
});

test('a verifier in a user file is as good as its password', async (t) => {
  const stage = await aServer(t);
  const verifier = renderVerifier(buildVerifier('s3cret', Buffer.from('sixteen bytes ok')));
  await sql(stage.server, `CREATE ROLE filed LOGIN PASSWORD '${verifier}'`);
  const file = join(await scratchFolder(t), 'userlist.txt');
  await writeFile(file, `"filed" "${verifier}"\n`);
  const router = await aRouter(t, stage, [`auth_file: ${file}`]);
  assert.equal((await psql(`host=${router.host} dbname=app user=filed`, 'SELECT 1', 's3cret')).stdout, '1\n');
});

test('a client of protocol 3.2 gets a long cancel key, older ones a short one', async (t) => {
  const stage = await aServer(t, { pg_hba: ['host all all all trust'] });
  const router = await aRouter(t, stage, ['auth_type: trust']);
  const keyBytes = async (minor: number): Promise<number> => {
    const socket = connect(5432, router.host);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.write(StartupMessage([['user', 'app']], minor));
    const answer = await eventually('it is ready', () => Buffer.concat(chunks), {
      holds: (bytes) => bytes.subarray(-6, -5).toString() === 'Z',
      withinMs: 5000,
    });
    socket.destroy();
    for (let at = 0; at < answer.length; at += 1 + answer.readInt32BE(at + 1)) {
      if (answer[at] === BACKEND.BackendKeyData) return answer.readInt32BE(at + 1) - 8;
    }
    return 0;
  };
  assert.deepEqual([await keyBytes(0), await keyBytes(2), await keyBytes(9)], [4, 32, 32]);
});

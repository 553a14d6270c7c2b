/** `matriarch config import` as it is run: files that a source names, where the result goes, and a router that runs by it. */
import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client } from 'pg';
import { matriarch, startMatriarch } from '../../support/command.ts';
import { freshLoopback } from '../../support/loopback.ts';
import { aPrimary, until } from '../../support/postgres.ts';
import { scratchFolder } from '../../support/scratch.ts';

const NAMES = ['--scope', 'main', '--name', 'app1', '--datacenter', 'dc1'];

test('files that a pgbouncer.ini names are read beside it, and the result can be used as it is', async (t) => {
  const folder = await scratchFolder(t);
  await mkdir(join(folder, 'etc'));
  await writeFile(
    join(folder, 'etc/main.ini'),
    '[databases]\n* = host=db1\n[pgbouncer]\n%include more.ini\n',
  );
  await writeFile(
    join(folder, 'etc/more.ini'),
    'pool_mode = transaction\npkt_buf = 8192\nauth_user = asker\n',
  );
  const args = ['config', 'import', 'etc/main.ini', ...NAMES];
  const { status, out, err } = await matriarch(args, { cwd: folder });
  assert.equal(status, 0, err);
  assert.match(out, /^nodes:\n {2}- name: db1\n {4}address: db1:5432$/m);
  assert.match(out, /pool_mode: transaction/);
  assert.match(err, new RegExp(`^${join(folder, 'etc/more.ini')}:2: pkt_buf = 8192: one buffer`, 'm'));
  assert.match(err, /more\.ini:3: auth_user = asker: its password is not in auth_file in clear/);

  const written = await matriarch([...args, '--output', 'matriarch.yaml'], { cwd: folder });
  assert.deepEqual([written.status, written.out], [0, '']);
  assert.equal(await readFile(join(folder, 'matriarch.yaml'), 'utf8'), out);
  assert.equal((await stat(join(folder, 'matriarch.yaml'))).mode & 0o777, 0o600);
  const checked = await matriarch(['config', 'check', '--for', 'router'], { cwd: folder });
  assert.equal(checked.status, 0, checked.err);
  const asking = await matriarch(['status'], { cwd: folder });
  assert.equal(asking.status, 2);
  assert.match(asking.err, /etcd: is missing: this command asks etcd/);
});

test('a result whose host rules a router refuses cannot be used as it is', async (t) => {
  const folder = await scratchFolder(t);
  await writeFile(join(folder, 'rules'), 'host all all all pam\n');
  await writeFile(
    join(folder, 'pgbouncer.ini'),
    '[databases]\n* = host=db1\n[pgbouncer]\nauth_type = hba\nauth_hba_file = rules\n',
  );
  const { status, err } = await matriarch(['config', 'import', 'pgbouncer.ini', ...NAMES], { cwd: folder });
  assert.deepEqual([status, /rules:1: unknown method "pam"/.test(err)], [1, true], err);
});

test('a pool_passwd is written anew where it is asked for', async (t) => {
  const folder = await scratchFolder(t);
  await writeFile(join(folder, 'pgpool.conf'), "backend_hostname0 = 'db1'\n");
  await writeFile(join(folder, 'pool_passwd'), 'app:TEXTsecret\n');
  const args = ['config', 'import', 'pgpool.conf', ...NAMES];
  const asked = await matriarch(args, { cwd: folder });
  assert.match(asked.err, /pool_passwd are of another form; write them anew with --user-list FILE/);
  const { status, err } = await matriarch([...args, '--user-list', 'users.txt'], { cwd: folder });
  assert.equal(status, 0, err);
  assert.equal(await readFile(join(folder, 'users.txt'), 'utf8'), '"app" "secret"\n');
});

test('a file of neither, and one that is not there, are refused; --from decides', async (t) => {
  const folder = await scratchFolder(t);
  await writeFile(join(folder, 'port.conf'), 'port = 5433\n');
  const unknown = await matriarch(['config', 'import', 'port.conf'], { cwd: folder });
  assert.equal(unknown.status, 2);
  assert.match(
    unknown.err,
    /neither a pgbouncer\.ini nor a pgpool\.conf[^]*\(import-unrecognized\)[^]*--from pgbouncer/,
  );
  const missing = await matriarch(['config', 'import', 'no.ini'], { cwd: folder });
  assert.deepEqual([missing.status, /cannot read no\.ini/.test(missing.err)], [2, true]);
  const told = await matriarch(['config', 'import', 'port.conf', '--from', 'pgpool'], { cwd: folder });
  // It names no server, which is said.
  assert.equal(told.status, 1);
  assert.match(told.out, /listen: localhost:5433/);
  assert.match(told.err, /nodes: no backend is named in the source/);
});

test('a router runs by an imported pgbouncer.ini, in PgBouncer’s place', async (t) => {
  const primary = await aPrimary(t, 'n1');
  await primary.control.setRouterCredential('router-password-of-a-test');
  const folder = await scratchFolder(t);
  const host = freshLoopback();
  const { address } = primary;
  const ini = `[databases]
app = host=${address.host} port=${address.port}
copy = host=${address.host} port=${address.port} dbname=app pool_size=2
[pgbouncer]
listen_addr = ${host}
listen_port = 6432
pool_mode = transaction
auth_user = matriarch_router
auth_file = users.txt
`;
  await writeFile(join(folder, 'pgbouncer.ini'), ini);
  await writeFile(join(folder, 'users.txt'), '"matriarch_router" "router-password-of-a-test"\n');
  const args = ['config', 'import', 'pgbouncer.ini', ...NAMES, '-o', 'matriarch.yaml'];
  const done = await matriarch(args, { cwd: folder });
  assert.equal(done.status, 0, done.err);
  const file = join(folder, 'matriarch.yaml');
  const yaml = await readFile(file, 'utf8');
  // The tests' own address for HTTP, which no pgbouncer.ini knows.
  await writeFile(file, yaml.replace('router:\n', `router:\n  http_listen: "${host}:8009"\n`));
  const running = startMatriarch(['router'], { cwd: folder });
  t.after(async () => {
    running.child.kill('SIGTERM');
    await running.ended;
  });
  await until('it is ready', async () => (await fetch(`http://${host}:8009/readyz`)).ok);
  for (const database of ['app', 'copy']) {
    const client = new Client({ host, port: 6432, user: 'app', password: 'app', database });
    await client.connect();
    const { rows } = await client.query('SELECT current_database() AS name');
    await client.end();
    assert.deepEqual(rows, [{ name: 'app' }]);
  }
});

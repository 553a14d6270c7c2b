/** The resources that come with the package: each is read and rendered, and the program it is for takes what comes out. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isRecord } from '../../src/base/index.ts';
import { keyLayout } from '../../src/topology/index.ts';
import { matriarch } from '../support/command.ts';
import { memberText, threeMembers } from '../support/a-view.ts';
import { asPostgres } from '../support/as-postgres.ts';
import { type Scope, scratchFolder } from '../support/scratch.ts';

const SHARE = fileURLToPath(new URL('../../../share/template', import.meta.url));
const layout = keyLayout('/service/', 'main');

/** The keys of the cluster as a document, which is read as etcd's would be. */
const KEYS: readonly (readonly [string, string])[] = [
  [layout.leader, 'db-sib-01'],
  [layout.status, '{"optime":67108864}'],
  ...Object.entries(threeMembers).map(([name, member]): [string, string] => [
    layout.member(name),
    memberText(name, member),
  ]),
  ['/credentials/application/user', 'app'],
  ['/credentials/application/password', 'a:b\\c'],
];

/** Renders the resources of one program, with no command, into the folder that stands for `/`. */
async function rendered(
  t: Scope,
  program: string,
  more: typeof KEYS = [],
): Promise<(dest: string) => Promise<string>> {
  const root = await scratchFolder(t);
  await chmod(root, 0o755);
  const confdir = join(root, 'confd');
  await cp(join(SHARE, program), confdir, { recursive: true });
  for (const name of await readdir(join(confdir, 'conf.d'))) {
    const path = join(confdir, 'conf.d', name);
    const text = await readFile(path, 'utf8');
    const dest = /^dest = "(.*)"$/m.exec(text)?.[1] ?? '';
    await mkdir(join(root, dest, '..'), { recursive: true });
    await writeFile(path, text.replace(/^dest = "/m, `dest = "${root}`));
  }
  await writeFile(join(root, 'keys.yaml'), JSON.stringify(documentOf([...KEYS, ...more])));
  const { status, err } = await matriarch(
    [
      'template',
      '--onetime',
      '--sync-only',
      '--scope',
      'main',
      '--confdir',
      confdir,
      '--backend',
      'file',
      '--file',
      join(root, 'keys.yaml'),
      '--state-dir',
      join(root, 'state'),
    ],
    { cwd: root, env: { LOCAL_DATACENTER: 'dc1' } },
  );
  assert.equal(status, 0, err);
  return async (dest) => await Promise.resolve(join(root, dest));
}

/** `/a/b` = c as `{a: {b: c}}`. */
function documentOf(pairs: readonly (readonly [string, string])[]): object {
  const document: Record<string, unknown> = {};
  for (const [key, value] of pairs) {
    const parts = key.split('/').slice(1);
    let at: Record<string, unknown> = document;
    for (const part of parts.slice(0, -1)) {
      const next: Record<string, unknown> = isRecord(at[part]) ? { ...at[part] } : {};
      at[part] = next;
      at = next;
    }
    at[parts.at(-1) ?? ''] = value;
  }
  return document;
}

test('pgpool-II: servers with numbers, shares and what they are to be', async (t) => {
  const path = await (await rendered(t, 'pgpool'))('/etc/pgpool2/backends.conf');
  const text = await readFile(path, 'utf8');
  assert.deepEqual(text.match(/^(# slot \d|backend_(weight|hostname|flag)).*$/gm), [
    '# slot 0 db-fsn-01 10.3.0.2 5432 up',
    "backend_hostname0 = '10.3.0.2'",
    'backend_weight0 = 1',
    "backend_flag0 = 'ALLOW_TO_FAILOVER'",
    '# slot 1 db-sib-01 10.1.0.2 5432 up primary',
    "backend_hostname1 = '10.1.0.2'",
    'backend_weight1 = 10',
    "backend_flag1 = 'ALLOW_TO_FAILOVER'",
    '# slot 2 db-sib-03 10.2.0.2 5432 up',
    "backend_hostname2 = '10.2.0.2'",
    'backend_weight2 = 1',
    "backend_flag2 = 'ALLOW_TO_FAILOVER'",
  ]);
});

test('pgpool-II is not given a server that is closed to clients', async (t) => {
  const name = 'db-sib-03';
  const closed = memberText(name, { ...threeMembers[name], closed_to_clients: true });
  const path = await (await rendered(t, 'pgpool', [[layout.member(name), closed]]))(
    '/etc/pgpool2/backends.conf',
  );
  const text = await readFile(path, 'utf8');
  assert.deepEqual(text.match(/^(# slot 2|backend_weight2).*$/gm), [
    '# slot 2 db-sib-03 10.2.0.2 5432 down',
    'backend_weight2 = 0',
  ]);
});

const HAPROXY = '/usr/sbin/haproxy';

test('HAProxy takes it: the primary, and standbys by share', {
  skip: !existsSync(HAPROXY) && 'there is no HAProxy',
}, async (t) => {
  const path = await (await rendered(t, 'haproxy'))('/etc/haproxy/haproxy.cfg');
  const text = await readFile(path, 'utf8');
  assert.deepEqual(text.match(/^(listen|    server) .*$/gm), [
    'listen primary',
    '    server db-sib-01 10.1.0.2:5432',
    'listen replicas',
    '    server db-fsn-01 10.3.0.2:5432 check inter 1s weight 1',
    '    server db-sib-03 10.2.0.2:5432 check inter 1s weight 1',
    '    server db-sib-01 10.1.0.2:5432 backup',
  ]);
  const { stderr } = await promisify(execFile)(HAPROXY, ['-c', '-f', path]);
  assert.doesNotMatch(stderr, /WARNING/);
});

const PGBOUNCER = '/usr/sbin/pgbouncer';

test('PgBouncer takes it: every database is at the primary', {
  skip: !existsSync(PGBOUNCER) && 'there is no PgBouncer',
}, async (t) => {
  const path = await (await rendered(t, 'pgbouncer'))('/etc/pgbouncer/databases.ini');
  assert.match(await readFile(path, 'utf8'), /^\[databases\]\n\* = host=10\.1\.0\.2 port=5432\n$/m);
  const ini = join(path, '..', 'pgbouncer.ini');
  await writeFile(ini, `%include ${path}\n[pgbouncer]\nlisten_addr =\nunix_socket_dir =\nauth_type = any\n`);
  // It reads its configuration before it finds that it has nowhere to listen.
  const { stderr, stdout } = await asPostgres(PGBOUNCER, ['-v', ini]);
  assert.match(stderr + stdout, /nowhere to listen on/);
  assert.doesNotMatch(stderr + stdout, /syntax error|invalid|cannot load/);
});

test('libpq: services and passwords', async (t) => {
  const path = await rendered(t, 'libpq');
  assert.match(
    await readFile(await path('/etc/postgresql-common/pg_service.conf'), 'utf8'),
    /\[primary\]\nhost=10\.1\.0\.2\nport=5432\ntarget_session_attrs=read-write\n\n\[any\]\nhost=10\.3\.0\.2,10\.1\.0\.2,10\.2\.0\.2\nport=5432,5432,5432\n$/,
  );
  assert.equal(
    await readFile(await path('/etc/matriarch/pgpass'), 'utf8'),
    ['10.3.0.2', '10.1.0.2', '10.2.0.2'].map((host) => `${host}:5432:*:app:a\\:b\\\\c\n`).join(''),
  );
});

/** `matriarch template` as a person runs it: confd's folder and options, each backend, and a real etcd. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { connectEtcd } from '../../src/dcs/index.ts';
import { matriarch, startMatriarch } from '../support/command.ts';
import { hasEtcd, startEtcd } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';
import { freshLoopback } from '../support/loopback.ts';
import { type Scope, scratchFolder } from '../support/scratch.ts';

const TEMPLATE =
  '[myconfig]\ndatabase_url = {{getv "/myapp/database/url"}}\ndatabase_user = {{getv "/myapp/database/user"}}\n';
const OUTPUT = '[myconfig]\ndatabase_url = db.example.com\ndatabase_user = rob\n';

/** confd's quick start, in a folder of its own. */
async function quickStart(
  t: Scope,
): Promise<{ folder: string; dest: string; args: (...more: string[]) => string[] }> {
  const folder = await scratchFolder(t);
  const dest = join(folder, 'myconfig.conf');
  await mkdir(join(folder, 'conf.d'));
  await mkdir(join(folder, 'templates'));
  await writeFile(join(folder, 'templates/myconfig.conf.tmpl'), TEMPLATE);
  await writeFile(
    join(folder, 'conf.d/myconfig.toml'),
    `[template]\nsrc = "myconfig.conf.tmpl"\ndest = "${dest}"\nkeys = [\n    "/myapp/database/url",\n    "/myapp/database/user",\n]\n`,
  );
  const args = (...more: string[]): string[] => [
    'template',
    '--confdir',
    folder,
    '--state-dir',
    join(folder, 'state'),
    ...more,
  ];
  return { folder, dest, args };
}

test('once, from the environment', async (t) => {
  const { folder, dest, args } = await quickStart(t);
  const env = { MYAPP_DATABASE_URL: 'db.example.com', MYAPP_DATABASE_USER: 'rob' };
  const { status, err } = await matriarch(args('--onetime', '--backend', 'env'), { cwd: folder, env });
  assert.equal(status, 0, err);
  assert.equal(await readFile(dest, 'utf8'), OUTPUT);
});

test('once, from a file; without effect it only shows', async (t) => {
  const { folder, dest, args } = await quickStart(t);
  await writeFile(join(folder, 'keys.yaml'), 'myapp:\n  database:\n    url: db.example.com\n    user: rob\n');
  const from = ['--onetime', '--backend', 'file', '--file', join(folder, 'keys.yaml')];
  const shown = await matriarch(args(...from, '--noop'), { cwd: folder });
  assert.deepEqual([shown.status, shown.out], [0, `--- ${dest}\n${OUTPUT}`]);
  await assert.rejects(readFile(dest));
  assert.equal((await matriarch(args(...from), { cwd: folder })).status, 0);
  assert.equal(await readFile(dest, 'utf8'), OUTPUT);
  await writeFile(
    join(folder, 'keys.yaml'),
    'myapp:\n  database:\n    url: db.example.com\n    user: 1234567890123456789\n',
  );
  const { out } = await matriarch(args(...from, '--diff'), { cwd: folder });
  assert.equal(
    out,
    `--- ${dest}\n+++ ${dest}\n@@ -1,3 +1,3 @@\n [myconfig]\n database_url = db.example.com\n-database_user = rob\n+database_user = 1234567890123456789\n`,
  );
  assert.equal(await readFile(dest, 'utf8'), OUTPUT);
});

test('what is missing is told with template, place and key, and the command fails', async (t) => {
  const { folder, dest, args } = await quickStart(t);
  const env = { MYAPP_DATABASE_URL: 'db.example.com' };
  const { status, err } = await matriarch(args('--onetime', '--backend', 'env'), { cwd: folder, env });
  assert.equal(status, 1);
  assert.match(
    err,
    /template-failed: template: myconfig\.conf\.tmpl:3:18: .*key does not exist: \/myapp\/database\/user/,
  );
  await assert.rejects(readFile(dest));
  assert.equal((await matriarch(args('--onetime', '--backend', 'file'), { cwd: folder })).status, 2);
});

test('it follows a real etcd, keeps the file when keys vanish, and ends when told', {
  skip: !hasEtcd && 'there is no etcd',
}, async (t) => {
  const { folder, dest, args } = await quickStart(t);
  const etcd = await startEtcd(t);
  const dcs = connectEtcd(
    { endpoints: etcd.urls, request_timeout: 2_000 },
    { clock: systemClock, log: silentLog },
  );
  t.after(async () => await dcs.close());
  const put = async (key: string, value: string): Promise<void> =>
    void (await dcs.transact({ when: [], then: [{ op: 'put', key, value }] }, { timeoutMs: 5_000 }));
  await put('/prod/myapp/database/url', 'db.example.com');
  await put('/prod/myapp/database/user', 'rob');
  const running = startMatriarch(args('--watch', '--prefix', 'prod', '--node', ...etcd.urls), {
    cwd: folder,
  });
  const becomes = async (text: string): Promise<string> =>
    await eventually(text, async () => await readFile(dest, 'utf8').catch(() => ''), {
      holds: (seen) => seen === text,
      withinMs: 15_000,
    });
  await becomes(OUTPUT);
  for (const key of ['url', 'user'])
    await dcs.transact(
      { when: [], then: [{ op: 'delete', key: `/prod/myapp/database/${key}` }] },
      { timeoutMs: 5_000 },
    );
  await put('/prod/myapp/database/url', 'elsewhere');
  await put('/prod/myapp/database/user', 'mary');
  await becomes('[myconfig]\ndatabase_url = elsewhere\ndatabase_user = mary\n');
  running.child.kill('SIGTERM');
  const { status, err } = await running.ended;
  assert.equal(status, 0, err);
  assert.match(err, /"event":"file-replaced"/);
});

test('it tells how the files stand, and who asks nobody is told so', {
  skip: !hasEtcd && 'there is no etcd',
}, async (t) => {
  const { folder, args } = await quickStart(t);
  const etcd = await startEtcd(t);
  const dcs = connectEtcd(
    { endpoints: etcd.urls, request_timeout: 2_000 },
    { clock: systemClock, log: silentLog },
  );
  t.after(async () => await dcs.close());
  const place = `${freshLoopback()}:8010`;
  const ask = async (...more: string[]): ReturnType<typeof matriarch> =>
    await matriarch(['template', 'status', '--status-listen', place, ...more], { cwd: folder });
  const nobody = await ask();
  assert.deepEqual([nobody.status, nobody.out], [3, '']);
  assert.match(nobody.err, /does not tell: .*ECONNREFUSED/);
  // The hint of template-unreachable.
  assert.match(nobody.err, /Start the watcher with --status-listen/);
  const running = startMatriarch(args('--watch', '--node', ...etcd.urls, '--status-listen', place), {
    cwd: folder,
  });
  const seen = async (holds: RegExp): ReturnType<typeof matriarch> =>
    await eventually(String(holds), async () => await ask(), {
      holds: ({ out }) => holds.test(out),
      withinMs: 20_000,
    });
  assert.equal((await seen(/too-few-keys: 0 of at least 1 keys/)).status, 1);
  const ready = async (): Promise<number> => (await fetch(`http://${place}/readyz`)).status;
  assert.equal(await ready(), 503);
  for (const [key, value] of [
    ['url', 'db.example.com'],
    ['user', 'rob'],
  ])
    await dcs.transact(
      { when: [], then: [{ op: 'put', key: `/myapp/database/${key}`, value: value ?? '' }] },
      { timeoutMs: 5_000 },
    );
  const applied = await seen(/\| yes /);
  assert.equal(applied.status, 0);
  assert.equal(await ready(), 200);
  const { resources } = JSON.parse((await ask('--json')).out);
  assert.deepEqual(Object.keys(resources[0]), [
    'resource',
    'dest',
    'applied',
    'revision',
    'last_success',
    'last_error',
    'next_retry',
    'reload_owed',
  ]);
  // What went wrong before is still told.
  assert.deepEqual(
    [resources[0].resource, resources[0].applied, resources[0].next_retry, resources[0].reload_owed],
    ['myconfig', true, null, false],
  );
  assert.ok(['too-few-keys', 'template-failed'].includes(resources[0].last_error.because));
  assert.ok(Date.parse(resources[0].last_success) > Date.parse(resources[0].last_error.at));
  running.child.kill('SIGTERM');
  assert.equal((await running.ended).status, 0);
});

test('an address that is none is refused', async (t) => {
  const { folder, args } = await quickStart(t);
  const { status, err } = await matriarch(args('--status-listen', 'here'), { cwd: folder });
  assert.equal(status, 2);
  assert.match(err, /expected an address such as 127\.0\.0\.1:8010/);
});

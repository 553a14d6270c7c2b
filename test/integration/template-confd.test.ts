/** `matriarch template` in confd's place: its settings file, its flags, and an etcd that wants TLS or a login. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { connectEtcd, type EtcdOptions } from '../../src/dcs/index.ts';
import { matriarch } from '../support/command.ts';
import { hasEtcd, startEtcd } from '../support/etcd.ts';
import { startEtcdByTls, wantLogin } from '../support/etcd-access.ts';
import { eventually } from '../support/eventually.ts';
import { type Scope, scratchFolder } from '../support/scratch.ts';

const call = { timeoutMs: 2000 };
const skip = hasEtcd ? false : 'no etcd on this machine';

/** A folder of confd's with one resource, and its settings file. */
async function confdFolder(
  t: Scope,
  settings: string,
): Promise<{ folder: string; dest: string; file: string }> {
  const folder = await scratchFolder(t);
  const [dest, file] = [join(folder, 'out.conf'), join(folder, 'confd.toml')];
  await mkdir(join(folder, 'conf.d'));
  await mkdir(join(folder, 'templates'));
  await writeFile(join(folder, 'templates/out.tmpl'), 'url = {{getv "/url"}}\n');
  await writeFile(
    join(folder, 'conf.d/out.toml'),
    `[template]\nsrc = "out.tmpl"\ndest = "${dest}"\nkeys = ["/url"]\n`,
  );
  await writeFile(file, `confdir = "${folder}"\n${settings}`);
  return { folder, dest, file };
}

async function put(t: Scope, etcd: Omit<EtcdOptions, 'request_timeout'>, value: string): Promise<void> {
  const dcs = connectEtcd({ ...etcd, request_timeout: 2000 }, { clock: systemClock, log: silentLog });
  t.after(async () => await dcs.close());
  await eventually('etcd answers', async () => await dcs.range('/', call).catch(() => undefined), {
    holds: (seen) => seen !== undefined,
    withinMs: 60_000,
  });
  await dcs.transact({ when: [], then: [{ op: 'put', key: '/prod/url', value }] }, call);
}

const once = async (folder: string, ...args: string[]): ReturnType<typeof matriarch> =>
  await matriarch(['template', '-onetime', '--state-dir', join(folder, 'state'), ...args], { cwd: folder });

test('etcd by TLS, with what the settings file says', { skip }, async (t) => {
  const { host, url, ca, client } = await startEtcdByTls(t, 'watcher');
  await put(t, { endpoints: [url], cacert: ca.cert, ...client }, 'by-tls');
  const { folder, dest, file } = await confdFolder(
    t,
    `backend = "etcdv3"
scheme = "https"
nodes = ["${host}:2379"]
prefix = "/prod"
client_cakeys = "${ca.cert}"
client_cert = "${client.cert}"
client_key = "${client.key}"
srv_domain = "example.com"
`,
  );
  const { status, err } = await once(folder, '-config-file', file);
  assert.equal(status, 0, err);
  assert.equal(await readFile(dest, 'utf8'), 'url = by-tls\n');
  assert.match(err, /"keys":\["srv_domain"\],"event":"confd-keys-idle"/);
  // An option comes before the file.
  const other = await once(folder, '-config-file', file, '-node', 'https://127.0.0.1:1');
  assert.notEqual(other.status, 0);
});

test('etcd with a login, by options', { skip }, async (t) => {
  const { members, urls } = await startEtcd(t);
  await put(t, { endpoints: urls }, 'by-login');
  await wantLogin(members[0]?.url ?? '', 'secret');
  const { folder, dest, file } = await confdFolder(t, 'prefix = "/prod"\n');
  const args = ['-config-file', file, '-node', ...urls];
  assert.equal((await once(folder, ...args)).status, 1);
  await assert.rejects(readFile(dest));
  const { status, err } = await once(
    folder,
    ...args,
    '-basic-auth',
    '-username',
    'root',
    '-password',
    'secret',
  );
  assert.equal(status, 0, err);
  assert.equal(await readFile(dest, 'utf8'), 'url = by-login\n');
});

test('a settings file that is wrong, or named and not there, is told with its place', async (t) => {
  const { folder, file } = await confdFolder(t, 'interval = "often"\nbackend = "consul"\n');
  const wrong = await once(folder, '-config-file', file);
  assert.equal(wrong.status, 2);
  assert.match(wrong.err, /confd\.toml:2:1: interval: expected a whole number of seconds/);
  const missing = await once(folder, '-config-file', join(folder, 'nowhere.toml'));
  assert.equal(missing.status, 2, missing.err);
  assert.match(missing.err, /nowhere\.toml/);
  await writeFile(file, 'backend = "consul"\n');
  const backend = await once(folder, '-config-file', file);
  assert.equal(backend.status, 2);
  assert.match(backend.err, /there is no backend consul; there are etcd, etcdv3, env, file/);
});

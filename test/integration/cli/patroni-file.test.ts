/** A Patroni file as the commands take it: `config import`, and an agent that does not start from one that is refused. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { isRecord } from '../../../src/base/index.ts';
import { matriarch } from '../../support/command.ts';
import { BIN_DIR } from '../../support/postgres.ts';
import { scratchFolder } from '../../support/scratch.ts';

const GOOD = `scope: main
name: pg1
etcd3: { host: 127.0.0.1 }
restapi: { listen: "127.0.0.1:8008" }
postgresql:
  listen: 127.0.0.1:5432
  data_dir: /nowhere/data
  authentication:
    superuser: { username: postgres, password: secret }
    replication: { username: replicator, password: secret }
tags: { datacenter: dc2 }
`;

test('a file becomes a matriarch.yaml that can be used as it is, with the programs that PATH has', async (t) => {
  const folder = await scratchFolder(t);
  await writeFile(join(folder, 'patroni.yml'), GOOD);
  const args = ['config', 'import', 'patroni.yml', '--name', 'pg7'];
  const env = { PATH: `/nowhere:${BIN_DIR}`, PATRONI_NAMESPACE: '/db/' };
  const { status, out, err } = await matriarch(args, { cwd: folder, env });
  assert.deepEqual([status, err], [0, '']);
  const tree: unknown = parse(out);
  assert.ok(isRecord(tree) && isRecord(tree['postgresql']));
  assert.deepEqual([tree['name'], tree['namespace'], tree['datacenter']], ['pg7', '/db/', 'dc2']);
  assert.equal(tree['postgresql']['bin_dir'], BIN_DIR);
  await writeFile(join(folder, 'matriarch.yaml'), out);
  const checked = await matriarch(['config', 'check', '--for', 'agent'], { cwd: folder });
  assert.equal(checked.status, 0, checked.err);
});

test('what is refused or missing ends an import with 1, and its text is there all the same', async (t) => {
  const folder = await scratchFolder(t);
  await mkdir(join(folder, 'conf.d'));
  await writeFile(join(folder, 'conf.d', '1.yml'), GOOD);
  await writeFile(join(folder, 'conf.d', '2.yml'), 'consul:\n  host: a\n');
  const { status, out, err } = await matriarch(['config', 'import', 'conf.d'], { cwd: folder });
  assert.equal(status, 1);
  assert.match(out, /^scope: main$/m);
  assert.match(err, /^refused: conf\.d\/2\.yml:1: consul: the truth about the cluster is in etcd/m);
  assert.match(err, /postgresql: bin_dir is missing|postgresql\.bin_dir: is missing/);
});

test('an agent does not start from a file that is refused, and names each place in it', async (t) => {
  const folder = await scratchFolder(t);
  const text = `${GOOD.replace('/nowhere/data', 'relative')}consul: { host: a }\n`;
  await writeFile(join(folder, 'patroni.yml'), text);
  const { status, out, err } = await matriarch(['agent', '--patroni-config', 'patroni.yml'], {
    cwd: folder,
    env: { PATH: BIN_DIR },
  });
  assert.equal(status, 2);
  assert.equal(out, '');
  assert.match(err, /config-invalid/);
  assert.match(err, /patroni\.yml:7: postgresql\.data_dir: expected an absolute path/);
  assert.match(err, /patroni\.yml:\d+: consul: the truth about the cluster is in etcd/);
  const missing = await matriarch(['agent', '--patroni-config', 'none.yml'], { cwd: folder });
  assert.match(missing.err, /config-unreadable/);
});

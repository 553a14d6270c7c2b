/** What the lab says when it cannot do what was asked: one clear error each, and nothing left half-made. */
import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { clearAbandoned, inspectMachine, labDown, labLayout, poll } from '../../src/lab/index.ts';
import { prepareFolder } from '../../src/lab/machine.ts';
import { pgbench } from '../../src/lab/pgbench.ts';
import { type Ended, matriarch } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';

const lab = (folder: string, ...args: readonly string[]): Promise<Ended> =>
  matriarch(['lab', ...args, '--data', folder], { cwd: tmpdir() });

const never = new AbortController().signal;
const failing = (): Promise<undefined> => Promise.reject(new Error('the last reason'));

test('every verb but up asks for a lab, and says how to get one', async (t) => {
  const folder = await scratchFolder(t);
  for (const args of [
    ['status'],
    ['down'],
    ['kill', 'db-sib-01'],
    ['start', 'db-sib-01'],
    ['logs', 'db-sib-01'],
  ]) {
    const { status, err } = await lab(folder, ...args);
    assert.equal(status, 1);
    assert.match(err, /there is no lab in .*\n.*lab-missing.*\n.*matriarch lab up/);
  }
  assert.deepEqual(await readdir(folder), []);
});

test('a data folder that is a file is refused in words', async (t) => {
  const folder = await scratchFolder(t);
  await writeFile(join(folder, 'file'), '');
  const { status, err } = await lab(join(folder, 'file'), 'up', '--base-octet', '62');
  assert.equal(status, 3);
  assert.match(err, /cannot make .*file: .*\n.*lab-folder-unusable/);
});

test('an unknown host is refused with the names that there are', async (t) => {
  const folder = await scratchFolder(t);
  await writeFile(join(folder, 'lab.json'), '{"baseOctet":60}');
  const { status, err } = await lab(folder, 'kill', 'db-sib-02');
  assert.equal(status, 2);
  assert.match(err, /no host db-sib-02; the lab has db-sib-01, .*\n.*lab-unknown-host/);
});

test('a folder that PostgreSQL’s user cannot enter is refused before anything is started', async (t) => {
  const { owner } = await inspectMachine(userInfo().uid, '');
  if (owner === undefined) return t.skip('only root runs PostgreSQL as another user');
  const folder = await scratchFolder(t);
  await mkdir(join(folder, 'closed'));
  await chmod(join(folder, 'closed'), 0o700);
  await assert.rejects(prepareFolder(join(folder, 'closed', 'lab'), owner), {
    code: 'lab-folder-unusable',
    message: `${folder}/closed/lab: user postgres cannot enter ${folder}/closed`,
  });
  return undefined;
});

test('an address that is taken is named with what it was wanted for', async (t) => {
  const folder = await scratchFolder(t);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ host: '127.63.0.1', port: 5432 }, resolve));
  t.after(() => server.close());
  const { status, err } = await lab(folder, 'up', '--base-octet', '62');
  assert.equal(status, 3);
  assert.match(
    err,
    /addresses are taken: 127\.63\.0\.1:5432 \(for the router of apps-sib-01\)\n.*lab-addresses-taken/,
  );
  assert.deepEqual(await readdir(folder), []);
});

test('a demo keeps its hands off a lab that is not a demo’s, and clears what a dead demo has left', async (t) => {
  const folder = await scratchFolder(t);
  await writeFile(join(folder, 'lab.json'), '{"baseOctet":60}');
  await assert.rejects(clearAbandoned(folder), { code: 'lab-running' });
  await writeFile(
    join(folder, 'lab.json'),
    JSON.stringify({ baseOctet: 60, owner: { pid: process.pid, startTicks: 1 } }),
  );
  await writeFile(join(folder, 'mine.txt'), 'not the lab’s');
  await clearAbandoned(folder);
  assert.deepEqual(await readdir(folder), ['mine.txt']);
});

test('removing a lab leaves everything else in its folder', async (t) => {
  const folder = await scratchFolder(t);
  await mkdir(join(folder, 'hosts', 'db-sib-01'), { recursive: true });
  await writeFile(join(folder, 'lab.json'), '{"baseOctet":60}');
  await writeFile(join(folder, 'mine.txt'), 'not the lab’s');
  await labDown(folder, { graceful: true, purge: true });
  assert.deepEqual(await readdir(folder), ['mine.txt']);
});

test('a machine without etcd or PostgreSQL is told what to install', async () => {
  const tools = { programRoot: '/nowhere', etcdFolders: [] };
  await assert.rejects(inspectMachine(userInfo().uid, '/nowhere', tools), { code: 'lab-tool-missing' });
});

test('a load generator that cannot connect fails with its own words', async () => {
  const { binDir } = await inspectMachine(userInfo().uid, '');
  const [host] = labLayout(61).appHosts;
  await assert.rejects(pgbench(binDir, host, { args: ['-S', '-t', '1'], signal: never }), (error: Error) => {
    assert.match(error.message, /through apps-sib-01.*127\.62\.0\.1.*refused/s);
    return 'code' in error && error.code === 'lab-client-failed';
  });
});

test('waiting for what does not come ends at its deadline with the last reason', async () => {
  await assert.rejects(poll('pigs fly', { signal: never, deadlineMs: 300 }, failing), {
    code: 'lab-not-ready',
    message: 'not so within 0.3 s: pigs fly: the last reason',
  });
  await assert.rejects(poll('pigs fly', { signal: AbortSignal.abort(), deadlineMs: 300 }, failing), {
    code: 'interrupted',
  });
});

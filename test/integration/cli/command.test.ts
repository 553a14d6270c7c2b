/** The command line as a person types it: what is printed where, and the exit status. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { matriarch } from '../../support/command.ts';
import { freshLoopback } from '../../support/loopback.ts';
import { scratchFolder } from '../../support/scratch.ts';

const config = (endpoint: string): string => `scope: main
name: db-sib-01
datacenter: dc1
etcd: { endpoints: ['http://${endpoint}'], request_timeout: 200ms }
`;

test('--help is on standard output and names the commands, the environment and the exit status', async (t) => {
  const { status, out, err } = await matriarch(['--help'], { cwd: await scratchFolder(t) });
  assert.deepEqual({ status, err }, { status: 0, err: '' });
  for (const word of [
    'status',
    'switchover',
    'config',
    'agent',
    'router',
    'lab',
    'MATRIARCH_CONFIG',
    'LOCAL_DATACENTER',
    '70',
  ]) {
    assert.ok(out.includes(word), word);
  }
});

test('an unknown command and a wrong option are usage errors', async (t) => {
  const folder = await scratchFolder(t);
  const unknown = await matriarch(['stattus'], { cwd: folder });
  assert.equal(unknown.status, 2);
  assert.match(unknown.err, /unknown command 'stattus'\n\(Did you mean status\?\)/);
  const wrong = await matriarch(['switchover', '--wait', 'long'], { cwd: folder });
  assert.equal(wrong.status, 2);
  assert.match(wrong.err, /expected a duration such as 500ms, 5s, 1min/);
});

test('without a configuration file the places where it was looked for are told', async (t) => {
  const { status, err } = await matriarch(['status'], { cwd: await scratchFolder(t) });
  assert.equal(status, 2);
  assert.match(
    err,
    /^error: no configuration file: neither \.\/matriarch\.yaml nor \/etc\/matriarch\/matriarch\.yaml exists\nwhere: matriarch status \(config-not-found\)\nto do: /,
  );
});

test('config check tells of a right file where it came from, and of a wrong one all that is wrong', async (t) => {
  const folder = await scratchFolder(t);
  await writeFile(join(folder, 'matriarch.yaml'), config('10.1.0.2:2379'));
  assert.deepEqual(await matriarch(['config', 'check'], { cwd: folder, env: { LOCAL_DATACENTER: 'dc2' } }), {
    status: 0,
    out: 'matriarch.yaml: nothing is wrong; cluster main, host db-sib-01, datacenter dc2 (from LOCAL_DATACENTER)\n',
    err: '',
  });
  await writeFile(join(folder, 'bad.yaml'), 'scope: main\nnam: x\nlogs: {}\n');
  const { status, err } = await matriarch(['config', 'check'], {
    cwd: folder,
    env: { MATRIARCH_CONFIG: 'bad.yaml' },
  });
  assert.equal(status, 2);
  assert.equal(
    err,
    `error: bad.yaml has 4 problems:
bad.yaml:1:1: datacenter: is missing: Datacenter of this host; the environment’s LOCAL_DATACENTER comes first (for example datacenter: "dc1")
bad.yaml:1:1: etcd: is missing: the cluster is known by etcd or, for a router alone, by \`nodes\`
bad.yaml:2:1: nam: unknown key; did you mean name?
bad.yaml:3:1: logs: unknown key; did you mean log?
where: matriarch config check (config-invalid)
to do: Correct what is named above; nothing was started or changed, and what runs goes on as before.
`,
  );
});

test('config check --for agent asks for what an agent needs', async (t) => {
  const folder = await scratchFolder(t);
  await writeFile(join(folder, 'm.yaml'), config('10.1.0.2:2379'));
  const { status, err } = await matriarch(['config', 'check', 'm.yaml', '--for', 'agent'], { cwd: folder });
  assert.equal(status, 2);
  assert.match(err, /m\.yaml:1:1: postgresql: is missing: an agent needs this section/);
});

test('the printed sample passes the check of the command that printed it', async (t) => {
  const folder = await scratchFolder(t);
  const sample = await matriarch(['config', 'sample'], { cwd: folder });
  await writeFile(join(folder, 'matriarch.yaml'), sample.out);
  assert.equal((await matriarch(['config', 'check', '--for', 'agent'], { cwd: folder })).status, 0);
});

test('status and switchover say that etcd does not answer, with status 3', async (t) => {
  const folder = await scratchFolder(t);
  await writeFile(join(folder, 'matriarch.yaml'), config(`${freshLoopback()}:2379`));
  for (const command of ['status', 'switchover']) {
    const { status, out, err } = await matriarch([command], { cwd: folder });
    assert.deepEqual({ status, out }, { status: 3, out: '' });
    assert.match(err, /^error: .*\nwhere: .*\(dcs-unavailable.*\nto do: .*\n$/);
  }
});

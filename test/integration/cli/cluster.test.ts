/** `status` and `switchover` against a real etcd; the agents' part is played by writes to the same keys. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLog, systemClock } from '../../../src/base/index.ts';
import { connectEtcd, type Dcs, type Write } from '../../../src/dcs/index.ts';
import { layout, memberText, threeMembers } from '../../support/a-view.ts';
import { matriarch, startMatriarch } from '../../support/command.ts';
import { hasEtcd, startEtcd } from '../../support/etcd.ts';
import { eventually } from '../../support/eventually.ts';
import { scratchFolder } from '../../support/scratch.ts';

const skip = hasEtcd ? false : 'no etcd on this machine';
const call = { timeoutMs: 2000 };

interface Stage {
  readonly cwd: string;
  readonly put: (...writes: readonly Write[]) => Promise<void>;
  readonly dcs: Dcs;
}

/** An etcd that holds the keys of a healthy cluster, and a folder with a matriarch.yaml that names it. */
async function aCluster(t: TestContext): Promise<Stage> {
  const cwd = await scratchFolder(t);
  const { urls } = await startEtcd(t);
  const endpoints = JSON.stringify(urls);
  await writeFile(
    join(cwd, 'matriarch.yaml'),
    `scope: main\nname: db-sib-01\ndatacenter: dc1\netcd: { endpoints: ${endpoints} }\n`,
  );
  const dcs = connectEtcd({ endpoints: urls, request_timeout: 2000 }, { clock: systemClock, log: silentLog });
  t.after(dcs.close);
  const put = async (...writes: readonly Write[]): Promise<void> => {
    await dcs.transact({ when: [], then: writes }, call);
  };
  const members = Object.entries(threeMembers).map(
    ([name, member]): Write => ({ op: 'put', key: layout.member(name), value: memberText(name, member) }),
  );
  await put(
    { op: 'put', key: layout.initialize, value: '7345678901234567890' },
    { op: 'put', key: layout.leader, value: 'db-sib-01' },
    { op: 'put', key: layout.status, value: '{"optime":67108864}' },
    ...members,
  );
  return { cwd, put, dcs };
}

async function requestKey({ dcs }: Stage): Promise<string | undefined> {
  return (await dcs.get(layout.failover, call))?.value;
}

test('status shows a healthy cluster with exit status 0, and one without a primary with 1', {
  skip,
}, async (t) => {
  const stage = await aCluster(t);
  const healthy = await matriarch(['status'], stage);
  assert.deepEqual({ status: healthy.status, err: healthy.err }, { status: 0, err: '' });
  assert.match(
    healthy.out,
    /^\+ Cluster: main \(7345678901234567890\) -.*\n\| Member {4}\| Host {5}\| Role {4}\| State/,
  );
  await stage.put({ op: 'delete', key: layout.leader });
  const { status, out } = await matriarch(['status', '--json'], stage);
  const { primary, no_primary_because, members } = JSON.parse(out);
  assert.deepEqual(
    { status, primary, no_primary_because, members: members.length },
    {
      status: 1,
      primary: null,
      no_primary_because: 'no-leader',
      members: 3,
    },
  );
});

test('status --watch goes on until it is interrupted, and then ends with status 0', { skip }, async (t) => {
  const running = startMatriarch(['status', '--watch', '50ms', '--json'], await aCluster(t));
  await eventually('three documents', () => running.out().split('\n').length, {
    holds: (lines) => lines > 3,
    withinMs: 10_000,
  });
  running.child.kill('SIGINT');
  assert.equal((await running.ended).status, 0);
});

test('a switchover is followed from the request to the new primary', { skip }, async (t) => {
  const stage = await aCluster(t);
  const running = startMatriarch(['switchover', '--candidate', 'db-sib-03', '--json'], stage);
  await eventually('the request', () => requestKey(stage), {
    holds: (value) => value === '{"leader":"db-sib-01","member":"db-sib-03"}',
    withinMs: 10_000,
  });
  await stage.put({ op: 'delete', key: layout.leader });
  await stage.put(
    { op: 'put', key: layout.leader, value: 'db-sib-03' },
    { op: 'put', key: layout.failover, value: '{}' },
  );
  await stage.put({
    op: 'put',
    key: layout.member('db-sib-03'),
    value: memberText('db-sib-03', { role: 'primary', timeline: 3 }),
  });
  const { status, out, err } = await running.ended;
  const { took_ms, ...result } = JSON.parse(out);
  assert.deepEqual(
    { status, result },
    {
      status: 0,
      result: { outcome: 'done', old_leader: 'db-sib-01', new_leader: 'db-sib-03', timeline: 3 },
    },
  );
  assert.ok(took_ms >= 0 && took_ms < 10_000);
  // What happens before the watch has begun is told from its first view; the order is tested with the plan.
  const told = err.replace(/^ *\d+\.\d{3} s {2}/gm, '').split('\n');
  assert.equal(told[0], 'requested: from db-sib-01 to db-sib-03');
  assert.deepEqual(told.slice(-3), [
    'db-sib-03 has taken the leader key',
    'db-sib-03 is a running primary on timeline 3',
    '',
  ]);
});

test('a switchover that nobody carries out is switchover-failed, and its request is withdrawn', {
  skip,
}, async (t) => {
  const stage = await aCluster(t);
  const { status, err } = await matriarch(['switchover', '--wait', '300ms'], stage);
  assert.equal(status, 1);
  assert.match(
    err,
    /^error: the switchover failed: no new primary within 300 ms; the request was withdrawn\n/,
  );
  assert.equal(await requestKey(stage), '{}');
});

test('an interrupted switchover withdraws its request', { skip }, async (t) => {
  const stage = await aCluster(t);
  const running = startMatriarch(['switchover'], stage);
  await eventually('the request', () => requestKey(stage), {
    holds: (value) => value !== undefined,
    withinMs: 10_000,
  });
  running.child.kill('SIGTERM');
  const { status, err } = await running.ended;
  assert.equal(status, 1);
  assert.match(err, /: interrupted; the request was withdrawn\n/);
  assert.equal(await requestKey(stage), '{}');
});

test('an impossible switchover is switchover-impossible, and nothing is written', { skip }, async (t) => {
  const stage = await aCluster(t);
  const { status, err } = await matriarch(['switchover', '--candidate', 'db-fsn-01'], stage);
  assert.equal(status, 1);
  assert.match(
    err,
    /^error: no switchover: db-fsn-01 has the tag nofailover\nwhere: .*\(switchover-impossible\)\n/,
  );
  assert.equal(await requestKey(stage), undefined);
});

test('a switchover that need not be waited for ends once it is requested', { skip }, async (t) => {
  const stage = await aCluster(t);
  const { status, out } = await matriarch(['switchover', '--wait', '0'], stage);
  assert.equal(status, 0);
  assert.match(out, /requested: from db-sib-01 to the fittest member\n$/);
  assert.equal(await requestKey(stage), '{"leader":"db-sib-01"}');
});

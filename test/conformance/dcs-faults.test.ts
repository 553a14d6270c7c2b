/** Three real etcd members, and what the client makes of one that dies, hangs, or has lost the others. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { connectEtcd, type Dcs } from '../../src/dcs/index.ts';
import { assertDcsError } from '../support/dcs-subject.ts';
import { type EtcdCluster, type EtcdMember, hasEtcd, startEtcd } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';
import { recordingLog } from '../support/recording-log.ts';
import { startProxy } from '../support/tcp-proxy.ts';
import { recordWatch, type WatchRecord } from '../support/watch-recorder.ts';

const options = { skip: hasEtcd ? false : 'no etcd on this machine', timeout: 60_000 };
const call = { timeoutMs: 2000 };
const REQUEST_TIMEOUT_MS = 1500;
const SHARE_MS = REQUEST_TIMEOUT_MS / 3;

interface Setting {
  readonly cluster: EtcdCluster;
  /** The member that the client under test uses first. */
  readonly victim: EtcdMember;
  readonly others: readonly EtcdMember[];
  /** Uses the victim first, then the others. */
  readonly client: Dcs;
  /** Knows only the others. */
  readonly bystander: Dcs;
}

/** `victim` chooses by role, because a dead leader also costs an election. */
async function setUp(t: TestContext, role: 'leader' | 'follower'): Promise<Setting> {
  const cluster = await startEtcd(t, { members: 3 });
  const leader = await leaderOf(t, cluster);
  const victim = cluster.members.find((member) => (member.name === leader) === (role === 'leader'));
  assert.ok(victim !== undefined);
  const others = cluster.members.filter((member) => member !== victim);
  return {
    cluster,
    victim,
    others,
    client: connect(t, [victim, ...others]),
    bystander: connect(t, others),
  };
}

function connect(t: TestContext, members: readonly EtcdMember[], log = silentLog): Dcs {
  const endpoints = members.map((member) => member.url);
  const dcs = connectEtcd({ endpoints, request_timeout: REQUEST_TIMEOUT_MS }, { clock: systemClock, log });
  t.after(dcs.close);
  return dcs;
}

async function leaderOf(t: TestContext, cluster: EtcdCluster): Promise<string | undefined> {
  const members = await connect(t, cluster.members).members(call);
  return members.find((member) => member.isLeader)?.name;
}

const put = async (dcs: Dcs, key: string, value: string, timeoutMs = 5000): Promise<string> => {
  const result = await dcs.transact({ when: [], then: [{ op: 'put', key, value }] }, { timeoutMs });
  return result.outcome;
};

/** Numbers 1 to `count` are written to one key; each must be reported once, whatever happens in between. */
async function assertNothingLost(watch: WatchRecord, count: number): Promise<void> {
  await eventually('the last number', () => watch.events.at(-1), {
    holds: (last) => last === `put /k=${count}`,
    withinMs: 5000,
  });
  assert.deepEqual(
    watch.events,
    Array.from({ length: count }, (_, index) => `put /k=${index + 1}`),
  );
  assert.equal(watch.snapshots, 1);
}

test('a watch whose etcd member is killed goes on at another, and loses nothing', options, async (t) => {
  const { victim, client, bystander } = await setUp(t, 'follower');
  const watch = recordWatch(client, '/k');
  await watch.started();
  for (let step = 1; step <= 20; step += 1) await put(bystander, '/k', String(step));
  await victim.kill();
  const killedAt = systemClock.now();
  await put(bystander, '/k', '21');
  await eventually('a change after the kill', () => watch.state.get('/k'), {
    holds: (value) => value === '21',
    withinMs: 3000,
  });
  t.diagnostic(`next change seen ${Math.round(systemClock.now() - killedAt)} ms after the kill`);
  for (let step = 22; step <= 40; step += 1) await put(bystander, '/k', String(step));
  await assertNothingLost(watch, 40);
  await watch.stop();
});

test('a watch survives the death of the etcd leader, and proves contact again', options, async (t) => {
  const { victim, client, bystander } = await setUp(t, 'leader');
  const watch = recordWatch(client, '/k');
  await watch.started();
  await put(bystander, '/k', '1');
  await victim.kill();
  const killedAt = systemClock.now();
  await eventually('contact after the election', () => watch.contacts.at(-1)?.sentAt ?? 0, {
    holds: (sentAt) => sentAt > killedAt,
    withinMs: 10_000,
  });
  t.diagnostic(`contact ${Math.round(systemClock.now() - killedAt)} ms after the leader was killed`);
  await put(bystander, '/k', '2');
  await assertNothingLost(watch, 2);
  await watch.stop();
});

test(
  'a watch on an etcd member that hangs moves to another within two seconds, and loses nothing',
  options,
  async (t) => {
    const { victim, client, bystander } = await setUp(t, 'follower');
    const watch = recordWatch(client, '/k', 500);
    await watch.started();
    await put(bystander, '/k', '1');
    await eventually('the first change', () => watch.events.length, {
      holds: (count) => count === 1,
      withinMs: 2000,
    });
    await victim.freeze();
    const frozenAt = systemClock.now();
    await put(bystander, '/k', '2');
    await eventually('a change after the hang', () => watch.state.get('/k'), {
      holds: (value) => value === '2',
      withinMs: 2000,
    });
    t.diagnostic(`change seen ${Math.round(systemClock.now() - frozenAt)} ms after the member hung`);
    await eventually('contact', () => watch.contacts.at(-1)?.sentAt ?? 0, {
      holds: (sentAt) => sentAt > frozenAt,
      withinMs: 2000,
    });
    assert.equal(watch.disconnects.length, 1);
    victim.thaw();
    await assertNothingLost(watch, 2);
    await watch.stop();
  },
);

test(
  'a member that hangs costs one call its share of the time, and the next calls nothing',
  options,
  async (t) => {
    const { victim, client } = await setUp(t, 'follower');
    const { lease } = await client.grantLease(10_000, call);
    await victim.freeze();
    const times: number[] = [];
    for (let step = 0; step < 5; step += 1) {
      const startedAt = systemClock.now();
      const { outcome } = await client.keepAlive(lease, { timeoutMs: REQUEST_TIMEOUT_MS });
      assert.equal(outcome, 'alive');
      times.push(systemClock.now() - startedAt);
    }
    victim.thaw();
    const [first = 0, ...rest] = times;
    assert.ok(first < SHARE_MS + 250, `the first call took ${first} ms`);
    assert.ok(Math.max(...rest) < 200, `later calls took ${rest.join()} ms`);
  },
);

test(
  'a change that a hung member took is unknown, is not sent again, and the next one goes elsewhere',
  options,
  async (t) => {
    const { victim, client, bystander } = await setUp(t, 'follower');
    await put(client, '/k', '0');
    await victim.freeze();
    await assertDcsError(put(client, '/k', '1', 500), 'unknown', 'timeout');
    assert.equal((await bystander.get('/k', call))?.value, '0');
    assert.equal(await put(client, '/k', '2', 500), 'applied');
    victim.thaw();
  },
);

test('a change goes on to the next member when the first cannot be connected to', options, async (t) => {
  const { victim, client, bystander } = await setUp(t, 'follower');
  await victim.kill();
  assert.equal(await put(client, '/k', '1', 500), 'applied');
  assert.equal((await bystander.get('/k', call))?.value, '1');
});

test(
  'without a quorum reads fail in time, changes are unknown, no contact is claimed; all comes back with it',
  options,
  async (t) => {
    const { client, others } = await setUp(t, 'leader');
    const watch = recordWatch(client, '/k');
    await watch.started();
    for (const other of others) await other.freeze();
    const cutAt = systemClock.now();
    await assertDcsError(client.get('/k', { timeoutMs: 1000 }), 'not-sent');
    // What is frozen stays so: whoever waited for it would wait for ever.
    assert.ok(systemClock.now() - cutAt < 3000);
    await assertDcsError(put(client, '/k', '1', 1000), 'unknown');
    assert.deepEqual(
      watch.contacts.filter((contact) => contact.sentAt > cutAt),
      [],
    );
    assert.equal(watch.disconnects.length, 1);
    for (const other of others) other.thaw();
    await eventually('contact', () => watch.contacts.at(-1)?.sentAt ?? 0, {
      holds: (sentAt) => sentAt > cutAt,
      withinMs: 15_000,
    });
    await eventually(
      'a change is possible',
      async () => await put(client, '/k2', '1').catch(() => 'failed'),
      {
        holds: (outcome) => outcome === 'applied',
        withinMs: 15_000,
      },
    );
    await watch.stop();
  },
);

test('the leadership of etcd moves to the member that was named', options, async (t) => {
  const { cluster, client } = await setUp(t, 'follower');
  const members = await client.members(call);
  assert.equal(members.length, 3);
  const target = members.findLast((member) => !member.isLeader);
  assert.ok(target !== undefined);
  await client.moveLeader(target.id, { timeoutMs: 5000 });
  assert.equal(await leaderOf(t, cluster), target.name);
  await assertDcsError(client.moveLeader('1', call), 'refused', 'bad-request');
});

test('a client whose own member comes back uses it again', options, async (t) => {
  const { victim, others } = await setUp(t, 'follower');
  const { log, lines } = recordingLog();
  const client = connect(t, [victim, ...others], log);
  await victim.kill();
  await client.get('/k', call);
  await victim.start();
  await eventually(
    'the first endpoint answers again',
    async () => {
      await client.get('/k', call);
      return lines.map((line) => `${line.event} ${String(line.fields['endpoint'])}`);
    },
    { holds: (seen) => seen.at(-1) === `dcs-endpoint-answers ${victim.url}`, withinMs: 10_000 },
  );
  for (const other of others) await other.kill();
  await assertDcsError(client.get('/k', { timeoutMs: 300 }), 'not-sent');
});

test('a watch that was cut off past a compaction starts again from a snapshot', options, async (t) => {
  const cluster = await startEtcd(t);
  const [member] = cluster.members;
  assert.ok(member !== undefined);
  const proxy = await startProxy(t, { host: new URL(member.url).hostname, port: 2379 });
  const direct = connect(t, [member]);
  const client = connect(t, [{ ...member, url: `http://${proxy.host}:${proxy.port}` }]);
  const watch = recordWatch(client, '/k');
  await watch.started();
  await put(direct, '/k', '1');
  await eventually('the change', () => watch.events.length, {
    holds: (count) => count === 1,
    withinMs: 2000,
  });
  proxy.setMode('cut');
  await put(direct, '/k', '2');
  await put(direct, '/k/a', '3');
  const { revision } = await direct.range('/', call);
  await fetch(`${member.url}/v3/kv/compaction`, { method: 'POST', body: JSON.stringify({ revision }) });
  proxy.setMode('open');
  await eventually('the second snapshot', () => watch.snapshots, {
    holds: (count) => count === 2,
    withinMs: 10_000,
  });
  assert.deepEqual(
    [...watch.state],
    [
      ['/k', '2'],
      ['/k/a', '3'],
    ],
  );
  await put(direct, '/k', '4');
  await eventually('what comes after', () => watch.events, {
    holds: (events) => events.length === 2,
    withinMs: 2000,
  });
  assert.deepEqual(watch.events, ['put /k=1', 'put /k=4']);
  await watch.stop();
});

test(
  'a watch that falls silent on a member that answers is found by what a read shows, and moves',
  options,
  async (t) => {
    const { victim, others, bystander } = await setUp(t, 'follower');
    const proxy = await startProxy(t, { host: new URL(victim.url).hostname, port: 2379 });
    const client = connect(t, [{ ...victim, url: `http://${proxy.host}:${proxy.port}` }, ...others]);
    const watch = recordWatch(client, '/k', 200);
    await watch.started();
    await put(bystander, '/k', '1');
    await eventually('the first change', () => watch.events.length, {
      holds: (count) => count === 1,
      withinMs: 2000,
    });
    proxy.setMode('deaf-watch');
    const silentAt = systemClock.now();
    await put(bystander, '/k', '2');
    await assertNothingLost(watch, 2);
    t.diagnostic(`change seen ${Math.round(systemClock.now() - silentAt)} ms after the watch fell silent`);
    assert.deepEqual(watch.disconnects, ['watch-behind']);
    await watch.stop();
  },
);

test('a change whose answer was lost is unknown, although it was made', options, async (t) => {
  const cluster = await startEtcd(t);
  const [member] = cluster.members;
  assert.ok(member !== undefined);
  const proxy = await startProxy(t, { host: new URL(member.url).hostname, port: 2379 });
  const client = connect(t, [{ ...member, url: `http://${proxy.host}:${proxy.port}` }]);
  await put(client, '/k', '0');
  proxy.setMode('deaf');
  await assertDcsError(put(client, '/k', '1', 300), 'unknown', 'timeout');
  assert.equal((await connect(t, [member]).get('/k', call))?.value, '1');
  const pending = put(client, '/k', '2', 2000);
  await eventually('the change arrived', async () => (await connect(t, [member]).get('/k', call))?.value, {
    holds: (value) => value === '2',
    withinMs: 1500,
  });
  proxy.setMode('cut');
  await assertDcsError(pending, 'unknown', 'connection');
});

test('a lease ends while its member hangs, and the others see its key go', options, async (t) => {
  const { victim, client, bystander } = await setUp(t, 'follower');
  const watch = recordWatch(bystander, '/leader');
  await watch.started();
  const { lease, ttlMs } = await client.grantLease(2000, call);
  await client.transact({ when: [], then: [{ op: 'put', key: '/leader', value: 'one', lease }] }, call);
  const leasedAt = systemClock.now();
  await victim.freeze();
  await eventually('the key is gone', () => watch.events.at(-1), {
    holds: (last) => last === 'delete /leader',
    withinMs: ttlMs + 4000,
  });
  assert.ok(systemClock.now() - leasedAt >= ttlMs - 100);
  victim.thaw();
  assert.deepEqual(await client.keepAlive(lease, call), { outcome: 'lost' });
  await watch.stop();
});

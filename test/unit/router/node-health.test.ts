/** What a router makes of what it hears of its nodes. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../../../src/base/index.ts';
import { Latencies } from '../../../src/router/latencies.ts';
import { NodeHealths } from '../../../src/router/node-health.ts';
import { NO_TLS } from '../../../src/router/server-tls.ts';
import { ClusterWorld } from '../../../src/router/world.ts';
import { threeDatacenters } from '../../support/members.ts';
import { aPosition } from '../../support/position.ts';

const NODES = ['db1', 'db2', 'db3'] as const;

function stage(t: TestContext) {
  const time = { now: 0 };
  const policy = { localDatacenter: 'dc2', weights: { local: 10, remote: 1 }, addresses: {} };
  const world = new ClusterWorld({ policy, ttlMs: 5000 });
  world.setView(threeDatacenters());
  const latencies = new Latencies();
  const health = new NodeHealths({
    world,
    latencies,
    lagLimit: () => ({ kind: 'bytes', value: 1000 }),
    answerWithinMs: () => 1500,
    tls: () => NO_TLS,
    clock: { now: () => time.now, wallNow: () => 0 },
    log: silentLog,
    signal: new AbortController().signal,
  });
  t.after(() => health.close());
  const answers = (name: string, changes: Parameters<typeof aPosition>[0] = {}): void =>
    health.answered(name, aPosition({ askedAt: time.now, answeredAt: time.now, ...changes }));
  return { time, world, health, answers };
}

test('a node that is silent while others answer is out; when nobody answers nobody is', (t) => {
  const { time, world, health, answers } = stage(t);
  for (const name of NODES) answers(name);
  time.now = 5000;
  for (const name of [...NODES, ...NODES]) health.silent(name, 'no answer');
  assert.deepEqual(
    NODES.map((name) => health.of(name).state),
    ['in', 'in', 'in'],
  );
  answers('db1');
  for (const name of ['db2', 'db2']) health.silent(name, 'no answer');
  assert.deepEqual(health.of('db2'), { state: 'out', because: 'silent', lag: undefined });
  assert.equal(world.shareOf('db2'), 0);
  assert.deepEqual([...world.unreachable], ['db2']);
});

test('a standby is compared with the leader only, and its reads go to the others while it lags', (t) => {
  const { time, world, health, answers } = stage(t);
  answers('db1', { isInRecovery: false, writeLsn: 5000 });
  time.now = 10;
  answers('db3', { isInRecovery: false, writeLsn: 1_000_000 });
  answers('db2', { replayLsn: 4500 });
  assert.deepEqual(health.of('db2').lag, { bytes: 500, ms: 10 });
  for (const _ of [1, 2]) answers('db2', { replayLsn: 3000 });
  assert.deepEqual(health.of('db2'), { state: 'out', because: 'lagging', lag: { bytes: 2000, ms: 10 } });
  const none = new Set<string>();
  const readers = Array.from({ length: 4 }, () => world.reader(none) ?? 'none');
  assert.deepEqual(readers.sort(), ['db1', 'db1', 'db3', 'db3']);
});

/** From whom a member is cloned. */
import { deepEqual, equal } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { cloneSource } from '../../../src/agent/clone-source.ts';
import { anAgent } from '../../support/an-agent.ts';

const replica = {
  conn_url: 'postgres://h/postgres',
  state: 'running',
  role: 'replica',
  timeline: 2,
  xlog_location: 5000,
  replication_state: 'streaming',
};
const offered = { ...replica, tags: { clonefrom: true } };

/** Whom `alpha` would clone, with `beta` as the leader beside these members, for chances from 0 to almost 1. */
async function sources(t: TestContext, members: Readonly<Record<string, object>>, failures = 0) {
  const { ctx, other, see } = await anAgent(t);
  const all = { beta: { ...replica, role: 'primary', replication_state: undefined }, ...members };
  const puts = Object.entries(all).map(
    ([name, json]) => ({ op: 'put', key: ctx.layout.member(name), value: JSON.stringify(json) }) as const,
  );
  const status = { op: 'put', key: ctx.layout.status, value: '{"optime":6000}' } as const;
  const config = { op: 'put', key: ctx.layout.config, value: '{"maximum_lag_on_failover":1000}' } as const;
  await other.transact({ when: [], then: [...puts, status, config] }, { timeoutMs: 1000 });
  await see();
  const jobs = { failuresOf: () => failures };
  return [0, 0.4, 0.99].map((chance) => cloneSource({ ...ctx, jobs, random: () => chance }, 'beta'));
}

test('replicas that offer themselves are cloned from by chance, else the leader is', async (t) => {
  deepEqual(await sources(t, {}), ['beta', 'beta', 'beta']);
  deepEqual(await sources(t, { gamma: replica }), ['beta', 'beta', 'beta']);
  deepEqual(await sources(t, { gamma: offered }), ['gamma', 'gamma', 'gamma']);
  deepEqual(await sources(t, { gamma: offered, delta: offered, alpha: offered }), [
    'delta',
    'delta',
    'gamma',
  ]);
});

test('one that is not fit is not cloned from, and after a failure nobody but the leader', async (t) => {
  const unfit = [
    { ...offered, state: 'starting' },
    { ...offered, role: 'uninitialized' },
    { ...offered, replication_state: 'in archive recovery' },
    { ...offered, timeline: 1 },
    { ...offered, xlog_location: 4999 },
    { ...offered, xlog_location: undefined },
  ];
  for (const gamma of unfit) equal((await sources(t, { gamma }))[0], 'beta', JSON.stringify(gamma));
  deepEqual(await sources(t, { gamma: offered }, 1), ['beta', 'beta', 'beta']);
});

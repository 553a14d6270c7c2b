/** A leader's part of failsafe, over a store in memory: what it writes, whom it asks, and what it counts on. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Failsafe } from '../../../src/agent/failsafe.ts';
import { look } from '../../../src/agent/look.ts';
import { type Pledge, readPledge } from '../../../src/agent/peers.ts';
import { parseJson } from '../../../src/base/index.ts';
import { DcsError } from '../../../src/dcs/index.ts';
import { type AnAgent, anAgent } from '../../support/an-agent.ts';
import { eventually } from '../../support/eventually.ts';
import { apiUrl, call, put } from '../../support/failsafe.ts';

const pledged: Pledge = { isPledged: true, forMs: 5000 };
const aMemberKey = (name: string): string =>
  JSON.stringify({
    conn_url: `postgres://${name}:5432/postgres`,
    api_url: apiUrl(name),
    state: 'running',
    role: 'replica',
  });

interface ALeader extends AnAgent {
  readonly failsafe: Failsafe;
  /** What the members answer; they are asked in turn, and named in `asked`. */
  readonly answers: Map<string, Pledge | undefined>;
  readonly asked: string[];
  readonly keepKey: () => Promise<void>;
  /** One round, to its end. */
  readonly round: () => Promise<void>;
  /** What happens between the question and its answer. */
  underway: () => void;
}

/** A primary that leads, with the members beta and gamma, and failsafe on. */
async function aLeader(t: TestContext, mode: unknown = true): Promise<ALeader> {
  const agent = await anAgent(t);
  const { ctx, server } = agent;
  const { config, member } = ctx.layout;
  await put(agent, config, JSON.stringify({ failsafe_mode: mode }));
  for (const name of ['beta', 'gamma']) await put(agent, member(name), aMemberKey(name));
  server.postmaster = { kind: 'accepting', pid: 1 };
  await look(ctx);
  ok(await ctx.keeper.acquire(0));
  await agent.see();
  const answers = new Map<string, Pledge | undefined>([
    ['beta', pledged],
    ['gamma', pledged],
  ]);
  const asked: string[] = [];
  const leader: ALeader = {
    ...agent,
    answers,
    asked,
    failsafe: new Failsafe(ctx),
    underway: () => {},
    keepKey: async () => {
      await leader.failsafe.keepKey();
      await agent.see();
    },
    round: async () => {
      leader.failsafe.ask();
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    },
  };
  ctx.peers.pledge = async ({ name }) => {
    asked.push(name);
    await Promise.resolve();
    leader.underway();
    return answers.get(name);
  };
  return leader;
}

const keyOf = async ({ other, ctx }: AnAgent): Promise<unknown> =>
  parseJson((await other.get(ctx.layout.failsafe, call))?.value ?? '');

const LISTED = {
  alpha: 'http://127.0.0.1:8008/patroni',
  beta: apiUrl('beta'),
  gamma: apiUrl('gamma'),
};

test('a leader keeps the key while the mode is on, and takes it away when it is off', async (t) => {
  const leader = await aLeader(t);
  await leader.keepKey();
  deepEqual(await keyOf(leader), LISTED);
  await put(leader, leader.ctx.layout.member('delta'), aMemberKey('delta'));
  await leader.see();
  await leader.keepKey();
  deepEqual(await keyOf(leader), { ...LISTED, delta: apiUrl('delta') });
  await put(leader, leader.ctx.layout.config, '{"failsafe_mode":false}');
  await leader.see();
  await leader.keepKey();
  equal(await leader.other.get(leader.ctx.layout.failsafe, call), undefined);
});

test('all pledge: the deadline is moved, from the sending on', async (t) => {
  const leader = await aLeader(t);
  await leader.keepKey();
  await leader.endKeepAlive();
  const { keeper } = leader.ctx;
  const { deadline } = keeper;
  leader.move(2000);
  leader.underway = () => leader.move(300);
  await leader.round();
  deepEqual(leader.asked, ['beta', 'gamma']);
  equal(keeper.deadline, deadline + 2000);
  ok(keeper.isFailsafe);
  deepEqual(keeper.lock(leader.ctx.state.view, 1000), {
    is: 'mine',
    deadline: deadline + 2000,
    isFailsafe: true,
  });
});

test('one that refuses or is silent: the deadline is not moved', async (t) => {
  const leader = await aLeader(t);
  await leader.keepKey();
  await leader.endKeepAlive();
  const { deadline } = leader.ctx.keeper;
  leader.move(2000);
  for (const answer of [undefined, readPledge(500, 'Running as a leader', undefined)]) {
    leader.answers.set('gamma', answer);
    await leader.round();
    equal(leader.ctx.keeper.deadline, deadline);
  }
  equal(leader.lines.filter(({ event }) => event === 'failsafe-refused').length, 2);
  leader.answers.set('gamma', pledged);
  await leader.round();
  equal(leader.ctx.keeper.deadline, deadline + 2000);
});

test('a leader that stood still between asking and counting is not revived', async (t) => {
  const leader = await aLeader(t);
  await leader.keepKey();
  await leader.endKeepAlive();
  const { deadline } = leader.ctx.keeper;
  leader.move(3000);
  leader.underway = () => leader.move(1000);
  await leader.round();
  equal(leader.ctx.keeper.deadline, deadline);
});

test('a member that does not say for how long has pledged for the cluster’s ttl', async (t) => {
  const leader = await aLeader(t);
  await leader.keepKey();
  await leader.endKeepAlive();
  const { deadline } = leader.ctx.keeper;
  leader.move(3000);
  leader.ctx.state.view = {
    ...leader.ctx.state.view,
    config: { value: { failsafe_mode: true, ttl: 4 }, modRevision: 2 },
  };
  leader.answers.set('beta', readPledge(200, 'Accepted', undefined));
  await leader.round();
  equal(leader.ctx.keeper.deadline, deadline + 3000 - 1000);
});

test('failsafe is not used with the mode off, or before a list of this term is confirmed', async (t) => {
  const off = await aLeader(t, false);
  await off.keepKey();
  await off.round();
  deepEqual(off.asked, []);
  const leader = await aLeader(t);
  await leader.round();
  await put(leader, leader.ctx.layout.failsafe, JSON.stringify({ alpha: apiUrl('alpha') }));
  await leader.see();
  await leader.round();
  deepEqual(leader.asked, [], 'a list of somebody else’s');
  await leader.keepKey();
  await leader.round();
  deepEqual(leader.asked, ['beta', 'gamma']);
});

test('while a list may or may not have been written, the members of both are asked', async (t) => {
  const leader = await aLeader(t);
  await leader.keepKey();
  const { ctx } = leader;
  const { transact } = ctx.dcs;
  await leader.other.transact({ when: [], then: [{ op: 'delete', key: ctx.layout.member('gamma') }] }, call);
  await put(leader, ctx.layout.member('delta'), aMemberKey('delta'));
  await leader.see();
  let isSent = false;
  Object.assign(ctx.dcs, {
    transact: async () => {
      isSent = true;
      return await Promise.reject(new DcsError('unknown', 'timeout', 'no answer'));
    },
  });
  await leader.failsafe.keepKey().catch(() => undefined);
  Object.assign(ctx.dcs, { transact });
  ok(isSent);
  await leader.round();
  deepEqual(leader.asked.sort(), ['beta', 'delta', 'gamma']);
  leader.asked.length = 0;
  await leader.keepKey();
  await leader.round();
  deepEqual(leader.asked.sort(), ['beta', 'delta']);
});

test('a list that another has written over ours is not gone by', async (t) => {
  const leader = await aLeader(t);
  await leader.keepKey();
  await put(leader, leader.ctx.layout.failsafe, JSON.stringify({ zeta: apiUrl('zeta') }));
  await leader.see();
  const { transact } = leader.ctx.dcs;
  Object.assign(leader.ctx.dcs, {
    transact: async () => await Promise.reject(new DcsError('not-sent', 'timeout', 'no answer')),
  });
  await leader.failsafe.keepKey().catch(() => undefined);
  await leader.round();
  deepEqual(leader.asked, [], 'it lists whom we do not know of');
  Object.assign(leader.ctx.dcs, { transact });
  await leader.keepKey();
  deepEqual(await keyOf(leader), LISTED);
});

test('nobody is let into the list while only pledges cover the leader', async (t) => {
  const leader = await aLeader(t);
  await leader.keepKey();
  await leader.endKeepAlive();
  leader.move(1000);
  await leader.round();
  ok(leader.ctx.keeper.isFailsafe);
  await put(leader, leader.ctx.layout.member('delta'), aMemberKey('delta'));
  await put(leader, leader.ctx.layout.config, '{"failsafe_mode":false}');
  await leader.see();
  await leader.keepKey();
  deepEqual(await keyOf(leader), LISTED);
});

test('a round that was asked by a shorter list does not count', async (t) => {
  const leader = await aLeader(t);
  await leader.keepKey();
  await put(leader, leader.ctx.layout.member('delta'), aMemberKey('delta'));
  await leader.see();
  let writing: Promise<void> | undefined;
  leader.underway = () => {
    writing ??= leader.failsafe.keepKey();
  };
  const { deadline } = leader.ctx.keeper;
  let answer: ((pledge: Pledge) => void) | undefined;
  const gamma = new Promise<Pledge>((resolve) => {
    answer = resolve;
  });
  const { pledge } = leader.ctx.peers;
  leader.ctx.peers.pledge = async (member, body, withinMs) =>
    member.name === 'gamma' ? await gamma : await pledge(member, body, withinMs);
  leader.move(100);
  await leader.round();
  await writing;
  answer?.(pledged);
  await leader.round();
  equal(leader.ctx.keeper.isFailsafe, false);
  ok(leader.ctx.keeper.deadline >= deadline);
});

test('the key has ended meanwhile: it is taken anew while pledges cover the leader', async (t) => {
  const leader = await aLeader(t);
  await leader.keepKey();
  const { keeper, layout } = leader.ctx;
  const { reign } = keeper;
  await leader.other.transact({ when: [], then: [{ op: 'delete', key: layout.leader }] }, call);
  leader.move(10);
  await leader.round();
  await leader.see();
  keeper.heed(leader.ctx.state.view);
  ok(keeper.isHolder);
  await eventually('it is retaken', () => leader.other.get(layout.leader, call), {
    holds: (entry) => entry?.value === 'alpha' && entry.lease === keeper.lease,
    withinMs: 2000,
  });
  equal(keeper.reign, reign);
  await eventually('it is under the lease again', () => keeper.heldSince, {
    holds: (since) => since !== undefined,
    withinMs: 2000,
  });
});

test('the key has ended meanwhile and another has it: the leader is none any more', async (t) => {
  const leader = await aLeader(t);
  await leader.keepKey();
  const { keeper, layout } = leader.ctx;
  leader.move(10);
  await leader.round();
  await leader.other.transact({ when: [], then: [{ op: 'delete', key: layout.leader }] }, call);
  await leader.see();
  await put(leader, layout.leader, 'beta');
  keeper.heed(leader.ctx.state.view);
  await eventually('it is lost', () => keeper.isHolder, { holds: (is) => !is, withinMs: 2000 });
  equal(keeper.lock(leader.ctx.state.view, 1000).is, 'lost');
  equal((await leader.other.get(layout.leader, call))?.value, 'beta');
});

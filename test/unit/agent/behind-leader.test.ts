/** What is said beside a decision that rests on how far the late leader was. */
import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { look } from '../../../src/agent/look.ts';
import { behindLeader } from '../../../src/agent/loop.ts';
import { freshMemory } from '../../../src/ha/index.ts';
import { anAgent, aStatus } from '../../support/an-agent.ts';

test('a decision that rests on the leader’s position says how old that is, and how far this member is behind', async (t) => {
  const { ctx, server, other, see, move } = await anAgent(t);
  server.postmaster = { kind: 'accepting', pid: 1 };
  server.status = aStatus({ inRecovery: true, receiveLsn: 900, replayLsn: 880 });
  await look(ctx);
  const put = { op: 'put', key: ctx.layout.status, value: '{"optime":1000}' } as const;
  await other.transact({ when: [], then: [put] }, { timeoutMs: 1000 });
  await see();
  const decision = { action: { do: 'wait' }, because: 'lag-too-great', memory: freshMemory } as const;
  deepEqual(behindLeader(ctx, decision), { leaderPosition: 1000, behindBytes: 100 });
  ctx.state.optimeSeenAt = ctx.clock.now();
  move(1500);
  deepEqual(behindLeader(ctx, decision), { leaderPosition: 1000, writtenMsAgo: 1500, behindBytes: 100 });
  deepEqual(behindLeader(ctx, { ...decision, because: 'following' }), {});
});

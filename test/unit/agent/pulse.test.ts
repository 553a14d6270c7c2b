/** When a leader's PostgreSQL counts as hung: questions in a row, each at length, of one postmaster. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { look } from '../../../src/agent/look.ts';
import { localServer } from '../../../src/agent/observe.ts';
import { anAgent } from '../../support/an-agent.ts';
import { eventually } from '../../support/eventually.ts';

async function aSilentLeader(t: TestContext) {
  const asked: number[] = [];
  const says = { status: false, atLength: false };
  const agent = await anAgent(t, {
    status: async () =>
      await (says.status ? Promise.resolve(agent.server.status) : Promise.reject(new Error('silent'))),
    isAnswering: async ({ deadlineMs = 0 } = {}) => {
      asked.push(deadlineMs);
      return await Promise.resolve(says.atLength);
    },
  });
  const { ctx, server, other, see, move } = agent;
  server.postmaster = { kind: 'accepting', pid: 1 };
  ok(await ctx.keeper.acquire(0));
  const set = async (seconds: number): Promise<void> => {
    const value = JSON.stringify({ primary_answer_timeout: seconds });
    const put = { op: 'put', key: ctx.layout.config, value } as const;
    await other.transact({ when: [], then: [put] }, { timeoutMs: 1000 });
    await see();
  };
  const unanswered = (): number => localServer(ctx.state).unanswered;
  const lookAt = async (ms: number): Promise<number> => {
    move(ms);
    const before = asked.length;
    await eventually('this member leads again', () => ctx.keeper.acquire(0), {
      holds: (isOurs) => isOurs,
      withinMs: 2000,
    });
    await look(ctx);
    await eventually('the question has ended', () => ctx.state.pulse?.isAsking ?? false, {
      holds: (isAsking) => !isAsking,
      withinMs: 1000,
    });
    return asked.length - before;
  };
  return { ...agent, asked, says, set, unanswered, lookAt };
}

test('a server that answers no short question is asked at length, once in a third of the timeout', async (t) => {
  const { asked, lookAt, unanswered, set } = await aSilentLeader(t);
  equal(await lookAt(0), 1);
  deepEqual([asked, unanswered()], [[20_000], 1]);
  equal(await lookAt(19_000), 0);
  equal(await lookAt(1000), 1);
  equal(unanswered(), 2);
  await set(6);
  await lookAt(20_000);
  deepEqual([asked, unanswered()], [[20_000, 20_000, 2000], 3]);
});

test('any answer begins the count anew, and so does another postmaster', async (t) => {
  const { lookAt, unanswered, says, server } = await aSilentLeader(t);
  await lookAt(0);
  await lookAt(20_000);
  equal(unanswered(), 2);
  says.atLength = true;
  await lookAt(20_000);
  equal(unanswered(), 0);
  says.atLength = false;
  await lookAt(20_000);
  equal(unanswered(), 1);
  server.postmaster = { kind: 'accepting', pid: 2 };
  await lookAt(1000);
  equal(unanswered(), 1);
  says.status = true;
  await lookAt(20_000);
  equal(unanswered(), 0);
});

test('with primary_answer_timeout: 0 it is never asked', async (t) => {
  const { asked, lookAt, set } = await aSilentLeader(t);
  await set(0);
  await lookAt(0);
  await lookAt(100_000);
  deepEqual(asked, []);
});

/** A request for another leader beside one that is pending. */
import { deepEqual, equal } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { changeLeader } from '../../../src/agent/change-of-leader.ts';
import { anAgent } from '../../support/an-agent.ts';

const call = { timeoutMs: 1000 };
const LATER = '1970-01-02T00:00:00.000+00:00';
const later = { leader: 'alpha', candidate: 'beta', scheduled_at: LATER };

async function aCluster(t: TestContext) {
  const { ctx, other, see } = await anAgent(t);
  const put = async (key: string, value: string): Promise<void> => {
    await other.transact({ when: [], then: [{ op: 'put', key, value }] }, call);
    await see();
  };
  await put(ctx.layout.leader, 'alpha');
  const pending = async (): Promise<unknown> =>
    JSON.parse((await other.get(ctx.layout.failover, call))?.value ?? '{}');
  return { ctx, put, see, pending };
}

test('a request is refused while another one is pending, and says which', async (t) => {
  const { ctx, put, pending } = await aCluster(t);
  const { failover } = ctx.layout;
  const asked = async (action: 'switchover' | 'failover'): Promise<string> => {
    const { status, text } = await changeLeader(ctx, action, { leader: 'alpha', candidate: 'gamma' });
    return `${status} ${text}`;
  };
  const first = { leader: 'alpha', member: 'beta', scheduled_at: LATER };
  await put(failover, JSON.stringify(first));
  const scheduled = `409 Another switchover from "alpha" to "beta" is already scheduled for ${LATER}`;
  equal(await asked('switchover'), scheduled);
  equal(await asked('failover'), scheduled);
  deepEqual(await pending(), first);
  await put(failover, '{"member":"beta"}');
  equal(await asked('failover'), '409 Another failover to "beta" is under way');
  await put(failover, '{}');
  equal(await asked('switchover'), '412 candidate does not exists');
});

test('where nobody leads, a failover by hand replaces one that came to nothing', async (t) => {
  const { ctx, put } = await aCluster(t);
  await put(ctx.layout.failover, '{"member":"beta"}');
  await put(ctx.layout.leader, '');
  const { status, text } = await changeLeader(ctx, 'failover', { candidate: 'gamma' });
  equal(`${status} ${text}`, '412 candidate does not exists');
});

test('of two requests at the same time the second is refused', async (t) => {
  const { ctx, put, see, pending } = await aCluster(t);
  equal((await changeLeader(ctx, 'switchover', later)).status, 202);
  // This agent has not seen the first one yet.
  deepEqual(await changeLeader(ctx, 'switchover', { ...later, candidate: 'gamma' }), {
    status: 409,
    text: 'another request was made just now',
  });
  deepEqual(await pending(), { leader: 'alpha', member: 'beta', scheduled_at: LATER });
  await see();
  await put(ctx.layout.failover, '{}');
  equal((await changeLeader(ctx, 'switchover', { ...later, candidate: 'gamma' })).status, 202);
});

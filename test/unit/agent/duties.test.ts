/** A leader's housekeeping: what it writes first, what it does not repeat, and when it lets go. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Duties, firstConfiguration } from '../../../src/agent/duties.ts';
import { look } from '../../../src/agent/look.ts';
import { MemberKey, memberJson } from '../../../src/agent/member-key.ts';
import type { PostgresControl } from '../../../src/postgres/index.ts';
import { anAgent, aStatus } from '../../support/an-agent.ts';
import { eventually } from '../../support/eventually.ts';

/** An agent that leads, and its housekeeping. */
async function aLeader(t: TestContext, calls: Partial<PostgresControl> = {}) {
  const agent = await anAgent(t, calls);
  const { ctx, server } = agent;
  server.postmaster = { kind: 'accepting', pid: 1 };
  await look(ctx);
  ok(await ctx.keeper.acquire(0));
  await agent.see();
  const duties = new Duties(ctx, new MemberKey());
  const run = async (): Promise<void> => {
    duties.due();
    await duties.idle();
    await agent.see();
  };
  return { ...agent, duties, run };
}

test('the cluster’s first configuration says what the agents really follow', async (t) => {
  const { ctx } = await anAgent(t);
  const lease = { ...ctx.config.lease, ttl: 5400, loop_wait: 300 };
  const bootstrap = { dcs: {}, users: [] };
  const followed = { ttl: 5, loop_wait: 1, maximum_lag_on_failover: 1_048_576 };
  deepEqual(JSON.parse(firstConfiguration({ lease, bootstrap })), followed);
  const dcs = { maximum_lag_on_failover: 7, postgresql: { parameters: {} } };
  deepEqual(JSON.parse(firstConfiguration({ lease, bootstrap: { ...bootstrap, dcs } })), {
    ...followed,
    ...dcs,
  });
});

test('a checkpoint that fails after a promotion is not run again at once, over and over', async (t) => {
  let checkpoints = 0;
  const { server, ctx, run, move } = await aLeader(t, {
    checkpoint: async () => {
      checkpoints += 1;
      return await Promise.reject(new Error('disk full'));
    },
  });
  server.status = aStatus({ timeline: 2, checkpointTimeline: 1 });
  await look(ctx);
  for (let round = 0; round < 5; round += 1) await run();
  equal(checkpoints, 1);
  move(1000);
  await run();
  equal(checkpoints, 2);
});

test('housekeeping ends with the duty that it is at when the agent ends', async (t) => {
  const { ctx, done, run } = await aLeader(t, {
    bootstrapSql: async () => {
      ctx.state.isStopping = true;
      return await Promise.resolve();
    },
  });
  await run();
  deepEqual(done, ['setRouterCredential']);
  equal(ctx.state.view.config, undefined);
});

test('the slot of a member that is gone for long is dropped once, and then forgotten', async (t) => {
  const drops: (readonly string[])[] = [];
  const { ctx, server, run, move, other } = await aLeader(t, {
    ensureSlots: async ({ drop = [] }) => {
      if (drop.length > 0) drops.push(drop);
      return await Promise.resolve({ created: [], dropped: [] });
    },
  });
  const later = async (ms: number): Promise<void> => {
    move(ms);
    await eventually('this member leads again', () => ctx.keeper.acquire(0), {
      holds: (isOurs) => isOurs,
      withinMs: 2000,
    });
    await run();
  };
  const key = ctx.layout.member('beta');
  const value = '{"conn_url":"postgres://beta/postgres"}';
  const call = { timeoutMs: 1000 };
  await other.transact({ when: [], then: [{ op: 'put', key, value }] }, call);
  await run();
  await run();
  await other.transact({ when: [], then: [{ op: 'delete', key }] }, call);
  const more = { restartLsn: 1, walStatus: 'reserved', holdsXmin: false, isFailover: false };
  const slot = { ...more, name: 'beta', type: 'physical', active: false } as const;
  server.status = aStatus({ slots: [slot] });
  await look(ctx);
  await run();
  await later(29 * 60_000);
  deepEqual(drops, []);
  await later(60_000);
  server.status = aStatus();
  await look(ctx);
  await run();
  // Somebody else makes a slot of that name: it is not ours to drop any more.
  server.status = aStatus({ slots: [slot] });
  await look(ctx);
  await run();
  deepEqual(drops, [['beta']]);
});

test('a member publishes an IPv6 address that others can read', async (t) => {
  const { ctx } = await anAgent(t);
  const published = { postgres: { host: '::1', port: 5432 }, rest: { host: '::1', port: 8008 } };
  const { conn_url: connUrl, api_url: apiUrl } = memberJson({ ...ctx, published });
  deepEqual([connUrl, apiUrl], ['postgres://[::1]:5432/postgres', 'http://[::1]:8008/patroni']);
});

/** Slots over the life of an agent: who was there before it, who is away, what is written down for the next one. */
import { deepEqual } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { look } from '../../../src/agent/look.ts';
import { SlotKeeper } from '../../../src/agent/slots.ts';
import type { SlotChanges, SlotStatus } from '../../../src/postgres/index.ts';
import { anAgent, aStatus } from '../../support/an-agent.ts';

const MB = 1024 * 1024;
const HALF_AN_HOUR = 30 * 60_000;

/** What PostgreSQL says of every slot's WAL. */
let endangered = 'reserved';

const slot = (name: string): SlotStatus => ({
  name,
  type: 'physical',
  active: false,
  restartLsn: 16 * MB,
  walStatus: endangered,
  holdsXmin: false,
  isFailover: false,
});

async function aServer(t: TestContext, as: 'primary' | 'standby') {
  const changes: SlotChanges[] = [];
  const agent = await anAgent(t, {
    ensureSlots: async (change) => {
      changes.push(change);
      return await Promise.resolve({ created: [], dropped: [] });
    },
  });
  const { ctx, server, other, see } = agent;
  server.postmaster = { kind: 'accepting', pid: 1 };
  const keeper = new SlotKeeper();
  const put = async (key: string, value: object): Promise<void> => {
    const write = { op: 'put', key, value: JSON.stringify(value) } as const;
    await other.transact({ when: [], then: [write] }, { timeoutMs: 1000 });
    await see();
  };
  const member = async (name: string, lsn: number, tags: object = {}): Promise<void> =>
    await put(ctx.layout.member(name), { conn_url: `postgres://${name}/postgres`, xlog_location: lsn, tags });
  const kept = async (...names: readonly string[]): Promise<SlotChanges | undefined> => {
    const inRecovery = as === 'standby';
    server.status = aStatus({ inRecovery, flushLsn: 200 * MB, replayLsn: 200 * MB, slots: names.map(slot) });
    await look(ctx);
    changes.length = 0;
    await keeper.keep(ctx, as);
    return changes[0];
  };
  return { ...agent, keeper, put, member, kept };
}

test('a standby has a slot for each other member, and moves it to where that is', async (t) => {
  const { ctx, member, kept, put } = await aServer(t, 'standby');
  await member('alpha', 1);
  await member('beta', 90 * MB);
  await member('gamma', 0);
  await put(ctx.layout.status, { optime: 150 * MB });
  await ctx.dcs.transact(
    { when: [], then: [{ op: 'put', key: ctx.layout.leader, value: 'gamma' }] },
    { timeoutMs: 1000 },
  );
  await put(ctx.layout.config, { slots: { backup: null } });
  deepEqual((await kept())?.ensure, ['backup', 'beta', 'gamma']);
  await put(ctx.layout.status, { optime: 150 * MB, slots: { backup: 70 * MB } });
  deepEqual((await kept('backup', 'beta', 'gamma'))?.advance, [
    { name: 'backup', lsn: 70 * MB },
    { name: 'beta', lsn: 90 * MB },
    { name: 'gamma', lsn: 150 * MB },
  ]);
});

test('a standby that never leads keeps nothing for the others', async (t) => {
  const { ctx, member, kept } = await aServer(t, 'standby');
  await member('beta', 90 * MB);
  ctx.tags = { nofailover: true };
  deepEqual(await kept(), undefined);
  deepEqual((await kept('beta'))?.drop, ['beta']);
});

test('slots of members that were away before the leader’s agent began are dropped after the same half an hour', async (t) => {
  const { ctx, put, kept, move } = await aServer(t, 'primary');
  await put(ctx.layout.status, { optime: 1, retain_slots: ['beta', 'elsewhere'] });
  deepEqual(await kept('beta', 'foreign'), undefined);
  move(HALF_AN_HOUR - 1);
  deepEqual(await kept('beta', 'foreign'), undefined);
  move(1);
  deepEqual((await kept('beta', 'foreign'))?.drop, ['beta']);
  deepEqual(await kept('foreign'), undefined);
  move(HALF_AN_HOUR);
  deepEqual(await kept('beta', 'foreign'), undefined, 'who makes one of that name anew has the time again');
});

test('what is kept is written down for whoever leads next, with the positions of permanent slots', async (t) => {
  const { ctx, keeper, member, kept, put } = await aServer(t, 'primary');
  await member('beta', 1);
  await put(ctx.layout.config, { slots: { backup: { type: 'physical' } } });
  await kept('backup', 'beta', 'foreign');
  deepEqual(keeper.published(ctx), { slots: { backup: 16 * MB }, retain_slots: ['beta'] });
});

test('a permanent slot goes when an agent that saw it in the configuration sees it gone', async (t) => {
  const { ctx, kept, put } = await aServer(t, 'primary');
  await put(ctx.layout.config, { slots: { backup: { type: 'physical' } } });
  deepEqual(await kept('backup', 'other'), undefined);
  await put(ctx.layout.config, { slots: {} });
  deepEqual((await kept('backup', 'other'))?.drop, ['backup']);
});

test('a slot that is about to lose its WAL is told once, whoever it belongs to', async (t) => {
  const { kept, lines } = await aServer(t, 'primary');
  const told = (): number => lines.filter(({ event }) => event === 'slots-endangered').length;
  await kept('foreign');
  deepEqual(told(), 0);
  endangered = 'unreserved';
  await kept('foreign');
  await kept('foreign');
  deepEqual(told(), 1);
  endangered = 'reserved';
  await kept('foreign');
  endangered = 'lost';
  await kept('foreign');
  deepEqual(told(), 2);
  endangered = 'reserved';
});

test('a standby that may not lead has slots for the members that stream from it, and for no others', async (t) => {
  const { ctx, member, kept } = await aServer(t, 'standby');
  await member('beta', 90 * MB, { replicatefrom: 'alpha' });
  await member('gamma', 90 * MB);
  deepEqual((await kept())?.ensure, ['beta', 'gamma']);
  ctx.tags = { nofailover: true };
  deepEqual((await kept())?.ensure, ['beta']);
});

test('a leader moves the slot of a member that streams from a standby', async (t) => {
  const { member, kept } = await aServer(t, 'primary');
  await member('beta', 90 * MB, { replicatefrom: 'gamma' });
  await member('gamma', 90 * MB);
  deepEqual((await kept('beta', 'gamma'))?.advance, [{ name: 'beta', lsn: 90 * MB }]);
});

/** The lease and the leader key, over the store in memory and a clock that the test moves. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { LeaseKeeper } from '../../../src/agent/lease-keeper.ts';
import { type Clock, deferred, silentLog, systemTimers } from '../../../src/base/index.ts';
import { createMemoryDcs, type Dcs, DcsError, type MemoryClient } from '../../../src/dcs/index.ts';
import { applySnapshot, type ClusterView, emptyView, keyLayout } from '../../../src/topology/index.ts';
import { eventually } from '../../support/eventually.ts';

const layout = keyLayout('service', 'herd');
const lease = { ttl: 5000, keep_alive: 10, fence_margin: 1000, loop_wait: 1000 };
const call = { timeoutMs: 1000 };

interface Bench {
  readonly keeper: LeaseKeeper;
  readonly client: MemoryClient;
  readonly other: MemoryClient;
  readonly move: (ms: number) => void;
  readonly extended: number[];
  /** A pledge binds, or does not. */
  readonly bind: (is: boolean) => void;
  readonly view: () => Promise<ClusterView>;
}

/** A keeper that has its lease. */
async function aBench(t: TestContext, wrap = (dcs: Dcs): Dcs => dcs): Promise<Bench> {
  let now = 1000;
  let isBound = false;
  const clock: Clock = { now: () => now, wallNow: () => now };
  const store = createMemoryDcs({ clock });
  const client = store.connect();
  const other = store.connect();
  const extended: number[] = [];
  const keeper = new LeaseKeeper({
    dcs: wrap(client),
    layout,
    name: 'alpha',
    lease,
    clock,
    timers: systemTimers,
    log: silentLog,
    onExtended: (deadline) => extended.push(deadline),
    onChange: () => undefined,
    isBound: () => isBound,
  });
  const ending = new AbortController();
  const running = keeper.run(ending.signal);
  t.after(async () => {
    ending.abort();
    await running;
    store.close();
  });
  await eventually('the lease is granted', () => keeper.lease, {
    holds: (id) => id !== undefined,
    withinMs: 1000,
  });
  return {
    keeper,
    client,
    other,
    extended,
    move: (ms) => {
      now += ms;
      store.tick();
    },
    bind: (is) => {
      isBound = is;
    },
    view: async () => applySnapshot(emptyView, await other.range(layout.prefix, call), layout),
  };
}

test('the key is taken only when it is absent, and then hangs on the lease', async (t) => {
  const { keeper, other, view } = await aBench(t);
  ok(await keeper.acquire(0));
  const entry = await other.get(layout.leader, call);
  deepEqual([entry?.value, entry?.lease], ['alpha', keeper.lease]);
  equal(keeper.lock(await view(), 1000).is, 'mine');
});

test('a key that another holds is never overwritten', async (t) => {
  const { keeper, other, view } = await aBench(t);
  await other.transact({ when: [], then: [{ op: 'put', key: layout.leader, value: 'beta' }] }, call);
  equal(await keeper.acquire(0), false);
  equal((await other.get(layout.leader, call))?.value, 'beta');
  deepEqual(keeper.lock(await view(), 1000), { is: 'other', leader: 'beta' });
});

test('an election that was judged by an older key sync takes nothing', async (t) => {
  const { keeper, other } = await aBench(t);
  const then = [{ op: 'put', key: layout.sync, value: '{"leader":"beta"}' }] as const;
  const { revision } = await other.transact({ when: [], then }, call);
  equal(await keeper.acquire(0), false);
  equal(await keeper.acquire(revision - 1), false);
  equal(await other.get(layout.leader, call), undefined);
  ok(await keeper.acquire(revision));
});

test('a key that names us on an older lease is re-attached to ours', async (t) => {
  const { keeper, other, view } = await aBench(t);
  const old = await other.grantLease(5000, call);
  await other.transact(
    { when: [], then: [{ op: 'put', key: layout.leader, value: 'alpha', lease: old.lease }] },
    call,
  );
  equal(keeper.lock(await view(), 1000).is, 'named');
  ok(await keeper.acquire(0));
  equal((await other.get(layout.leader, call))?.lease, keeper.lease);
});

test('the deadline counts from the sending of the last answered keep-alive, less the margin', async (t) => {
  const { keeper, client, move, extended } = await aBench(t);
  await keeper.acquire(0);
  move(700);
  await eventually('a keep-alive is answered', () => keeper.deadline, {
    holds: (deadline) => deadline === 1700 + 4000,
    withinMs: 1000,
  });
  equal(extended.at(-1), 5700);
  client.setFault('cut');
  move(300);
  await eventually('keep-alives fail', () => keeper.counts.failed, {
    holds: (count) => count > 1,
    withinMs: 2000,
  });
  equal(keeper.deadline, 5700);
});

test('when the store is cut off the lock is unknown from the deadline on, with that deadline', async (t) => {
  const { keeper, client, move, view } = await aBench(t);
  await keeper.acquire(0);
  const seen = await view();
  client.setFault('cut');
  const { deadline } = keeper;
  move(3999);
  deepEqual(keeper.lock(seen, 1000), { is: 'mine', deadline });
  ok(keeper.isSafe(0));
  move(1);
  deepEqual(keeper.lock(seen, 1000), { is: 'unknown', deadline });
  ok(!keeper.isSafe(0));
});

test('a lease that the store has forgotten is a loss, until PostgreSQL is known to be stopped', async (t) => {
  const { keeper, client, move, view } = await aBench(t);
  await keeper.acquire(0);
  client.setFault('cut');
  move(6000);
  client.setFault('none');
  await eventually('the loss is seen', () => keeper.isHolder, { holds: (is) => !is, withinMs: 2000 });
  equal(keeper.lock(await view(), 7000).is, 'lost');
  keeper.forgetLoss();
  equal(keeper.lock(await view(), 7000).is, 'none');
});

test('being overwritten in the key is a loss', async (t) => {
  const { keeper, other, view } = await aBench(t);
  await keeper.acquire(0);
  await other.transact({ when: [], then: [{ op: 'put', key: layout.leader, value: 'beta' }] }, call);
  keeper.heed(await view());
  equal(keeper.lock(await view(), 1000).is, 'lost');
  equal(keeper.isHolder, false);
});

test('an acquisition whose answer was lost is found out by reading, not guessed', async (t) => {
  const { keeper, client, other } = await aBench(t);
  client.setFault('requests-lost');
  equal(await keeper.acquire(0), false);
  client.setFault('none');
  equal(await other.get(layout.leader, call), undefined);
  ok(await keeper.acquire(0));
  ok(await keeper.verify());
  await other.transact({ when: [], then: [{ op: 'delete', key: layout.leader }] }, call);
  equal(await keeper.verify(), false);
  equal(keeper.isHolder, false);
});

test('a key that was taken on a lease that was replaced meanwhile is not believed to be held', async (t) => {
  const [applied, gate] = [deferred(), deferred()];
  const { keeper, client, move } = await aBench(t, (dcs) => ({
    ...dcs,
    transact: async (...args) => {
      const result = await dcs.transact(...args);
      applied.resolve();
      await gate.promise;
      return result;
    },
  }));
  const old = keeper.lease;
  const acquiring = keeper.acquire(0);
  await applied.promise;
  client.setFault('cut');
  move(6000);
  client.setFault('none');
  await eventually('the lease is a new one', () => keeper.lease, {
    holds: (id) => id !== undefined && id !== old,
    withinMs: 2000,
  });
  gate.resolve();
  equal(await acquiring, false);
  equal(keeper.isHolder, false);
});

test('after a release nobody takes an older view for the present', async (t) => {
  const { keeper, view } = await aBench(t);
  await keeper.acquire(0);
  const old = await view();
  ok(await keeper.release());
  deepEqual(keeper.lock(old, 1000), { is: 'unknown', deadline: undefined });
  equal(keeper.lock(await view(), 1000).is, 'none');
});

test('a view of before the key was taken does not take it away', async (t) => {
  const { keeper, view } = await aBench(t);
  const before = await view();
  ok(await keeper.acquire(0));
  keeper.heed(before);
  ok(keeper.isHolder);
});

test('whoever gives the key away does not hold it from the moment on at which it says so', async (t) => {
  const seen: boolean[] = [];
  const { keeper } = await aBench(t, (dcs) => ({
    ...dcs,
    transact: async (...args) => {
      const result = await dcs.transact(...args);
      seen.push(keeper.isSafe(0));
      return result;
    },
  }));
  await keeper.acquire(0);
  await keeper.release();
  deepEqual(seen, [false, false]);
});

test('what was read before the key was given away does not bring it back', async (t) => {
  const read = deferred();
  const answered = deferred();
  const { keeper } = await aBench(t, (dcs) => ({
    ...dcs,
    get: async (...args) => {
      const entry = await dcs.get(...args);
      read.resolve();
      await answered.promise;
      return entry;
    },
  }));
  ok(await keeper.acquire(0));
  const verified = keeper.verify();
  await read.promise;
  ok(await keeper.release());
  answered.resolve();
  equal(await verified, false);
  ok(!keeper.isHolder);
});

test('a release that arrives late does not take the key that was taken again meanwhile', async (t) => {
  const late: (() => Promise<unknown>)[] = [];
  const { keeper, other, view } = await aBench(t, (dcs) => ({
    ...dcs,
    transact: async (transaction, options) => {
      if (transaction.then.every(({ op }) => op === 'put')) return await dcs.transact(transaction, options);
      late.push(async () => await dcs.transact(transaction, options));
      throw new DcsError('unknown', 'timeout', 'no answer');
    },
  }));
  await keeper.acquire(0);
  equal(await keeper.release(), false);
  keeper.heed(await view());
  equal(keeper.lock(await view(), 1000).is, 'named');
  ok(await keeper.acquire(0));
  for (const arrive of late) await arrive();
  equal((await other.get(layout.leader, call))?.value, 'alpha');
  ok(await keeper.verify());
});

test('a view that has not been proved current lately decides nothing', async (t) => {
  const { keeper, view, move } = await aBench(t);
  const seen = await view();
  equal(keeper.lock(seen, 1000).is, 'none');
  move(4000);
  equal(keeper.lock(seen, 1000).is, 'unknown');
});

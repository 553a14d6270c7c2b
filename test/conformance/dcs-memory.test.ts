/** The store in memory keeps the contract, and its faults do what they say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import { createMemoryDcs } from '../../src/dcs/index.ts';
import { assertDcsError, type Subject } from '../support/dcs-subject.ts';
import { eventually } from '../support/eventually.ts';
import { recordWatch } from '../support/watch-recorder.ts';
import { describeDcsContract } from './dcs-contract.ts';
import { describeDcsWatchContract } from './dcs-watch-contract.ts';

describeDcsContract('the store in memory', openMemory);
describeDcsWatchContract('the store in memory', openMemory);

async function openMemory(): Promise<Subject> {
  const store = createMemoryDcs({ clock: systemClock, tickEveryMs: 10 });
  return await Promise.resolve({
    connect: store.connect,
    compact: async () => await Promise.resolve(store.compact()),
    close: async () => await Promise.resolve(store.close()),
  });
}

const call = { timeoutMs: 1000 };
const putOne = { when: [], then: [{ op: 'put', key: '/k', value: '1' }] } as const;

test('a client that is cut off sends nothing; its watch resumes from where it was', async (t) => {
  const store = createMemoryDcs({ clock: systemClock });
  t.after(store.close);
  const cut = store.connect();
  const other = store.connect();
  const watch = recordWatch(cut, '/');
  await watch.started();
  cut.setFault('cut');
  await assertDcsError(cut.transact(putOne, call), 'not-sent', 'timeout');
  await assertDcsError(cut.get('/k', call), 'not-sent', 'timeout');
  await other.transact(putOne, call);
  assert.deepEqual(watch.events, []);
  cut.setFault('none');
  await eventually('the change', () => watch.events, {
    holds: (events) => events.length > 0,
    withinMs: 1000,
  });
  assert.deepEqual(
    [watch.events, watch.snapshots, watch.disconnects],
    [['put /k=1'], 1, ['connection-lost']],
  );
  await watch.stop();
});

test('after a compaction a watch that was cut off starts from a snapshot', async (t) => {
  const store = createMemoryDcs({ clock: systemClock });
  t.after(store.close);
  const cut = store.connect();
  const watch = recordWatch(cut, '/');
  await watch.started();
  cut.setFault('cut');
  await store.connect().transact(putOne, call);
  store.compact();
  cut.setFault('none');
  await eventually('a second snapshot', () => watch.snapshots, {
    holds: (count) => count === 2,
    withinMs: 1000,
  });
  assert.deepEqual([[...watch.state], watch.events], [[['/k', '1']], []]);
  await watch.stop();
});

test('an answer that is lost leaves a change made and its maker not knowing', async (t) => {
  const store = createMemoryDcs({ clock: systemClock });
  t.after(store.close);
  const client = store.connect();
  client.setFault('answers-lost');
  await assertDcsError(client.transact(putOne, call), 'unknown');
  assert.equal((await store.connect().get('/k', call))?.value, '1');
});

test('a request that is lost leaves nothing made and its maker not knowing', async (t) => {
  const store = createMemoryDcs({ clock: systemClock });
  t.after(store.close);
  const client = store.connect();
  client.setFault('requests-lost');
  await assertDcsError(client.transact(putOne, call), 'unknown');
  assert.equal(await store.connect().get('/k', call), undefined);
});

test('leases end by the clock that was given', async (t) => {
  let now = 1000;
  const store = createMemoryDcs({ clock: { now: () => now, wallNow: () => now } });
  t.after(store.close);
  const client = store.connect();
  const { lease } = await client.grantLease(2000, call);
  now += 1999;
  store.tick();
  assert.deepEqual(await client.keepAlive(lease, call), { outcome: 'alive', ttlMs: 2000 });
  now += 2000;
  store.tick();
  assert.deepEqual(await client.keepAlive(lease, call), { outcome: 'lost' });
});

/** Real etcd behind our client keeps the contract; also what only a real server shows: refusals by its state. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { connectEtcd } from '../../src/dcs/index.ts';
import { assertDcsError, type Subject } from '../support/dcs-subject.ts';
import { hasEtcd, startEtcd } from '../support/etcd.ts';
import { freshLoopback } from '../support/loopback.ts';
import { describeDcsContract } from './dcs-contract.ts';
import { describeDcsWatchContract } from './dcs-watch-contract.ts';

const deps = { clock: systemClock, log: silentLog };
const skip = hasEtcd ? false : 'no etcd on this machine';

if (hasEtcd) {
  describeDcsContract('etcd', openEtcd);
  describeDcsWatchContract('etcd', openEtcd);
}

async function openEtcd(): Promise<Subject> {
  const ends: (() => Promise<void>)[] = [];
  const cluster = await startEtcd({ after: (end) => ends.push(end) });
  return {
    connect: () => connectEtcd({ endpoints: cluster.urls, request_timeout: 2000 }, deps),
    compact: async () => await compactEtcd(cluster.urls[0] ?? ''),
    close: async () => {
      for (const end of ends) await end();
    },
  };
}

/** Compacts the whole history, which our client itself never does. */
async function compactEtcd(url: string): Promise<void> {
  const dcs = connectEtcd({ endpoints: [url], request_timeout: 2000 }, deps);
  const { revision } = await dcs.range('/', { timeoutMs: 2000 });
  await dcs.close();
  const body = JSON.stringify({ revision, physical: true });
  const answer = await fetch(`${url}/v3/kv/compaction`, { method: 'POST', body });
  assert.equal(answer.status, 200);
}

const put = { when: [], then: [{ op: 'put', key: '/k', value: '1' }] } as const;

test('an etcd without its gateway is told apart from one that is down', { skip }, async (t) => {
  const cluster = await startEtcd(t, { flags: ['--enable-grpc-gateway=false'] });
  const dcs = connectEtcd({ endpoints: cluster.urls, request_timeout: 1000 }, deps);
  t.after(dcs.close);
  await assertDcsError(dcs.get('/k', { timeoutMs: 500 }), 'not-sent', 'gateway-disabled');
  await assertDcsError(dcs.transact(put, { timeoutMs: 500 }), 'not-sent', 'gateway-disabled');
  await assert.rejects(dcs.get('/k', { timeoutMs: 500 }), { code: 'dcs-gateway-disabled' });
});

test('where nothing listens, nothing was sent, and the call takes no longer than it may', async (t) => {
  const url = `http://${freshLoopback()}:2379`;
  const dcs = connectEtcd({ endpoints: [url], request_timeout: 10_000 }, deps);
  t.after(dcs.close);
  const startedAt = systemClock.now();
  await assertDcsError(dcs.transact(put, { timeoutMs: 600 }), 'not-sent', 'connection');
  assert.ok(systemClock.now() - startedAt < 3000);
  await assert.rejects(dcs.get('/k', { timeoutMs: 200 }), { code: 'dcs-unavailable' });
});

test('a full etcd refuses a change for certain, and can still be read', { skip }, async (t) => {
  const cluster = await startEtcd(t, { flags: ['--quota-backend-bytes', '100000'] });
  const dcs = connectEtcd({ endpoints: cluster.urls, request_timeout: 2000 }, deps);
  t.after(dcs.close);
  const big = { when: [], then: [{ op: 'put', key: '/k', value: 'x'.repeat(100_000) }] } as const;
  const fill = async (): Promise<void> => {
    for (let step = 0; step < 20; step += 1) await dcs.transact(big, { timeoutMs: 5000 });
  };
  await assertDcsError(fill(), 'refused', 'no-space');
  await dcs.get('/k', { timeoutMs: 2000 });
});

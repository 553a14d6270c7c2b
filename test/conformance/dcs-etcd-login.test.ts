/** etcd that wants a login: who has none is refused, and a token that etcd has forgotten is replaced unseen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { connectEtcd } from '../../src/dcs/index.ts';
import { assertDcsError } from '../support/dcs-subject.ts';
import { hasEtcd, startEtcd } from '../support/etcd.ts';
import { wantLogin } from '../support/etcd-access.ts';

const deps = { clock: systemClock, log: silentLog };
const call = { timeoutMs: 10_000 };
const skip = hasEtcd ? false : 'no etcd on this machine';

test('a login is made, and made again when etcd has forgotten it', { skip }, async (t) => {
  const { members, urls } = await startEtcd(t);
  const [member] = members;
  assert.ok(member !== undefined);
  await wantLogin(member.url, 'secret');
  const connect = (login: { username?: string; password?: string }) => {
    const dcs = connectEtcd({ endpoints: urls, request_timeout: 10_000, ...login }, deps);
    t.after(async () => await dcs.close());
    return dcs;
  };
  const ours = connect({ username: 'root', password: 'secret' });
  const put = (value: string) => ours.transact({ when: [], then: [{ op: 'put', key: '/k', value }] }, call);
  await put('1');
  assert.equal((await ours.get('/k', call))?.value, '1');
  await assertDcsError(connect({}).get('/k', call), 'refused');
  await assertDcsError(connect({ username: 'root', password: 'wrong' }).get('/k', call), 'refused');

  // Tokens are in the memory of the member.
  await member.kill();
  await member.start();
  await put('2');
  assert.equal((await ours.get('/k', call))?.value, '2');
});

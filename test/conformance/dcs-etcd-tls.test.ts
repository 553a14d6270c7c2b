/** etcd that speaks TLS only, and to nobody without a certificate of its authority. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { connectEtcd } from '../../src/dcs/index.ts';
import { aCa } from '../support/certificates.ts';
import { assertDcsError } from '../support/dcs-subject.ts';
import { hasEtcd } from '../support/etcd.ts';
import { startEtcdByTls } from '../support/etcd-access.ts';
import { eventually } from '../support/eventually.ts';

const deps = { clock: systemClock, log: silentLog };
const call = { timeoutMs: 2000 };
const skip = hasEtcd ? false : 'no etcd on this machine';

test('both sides prove themselves; who does not is not talked to', { skip }, async (t) => {
  const { folder, url, ca, client } = await startEtcdByTls(t, 'agent');
  const stranger = await aCa(folder, 'stranger');
  const connect = (files: { cacert?: string; cert?: string; key?: string }) => {
    const dcs = connectEtcd({ endpoints: [url], request_timeout: 2000, ...files }, deps);
    t.after(async () => await dcs.close());
    return dcs;
  };
  const ours = connect({ cacert: ca.cert, ...client });
  await eventually('etcd answers', async () => await ours.range('/', call).catch(() => undefined), {
    holds: (seen) => seen !== undefined,
    withinMs: 60_000,
  });
  await ours.transact({ when: [], then: [{ op: 'put', key: '/k', value: '1' }] }, call);
  assert.equal((await ours.get('/k', call))?.value, '1');
  const wrong = [{ cacert: stranger.cert, ...client }, { ...client }, { cacert: ca.cert }];
  for (const files of wrong) {
    await assertDcsError(connect(files).get('/k', call), 'not-sent');
  }
  assert.throws(() => connect({ cacert: `${folder}/none.crt` }), { code: 'config-unreadable' });
});

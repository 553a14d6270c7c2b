/** etcd that does not talk to everybody: by TLS with certificates of both sides, or only after a login. */
import assert from 'node:assert/strict';
import { aCa, aLeaf } from './certificates.ts';
import { startEtcd } from './etcd.ts';
import { freshLoopback } from './loopback.ts';
import { type Scope, scratchFolder } from './scratch.ts';

/** It may not answer yet. `folder` holds the certificates. */
export async function startEtcdByTls(t: Scope, clientName: string) {
  const folder = await scratchFolder(t);
  const host = freshLoopback();
  const ca = await aCa(folder, 'ca');
  const server = await aLeaf(folder, ca, { name: 'etcd', san: `IP:${host}` });
  const client = await aLeaf(folder, ca, { name: clientName });
  const url = `https://${host}:2379`;
  await startEtcd(t, {
    waitForQuorum: false,
    flags: [
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--cert-file=${server.cert}`,
      `--key-file=${server.key}`,
      `--trusted-ca-file=${ca.cert}`,
      '--client-cert-auth',
    ],
  });
  return { folder, host, url, ca, client };
}

/** From here on the member at `url` wants a login: root, with this password. */
export async function wantLogin(url: string, password: string): Promise<void> {
  const ask = async (path: string, body: unknown): Promise<void> => {
    const answer = await fetch(`${url}/v3/auth/${path}`, { method: 'POST', body: JSON.stringify(body) });
    assert.equal(answer.status, 200, await answer.text());
  };
  await ask('user/add', { name: 'root', password });
  await ask('user/grant', { user: 'root', role: 'root' });
  await ask('enable', {});
}

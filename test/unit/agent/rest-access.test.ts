/** Who may change something by the REST API, over real connections: addresses, certificates, users; and how members ask it. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { rest, type RestSettings, sectionOf } from '../../support/a-rest-api.ts';
import { isAllowed, isOpenToAll } from '../../../src/agent/rest-access.ts';
import { restIdentity, RestClient, type RestIdentity } from '../../../src/agent/rest-client.ts';
import { serverTls } from '../../../src/agent/rest-tls.ts';
import { checkConfig } from '../../../src/config/index.ts';
import { aCa, aLeaf } from '../../support/certificates.ts';
import { scratchFolder } from '../../support/scratch.ts';

const NOBODY: RestIdentity = { tls: { rejectUnauthorized: true }, authorization: undefined };
const operator = { username: 'operator', password: 'secret: word' };
const post = { method: 'POST', path: '/reload', timeoutMs: 3000 } as const;
const get = { method: 'GET', path: '/liveness', timeoutMs: 3000 } as const;

async function asked(t: TestContext, settings: RestSettings, identity: RestIdentity = NOBODY) {
  const { url } = await rest(t, settings);
  const client = new RestClient(identity);
  t.after(async () => await client.close());
  return client.ask.bind(client, url);
}

test('a change needs the user that the file names; looking does not', async (t) => {
  const settings = { authentication: operator };
  const ask = await asked(t, settings);
  deepEqual(await ask(post), { status: 401, text: 'no auth header received' });
  equal((await ask(get)).status, 200);
  const wrong = await asked(t, settings, { ...NOBODY, authorization: 'Basic bm9ib2R5Og==' });
  deepEqual(await wrong(post), { status: 401, text: 'not authenticated' });
  const right = await asked(
    t,
    settings,
    await restIdentity({ ctl: undefined, restapi: sectionOf(settings) }),
  );
  deepEqual(await right(post), { status: 202, text: 'reload scheduled' });
});

test('a change comes from an address of the allowlist', async (t) => {
  const denied = await asked(t, { allowlist: ['10.0.0.0/8', 'no-such-host.invalid'] });
  deepEqual(await denied(post), { status: 403, text: 'Access is denied' });
  equal((await denied(get)).status, 200);
  equal((await (await asked(t, { allowlist: ['127.0.0.0/8'] }))(post)).status, 202);
  const members = await asked(t, { allowlist: ['10.0.0.0/8'], allowlist_include_members: true });
  deepEqual(await members(post), { status: 403, text: 'Access is denied' }, 'no member is known here');
});

test('networks of the allowlist contain what they should', () => {
  const list = ['10.0.0.0/8', '192.0.2.7', 'fd00::/8', 'rubbish', '10.0.0.0/99'];
  const seen = ['10.9.9.9', '::ffff:10.1.1.1', '192.0.2.7', '192.0.2.8', 'fd00::1', 'fe80::1', ''];
  deepEqual(
    seen.map((address) => isAllowed(address, list)),
    [true, true, true, false, true, false, false],
  );
  equal(isAllowed('10.0.0.1', []), false);
});

test('over TLS a change needs a certificate where it is optional, and everything does where it is required', async (t) => {
  const folder = await scratchFolder(t);
  const ca = await aCa(folder, 'ca');
  const server = await aLeaf(folder, ca, { name: 'server', san: 'IP:127.0.0.1' });
  const client = await aLeaf(folder, ca, { name: 'client' });
  const tls = { certfile: server.cert, keyfile: server.key, cafile: ca.cert };
  const ctl = { insecure: false, cacert: ca.cert, authentication: undefined, keyfile_password: undefined };
  const known = await restIdentity({
    ctl: { ...ctl, certfile: client.cert, keyfile: client.key },
    restapi: undefined,
  });
  const unknown = await restIdentity({
    ctl: { ...ctl, certfile: undefined, keyfile: undefined },
    restapi: undefined,
  });

  const optional = { ...tls, verify_client: 'optional' } as const;
  const guest = await asked(t, optional, unknown);
  equal((await guest(get)).status, 200);
  deepEqual(await guest(post), { status: 403, text: 'client certificate required' });
  equal((await (await asked(t, optional, known))(post)).status, 202);

  const required = { ...tls, verify_client: 'required' } as const;
  await rejects((await asked(t, required, unknown))(get));
  equal((await (await asked(t, required, known))(post)).status, 202);
  await rejects((await asked(t, tls, NOBODY))(get), 'a certificate of nobody known');
});

test('a certificate that cannot be read or used ends the start with its name', async (t) => {
  const folder = await scratchFolder(t);
  const missing = sectionOf({ certfile: join(folder, 'none.crt') });
  await rejects(serverTls(missing), { code: 'config-unreadable' });
  const ca = await aCa(folder, 'ca');
  const other = await aCa(folder, 'other');
  const section = sectionOf({ certfile: ca.cert, keyfile: other.key });
  await rejects(serverTls(section), { code: 'config-invalid' });
  equal(await serverTls(sectionOf({})), undefined);
});

test('client certificates are asked for only where they can be checked', () => {
  const text = `
scope: herd
name: alpha
datacenter: dc1
etcd: { endpoints: ['http://127.0.0.1:1'] }
restapi: { listen: '10.1.0.2:8008', verify_client: required }
ctl: { insecure: true, keyfile_password: x }
`;
  const loaded = checkConfig(text, {}, 'any');
  ok(loaded.outcome === 'problems');
  const messages = loaded.problems.map(({ message }) => message).join('; ');
  match(messages, /required needs restapi\.certfile.*required needs restapi\.cafile/);
});

const open = (listen: string, more: RestSettings = {}): boolean =>
  isOpenToAll({ ...sectionOf(more), listen: { host: listen, port: 8008 } });

test('an API that other hosts reach and that asks for nothing is open to all', () => {
  deepEqual(
    ['0.0.0.0', '::', '10.0.0.1', 'db1.example', '127.0.0.7', '::1', 'localhost'].map((host) => open(host)),
    [true, true, true, true, false, false, false],
  );
  equal(open('0.0.0.0', { authentication: operator }), false);
  equal(open('0.0.0.0', { allowlist: ['10.0.0.0/8'] }), false);
  equal(open('0.0.0.0', { allowlist_include_members: true }), false);
});

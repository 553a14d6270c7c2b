/** What the roles' statements hold: everything that a server sees may be seen by others on it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { makeRoles, makeRouterRole } from '../../../src/postgres/roles.ts';
import type { Ask } from '../../../src/postgres/session.ts';
import { buildVerifier, parseVerifier, renderVerifier } from '../../../src/wire/index.ts';
import { someSettings } from '../../support/postgres.ts';

/** Takes statements down; `verifier` is what every role has already. */
function aServer(verifier?: string): { readonly ask: Ask; readonly said: string[] } {
  const said: string[] = [];
  const ask: Ask = async (sql) => {
    said.push(sql);
    return verifier !== undefined && sql.includes('FROM pg_authid') ? [{ rolpassword: verifier }] : [];
  };
  return { ask, said };
}

const PASSWORDS = { replication: 'replica-secret', rewind: 'rewind-secret', user: 'user-secret' };

const settings = someSettings('/nowhere', {
  authentication: {
    superuser: { username: 'postgres', password: 'not told' },
    replication: { username: 'replicator', password: PASSWORDS.replication },
    rewind: { username: 'rewind_user', password: PASSWORDS.rewind },
  },
});

test('no statement shows a password to pg_stat_activity or an audit log', async () => {
  const { ask, said } = aServer();
  await makeRoles(ask, settings, [{ username: 'app', password: PASSWORDS.user }]);
  await makeRouterRole(ask, 'router-secret');
  const roles = said.filter((sql) => sql.startsWith('CREATE ROLE'));
  assert.equal(roles.length, 4);
  assert.ok(roles.every((sql) => sql.includes("PASSWORD 'SCRAM-SHA-256$4096:")));
  assert.deepEqual(
    said.filter((sql) => sql.includes('-secret')),
    [],
  );
});

test('a verifier that fits is kept, another password makes another one', async () => {
  const verifier = renderVerifier(buildVerifier('router-secret', Buffer.alloc(16, 7)));
  const fits = aServer(verifier);
  await makeRouterRole(fits.ask, 'router-secret');
  assert.ok(fits.said.some((sql) => sql.startsWith('ALTER ROLE "matriarch_router" LOGIN')));
  assert.ok(!fits.said.some((sql) => sql.includes('PASSWORD')));
  for (const known of [renderVerifier(buildVerifier('old', Buffer.alloc(16, 7))), `md5${'0'.repeat(32)}`]) {
    const other = aServer(known);
    await makeRouterRole(other.ask, 'router-secret');
    const sent = other.said.map((sql) => /PASSWORD '([^']+)'/.exec(sql)?.[1]).find(Boolean) ?? '';
    const { salt } = parseVerifier(sent) ?? {};
    assert.ok(salt?.length === 16 && !salt.equals(Buffer.alloc(16, 7)));
    assert.equal(sent, renderVerifier(buildVerifier('router-secret', salt)));
  }
});

test('a password that is a verifier is taken as it is', async () => {
  const verifier = renderVerifier(buildVerifier('unknown to us', Buffer.alloc(16, 1)));
  const { ask, said } = aServer();
  await makeRoles(ask, settings, [{ username: 'app', password: verifier }]);
  assert.ok(said.includes(`CREATE ROLE "app" LOGIN PASSWORD '${verifier}'`));
});

/**
 * What a new cluster gets in SQL: the roles of the agent, the users of the file with their databases, and the lookup
 * that routers read verifiers through. Everything may be run again at any time.
 */
import { randomBytes } from 'node:crypto';
import { buildVerifier, parseVerifier, renderVerifier } from '../wire/index.ts';
import { ROUTER_ROLE } from './conf.ts';
import { grantRouterSql, lookupFunctionSql, ROUTER_ROLE_ATTRIBUTES } from './router-lookup.ts';
import type { Ask } from './session.ts';
import { quoteIdentifier, quoteLiteral } from './sql-text.ts';
import type { BootstrapUser, Credential, PostgresSettings } from './types.ts';

/** First on each connection here: verifiers are in these statements, so they reach no log; and no commit waits for a standby. */
const QUIET_SESSION = [
  "SET log_statement = 'none'",
  "SET log_min_error_statement = 'panic'",
  'SET log_min_duration_statement = -1',
  "SET synchronous_commit = 'local'",
] as const;

/** As many as PostgreSQL's own verifiers have. */
const SALT_BYTES = 16;

export async function makeRoles(
  ask: Ask,
  settings: PostgresSettings,
  users: readonly BootstrapUser[],
): Promise<void> {
  const { superuser, replication, rewind } = settings.authentication;
  const hasRewind = rewind.username !== superuser.username;
  for (const statement of QUIET_SESSION) await ask(statement);
  await makeRole(ask, replication, 'LOGIN REPLICATION');
  if (hasRewind) await makeRole(ask, rewind, 'LOGIN');
  if (hasRewind) await grantRewind(ask, rewind.username);
  for (const user of users) {
    await makeRole(ask, user, ['LOGIN', ...(user.options ?? [])].join(' '));
    if (user.database !== undefined) await makeDatabase(ask, user.database, user.username);
  }
  const hidden = [replication.username, ...(hasRewind ? [rewind.username] : []), ROUTER_ROLE];
  for (const statement of lookupFunctionSql(hidden)) await ask(statement);
}

/**
 * Creates the role, or gives the one that is there this password and these attributes. What goes to the server is a
 * verifier: a password in a statement would be seen in pg_stat_activity and by extensions that audit. A verifier that fits
 * already is kept, so that those who know it (routers, their logins) need not learn another one.
 */
async function makeRole(ask: Ask, role: Credential, attributes: string): Promise<void> {
  const known = (await ask('SELECT rolpassword FROM pg_authid WHERE rolname = $1', [role.username]))[0];
  const verb = known === undefined ? 'CREATE' : 'ALTER';
  const verifier = verifierOf(role.password, known?.['rolpassword']);
  const password = verifier === known?.['rolpassword'] ? '' : ` PASSWORD ${quoteLiteral(verifier)}`;
  await ask(`${verb} ROLE ${quoteIdentifier(role.username)} ${attributes}${password}`);
}

/** The known verifier if the password is the one it was made of. A password that is a verifier itself is taken as such, as PostgreSQL does. */
function verifierOf(password: string, known: unknown): string {
  if (parseVerifier(password) !== undefined) return password;
  const before = typeof known === 'string' ? parseVerifier(known) : undefined;
  if (before !== undefined) {
    const again = renderVerifier(buildVerifier(password, before.salt, before.iterations));
    if (again === known) return again;
  }
  return renderVerifier(buildVerifier(password, randomBytes(SALT_BYTES)));
}

async function makeDatabase(ask: Ask, name: string, owner: string): Promise<void> {
  const known = await ask('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  if (known.length > 0) return;
  await ask(`CREATE DATABASE ${quoteIdentifier(name)} OWNER ${quoteIdentifier(owner)}`);
}

/** What pg_rewind's manual asks for, and the right to have the source checkpoint its new timeline (PostgreSQL 15). */
async function grantRewind(ask: Ask, username: string): Promise<void> {
  const role = quoteIdentifier(username);
  const functions = [
    'pg_catalog.pg_ls_dir(text, boolean, boolean)',
    'pg_catalog.pg_stat_file(text, boolean)',
    'pg_catalog.pg_read_binary_file(text)',
    'pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)',
  ];
  for (const each of functions) await ask(`GRANT EXECUTE ON FUNCTION ${each} TO ${role}`);
  const checkpoint = await ask("SELECT 1 FROM pg_roles WHERE rolname = 'pg_checkpoint'");
  if (checkpoint.length > 0) await ask(`GRANT pg_checkpoint TO ${role}`);
}

/** The routers' role with this password, allowed nothing but the lookup and statistics. */
export async function makeRouterRole(ask: Ask, password: string): Promise<void> {
  for (const statement of QUIET_SESSION) await ask(statement);
  await makeRole(ask, { username: ROUTER_ROLE, password }, ROUTER_ROLE_ATTRIBUTES);
  for (const statement of grantRouterSql(ROUTER_ROLE)) await ask(statement);
}

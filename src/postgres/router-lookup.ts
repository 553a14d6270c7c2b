/**
 * The SQL through which routers read verifiers: a function that runs with its owner's rights, and a role that may call it
 * and see how servers do. The agents make both by themselves; for servers without an agent it is printed or run by `matriarch
 * auth install`. May be run again at any time.
 */
import { buildVerifier, renderVerifier } from '../wire/index.ts';
import { quoteIdentifier, quoteLiteral } from './sql-text.ts';

/** Of the role that may look up; what else it may, is granted. */
export const ROUTER_ROLE_ATTRIBUTES = 'LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION';

/**
 * Verifiers of the roles that may log in through a router. Superusers are among them: administrators and migrations
 * come through routers too, and a verifier lets nobody log in. Not among them: those of `hidden`, the cluster's own roles
 * for replication, rewind and routers, which have no business there and can read files or WAL of the whole cluster.
 */
export function lookupFunctionSql(hidden: readonly string[]): readonly string[] {
  const body = `
    SELECT a.rolpassword FROM pg_catalog.pg_authid AS a
    WHERE a.rolname = $1 AND a.rolcanlogin
      AND (a.rolvaliduntil IS NULL OR a.rolvaliduntil > pg_catalog.now())
      AND a.rolname <> ALL (ARRAY[${hidden.map(quoteLiteral).join(', ')}]::text[])
      AND a.rolpassword LIKE 'SCRAM-SHA-256$%'`;
  return [
    'CREATE SCHEMA IF NOT EXISTS matriarch',
    'REVOKE ALL ON SCHEMA matriarch FROM PUBLIC',
    `CREATE OR REPLACE FUNCTION matriarch.router_lookup(name text) RETURNS TABLE (verifier text)
     LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS ${quoteLiteral(body)}`,
    'REVOKE ALL ON FUNCTION matriarch.router_lookup(text) FROM PUBLIC',
  ];
}

/** With the statistics comes the timeline that a standby receives: else a router learns of it at the next restart point only. */
export function grantRouterSql(role: string): readonly string[] {
  return [
    `GRANT pg_read_all_stats TO ${quoteIdentifier(role)}`,
    `GRANT USAGE ON SCHEMA matriarch TO ${quoteIdentifier(role)}`,
    `GRANT EXECUTE ON FUNCTION matriarch.router_lookup(text) TO ${quoteIdentifier(role)}`,
  ];
}

export interface LookupInstall {
  readonly role: string;
  readonly password: string;
  /** 16 random bytes. */
  readonly salt: Buffer;
}

/** All of it, for a superuser, in the database that routers look up in. The password is in it as a verifier only. */
export function lookupInstallSql({ role, password, salt }: LookupInstall): readonly string[] {
  const name = quoteIdentifier(role);
  const verifier = quoteLiteral(renderVerifier(buildVerifier(password, salt)));
  const create = `BEGIN CREATE ROLE ${name}; EXCEPTION WHEN duplicate_object THEN NULL; END`;
  return [
    `DO ${quoteLiteral(create)}`,
    `ALTER ROLE ${name} ${ROUTER_ROLE_ATTRIBUTES} PASSWORD ${verifier}`,
    ...lookupFunctionSql([role]),
    ...grantRouterSql(role),
  ];
}

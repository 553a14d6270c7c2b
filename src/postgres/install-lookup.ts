/** Runs the SQL of router-lookup.ts at one server, in one transaction: all of it is there afterwards, or nothing is. */
import { Client } from 'pg';
import { describe, MatriarchError } from '../base/index.ts';
import { type LookupInstall, lookupInstallSql } from './router-lookup.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** `url`: of a superuser, in libpq's form. Rejects with `postgres-unreachable` or `postgres-sql-failed`. */
export async function installLookup(url: string, install: LookupInstall): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on('error', () => undefined); // the query that was running tells it
  try {
    await client.connect();
  } catch (cause) {
    throw new MatriarchError('postgres-unreachable', `cannot connect: ${describe(cause)}`, { cause });
  }
  try {
    await client.query(['BEGIN', ...lookupInstallSql(install), 'COMMIT'].join(';\n'));
  } catch (cause) {
    throw new MatriarchError('postgres-sql-failed', `nothing was installed: ${describe(cause)}`, { cause });
  } finally {
    await client.end();
  }
}

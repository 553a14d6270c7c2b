/** What the router asks a server about a client: what is stored of this role's password? */
import { MatriarchError } from '../base/index.ts';
import { Bind, type ErrorFields, Execute, Parse, readTextColumns, Sync } from '../wire/index.ts';
import type { OwnConnection } from './own-connection.ts';

/**
 * What is stored of the role's password: the only column, or the second; undefined: no such role, or no password.
 * `query` has one parameter, the role. Rejects with a `lookupFailure`.
 */
export async function secretOf(
  connection: OwnConnection,
  query: string,
  role: string,
): Promise<string | undefined> {
  const row = await connection.ask(
    Parse({ name: '', sql: query, parameterTypes: [] }),
    Bind({ portal: '', statement: '', parameters: [Buffer.from(role)] }),
    Execute('', 0),
    Sync(),
  );
  if (row === undefined) return undefined;
  const columns = readTextColumns(row);
  return columns.length === 1 ? columns[0] : columns[1];
}

/**
 * Classes of SQLSTATE that pass by themselves: no connection, no resources, not now, broken down. All others are about
 * who asks and what (28P01, 42501, 42883, 3D000 …), and the same the next time.
 */
const PASSING = new Set(['08', '40', '53', '55', '57', '58', 'XX']);

/** What was refused with it may be granted the next time. */
export const isPassing = (sqlstate: string): boolean => PASSING.has(sqlstate.slice(0, 2));

/** `router-lookup-refused` if it will be the same the next time, else `router-no-server`. */
export function lookupFailure(because: ErrorFields | string): MatriarchError {
  if (typeof because === 'string') {
    return new MatriarchError('router-no-server', `verifier lookup: ${because}`);
  }
  const { code, message } = because;
  return new MatriarchError(
    isPassing(code) ? 'router-no-server' : 'router-lookup-refused',
    `verifier lookup: ${code} ${message}`,
  );
}

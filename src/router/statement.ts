/** A prepared statement of a client, as the session keeps it: compared by identity. Pure. */
import type { Classification } from '../sql/index.ts';
import type { Intent } from './route.ts';

/**
 * FETCH has the columns of the cursor, EXECUTE those of the prepared statement, which stand under that name when it is
 * parsed. So no other session may be told them, and a server's copy is good for one unit of work: PostgreSQL 15
 * dies of a Describe of a FETCH that was parsed while there was such a cursor, once there is none. What was not looked at
 * may be one of these.
 */
export function isMomentary({ because }: Classification): boolean {
  return because === 'uses-cursor' || because === 'executes-prepared' || because === 'grammar-not-ready';
}

export interface Statement {
  readonly name: string;
  /** The client's own Parse message. */
  readonly message: Buffer;
  readonly classification: Classification;
  /** Of its parameters, the types that the database defines, by oid. */
  readonly types: readonly number[];
  readonly intent: Intent;
  /** What the client had prepared under this name when it sent the Parse. */
  readonly replaces: Statement | undefined;
  /** The session keeps it, and brings it to each server that it goes to. */
  readonly isKept: boolean;
  /** What a server makes of it hangs on what the session has there when it is parsed: see `isMomentary`. */
  readonly isMomentary: boolean;
  /** Definitions as they were when the client prepared it. */
  epoch: number;
  /** Its first name at servers: what that has for columns is what the client counts on. */
  firstName: string;
  /** Its name at servers under the settings of `namedFor`; empty for the unnamed. */
  serverName: string;
  /** The same as bytes, since it is put into messages. */
  serverNameBytes: Buffer;
  namedFor: string | undefined;
}

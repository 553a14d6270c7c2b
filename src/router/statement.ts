/** A prepared statement of a client, as the session keeps it: compared by identity. Pure. */
import type { Classification } from '../sql/index.ts';
import type { Intent } from './route.ts';

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

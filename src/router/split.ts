/**
 * A text of several statements that ends the transaction it is sent in, and goes on. A READ ONLY transaction may be at a
 * standby, where what follows cannot always be run: so its first part ends there, and the rest is a unit of its own.
 *
 *   COMMIT; INSERT …   ->   COMMIT;            to the standby, whose ReadyForQuery is kept back
 *                           …END; INSERT …     to the primary, whose answer to END is kept back
 *
 * The END in front keeps the rest what it was, one of several statements in an implicit transaction block, and the blanks
 * keep the positions that errors tell. Pure.
 */
import type { Classification } from '../sql/index.ts';
import { Query, QUERY_TEXT_START } from '../wire/index.ts';

export interface Split {
  readonly first: Buffer;
  /** What is sent, and the query that it is but for what it begins with. */
  readonly rest: Rest;
}

export interface Rest {
  readonly message: Buffer;
  readonly meant: Buffer;
}

/** What begins the rest; no statement that ends a transaction is shorter. */
const IDLE_END = 'END;';

/** Of a Query message; undefined: nothing in it is to be parted. */
export function splitOf(message: Buffer, { goesOnAt }: Classification): Split | undefined {
  if (goesOnAt === undefined) return undefined;
  const at = QUERY_TEXT_START + goesOnAt;
  const first = message.toString('utf8', QUERY_TEXT_START, at);
  const rest = message.toString('utf8', at, message.length - 1);
  const blanks = ' '.repeat(Math.max(0, Array.from(first).length - IDLE_END.length));
  return {
    first: Query(first),
    rest: { message: Query(`${blanks}${IDLE_END}${rest}`), meant: Query(rest) },
  };
}

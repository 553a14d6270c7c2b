/**
 * The closed set of reasons a classification gives, each with the sentence a person reads. Logs, metrics, the
 * console and `explain` use the code; English is rendered from this table only.
 *
 * A new reason? Add it here and a row to the tests' table: a test asks that each is reached.
 */

/** Reason code -> what it means, in words for a person. */
export const SQL_REASONS = {
  // empty
  'no-statement': 'there is no statement in the text',

  // read
  'only-reads': 'it only reads',
  'explains-a-read': 'it explains a read without running it',
  'copies-out': 'it copies rows to the client',
  'function-trusted': 'it only reads, and calls code that is declared to do no more',
  'shows-setting': 'it shows a setting that follows the session',
  savepoint: 'it follows the open transaction',
  'set-transaction': 'it sets an option of the open transaction',
  'transaction-local': 'its effect ends with the open transaction',
  'discards-plans': 'it discards cached plans only',
  'forgets-statement': 'it forgets a prepared statement of the session',

  // begin and end
  'begins-transaction': 'it begins a transaction',
  'ends-transaction': 'it ends a transaction',

  // set
  'sets-setting': 'it changes a setting of the session, which can be replayed',
  'resets-all': 'it resets all settings of the session, which can be replayed',
  'discards-all': 'it makes the session as new on every connection it runs on',

  // write
  'changes-data': 'it changes data',
  'changes-schema': 'it changes definitions or rights',
  'changes-data-in-cte': 'a WITH query inside it changes data',
  'selects-into': 'it creates a table from a query',
  'locks-rows': 'it locks the rows it reads',
  'locks-table': 'it locks a table',
  notifies: 'it sends or cancels notifications',
  'runs-code': 'it runs a procedure or a block of code',
  maintains: 'it is a maintenance command',
  'copies-in': 'it copies rows in',
  'copies-to-server': 'it writes a file or runs a program on the server',
  'explain-analyze': 'EXPLAIN ANALYZE runs the statement',
  'explains-a-write': 'it explains a statement that belongs on the primary',
  'uses-cursor': 'it uses a cursor',
  'executes-prepared': 'it runs a statement prepared in SQL',
  'two-phase': 'it finishes a prepared transaction',
  'imports-snapshot': 'it uses a snapshot exported on the primary',
  'discards-state': 'it discards state that only the primary can have',
  'setting-of-server': 'it shows a setting that belongs to one server',
  'function-volatile': 'it calls a function that PostgreSQL declares volatile',
  'function-primary-only': 'it calls a function that fails or misleads on a standby',
  'function-not-known': 'it calls a function that is not known to be harmless',
  'relation-of-server': 'it reads a view of which each server has its own contents',
  'relation-unlogged': 'it reads an unlogged relation, of which standbys have no contents',
  'relation-foreign': 'it reads a foreign table, and what the other server does for that is not known',
  'relation-sequence': 'it reads a sequence, whose values standbys are told ahead of time',
  'relation-not-known': 'it reads a relation that the catalogue did not have when it was read',
  'type-not-known': 'it uses a type that the catalogue did not have when it was read',
  'operator-not-known': 'it uses an operator that the catalogue did not have when it was read',
  'catalog-not-read': "the database's catalogue has not been read yet",
  'several-with-transaction': 'several statements in one text, one of which begins or ends a transaction',
  'several-with-forgetting': 'several statements in one text, one of which forgets a prepared statement',
  'several-with-setting': 'several statements in one text, one of which changes a setting',
  'statement-not-known': 'it is a statement of a kind not known to be harmless',
  'node-not-known': 'a part of it is of a kind not known to be harmless',

  // write, not looked at
  'not-parsed': 'it is not SQL that PostgreSQL 18 understands: the primary shall say so',
  'too-long': 'it is longer than what is parsed',
  'too-dense': 'it holds more operators, comments or tokens than what is parsed',
  'not-utf8': 'it holds bytes that are not UTF-8, so that it cannot be read with certainty',
  'grammar-not-ready': 'the grammar is being loaded again',

  // session
  'creates-temporary': 'it creates a temporary relation, which lives on one connection',
  'uses-temporary': 'it names the schema of temporary objects, which live on one connection',
  listens: 'it listens for notifications on one connection',
  'prepares-statement': 'it prepares a statement in SQL on one connection',
  'holds-cursor': 'it opens a cursor that outlives the transaction on one connection',
  'loads-library': 'it loads a library into one connection',
  'holds-session-lock': 'it takes an advisory lock that one connection holds',
  'ends-with-connection': 'it begins a backup, or makes a temporary slot, that only ends with its connection',
  'seeds-random': 'it seeds the random numbers of one connection, which nobody can ask for',
  'function-sets-setting': 'it calls a function that changes the state of one connection',
  'setting-changes-grammar': 'it changes how the server reads SQL text, so that we no longer can',
  'setting-needs-primary': 'it makes transactions serializable, which standbys refuse',
} as const satisfies Readonly<Record<string, string>>;

/** Why a statement is of its kind. */
export type SqlReason = keyof typeof SQL_REASONS;

/** Nobody has looked into the text: it may be anything. */
export const NOT_LOOKED_AT: readonly SqlReason[] = [
  'not-parsed',
  'too-long',
  'too-dense',
  'not-utf8',
  'grammar-not-ready',
];

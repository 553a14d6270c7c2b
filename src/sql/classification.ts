/**
 * What the classifier answers: values only. The kind says where a text may run, `because` says why in one code
 * of a closed set, and the rest is what a router needs to act on it without reading SQL itself.
 *
 * A kind is a statement about one text, not about a session: whether a transaction is open, or a session is
 * bound to the primary, is the router's to know.
 */
import type { SqlReason } from './reasons.ts';
import type { References } from './references.ts';

/** The answer for one text (one simple query, or one Parse). Values are shared and frozen: never mutate them. */
export type Classification =
  | ReadClassification
  | WriteClassification
  | BeginClassification
  | EndClassification
  | SetClassification
  | SessionClassification
  | EmptyClassification;

interface Common {
  /** Why it is of this kind. */
  readonly because: SqlReason;
  /** The name the reason speaks of (function, setting, relation, prepared statement), for explanations only. */
  readonly detail?: string;
  /** What the text's own comment says to the router: see head-comment.ts. Texts that differ in it share no answer. */
  readonly hint?: string;
  /** Of one whose names were looked up: what it was before. */
  readonly origin?: Classification;
  /** What it refers to in its database, where that can make it another: see resolve.ts. */
  readonly references?: References;
  /** Of a text that is for the primary anyway: what it refers to, whose triggers, defaults and rules may run code. */
  readonly touches?: References;
  /**
   * Every statement of the text that changes session settings, in order, whatever the kind. After the text has
   * succeeded, other server connections of this session need these too. Inside a transaction they last only
   * if it commits, and a ROLLBACK TO SAVEPOINT may take some back.
   */
  readonly settings: readonly SettingStatement[];
  /** Settings of the session that it sets to what only the server can tell, by their lower-case names. */
  readonly sets?: readonly string[];
  /** Something is created by it, perhaps by a name without a schema: then search_path decides whether it is temporary. */
  readonly creates?: true;
  /** By its database's catalogue it runs code that nobody looks into, whatever the reason of its kind. */
  readonly runsUnseen?: true;
  /** Of a text of several: what each of them is by itself. `because` says one reason only, and the others act as well. */
  readonly among?: readonly Verdict[];
  /** The text holds several statements and a BEGIN, COMMIT, ROLLBACK or the like is among them. */
  readonly controlsTransaction: boolean;
  /** What SQL in a text of several, or inside of EXPLAIN and CREATE TABLE AS, runs or forgets of prepared statements, in order. */
  readonly speaksOf?: readonly SpokenOf[];
  /** Names that a text of several prepares: whether one is taken is for the server to say. */
  readonly makes?: readonly string[];
  /** Of a text that is one PREPARE: what is prepared, if the session can do so by the protocol. */
  readonly prepares?: string;
  /** Of a text that ends a transaction and goes on: the byte where the statement behind that begins. */
  readonly goesOnAt?: number;
  /** One of those ends a transaction: what stands before and behind it in the text has not the same fate. */
  readonly endsTransaction: boolean;
}

/** What one statement is, and why. */
export interface Verdict {
  readonly kind: Classification['kind'];
  readonly because: SqlReason;
  readonly detail?: string;
}

/** One EXECUTE or DEALLOCATE among the statements of a text. */
export interface SpokenOf {
  /** Which statement of the text it is, from 0. */
  readonly at: number;
  /** Absent: all of them are forgotten. */
  readonly name?: string;
  readonly isForgotten: boolean;
  /** By an EXECUTE itself, whose Parse looks it up, and not by something around one. */
  readonly isExecuted?: true;
}

/**
 * May run on a standby. Statements that only make sense in an open transaction (SAVEPOINT, SET LOCAL, SET
 * TRANSACTION) are reads too: they follow the transaction wherever it is.
 */
export interface ReadClassification extends Common {
  readonly kind: 'read';
  /** Present for SET TRANSACTION and its spellings: what it asks of the current transaction. */
  readonly transaction?: TransactionOptions;
  /** A single SET TRANSACTION with options, or a spelling of it, which cannot fail before the transaction's first statement. */
  readonly isPlain?: true;
}

/** Runs on the primary. In a READ ONLY transaction it goes where the transaction is, and PostgreSQL refuses it. */
export interface WriteClassification extends Common {
  readonly kind: 'write';
  /** Nothing is against it but what its references may turn out not to be: then it is a read, because of this. */
  readonly ifReads?: SqlReason;
  /** A single EXECUTE with parameters that only read: it is what it runs. */
  readonly isPlain?: true;
}

/** A single BEGIN or START TRANSACTION. */
export interface BeginClassification extends Common {
  readonly kind: 'begin';
  readonly transaction: TransactionOptions;
  /** It says START TRANSACTION, and is answered so. */
  readonly isStart?: true;
}

/** A single statement that ends a transaction. */
export interface EndClassification extends Common {
  readonly kind: 'end';
  readonly outcome: 'commit' | 'rollback' | 'prepare';
  /** AND CHAIN: a new transaction with the same options begins at once. */
  readonly chain: boolean;
}

/** Only statements that change session settings and can be replayed on another connection of the same session. */
export interface SetClassification extends Common {
  readonly kind: 'set';
}

/** Leaves state on the server connection that cannot be replayed elsewhere: the session stays with the primary. */
export interface SessionClassification extends Common {
  readonly kind: 'session';
}

/** No statement at all: nothing, blanks, comments, semicolons. PostgreSQL answers EmptyQueryResponse. */
export interface EmptyClassification extends Common {
  readonly kind: 'empty';
}

/** One statement that changes session settings, in a form that can be replayed. */
export interface SettingStatement {
  /** The statement's own text, without its neighbours and semicolon. */
  readonly text: string;
  readonly changes: readonly SettingChange[];
  /**
   * What the statement forgets: `settings` (RESET ALL: all earlier changes but those of `role` and
   * `session_authorization`), `everything` (DISCARD ALL: all of them, and prepared statements, cursors, LISTENs,
   * temporary tables and session locks too, so that a bound session is free again once it has run on each of its
   * connections), or nothing.
   */
  readonly clears: 'nothing' | 'settings' | 'everything';
}

/** One setting, by its lower-case name. `value` is absent when it goes back to its default. */
export interface SettingChange {
  readonly name: string;
  readonly value?: string;
}

export type TransactionAccess = 'read-only' | 'read-write' | 'default';
export type Isolation =
  | 'read-uncommitted'
  | 'read-committed'
  | 'repeatable-read'
  | 'serializable'
  | 'default';

/** What a BEGIN or SET TRANSACTION names; `default` where it names nothing. A standby refuses `serializable`. */
export interface TransactionOptions {
  readonly access: TransactionAccess;
  readonly isolation: Isolation;
  readonly deferrable: boolean;
}

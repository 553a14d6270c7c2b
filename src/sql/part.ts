/** One statement's classification before it is joined with its neighbours in the same text. */
import type { SettingChange, SettingStatement, TransactionOptions } from './classification.ts';
import type { SqlReason } from './reasons.ts';
import type { ReferenceCollector } from './references.ts';

interface Reasoned {
  readonly because: SqlReason;
  readonly detail?: string;
}

export interface ReadPart extends Reasoned {
  readonly kind: 'read';
  readonly transaction?: TransactionOptions;
  readonly isPlain?: true;
}

export interface StrictPart extends Reasoned {
  readonly kind: 'write' | 'session';
  /** The only thing against it is what the database's own definitions may clear; then it is a read, because of this. */
  readonly ifReads?: SqlReason;
  readonly isPlain?: true;
  /** An EXECUTE inside of it, by its name. */
  readonly speaks?: string;
  /** It is an EXECUTE of that name, though there is more to say about it. */
  readonly executes?: string | undefined;
}

export interface BeginPart extends Reasoned {
  readonly kind: 'begin';
  readonly transaction: TransactionOptions;
  readonly isStart?: true;
}

export interface EndPart extends Reasoned {
  readonly kind: 'end';
  readonly outcome: 'commit' | 'rollback' | 'prepare';
  readonly chain: boolean;
}

export interface SetPart extends Reasoned {
  readonly kind: 'set';
  readonly changes: readonly SettingChange[];
  readonly clears: SettingStatement['clears'];
}

/**
 * What classifying paid attention to. `literal`: the value of a literal may have mattered, so the answer is good for
 * this text alone. Set wherever a literal is read; `statements.ts` says which statements are certain to hold literals
 * nowhere else than where that is noticed. `sets`: settings of the session that calls of set_config name.
 */
export interface Attention {
  literal: boolean;
  readonly sets: string[];
  /** Something is created, perhaps by a name without a schema. */
  creates: boolean;
  /** A function is in FROM: what a name there stands for need be no row. */
  isOfFunctions: boolean;
  /** What the text refers to in its database. */
  readonly references: ReferenceCollector;
}

export type Part = ReadPart | StrictPart | BeginPart | EndPart | SetPart;

/**
 * What SQL says of the client's prepared statements: EXECUTE runs them and DEALLOCATE forgets them by the client's names,
 * which servers do not know. It is looked up when the client says it, since what a name stands for changes with each
 * message of a batch. Pure.
 */
import type { Classification, SettingStatement, SqlReason } from '../sql/index.ts';
import { Parse, readExecute } from '../wire/index.ts';
import { CopyPortals } from './copy-portals.ts';
import type { PreparedStatements } from './prepared.ts';
import type { PinReason } from './route.ts';
import type { Statement } from './statement.ts';

/** A statement is forgotten by SQL. */
export interface Forgets {
  /** Which statement of a simple query it is that forgets, from 0. */
  readonly at: number;
  /** Undefined: all are forgotten. */
  readonly name: string | undefined;
  readonly isDiscard: boolean;
}

/** What a server is to know under the client's own name. */
export interface Lent extends Pick<Statement, 'name' | 'message'> {
  /** Without a text, since only that its name is taken counts: that can be prepared always, and is no query. */
  readonly isEmpty?: true;
}

export interface Mention {
  /** What the server is to know under the client's own names ahead of the message. */
  readonly lends: readonly Lent[];
  /** What an Execute forgets. */
  readonly forgets: Forgets | undefined;
}

/** Statements that run others which run others: what is nested deeper is not looked into. */
export const NESTING_MAX = 16;

/**
 * What SQL of this class names, and what that names in turn. `made` is the statement that is being prepared by it: then the
 * server looks up what EXECUTE runs, and nothing else; to bring it more would be the first query of a transaction.
 */
export function mentionIn(
  classification: Classification,
  prepared: PreparedStatements,
  made?: Statement,
): Mention | undefined {
  if (namesIn(classification).length === 0) return undefined;
  if (made !== undefined && !isExecute(classification)) return undefined;
  const lends = new Set<Statement>(made === undefined ? [] : [made]);
  collect(namesIn(classification), { prepared, into: lends, depth: 0 });
  if (made !== undefined) lends.delete(made);
  return lends.size === 0 ? undefined : { lends: [...lends], forgets: undefined };
}

function isExecute({ because, speaksOf }: Classification): boolean {
  return because === 'executes-prepared' || speaksOf?.some(({ isExecuted }) => isExecuted === true) === true;
}

/** What the text of a simple query says that is a unit of its own: no other message can run what is lent for it. */
export function mentionInText(
  classification: Classification,
  prepared: PreparedStatements,
): Mention | undefined {
  const [used, taken] = [usedIn(classification), takenIn(classification)];
  if (used.length === 0 && taken.length === 0) return undefined;
  const lends = new Set<Statement>();
  collect(used, { prepared, into: lends, depth: 0 });
  const empty = taken.flatMap((called): readonly Lent[] => {
    const named = prepared.get(called);
    if (named?.isKept !== true || lends.has(named)) return [];
    const { name } = named;
    return [{ name, message: Parse({ name, sql: '', parameterTypes: [] }), isEmpty: true }];
  });
  return lends.size + empty.length === 0 ? undefined : { lends: [...lends, ...empty], forgets: undefined };
}

/** What a simple query forgets, in order, if all of it is run. */
export function forgottenBy(
  classification: Classification,
  prepared: PreparedStatements,
): readonly Forgets[] {
  const { speaksOf } = classification;
  if (speaksOf === undefined) {
    const forgets = effectOf(classification, prepared);
    return forgets === undefined ? NOTHING : [forgets];
  }
  return speaksOf.flatMap(({ at, name, isForgotten }) => {
    if (isForgotten) return [{ at, name, isDiscard: false }];
    const named = prepared.get(name ?? '');
    const forgets = named === undefined ? undefined : effectOf(named.classification, prepared);
    return forgets === undefined || forgets.isDiscard ? [] : [{ ...forgets, at }];
  });
}

const NOTHING: readonly Forgets[] = [];
const NO_SETTINGS: readonly SettingStatement[] = [];

/** What a portal does beyond its rows, if it is run. */
export interface Deed {
  readonly statement: Statement;
  /** The unit in which it was bound. */
  readonly serial: number;
  settings: readonly SettingStatement[];
  /** Why its session would be bound to the server; undefined: it would not be. */
  pins: readonly PinReason[] | undefined;
}

/** The open portals that do something beyond their rows when they are run, and those that may be a COPY. */
export class OpenPortals {
  readonly copies = new CopyPortals();
  /** By name. Of several for one name it is not known which it stands for. */
  readonly #deeds = new Map<string, readonly Deed[]>();
  /** Those that the running unit has put others in place of, or closed: if it fails, that may have been skipped. */
  readonly #replaced: (readonly [portal: string, deeds: readonly Deed[]])[] = [];

  bound(portal: string, statement: Statement | undefined, serial: number): void {
    this.copies.bound(portal, statement);
    if (this.#deeds.size > 0) this.#replace(portal);
    if (statement !== undefined && actsBeyondRows(statement.classification))
      this.#deeds.set(portal, [{ statement, serial, settings: NO_SETTINGS, pins: undefined }]);
  }

  /** Of a portal that was just bound. */
  deedOf(portal: string): Deed | undefined {
    return this.#deeds.size === 0 ? undefined : this.#deeds.get(portal)?.[0];
  }

  closed(portal: string): void {
    this.copies.closed(portal);
    if (this.#deeds.size > 0) this.#replace(portal);
  }

  #replace(portal: string): void {
    const deeds = this.#deeds.get(portal);
    if (deeds === undefined) return;
    this.#replaced.push([portal, deeds]);
    this.#deeds.delete(portal);
  }

  /** The unit is over. With the transaction all portals are. */
  settle(isFailed: boolean, isTransactionOver: boolean): void {
    this.copies.settle(isFailed, isTransactionOver);
    if (isTransactionOver && this.#deeds.size > 0) this.#deeds.clear();
    if (this.#replaced.length === 0) return;
    if (isFailed && !isTransactionOver)
      for (const [portal, deeds] of this.#replaced) this.#mayBe(portal, deeds);
    this.#replaced.length = 0;
  }

  #mayBe(portal: string, deeds: readonly Deed[]): void {
    const now = this.#deeds.get(portal) ?? NO_DEEDS;
    const others = deeds.filter(({ statement }) => !now.some((deed) => deed.statement === statement));
    this.#deeds.set(portal, [...now, ...others].slice(0, DEEDS_MAX));
  }

  /** What an Execute may do. */
  executed(message: Buffer): readonly Deed[] {
    if (this.#deeds.size === 0 && this.copies.isEmpty) return NO_DEEDS;
    const { portal } = readExecute(message);
    this.copies.executed(portal);
    return this.#deeds.get(portal) ?? NO_DEEDS;
  }
}

const NO_DEEDS: readonly Deed[] = [];
/** Whoever leaves more in doubt under one name has that of the others forgotten. */
const DEEDS_MAX = 100;

/** What a unit must know of a plain write that was bound before, it knows of its transaction. */
function actsBeyondRows(classification: Classification): boolean {
  const { kind, because } = classification;
  return (kind !== 'read' && because !== 'changes-data') || mayForget(classification);
}

/** What the run of a statement forgets. */
export function forgottenIn(
  classification: Classification,
  prepared: PreparedStatements,
): Forgets | undefined {
  return mayForget(classification) ? effectOf(classification, prepared) : undefined;
}

function mayForget({ because }: Classification): boolean {
  return because === 'forgets-statement' || because === 'discards-all' || because === 'executes-prepared';
}

function effectOf(
  classification: Classification,
  prepared: PreparedStatements,
  seen: readonly Classification[] = [],
): Forgets | undefined {
  const { because, detail } = classification;
  if (because === 'forgets-statement') return { at: 0, name: detail, isDiscard: false };
  // DISCARD ALL cannot be run by EXECUTE.
  if (because === 'discards-all') {
    return seen.length > 0 ? undefined : { at: 0, name: undefined, isDiscard: true };
  }
  if (because !== 'executes-prepared' || seen.length >= NESTING_MAX) return undefined;
  const named = prepared.get(detail ?? '');
  return named === undefined
    ? undefined
    : effectOf(named.classification, prepared, [...seen, classification]);
}

interface Collecting {
  readonly prepared: PreparedStatements;
  readonly into: Set<Statement>;
  readonly depth: number;
}

function collect(names: readonly string[], { prepared, into, depth }: Collecting): void {
  for (const name of names) {
    const named = prepared.get(name);
    if (named?.isKept !== true || into.has(named)) continue;
    into.add(named);
    if (depth < NESTING_MAX) collect(namesIn(named.classification), { prepared, into, depth: depth + 1 });
    // Behind what it runs in turn: the server looks that up when it parses it.
    into.delete(named);
    into.add(named);
  }
}

/** The prepared statements that SQL speaks of by the client's names for them. */
function namesIn(classification: Classification): readonly string[] {
  const [used, taken] = [usedIn(classification), takenIn(classification)];
  if (used.length === 0) return taken;
  return taken.length === 0 ? used : [...used, ...taken];
}

/** Those that it runs or forgets. */
function usedIn({ because, detail, speaksOf }: Classification): readonly string[] {
  if (speaksOf !== undefined) return speaksOf.flatMap(({ name }) => name ?? []);
  return USING.has(because) && detail !== undefined ? [detail] : NO_NAMES;
}

/** Those that it would prepare: of these it is the server that says that they exist. */
function takenIn({ because, detail, makes }: Classification): readonly string[] {
  if (makes !== undefined) return makes;
  return because === 'prepares-statement' && detail !== undefined ? [detail] : NO_NAMES;
}

const NO_NAMES: readonly string[] = [];
const USING: ReadonlySet<SqlReason> = new Set(['executes-prepared', 'forgets-statement']);

/**
 * What SQL says of the client's prepared statements: EXECUTE runs them and DEALLOCATE forgets them by the client's names,
 * which servers do not know. It is looked up when the client says it, since what a name stands for changes with each
 * message of a batch. Pure.
 */
import type { Classification, SettingStatement, SqlReason } from '../sql/index.ts';
import { Parse, readExecute } from '../wire/index.ts';
import { CopyPortals } from './copy-portals.ts';
import type { PreparedStatements } from './prepared.ts';
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

/** The open portals that may forget statements or make settings when they are run, and those that may be a COPY. */
export class OpenPortals {
  readonly copies = new CopyPortals();
  readonly #byName = new Map<string, Statement>();
  readonly #settings = new Map<string, readonly SettingStatement[]>();
  /** What acts beyond its rows, and in which unit it was bound. */
  readonly #acts = new Map<string, { readonly statement: Statement; readonly serial: number }>();

  bound(portal: string, statement: Statement | undefined, serial: number): void {
    this.copies.bound(portal, statement);
    if (statement !== undefined && mayForget(statement.classification)) this.#byName.set(portal, statement);
    else if (this.#byName.size > 0) this.#byName.delete(portal);
    if (this.#settings.size > 0) this.#settings.delete(portal);
    if (statement !== undefined && actsBeyondRows(statement.classification))
      this.#acts.set(portal, { statement, serial });
    else if (this.#acts.size > 0) this.#acts.delete(portal);
  }

  /** What an Execute runs that was bound in an earlier unit: in this one nobody has heard of it. */
  boundBefore(
    message: Buffer,
    serial: number,
  ): { readonly portal: string; readonly statement: Statement } | undefined {
    if (this.#acts.size === 0) return undefined;
    const { portal } = readExecute(message);
    const found = this.#acts.get(portal);
    return found === undefined || found.serial === serial
      ? undefined
      : { portal, statement: found.statement };
  }

  /** It makes these when it is run, which it need not be. */
  willSet(portal: string, settings: readonly SettingStatement[]): void {
    this.#settings.set(portal, settings);
  }

  closed(portal: string): void {
    this.copies.closed(portal);
    if (this.#byName.size > 0) this.#byName.delete(portal);
    if (this.#settings.size > 0) this.#settings.delete(portal);
    if (this.#acts.size > 0) this.#acts.delete(portal);
  }

  /** All portals have ended with their transaction. */
  over(): void {
    this.copies.over();
    if (this.#byName.size > 0) this.#byName.clear();
    if (this.#settings.size > 0) this.#settings.clear();
    if (this.#acts.size > 0) this.#acts.clear();
  }

  /** What an Execute sets. */
  settingsOf(message: Buffer): readonly SettingStatement[] {
    return (
      (this.#settings.size > 0 ? this.#settings.get(readExecute(message).portal) : undefined) ?? NO_SETTINGS
    );
  }

  /** An Execute: what it forgets. */
  executed(message: Buffer, prepared: PreparedStatements): Mention | undefined {
    if (this.#byName.size === 0 && this.copies.isEmpty) return undefined;
    const { portal } = readExecute(message);
    this.copies.executed(portal);
    const statement = this.#byName.get(portal);
    const forgets = statement === undefined ? undefined : effectOf(statement.classification, prepared);
    if (forgets === undefined) return undefined;
    prepared.willForget(forgets.name, forgets.isDiscard);
    return { lends: [], forgets };
  }
}

/** What a unit must know of a plain write that was bound before, it knows of its transaction. */
function actsBeyondRows({ kind, because }: Classification): boolean {
  return kind !== 'read' && because !== 'changes-data';
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

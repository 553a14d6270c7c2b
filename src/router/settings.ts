/**
 * The settings that differ from what a connection starts with, as a value: of a session, what its client has set; of
 * a server connection, what it has been brought to. The difference of the two is what must be said to the server before
 * the session's next statement, and is nothing at all in the common case. Kept as the statements that made them, since
 * only the server knows what a statement's value means. A later statement about the same settings replaces the earlier,
 * so a state is as long as what differs, not as the session's history; of DateStyle, whose statements add up, what they
 * come to is kept. Bounded. Pure.
 */
import { unreachable } from '../base/index.ts';
import type { SettingStatement } from '../sql/index.ts';
import { DATE_STYLE, dateStyleAfter } from './date-style.ts';

interface Entry {
  readonly text: string;
  readonly names: readonly string[];
  /** By name, as they were written. */
  readonly values: Readonly<Record<string, string>>;
}

/** Immutable; states with equal `key` are equal. */
export interface Settings {
  readonly entries: readonly Entry[];
  readonly key: string;
  /** Of those entries that can change what a statement means when it is parsed or planned. */
  readonly planningKey: string;
  readonly bytes: number;
  /** What the router itself goes by, by name: `matriarch.…`, the application's name, who one is, and search_path. */
  readonly own: ReadonlyMap<string, string>;
  /** Decisions about its statements are noted: see decisions.ts. */
  readonly isExplained: boolean;
}

export interface SettingsLimits {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

const APPLICATION = 'application_name';

/** The prefix of settings that are said to the router. Servers take them for a library's, and show them. */
export const OWN_PREFIX = 'matriarch.';
const EXPLAIN = `${OWN_PREFIX}explain`;
const YES: ReadonlySet<string> = new Set(['on', 'true', 'yes', '1']);

/** Who one is: kept by RESET ALL, since PostgreSQL does not count these among the settings there. */
const IDENTITY: ReadonlySet<string> = new Set(['role', 'session_authorization']);

const HEARD: ReadonlySet<string> = new Set([APPLICATION, 'search_path', ...IDENTITY]);

/** Say nothing about the meaning of a statement. */
const WITHOUT_MEANING: ReadonlySet<string> = new Set([
  'application_name',
  'client_min_messages',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'lock_timeout',
  'statement_timeout',
  'transaction_timeout',
]);

/**
 * A SET of these that succeeded on one connection succeeds on every other, so it can be sent together with the statement
 * that needs it. Of others (a role that may have been dropped, a library's setting) the answer is awaited.
 */
const SURE: ReadonlySet<string> = new Set([
  ...WITHOUT_MEANING,
  'bytea_output',
  'client_encoding',
  'constraint_exclusion',
  'cursor_tuple_fraction',
  'datestyle',
  'default_transaction_deferrable',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'effective_cache_size',
  'enable_hashjoin',
  'enable_indexscan',
  'enable_mergejoin',
  'enable_nestloop',
  'enable_seqscan',
  'enable_sort',
  'extra_float_digits',
  'from_collapse_limit',
  'geqo',
  'intervalstyle',
  'jit',
  'join_collapse_limit',
  'maintenance_work_mem',
  'plan_cache_mode',
  'random_page_cost',
  'row_security',
  'search_path',
  'seq_page_cost',
  'standard_conforming_strings',
  'synchronous_commit',
  'timezone',
  'work_mem',
]);

export const NO_SETTINGS: Settings = settingsOf([]);

/** Anything may be set. */
export const UNKNOWN_SETTINGS: Settings = {
  entries: [],
  key: '\0unknown',
  planningKey: '\0unknown',
  bytes: 0,
  own: new Map(),
  isExplained: false,
};

const RESET_EVERYTHING = ['RESET SESSION AUTHORIZATION', 'RESET ROLE', 'RESET ALL'];

/** What a client asked for at its start, as if it had been SET then. */
export function startSettings(
  applicationName: string | undefined,
  own: readonly (readonly [string, string])[] = [],
): Settings {
  const entries = own.map(ownEntry);
  if (applicationName === undefined || applicationName === '')
    return entries.length === 0 ? NO_SETTINGS : settingsOf(entries);
  const text = `SET application_name TO ${literalOf(applicationName)}`;
  return settingsOf([...entries, { names: [APPLICATION], text, values: { [APPLICATION]: applicationName } }]);
}

function ownEntry([name, value]: readonly [string, string]): Entry {
  return { names: [name], text: `SET ${quoted(name)} TO ${literalOf(value)}`, values: { [name]: value } };
}

export const literalOf = (value: string): string =>
  `E'${value.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;

/**
 * The state after `statement` succeeded. `start` is what a reset goes back to: the session's start-up settings; of a
 * server connection, none.
 */
export function settingsAfter(before: Settings, statement: SettingStatement, start: Settings): Settings {
  switch (statement.clears) {
    case 'everything':
      return start;
    case 'settings':
      return settingsOf([...start.entries, ...before.entries.filter(isIdentity)]);
    case 'nothing':
      return changed(before, statement, start);
  }
  return unreachable(statement.clears);
}

/**
 * Settings made under a role that `statement` leaves, and kept: who one is then may not be allowed to make them. Of those
 * that everybody may set there is no question.
 */
export function keptPastRole({ entries }: Settings, statement: SettingStatement): readonly string[] {
  if (!statement.changes.some(({ name }) => IDENTITY.has(name))) return [];
  const first = entries.findIndex(isIdentity);
  return first === -1 ? [] : restrictedIn(entries.slice(first).flatMap(({ names }) => names));
}

/** Those of the names that not everybody may set, as far as is known. */
export function restrictedIn(names: readonly string[]): readonly string[] {
  return names.filter((name) => !isSureName(name) && !IDENTITY.has(name));
}

/** What a session starts with and a server does not know, where `made` ends with a reset of it; as statements that set it. */
export function lostByReset(start: Settings, made: readonly SettingStatement[]): readonly SettingStatement[] {
  return start.entries.flatMap(({ text, values }) => {
    const last = made.findLast(
      ({ clears, changes }) => clears !== 'nothing' || changes.some(({ name }) => name in values),
    );
    if (last === undefined || !isReset(last)) return [];
    const changes = Object.entries(values).map(([name, value]) => ({ name, value }));
    return [{ text, changes, clears: 'nothing' as const }];
  });
}

/** It makes nothing, and takes back what was made. */
function isReset({ clears, changes }: SettingStatement): boolean {
  return clears !== 'nothing' || changes.every(({ value }) => value === undefined);
}

/** It comes to the same whatever is set before it, and whoever one is. */
export function isIndifferent(statement: SettingStatement): boolean {
  const { clears, changes } = statement;
  return clears !== 'nothing' || (isReset(statement) && changes.every(({ name }) => IDENTITY.has(name)));
}

const UNREADABLE = '\u{FFFD}';

/** Whether the state with `statements` besides can be kept: within the limits, whatever they replace. */
export function haveRoom(
  settings: Settings,
  statements: readonly SettingStatement[],
  { entriesMax, bytesMax }: SettingsLimits,
): boolean {
  // In another encoding than UTF-8, of which the text is not known to the letter.
  if (statements.some(({ text }) => text.includes(UNREADABLE))) return false;
  const bytes = statements.reduce((sum, { text }) => sum + text.length, settings.bytes);
  return settings.entries.length + statements.length <= entriesMax && bytes <= bytesMax;
}

/** How to bring a connection from one state to another. */
export interface Difference {
  readonly statements: readonly string[];
  /** None of them can fail: nobody need wait for the answers. */
  readonly isSure: boolean;
}

export function differenceOf(from: Settings, to: Settings): Difference {
  if (from === UNKNOWN_SETTINGS) {
    const isSure = to.entries.every(({ names }) => names.every(isSureName));
    return { statements: [...RESET_EVERYTHING, ...to.entries.map(({ text }) => text)], isSure };
  }
  const [had, wanted] = [effective(from), effective(to)];
  const resets = [...had.keys()].filter((name) => !wanted.has(name));
  // Who one is comes first: it decides what one may set.
  resets.sort((a, b) => Number(IDENTITY.has(b)) - Number(IDENTITY.has(a)));
  const touched = new Set(resets);
  const statements = resets.map((name) => `RESET ${quoted(name)}`);
  for (const { names, text } of to.entries) {
    const isWanted = names.some((name) => touched.has(name) || had.get(name) !== text);
    if (!isWanted) continue;
    for (const name of names) touched.add(name);
    statements.push(text);
  }
  return { statements, isSure: [...touched].every(isSureName) };
}

function changed(before: Settings, statement: SettingStatement, start: Settings): Settings {
  const names = statement.changes.map(({ name }) => name);
  // SET SESSION AUTHORIZATION gives up the role too.
  if (names.includes('session_authorization')) names.push('role');
  const kept = before.entries.filter((entry) => !isCovered(entry, names));
  if (!isReset(statement)) {
    return settingsOf([...kept, entryOf(names, statement, before)]);
  }
  const again = start.entries.filter((entry) => entry.names.some((name) => names.includes(name)));
  // A part of what another statement set: its reset must be said wherever that statement is.
  const isPartial = kept.some((entry) => entry.names.some((name) => names.includes(name)));
  return settingsOf([...kept, ...(isPartial ? [{ names, text: statement.text, values: {} }] : []), ...again]);
}

function entryOf(names: readonly string[], statement: SettingStatement, before: Settings): Entry {
  const values = writtenIn(statement);
  const said = names.length === 1 ? values[DATE_STYLE] : undefined;
  if (said === undefined) return { names, text: statement.text, values };
  const value = dateStyleAfter(valuesOf(before).get(DATE_STYLE), said);
  return { names, text: `SET ${DATE_STYLE} TO ${literalOf(value)}`, values: { [DATE_STYLE]: value } };
}

function writtenIn({ changes }: SettingStatement): Entry['values'] {
  return Object.fromEntries(
    changes.flatMap(({ name, value }): [string, string][] => (value === undefined ? [] : [[name, value]])),
  );
}

const isOwn = (name: string): boolean => HEARD.has(name) || name.startsWith(OWN_PREFIX);

const hasNoMeaning = (name: string): boolean => WITHOUT_MEANING.has(name) || name.startsWith(OWN_PREFIX);
const isSureName = (name: string): boolean => SURE.has(name) || name.startsWith(OWN_PREFIX);

function isCovered(entry: Entry, names: readonly string[]): boolean {
  return entry.names.every((name) => names.includes(name));
}

function isIdentity(entry: Entry): boolean {
  return entry.names.some((name) => IDENTITY.has(name));
}

/** By name, the value as it was written, where it was. */
export function valuesOf(settings: Settings): ReadonlyMap<string, string | undefined> {
  const found = new Map<string, string | undefined>();
  for (const { names, values } of settings.entries) for (const name of names) found.set(name, values[name]);
  return found;
}

/** A custom setting that is a library's or nobody's: PostgreSQL lists only what it knows. */
export function isAskable(name: string): boolean {
  return name.includes('.') && !name.startsWith(OWN_PREFIX);
}

/** By name, the statement that decides it. */
function effective(settings: Settings): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { names, text } of settings.entries) for (const name of names) found.set(name, text);
  return found;
}

function settingsOf(entries: readonly Entry[]): Settings {
  const withMeaning = entries.filter(({ names }) => !names.every(hasNoMeaning));
  const own = new Map(
    entries.flatMap(({ values }) => Object.entries(values).filter(([name]) => isOwn(name))),
  );
  return {
    entries,
    key: keyOf(entries),
    planningKey: keyOf(withMeaning),
    bytes: entries.reduce((sum, { text }) => sum + text.length, 0),
    own,
    isExplained: YES.has(own.get(EXPLAIN)?.toLowerCase() ?? ''),
  };
}

function keyOf(entries: readonly Entry[]): string {
  return entries.map(({ text }) => text).join('\0');
}

/** Names come from SQL's own identifiers, with dots in those of libraries. */
export function quoted(name: string): string {
  if (name === 'session_authorization') return 'SESSION AUTHORIZATION';
  return name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');
}

/** The names of what they change. */
export function namesOf(statements: readonly SettingStatement[]): readonly string[] {
  return statements.flatMap(({ changes }) => changes.map(({ name }) => name));
}

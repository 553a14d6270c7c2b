/**
 * What a router asks a server where a session may have left something there unseen, or taken something away: which state
 * there is that no other connection has, and which settings of the session are made. What settings are others than the
 * session is known to have follow it from then on, as if it had SET them; what cannot be set elsewhere pins it. A custom
 * setting is in no catalogue: it is asked for by its name, where that is known. Works for any role, in any database;
 * the names are qualified, and so are the operators (NULLIF and the like have one, too), since search_path is the client's. Pure.
 */
import { bindingOf, type SettingStatement } from '../sql/index.ts';
import { readTextColumns } from '../wire/index.ts';
import type { PinReason } from './route.ts';
import type { Unit } from './unit.ts';
import { isAskable, literalOf, quoted, type Settings, valuesOf } from './settings.ts';

/** State that the audit sees; of all other nobody can tell whether it is still there. */
const STATES = [
  'listens',
  'holds-session-lock',
  'creates-temporary',
  'uses-temporary',
  'holds-cursor',
  'prepares-statement',
] as const;

/** The audit sees the setting, too. */
const OF_SETTINGS: ReadonlySet<PinReason> = new Set([
  'setting-changes-grammar',
  'setting-needs-primary',
  'setting-not-carried',
]);

const EQUALS = 'OPERATOR(pg_catalog.=)';

/**
 * One row: states with blanks between them; settings as a JSON array of name, value, and whether not every role
 * may set it; the role, which is not among them; the session's user, where that is not who logged in; the schema for temporary
 * objects, empty or not; custom settings.
 */
const AUDIT_SQL = `SELECT pg_catalog.concat_ws(' ',
  CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_listening_channels()) THEN 'listens' END,
  CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_locks
    WHERE locktype ${EQUALS} 'advisory' AND pid ${EQUALS} pg_catalog.pg_backend_pid()) THEN 'holds-session-lock' END,
  CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace ${EQUALS} pg_catalog.pg_my_temp_schema())
    OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace ${EQUALS} pg_catalog.pg_my_temp_schema())
    OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace ${EQUALS} pg_catalog.pg_my_temp_schema())
    THEN 'creates-temporary' END,
  CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable) THEN 'holds-cursor' END,
  CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql) THEN 'prepares-statement' END),
  (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(name, setting, context OPERATOR(pg_catalog.<>) 'user'))
    FROM pg_catalog.pg_show_all_settings() WHERE source ${EQUALS} 'session'),
  pg_catalog.current_setting('role'),
  (SELECT CASE WHEN session_user OPERATOR(pg_catalog.<>) pg_catalog.pg_get_userbyid(usesysid) THEN session_user END
    FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())),
  CASE WHEN pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) '0'::pg_catalog.oid THEN '' END`;

/** Of the transaction, whatever their source is. */
const OF_TRANSACTION: ReadonlySet<string> = new Set([
  'transaction_deferrable',
  'transaction_isolation',
  'transaction_read_only',
]);

/** Its end can be found out. */
export function isAuditable(because: PinReason): boolean {
  // The next unnamed statement, or a simple query, ends that one.
  return (
    because === 'unnamed-past-limit' ||
    because === 'state-not-told' ||
    OF_SETTINGS.has(because) ||
    STATES.some((known) => known === because)
  );
}

/** After the unit a session that is pinned `because` of these may be free. */
export function mayEndPin(unit: Unit, because: ReadonlySet<PinReason>): boolean {
  // What failed has left nothing, or not all; what a transaction within a text made may have ended with it.
  const isUndone = unit.isFailed || unit.endsAmong;
  const isReset = unit.settings.length > 0 && [...because].some((reason) => OF_SETTINGS.has(reason));
  const isOwed = because.has('unnamed-past-limit') || because.has('state-not-told');
  // It may be gone already, by ON COMMIT DROP or an error.
  const isTemporary = unit.pinBecause.has('creates-temporary');
  return unit.mayUnpin || isUndone || isReset || isOwed || isTemporary;
}

/** Custom settings to ask for: those that the connection is known to have, and the `doubted`. */
export function namesToAsk(known: Settings, doubted: Iterable<string>): readonly string[] {
  return [...new Set([...doubted, ...valuesOf(known).keys()])].filter(isAskable);
}

/** The question, also for the custom settings `names`. */
export function auditSql(names: readonly string[]): string {
  const custom = names.map((name) => `, pg_catalog.current_setting(${literalOf(name)}, true)`);
  return AUDIT_SQL + custom.join('');
}

export interface Audit {
  /** Why the session stays with this connection; none: it is free. */
  readonly pins: readonly PinReason[];
  /** What the connection has, and is not known to have: for the session to take over. */
  readonly changes: readonly SettingStatement[];
  /** Temporary objects were made there; none need be left. */
  readonly hasTemporarySchema: boolean;
}

const UNASKED: Audit = { pins: ['settings-unknown'], changes: [], hasTemporarySchema: false };

export interface AuditContext {
  /** Settings that were asked for by name. */
  readonly names: readonly string[];
  /** What the connection is known to have, and those of them that the session may not be able to make elsewhere. */
  readonly known: Settings;
  readonly doubted: ReadonlySet<string>;
}

/** What the row answers to `auditSql(names)`; without a row, the worst. */
export function readAudit(row: Buffer | undefined, { names, known, doubted }: AuditContext): Audit {
  if (row === undefined) return UNASKED;
  const [states = '', listed, role, user, schema, ...custom] = readTextColumns(row);
  const found = states === '' ? [] : states.split(' ');
  const pins = new Set<PinReason>(STATES.filter((state) => found.includes(state)));
  if (pins.size !== found.length) return UNASKED;

  const before = valuesOf(known);
  const values = new Map<string, string>();
  for (const [index, name] of names.entries()) {
    const value = custom[index];
    if (value !== undefined) values.set(name, value);
  }
  for (const [name, value, isRestricted] of settingsIn(listed)) {
    if (OF_TRANSACTION.has(name)) continue;
    const because = bindingOf({ name, value });
    if (because !== undefined) pins.add(because);
    else if (isRestricted && (before.get(name) !== value || doubted.has(name)))
      pins.add('setting-not-carried');
    else values.set(name, value);
  }
  // Last, and the user before the role, which that gives up: they decide what one may set.
  if (user !== undefined) values.set('session_authorization', user);
  if (role !== undefined && (role !== 'none' || before.has('role'))) values.set('role', role);

  // In another encoding their values would be misread; the session stays anyway.
  const changes = pins.has('setting-changes-grammar') ? [] : changesTo(values, before, names);
  return { pins: [...pins], changes, hasTemporarySchema: schema !== undefined };
}

function changesTo(
  values: ReadonlyMap<string, string>,
  before: ReadonlyMap<string, string | undefined>,
  names: readonly string[],
): readonly SettingStatement[] {
  const gone = [...before.keys()].filter(
    (name) => !values.has(name) && (isAskable(name) ? names.includes(name) : isListed(name)),
  );
  const changed = [...values].filter(([name, value]) => before.get(name) !== value);
  return [
    ...gone.map((name) => ({
      text: `RESET ${quoted(name)}`,
      changes: [{ name }],
      clears: 'nothing' as const,
    })),
    ...changed.map(([name, value]) => ({
      text: `SELECT pg_catalog.set_config(${literalOf(name)}, ${literalOf(value)}, false)`,
      changes: [{ name, value }],
      clears: 'nothing' as const,
    })),
  ];
}

/** PostgreSQL would show it. */
function isListed(name: string): boolean {
  return !name.includes('.') && name !== 'seed';
}

function settingsIn(json: string | undefined): readonly (readonly [string, string, boolean])[] {
  const list: unknown = json === undefined ? [] : JSON.parse(json);
  if (!Array.isArray(list)) return [];
  return list.map((item: unknown) => {
    const [name, value, isRestricted]: readonly unknown[] = Array.isArray(item) ? item : [];
    return [String(name).toLowerCase(), String(value), isRestricted === true];
  });
}

/**
 * What a call to a function means for routing, told by the function's name alone. Only functions of
 * PostgreSQL's own schemas are known; any other may do anything, so it belongs on the primary.
 *
 * Not seen here: overloads and namesakes in the search path, and functions behind operators and casts.
 */
import { HARMLESS_FUNCTIONS, VOLATILE_FUNCTIONS } from './builtin-functions.ts';
import type { Classification } from './classification.ts';

export type FunctionVerdict =
  | 'harmless'
  | 'function-volatile'
  | 'function-primary-only'
  | 'function-not-known'
  | 'function-sets-setting'
  | 'holds-session-lock'
  | 'ends-with-connection'
  | 'seeds-random';

/** The verdict on a function's name as written: the parts of `schema.name`, in the lower case the grammar gives. */
export function functionVerdict(path: readonly string[]): FunctionVerdict {
  const name = nameInCatalog(path);
  if (name === undefined) return 'function-not-known';
  const special = SPECIAL.get(name);
  if (special !== undefined) return special;
  if (HARMLESS_FUNCTIONS.has(name)) return 'harmless';
  if (VOLATILE_FUNCTIONS.has(name)) return 'function-volatile';
  if (name.startsWith(STATISTICS_PREFIX)) return 'function-primary-only';
  return 'function-not-known';
}

/** A name bare or in `pg_catalog` as its bare name, one of `information_schema` with its schema, else undefined. A database in front must be the session's own. */
export function nameInCatalog(path: readonly string[]): string | undefined {
  const [first, second, third] = path.length > 2 ? path.slice(1) : path;
  if (second === undefined) return first;
  if (third !== undefined) return undefined;
  if (first === 'pg_catalog') return second;
  return first === 'information_schema' ? `${first}.${second}` : undefined;
}

/** Statistics are each server's own; of several answers, the primary's is the one people ask for. */
const STATISTICS_PREFIX = 'pg_stat_get_';

/** Where the catalogue's word (stable, volatile) does not say what a router must know. */
const SPECIAL: ReadonlyMap<string, FunctionVerdict> = new Map([
  // Declared stable, but a standby refuses them: they need a transaction id, the current timeline, or a lock.
  ['pg_replication_origin_oid', 'function-primary-only'],
  ['txid_current', 'function-primary-only'],
  ['pg_current_xact_id', 'function-primary-only'],
  ['pg_walfile_name', 'function-primary-only'],
  ['pg_walfile_name_offset', 'function-primary-only'],
  // Declared stable, but each server has its own.
  ['pg_get_replication_slots', 'function-primary-only'],
  // Declared stable, but they read whatever relation they are told of, views that write among them, as the volatile query_to_xml does.
  ['table_to_xml', 'function-volatile'],
  ['table_to_xml_and_xmlschema', 'function-volatile'],
  ['schema_to_xml', 'function-volatile'],
  ['schema_to_xml_and_xmlschema', 'function-volatile'],
  ['database_to_xml', 'function-volatile'],
  ['database_to_xml_and_xmlschema', 'function-volatile'],
  // State of one connection. Their `_xact_` namesakes end with the transaction and are merely volatile.
  ['pg_advisory_lock', 'holds-session-lock'],
  ['pg_advisory_lock_shared', 'holds-session-lock'],
  ['pg_try_advisory_lock', 'holds-session-lock'],
  ['pg_try_advisory_lock_shared', 'holds-session-lock'],
  // State that no DISCARD ends. (A slot only if it is a temporary one.)
  ['pg_backup_start', 'ends-with-connection'],
  ['pg_start_backup', 'ends-with-connection'],
  ['pg_create_physical_replication_slot', 'ends-with-connection'],
  ['pg_create_logical_replication_slot', 'ends-with-connection'],
  ['pg_copy_physical_replication_slot', 'ends-with-connection'],
  ['pg_copy_logical_replication_slot', 'ends-with-connection'],
  ['setseed', 'seeds-random'],
  ['set_config', 'function-sets-setting'],
  ['pg_replication_origin_session_setup', 'function-sets-setting'],
]);

/**
 * Functions of PostgreSQL's own by which something can stay in a session: they set, they lock, or they run a text that can.
 * Also a pattern of PostgreSQL's, where it is asked which definitions call them.
 */
export const LEAVES_STATE =
  /^(set_config|pg_(try_)?advisory_lock(_shared)?|pg_(backup_start|start_backup)|pg_(create|copy)_(physical|logical)_replication_slot|(query|cursor|table|schema|database)_to_xml.*|ts_stat|ts_rewrite|brin_summarize_(new_values|range))$/;

/** Those that a catalogue must be asked for beside the volatile ones. */
export const HARMFUL_BUILTINS: readonly string[] = [...SPECIAL.keys()];

/** Why a call is worth nothing at a standby, which makes it all the same. */
export interface Misleading {
  readonly name: string;
  readonly because: 'locks' | 'signals' | 'resets';
}

const MISLEADING: readonly (readonly [Misleading['because'], RegExp])[] = [
  ['locks', /^pg_(try_)?advisory_(xact_)?lock(_shared)?$/],
  ['signals', /^pg_(cancel_backend|terminate_backend|log_backend_memory_contexts)$/],
  [
    'resets',
    /^pg_stat_reset(_(shared|slru|replication_slot|subscription_stats|backend_stats|single_(table|function)_counters))?$/,
  ],
];

const misleading = new WeakMap<Classification, Misleading | 'none'>();

/** A call that the text names and runs, of those which only the primary can do and a standby does not refuse. */
export function misleadingIn(found: Classification): Misleading | undefined {
  const origin = found.origin ?? found;
  let call = misleading.get(origin);
  if (call === undefined) {
    call = firstMisleading(origin) ?? 'none';
    misleading.set(origin, call);
  }
  return call === 'none' ? undefined : call;
}

function firstMisleading({ because, among, references, touches }: Classification): Misleading | undefined {
  const isRun = among !== undefined || (because !== 'explains-a-write' && because !== 'prepares-statement');
  if (!isRun) return undefined;
  for (const { path } of (references ?? touches)?.functions ?? []) {
    const name = nameInCatalog(path);
    const kind = name === undefined ? undefined : MISLEADING.find(([, pattern]) => pattern.test(name));
    if (name !== undefined && kind !== undefined) return { name, because: kind[0] };
  }
  return undefined;
}

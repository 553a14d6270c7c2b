/**
 * Errors by which a standby says that a read is not for it: by SQLSTATE, and by the routine that raised it where one state
 * is of many things. Words are not looked at, they come in the server's language. Pure.
 */
import type { ErrorFields } from '../wire/index.ts';

/**
 * refused-as-write: it writes after all (25006), or reads what a standby has no data of: unlogged and temporary relations
 * (0A000), or asks what only a primary can say (55000), or comes to code that thought it was on one (XX000).
 * serializable: not for what it is, but since the session's transactions are serializable (0A000).
 * object-missing: the standby does not have the object yet, or it is nowhere: the primary knows.
 * recovery-conflict: the standby needed what the read had in use (40001, 40P01); others need not.
 */
export type Refusal = 'refused-as-write' | 'serializable' | 'object-missing' | 'recovery-conflict';

const STATES: ReadonlyMap<string, Refusal> = new Map([
  ['25006', 'refused-as-write'],
  ['40001', 'recovery-conflict'],
  ['40P01', 'recovery-conflict'],
  ['3F000', 'object-missing'],
  ['42703', 'object-missing'],
  ['42704', 'object-missing'],
  ['42883', 'object-missing'],
  ['42P01', 'object-missing'],
]);

/** 0A000, 55000 and XX000 are said of many things; these routines say them of recovery. */
const OF_RECOVERY: ReadonlySet<string> = new Set([
  'get_relation_info',
  'check_transaction_isolation',
  'check_XactIsoLevel',
  'GetNewObjectId',
  'GetNewTransactionId',
  'GetNewMultiXactId',
  'XLogBeginInsert',
  'pg_current_wal_lsn',
  'pg_current_wal_insert_lsn',
  'pg_current_wal_flush_lsn',
  'pg_walfile_name',
  'pg_walfile_name_offset',
  'pg_switch_wal',
  'pg_create_restore_point',
  'pg_log_standby_snapshot',
  'brin_summarize_range',
  'brin_desummarize_range',
  'gin_clean_pending_list',
]);

/** Takes the first snapshot of a transaction that nothing but the session's default has made serializable. */
const OF_SERIALIZABLE = 'GetSerializableTransactionSnapshot';

export function refusalOf({ code, routine }: ErrorFields): Refusal | undefined {
  if (code === '0A000' || code === '55000' || code === 'XX000') {
    if (routine === OF_SERIALIZABLE) return 'serializable';
    return OF_RECOVERY.has(routine ?? '') ? 'refused-as-write' : undefined;
  }
  return STATES.get(code);
}

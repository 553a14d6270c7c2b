/**
 * Errors by which a standby says that a read is not for it: by SQLSTATE, and by the routine that raised it where one state
 * is of many things. Words are not looked at, they come in the server's language. Pure.
 */
import type { ErrorFields } from '../wire/index.ts';

/**
 * refused-as-write: it writes after all (25006), or reads what a standby has no data of: unlogged and temporary relations,
 * serializable transactions (0A000).
 * object-missing: the standby does not have the object yet, or it is nowhere: the primary knows.
 * recovery-conflict: the standby needed what the read had in use (40001, 40P01); others need not.
 */
export type Refusal = 'refused-as-write' | 'object-missing' | 'recovery-conflict';

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

/** 0A000 is said of many things; these routines say it of recovery. */
const OF_RECOVERY: ReadonlySet<string> = new Set([
  'get_relation_info',
  'GetSerializableTransactionSnapshot',
  'check_transaction_isolation',
  'check_XactIsoLevel',
]);

export function refusalOf({ code, routine }: ErrorFields): Refusal | undefined {
  if (code === '0A000') return OF_RECOVERY.has(routine ?? '') ? 'refused-as-write' : undefined;
  return STATES.get(code);
}

/**
 * What a router asks a server before it writes to it, and how the answer is read: is it a primary, and on which
 * timeline. Works for any role, in any database; the names are qualified, since search_path is the client's.
 */
import type { HoldReason } from './route.ts';
import type { Term } from './world.ts';

/** The first 8 digits of a WAL file's name are the timeline, in hexadecimal. */
export const PROBE_SQL =
  'SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ' +
  'ELSE pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) END';

const COLUMNS_OFFSET = 5;
const VALUE_LENGTH_OFFSET = 7;
const VALUE_OFFSET = 11;
const TIMELINE_DIGITS = 8;

/** Whether the row proves a primary of `term`; else why not. `row` is the whole DataRow message. */
export function readProbe(row: Buffer | undefined, term: Term): 'proven' | HoldReason {
  if (row === undefined || row.length < VALUE_OFFSET || row.readInt16BE(COLUMNS_OFFSET) !== 1) {
    return 'primary-not-proven';
  }
  if (row.readInt32BE(VALUE_LENGTH_OFFSET) === -1) return 'primary-in-recovery';
  const timeline = Number.parseInt(row.toString('latin1', VALUE_OFFSET, VALUE_OFFSET + TIMELINE_DIGITS), 16);
  if (Number.isNaN(timeline)) return 'primary-not-proven';
  return timeline >= term.newestTimeline ? 'proven' : 'primary-on-old-timeline';
}

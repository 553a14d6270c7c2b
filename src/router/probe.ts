/**
 * What a router asks a server before it writes to it, and how the answer is read: is it a primary, and on which timeline.
 * Works for any role, in any database; the names are qualified, since search_path is the client's.
 */
import { readFirstColumn } from '../wire/index.ts';
import type { HoldReason } from './route.ts';
import type { Term } from './world.ts';

/** The first 8 digits of a WAL file's name are the timeline, in hexadecimal. */
export const PROBE_SQL =
  'SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ' +
  'ELSE pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) END';

const TIMELINE_DIGITS = 8;

/** Whether the row shows a standby. */
export function isOfStandby(row: Buffer | undefined): boolean {
  return row !== undefined && readFirstColumn(row) === undefined;
}

/** Whether the row proves a primary of `term`; else why not. `row` is the whole DataRow message. */
export function readProbe(row: Buffer | undefined, term: Term): 'proven' | HoldReason {
  if (row === undefined) return 'primary-not-proven';
  const walFile = readFirstColumn(row);
  if (walFile === undefined) return 'primary-in-recovery';
  const timeline = Number.parseInt(walFile.slice(0, TIMELINE_DIGITS), 16);
  if (Number.isNaN(timeline)) return 'primary-not-proven';
  return timeline >= term.newestTimeline ? 'proven' : 'primary-on-old-timeline';
}

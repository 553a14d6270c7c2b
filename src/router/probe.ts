/**
 * What a router asks servers for itself, and how the answers are read: before it writes to one, is it a primary, and on
 * which timeline; after a pinned session may have given up its state, whether any is left. Works for any role, in any
 * database; the names are qualified, since search_path is the client's.
 */
import { readFirstColumn } from '../wire/index.ts';
import type { HoldReason, PinReason } from './route.ts';
import type { Term } from './world.ts';

/** The first 8 digits of a WAL file's name are the timeline, in hexadecimal. */
export const PROBE_SQL =
  'SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ' +
  'ELSE pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) END';

const TIMELINE_DIGITS = 8;

/** Whether the row proves a primary of `term`; else why not. `row` is the whole DataRow message. */
export function readProbe(row: Buffer | undefined, term: Term): 'proven' | HoldReason {
  if (row === undefined) return 'primary-not-proven';
  const walFile = readFirstColumn(row);
  if (walFile === undefined) return 'primary-in-recovery';
  const timeline = Number.parseInt(walFile.slice(0, TIMELINE_DIGITS), 16);
  if (Number.isNaN(timeline)) return 'primary-not-proven';
  return timeline >= term.newestTimeline ? 'proven' : 'primary-on-old-timeline';
}

/** Which states of its session this server process holds that no other has: reasons with blanks between them, or `free`. */
export const AUDIT_SQL = `SELECT COALESCE(NULLIF(pg_catalog.concat_ws(' ',
  CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_listening_channels()) THEN 'listens' END,
  CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid())
    THEN 'holds-session-lock' END,
  CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.pg_my_temp_schema())
    OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = pg_catalog.pg_my_temp_schema())
    OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace = pg_catalog.pg_my_temp_schema())
    THEN 'creates-temporary' END,
  CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable) THEN 'holds-cursor' END,
  CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql) THEN 'prepares-statement' END), ''), 'free')`;

/** State that the audit sees; of all other nobody can tell whether it is still there. */
const AUDITABLE = [
  'listens',
  'holds-session-lock',
  'creates-temporary',
  'uses-temporary',
  'holds-cursor',
  'prepares-statement',
] as const;

/** Its end can be found out. */
export function isAuditable(because: PinReason): boolean {
  // The next unnamed statement, or a simple query, ends that one.
  return because === 'unnamed-past-limit' || AUDITABLE.some((known) => known === because);
}

/** What the audit's row says, none if the connection is free; undefined: it could not be asked. */
export function readAudit(row: Buffer | undefined): readonly PinReason[] | undefined {
  const answer = row === undefined ? undefined : readFirstColumn(row);
  if (answer === undefined) return undefined;
  if (answer === 'free') return [];
  const found = answer.split(' ');
  const known = AUDITABLE.filter((reason) => found.includes(reason));
  return known.length === found.length ? known : undefined;
}

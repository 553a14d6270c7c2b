/** How far the standbys of the running primary are, and what commits wait for, in one statement; checked at this border. */
import { z } from 'zod';
import { MatriarchError } from '../base/index.ts';
import type { Synchrony } from './types.ts';

/** One row, one JSON column `synchrony`. */
export const SYNCHRONY_SQL = `
SELECT json_build_object(
  'setting', current_setting('synchronous_standby_names'),
  'flush_lsn', CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint END,
  'checkpointer', (SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'checkpointer'),
  'weakened', (SELECT coalesce(json_agg(DISTINCT coalesce('role ' || r.rolname, 'database ' || d.datname, 'everybody')), '[]')
               FROM (SELECT setrole, setdatabase, unnest(setconfig) AS line FROM pg_db_role_setting
                     UNION ALL SELECT 0, 0, 'synchronous_commit=' || reset_val FROM pg_settings WHERE name = 'synchronous_commit') AS s
               LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
               WHERE line IN ('synchronous_commit=off', 'synchronous_commit=local')),
  'standbys', (SELECT coalesce(json_agg(json_build_object(
                 'name', application_name, 'state', state, 'sync_state', sync_state,
                 'flush_lsn', pg_wal_lsn_diff(flush_lsn, '0/0')::bigint)), '[]')
               FROM pg_stat_replication)
) AS synchrony`;

/** What an idle checkpointer waits on; one that does has read its configuration. */
const IDLE = new Set(['CheckpointerMain', 'CheckpointWriteDelay']);

const rowSchema = z.object({
  setting: z.string(),
  flush_lsn: z.int().nullable(),
  checkpointer: z.string().nullable(),
  weakened: z.array(z.string()),
  standbys: z.array(
    z.object({
      name: z.string().nullable(),
      state: z.string().nullable(),
      sync_state: z.string().nullable(),
      flush_lsn: z.int().nullable(),
    }),
  ),
});

/** Throws `postgres-unreachable` when the answer is not of the expected form. */
export function parseSynchrony(value: unknown): Synchrony {
  const parsed = rowSchema.safeParse(value);
  if (!parsed.success) {
    const message = `PostgreSQL's replication has an unexpected form: ${z.prettifyError(parsed.error)}`;
    throw new MatriarchError('postgres-unreachable', message);
  }
  const row = parsed.data;
  return {
    setting: row.setting,
    flushLsn: row.flush_lsn ?? undefined,
    isCheckpointerIdle: IDLE.has(row.checkpointer ?? ''),
    weakenedFor: row.weakened,
    standbys: row.standbys.map((standby) => ({
      name: standby.name ?? '',
      isStreaming: standby.state === 'streaming',
      isCounted: standby.sync_state === 'quorum' || standby.sync_state === 'sync',
      flushLsn: standby.flush_lsn ?? 0,
    })),
  };
}

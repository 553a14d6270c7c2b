/** The state of the running server in one statement and one round trip, checked at this border and turned into a value. */
import { z } from 'zod';
import { MatriarchError } from '../base/index.ts';
import type { ServerStatus } from './types.ts';

const bytes = (lsn: string): string => `pg_wal_lsn_diff(${lsn}, '0/0')::bigint`;

/** One row, one JSON column `status`. Functions that are refused in the other role are guarded by CASE. */
export const STATUS_SQL = `
WITH server AS MATERIALIZED (SELECT pg_is_in_recovery() AS in_recovery)
SELECT json_build_object(
  'in_recovery', in_recovery,
  'write_timeline', CASE WHEN NOT in_recovery THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
  'flush_lsn', CASE WHEN NOT in_recovery THEN ${bytes('pg_current_wal_flush_lsn()')} END,
  'receive_lsn', CASE WHEN in_recovery THEN ${bytes('pg_last_wal_receive_lsn()')} END,
  'replay_lsn', CASE WHEN in_recovery THEN ${bytes('pg_last_wal_replay_lsn()')} END,
  'replay_paused', CASE WHEN in_recovery THEN pg_is_wal_replay_paused() ELSE false END,
  'checkpoint_timeline', (SELECT timeline_id FROM pg_control_checkpoint()),
  'recovery_timeline', (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
  'receiver', (SELECT json_build_object('status', status, 'timeline', received_tli) FROM pg_stat_wal_receiver),
  'standbys', (SELECT coalesce(json_agg(json_build_object(
                 'application_name', application_name, 'state', state, 'sync_state', sync_state)), '[]')
               FROM pg_stat_replication),
  'slots', (SELECT coalesce(json_agg(json_build_object(
              'name', slot_name, 'type', slot_type, 'active', active, 'wal_status', wal_status,
              'restart_lsn', ${bytes('restart_lsn')}, 'holds_xmin', xmin IS NOT NULL,
              'failover', coalesce(to_jsonb(slot)->>'failover', 'false') = 'true') ORDER BY slot_name), '[]')
            FROM pg_replication_slots AS slot),
  'start_time', pg_postmaster_start_time()::text,
  'is_closed', coalesce(current_setting('matriarch.admits', true), '') = 'members',
  'version', current_setting('server_version_num')::int,
  'pending_restart', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM pg_settings WHERE pending_restart)
) AS status FROM server`;

const optional = <T>(type: z.ZodType<T>) =>
  z
    .union([type, z.null()])
    .optional()
    .transform((value): T | undefined => value ?? undefined);
const lsn = optional(z.int());
const text = z.union([z.string(), z.null()]).transform((value) => value ?? '');

const rowSchema = z.object({
  in_recovery: z.boolean(),
  write_timeline: optional(z.string().regex(/^[0-9A-F]{8}$/)),
  flush_lsn: lsn,
  receive_lsn: lsn,
  replay_lsn: lsn,
  replay_paused: z.boolean(),
  checkpoint_timeline: z.int(),
  recovery_timeline: z.int(),
  receiver: optional(
    z.object({
      status: text,
      timeline: optional(z.int()),
    }),
  ),
  standbys: z.array(
    z.object({
      application_name: text,
      state: text,
      sync_state: text,
    }),
  ),
  slots: z.array(
    z.object({
      name: z.string(),
      type: z.enum(['physical', 'logical']),
      active: z.boolean(),
      wal_status: optional(z.string()),
      restart_lsn: lsn,
      holds_xmin: z.boolean(),
      failover: z.boolean(),
    }),
  ),
  start_time: z.string(),
  is_closed: z.boolean(),
  version: z.int(),
  pending_restart: z.array(z.string()),
});

type Row = z.output<typeof rowSchema>;

/** Throws `postgres-unreachable` when the answer is not of the expected form. */
export function parseStatus(value: unknown): ServerStatus {
  const parsed = rowSchema.safeParse(value);
  if (!parsed.success) {
    const message = `PostgreSQL's status has an unexpected form: ${z.prettifyError(parsed.error)}`;
    throw new MatriarchError('postgres-unreachable', message);
  }
  const row = parsed.data;
  const { receiver } = row;
  return {
    inRecovery: row.in_recovery,
    timeline: timelineOf(row),
    flushLsn: row.flush_lsn,
    receiveLsn: row.receive_lsn,
    replayLsn: row.replay_lsn,
    replayPaused: row.replay_paused,
    replicationState: !row.in_recovery
      ? undefined
      : receiver?.status === 'streaming'
        ? 'streaming'
        : 'in archive recovery',
    checkpointTimeline: row.checkpoint_timeline,
    standbys: row.standbys.map((standby) => ({
      applicationName: standby.application_name,
      state: standby.state,
      syncState: standby.sync_state,
    })),
    slots: row.slots.map(({ name, type, active, ...slot }) => ({
      name,
      type,
      active,
      restartLsn: slot.restart_lsn,
      walStatus: slot.wal_status,
      holdsXmin: slot.holds_xmin,
      isFailover: slot.failover,
    })),
    postmasterStartTime: row.start_time,
    isClosed: row.is_closed,
    serverVersion: row.version,
    pendingRestart: row.pending_restart,
  };
}

/**
 * The status of a standby that has replayed WAL of `timeline`, as IDENTIFY_SYSTEM says: without a receiver no function of SQL
 * does, for pg_control learns of a new timeline only at the next restart point.
 */
export function withReplayed(status: ServerStatus, timeline: number): ServerStatus {
  return { ...status, timeline: Math.max(status.timeline, timeline) };
}

function timelineOf(row: Row): number {
  if (row.write_timeline !== undefined) return Number.parseInt(row.write_timeline, 16);
  return Math.max(row.receiver?.timeline ?? 0, row.checkpoint_timeline, row.recovery_timeline);
}

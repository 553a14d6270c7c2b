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
  'system_id', (SELECT system_identifier::text FROM pg_control_system()),
  'write_timeline', CASE WHEN NOT in_recovery THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
  'write_lsn', CASE WHEN NOT in_recovery THEN ${bytes('pg_current_wal_lsn()')} END,
  'flush_lsn', CASE WHEN NOT in_recovery THEN ${bytes('pg_current_wal_flush_lsn()')} END,
  'receive_lsn', CASE WHEN in_recovery THEN ${bytes('pg_last_wal_receive_lsn()')} END,
  'replay_lsn', CASE WHEN in_recovery THEN ${bytes('pg_last_wal_replay_lsn()')} END,
  'replay_paused', CASE WHEN in_recovery THEN pg_is_wal_replay_paused() ELSE false END,
  'checkpoint_timeline', (SELECT timeline_id FROM pg_control_checkpoint()),
  'recovery_timeline', (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
  'receiver', (SELECT json_build_object('status', status, 'timeline', received_tli, 'host', sender_host, 'port', sender_port)
               FROM pg_stat_wal_receiver),
  'standbys', (SELECT coalesce(json_agg(json_build_object(
                 'application_name', application_name, 'state', state, 'sync_state', sync_state,
                 'sent_lsn', ${bytes('sent_lsn')}, 'write_lsn', ${bytes('write_lsn')},
                 'flush_lsn', ${bytes('flush_lsn')}, 'replay_lsn', ${bytes('replay_lsn')})), '[]')
               FROM pg_stat_replication),
  'slots', (SELECT coalesce(json_agg(json_build_object(
              'name', slot_name, 'type', slot_type, 'active', active,
              'restart_lsn', ${bytes('restart_lsn')}, 'wal_status', wal_status) ORDER BY slot_name), '[]')
            FROM pg_replication_slots),
  'start_time', pg_postmaster_start_time()::text,
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
  system_id: z.string(),
  write_timeline: optional(z.string().regex(/^[0-9A-F]{8}$/)),
  write_lsn: lsn,
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
      host: optional(z.string()),
      port: optional(z.int()),
    }),
  ),
  standbys: z.array(
    z.object({
      application_name: text,
      state: text,
      sync_state: text,
      sent_lsn: lsn,
      write_lsn: lsn,
      flush_lsn: lsn,
      replay_lsn: lsn,
    }),
  ),
  slots: z.array(
    z.object({
      name: z.string(),
      type: z.enum(['physical', 'logical']),
      active: z.boolean(),
      restart_lsn: lsn,
      wal_status: optional(z.string()),
    }),
  ),
  start_time: z.string(),
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
    systemId: row.system_id,
    writeLsn: row.write_lsn,
    flushLsn: row.flush_lsn,
    receiveLsn: row.receive_lsn,
    replayLsn: row.replay_lsn,
    replayPaused: row.replay_paused,
    replicationState: !row.in_recovery
      ? undefined
      : receiver?.status === 'streaming'
        ? 'streaming'
        : 'in archive recovery',
    upstream:
      receiver?.host === undefined || receiver.port === undefined
        ? undefined
        : { host: receiver.host, port: receiver.port },
    checkpointTimeline: row.checkpoint_timeline,
    standbys: row.standbys.map((standby) => ({
      applicationName: standby.application_name,
      state: standby.state,
      syncState: standby.sync_state,
      sentLsn: standby.sent_lsn,
      writeLsn: standby.write_lsn,
      flushLsn: standby.flush_lsn,
      replayLsn: standby.replay_lsn,
    })),
    slots: row.slots.map((slot) => ({
      name: slot.name,
      type: slot.type,
      active: slot.active,
      restartLsn: slot.restart_lsn,
      walStatus: slot.wal_status,
    })),
    postmasterStartTime: row.start_time,
    serverVersion: row.version,
    pendingRestart: row.pending_restart,
  };
}

function timelineOf(row: Row): number {
  if (row.write_timeline !== undefined) return Number.parseInt(row.write_timeline, 16);
  return Math.max(row.receiver?.timeline ?? 0, row.checkpoint_timeline, row.recovery_timeline);
}

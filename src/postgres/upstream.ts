/** Questions over a replication connection: a server's timeline and history. Over SQL: whether it can be rewound from. */
import { type Address, type Clock, formatAddress, MatriarchError, pause } from '../base/index.ts';
import { parseLsn } from './lsn.ts';
import { type Ask, type Rows, type Target, withConnection } from './session.ts';
import { ensureSlotByCommand } from './slots.ts';
import { parseTimelineHistory } from './timeline-history.ts';
import type { PostgresSettings, Upstream, UpstreamTimeline } from './types.ts';

const POLL_MS = 200;
/** What the checkpoint itself may take on top of the waiting. */
const CHECKPOINT_MS = 60_000;

export async function askTimeline(
  settings: PostgresSettings,
  from: Upstream,
  deadlineMs: number,
): Promise<UpstreamTimeline> {
  return withConnection(replicationTarget(settings, from), deadlineMs, async (ask) => {
    const identity = (await ask('IDENTIFY_SYSTEM'))[0];
    const timeline = Number(identity?.['timeline']);
    const lsn = parseLsn(String(identity?.['xlogpos']));
    const systemId = String(identity?.['systemid']);
    if (!Number.isInteger(timeline) || lsn === undefined || !/^\d+$/.test(systemId)) {
      throw strange(from, 'IDENTIFY_SYSTEM');
    }
    const inRecovery = (await ask('SHOW in_hot_standby'))[0]?.['in_hot_standby'] === 'on';
    const content = timeline > 1 ? contentOf(await ask(`TIMELINE_HISTORY ${timeline}`)) : '';
    const history = parseTimelineHistory(content);
    if (!history.ok) throw strange(from, `TIMELINE_HISTORY (${history.because})`);
    return { systemId, timeline, lsn, inRecovery, history: history.value };
  });
}

/** The timeline that a standby has replayed WAL of; it takes one of its WAL senders for the moment. Throws `postgres-unreachable`. */
export async function replayedTimeline(standby: Target, deadlineMs: number): Promise<number> {
  return withConnection({ ...standby, replication: true }, deadlineMs, async (ask) => {
    const timeline = Number((await ask('IDENTIFY_SYSTEM'))[0]?.['timeline']);
    if (!Number.isInteger(timeline)) throw strange(standby, 'IDENTIFY_SYSTEM');
    return timeline;
  });
}

/** Makes the physical slot on the member that is cloned, so that it keeps the WAL from now on. */
export async function ensureUpstreamSlot(
  settings: PostgresSettings,
  from: Upstream,
  slot: string,
  deadlineMs: number,
): Promise<void> {
  if (!/^[a-z0-9_]{1,63}$/.test(slot)) {
    throw new MatriarchError(
      'postgres-setting-invalid',
      `${JSON.stringify(slot)} is no name of a replication slot`,
    );
  }
  await withConnection(replicationTarget(settings, from), deadlineMs, (ask) =>
    ensureSlotByCommand(ask, slot),
  );
}

/** Whether the physical slot keeps the WAL from `lsn` on; one that lost it has no position any more. */
export async function slotKeeps(
  settings: PostgresSettings,
  from: Upstream,
  { slot, lsn, deadlineMs }: { readonly slot: string; readonly lsn: number; readonly deadlineMs: number },
): Promise<boolean> {
  return withConnection(replicationTarget(settings, from), deadlineMs, async (ask) => {
    const row = (await ask(`READ_REPLICATION_SLOT "${slot}"`))[0];
    const restart = parseLsn(String(row?.['restart_lsn']));
    return row?.['slot_type'] === 'physical' && restart !== undefined && restart <= lsn;
  });
}

/**
 * Waits until `from` is a primary whose last checkpoint is of its own timeline. pg_rewind reads the source's pg_control:
 * before that checkpoint it would see the old timeline and find nothing to do. Throws `postgres-unreachable`.
 */
export async function awaitRewindSource(
  settings: PostgresSettings,
  from: Upstream,
  options: { readonly clock: Clock; readonly deadlineMs: number },
): Promise<{ readonly systemId: string; readonly timeline: number }> {
  const { clock, deadlineMs } = options;
  const startedAt = clock.now();
  return withConnection(rewindTarget(settings, from), deadlineMs + CHECKPOINT_MS, async (ask) => {
    let asked = false;
    for (;;) {
      const row = (await ask(REWIND_SOURCE_SQL))[0];
      if (row?.['in_recovery'] !== false) throw notReady(from, 'is not a primary');
      const timeline = Number.parseInt(String(row['timeline']), 16);
      if (row['checkpoint_timeline'] === timeline) return { systemId: String(row['system_id']), timeline };
      if (clock.now() - startedAt > deadlineMs) throw notReady(from, 'has not checkpointed its new timeline');
      if (!asked) await tryCheckpoint(ask);
      asked = true;
      await pause(POLL_MS);
    }
  });
}

const REWIND_SOURCE_SQL = `
SELECT pg_is_in_recovery() AS in_recovery,
       CASE WHEN NOT pg_is_in_recovery() THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END AS timeline,
       (SELECT timeline_id FROM pg_control_checkpoint()) AS checkpoint_timeline,
       (SELECT system_identifier::text FROM pg_control_system()) AS system_id`;

/** Allowed to the rewind role since PostgreSQL 15; before, its leader's own checkpoint is waited for. */
async function tryCheckpoint(ask: Ask): Promise<void> {
  const allowed = (
    await ask(`SELECT 1 FROM pg_roles WHERE rolname = 'pg_checkpoint' AND pg_has_role(oid, 'usage')`)
  )[0];
  if (allowed !== undefined) await ask('CHECKPOINT');
}

function rewindTarget(settings: PostgresSettings, from: Upstream): Target {
  return { host: from.host, port: from.port, role: settings.authentication.rewind, database: 'postgres' };
}

function replicationTarget(settings: PostgresSettings, from: Upstream): Target {
  const role = settings.authentication.replication;
  return { host: from.host, port: from.port, role, database: 'postgres', replication: true };
}

/** Sent as bytea up to PostgreSQL 14, as text since. */
function contentOf(rows: Rows): string {
  const content = rows[0]?.['content'];
  return Buffer.isBuffer(content) ? content.toString('utf8') : String(content);
}

function strange(from: Address, what: string): MatriarchError {
  const message = `PostgreSQL at ${formatAddress(from)} answers ${what} in an unexpected form`;
  return new MatriarchError('postgres-unreachable', message);
}

function notReady(from: Upstream, what: string): MatriarchError {
  return new MatriarchError('postgres-unreachable', `PostgreSQL at ${formatAddress(from)} ${what}`);
}

/**
 * What the router asks a server again and again: what are you, and where? With no role to log in as, all that is asked is what
 * any server answers without a login: whether it would speak TLS.
 */
import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import { type Address, describe, MatriarchError, parseJson } from '../base/index.ts';
import type { Position } from '../routing/index.ts';
import type { NodeAnswer } from '../topology/index.ts';
import { type ErrorFields, Query, readFirstColumn, SSLRequest } from '../wire/index.ts';
import type { OwnConnection } from './own-connection.ts';
import { openServerSocket, type ServerTls } from './server-tls.ts';

/**
 * A standby that is fed by a stream: what it redoes lies within what it has received. It redoes what comes from an archive or
 * from its own pg_wal while no WAL receiver is there, or while one waits behind the end of a timeline.
 */
const IS_FED = `EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver
  WHERE COALESCE(status OPERATOR(pg_catalog.<>) 'waiting'::text, true))`;

/**
 * Its redo waits for WAL to come, so that all it has shown is what it has replayed: as when the primary is gone. Another role
 * than one of pg_read_all_stats is not told.
 */
const IS_AT_END = `EXISTS (SELECT FROM pg_catalog.pg_stat_get_activity(NULL)
  WHERE backend_type OPERATOR(pg_catalog.=) 'startup'::text
    AND wait_event OPERATOR(pg_catalog.=) ANY ('{RecoveryWalStream,RecoveryRetrieveRetryInterval}'::text[]))`;

/**
 * As one text; what only the other role may be asked is guarded by CASE. In this order: what bounds that which it has shown
 * (what it has received, if a stream feeds it; or what it has replayed), what it has received, what it has replayed. A record
 * that was being redone when the question came, which is when its snapshot was taken, lies within what was received then, or
 * has been replayed since; in the other order a stream that begins anew in between could hide it. Any role may ask all of it; one that is not of pg_read_all_stats learns of a standby's new timeline at its next restart point only.
 */
const WHAT_ARE_YOU = `
WITH server AS MATERIALIZED (SELECT pg_catalog.pg_is_in_recovery() AS in_recovery)
SELECT pg_catalog.json_build_object(
  'in_recovery', in_recovery,
  'wal_file', CASE WHEN NOT in_recovery THEN pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) END,
  'insert', CASE WHEN NOT in_recovery THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::bigint END,
  'write', CASE WHEN NOT in_recovery THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::bigint END,
  'bound', CASE WHEN NOT in_recovery THEN NULL WHEN ${IS_FED} THEN 'received' WHEN ${IS_AT_END} THEN 'replayed' END,
  'receive', CASE WHEN in_recovery THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_receive_lsn(), '0/0')::bigint END,
  'replay', CASE WHEN in_recovery THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0')::bigint END,
  'timeline', GREATEST((SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()),
                       (SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery()),
                       (SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver)),
  'xmin', pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot()),
  'xmax', pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()),
  'paused', CASE WHEN in_recovery THEN pg_catalog.pg_is_wal_replay_paused() ELSE false END,
  'replayed_commit', CASE WHEN in_recovery
    THEN (EXTRACT(EPOCH FROM pg_catalog.pg_last_xact_replay_timestamp()) OPERATOR(pg_catalog.*) 1000)::bigint END,
  'streaming', EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver),
  'system_id', (SELECT system_identifier::text FROM pg_catalog.pg_control_system())
)::text FROM server`;

/**
 * How far, in brief: an eighth of the other's cost, for reads that wait. `standby`, the end of what it has received if a stream
 * feeds it, or 0 if all it has shown is replayed, the timeline of that stream, the end of what was replayed, in this order as
 * above; or `primary`, a WAL file of its timeline, the end of what was put into WAL; then the bounds of the snapshot.
 */
const HOW_FAR = `SELECT pg_catalog.concat_ws(' ',
  CASE WHEN pg_catalog.pg_is_in_recovery()
    THEN pg_catalog.concat_ws(' ', 'standby',
      COALESCE(CASE WHEN ${IS_FED} THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_receive_lsn(), '0/0')::text
                    WHEN ${IS_AT_END} THEN '0' END, '-'),
      COALESCE((SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver), 0),
      pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0'))
    ELSE pg_catalog.concat_ws(' ', 'primary', pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()),
                              pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')) END,
  pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot()),
  pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()))`;

const lsn = z.int().nullable();
const answerSchema = z.object({
  in_recovery: z.boolean(),
  /** The first 8 digits are the timeline, in hexadecimal. */
  wal_file: z.string().nullable(),
  insert: lsn,
  write: lsn,
  bound: z.enum(['received', 'replayed']).nullable(),
  receive: lsn,
  replay: lsn,
  timeline: z.int(),
  xmin: z.int(),
  xmax: z.int(),
  paused: z.boolean(),
  replayed_commit: z.int().nullable(),
  streaming: z.boolean(),
  system_id: z.string(),
});

const TIMELINE_DIGITS = 8;

/** What a server said of itself, without the time of the question and the number of the connection. */
export type NodeFacts = Omit<NodeAnswer & { readonly kind: 'told' }, 'kind' | 'askedAt'> &
  Omit<Position, 'askedAt' | 'answeredAt' | 'connection' | 'connectedAt'>;

/** Asks on a connection of the router's own. Rejects with `router-no-server`. */
export async function askWhatItIs(connection: OwnConnection): Promise<NodeFacts> {
  const row = await connection.ask(Query(WHAT_ARE_YOU));
  const text = row === undefined ? undefined : readFirstColumn(row);
  if (text === undefined) throw noAnswer('the server sent no row');
  return readFacts(text);
}

/** What differs from what the server said `before` on the same connection; it may have been promoted since. */
export async function askHowFar(connection: OwnConnection, before: Position): Promise<Partial<Position>> {
  const row = await connection.ask(Query(HOW_FAR));
  const text = row === undefined ? undefined : readFirstColumn(row);
  const [role, second = '', ...rest] = text?.split(' ') ?? [];
  const received = role === 'standby' ? Number(rest.shift()) : 0;
  const [position, xmin, xmax] = rest.map(Number);
  if (position === undefined || xmin === undefined || xmax === undefined)
    throw noAnswer('its answer cannot be read');
  if (role === 'standby') {
    const boundLsn = second === '-' ? undefined : Math.max(Number(second), position);
    const timeline = Math.max(before.timeline, received);
    return { isInRecovery: true, timeline, replayLsn: position, boundLsn, xmin, xmax };
  }
  const asPrimary = { isInRecovery: false, replayLsn: undefined, boundLsn: undefined };
  return { ...asPrimary, timeline: timelineOf(second), insertLsn: position, xmin, xmax };
}

export interface AliveOptions {
  readonly tls: ServerTls;
  readonly timeoutMs: number;
}

/**
 * Whether a PostgreSQL is there, and as safe to speak to as `tls` demands: one whose certificate is refused is of no use
 * to a client. Rejects with `router-no-server`.
 */
export async function askIfAlive(address: Address, { tls, timeoutMs }: AliveOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const events: Outcome = {
      alive: (socket) => {
        socket.destroy();
        resolve();
      },
      failed: (because) => reject(noAnswer(because)),
    };
    const socket = MUST_ENCRYPT.has(tls.mode)
      ? openServerSocket({ address, tls }, { ready: events.alive, failed: events.failed })
      : askInTheClear(address, events);
    socket.setTimeout(timeoutMs, () => {
      events.failed(`no answer within ${timeoutMs} ms`);
      socket.destroy();
    });
  });
}

interface Outcome {
  readonly alive: (socket: Socket) => void;
  readonly failed: (because: string) => void;
}

const MUST_ENCRYPT: ReadonlySet<ServerTls['mode']> = new Set(['require', 'verify-ca', 'verify-full']);

/** Any server says without a login whether it would speak TLS. */
function askInTheClear(address: Address, { alive, failed }: Outcome): Socket {
  const socket = connect(address, () => void socket.write(SSLRequest()));
  socket.once('data', (answer) => {
    if (answer.length === 1 && 'SN'.includes(answer.toString('latin1'))) return alive(socket);
    failed('it is no PostgreSQL');
    socket.destroy();
  });
  socket.once('error', (cause) => failed(describe(cause)));
  socket.once('close', () => failed('the server closed the connection'));
  return socket;
}

function boundOf({ bound, receive, replay }: z.infer<typeof answerSchema>): number | undefined {
  if (bound === 'replayed') return replay ?? undefined;
  return bound === 'received' && receive !== null ? Math.max(receive, replay ?? 0) : undefined;
}

function readFacts(text: string): NodeFacts {
  const parsed = answerSchema.safeParse(parseJson(text));
  if (!parsed.success) throw noAnswer('its answer cannot be read');
  const told = parsed.data;
  const received = Math.max(told.receive ?? 0, told.replay ?? 0);
  return {
    isInRecovery: told.in_recovery,
    timeline: told.wal_file === null ? told.timeline : timelineOf(told.wal_file),
    lsn: told.in_recovery ? received : (told.write ?? undefined),
    replayLsn: told.replay ?? undefined,
    boundLsn: boundOf(told),
    insertLsn: told.insert ?? undefined,
    writeLsn: told.write ?? undefined,
    xmin: told.xmin,
    xmax: told.xmax,
    isReplayPaused: told.paused,
    replayedCommitAtMs: told.replayed_commit ?? undefined,
    isStreaming: told.streaming,
    systemId: told.system_id,
  };
}

function timelineOf(walFile: string): number {
  return Number.parseInt(walFile.slice(0, TIMELINE_DIGITS), 16);
}

/** A server's refusal, or why there is no answer. */
export function noAnswer(because: ErrorFields | string): MatriarchError {
  const words = typeof because === 'string' ? because : because.message;
  return new MatriarchError('router-no-server', `asking a node what it is: ${words}`);
}

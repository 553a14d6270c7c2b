/**
 * Output of `pg_controldata` (LC_ALL=C) as a value. Strict: what is missing or new is an error with its label, because
 * decisions about who may be primary rest on it, and a guess would be worse than a stop. [pure]
 */
import { parseLsn } from './lsn.ts';

/** Spelled as pg_controldata prints them. */
export const CLUSTER_STATES = [
  'starting up',
  'shut down',
  'shut down in recovery',
  'shutting down',
  'in crash recovery',
  'in archive recovery',
  'in production',
] as const;

export type ClusterState = (typeof CLUSTER_STATES)[number];

export interface ControlData {
  readonly state: ClusterState;
  readonly systemId: string;
  /** Where the last checkpoint's record begins; of a `shut down` cluster, the last record there is. */
  readonly checkpointLsn: number;
  readonly checkpointTimeline: number;
  /** A standby must replay at least to here; 0 for a primary. */
  readonly minRecoveryEndLsn: number;
  /** 0 for a primary. */
  readonly minRecoveryEndTimeline: number;
  /** Settings of the primary that a hot standby must not fall below. */
  readonly floors: Readonly<Record<FloorName, number>>;
}

export const FLOORS = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_xacts',
  'max_locks_per_xact',
] as const;

type FloorName = (typeof FLOORS)[number];

export type ControlDataResult =
  | { readonly ok: true; readonly value: ControlData }
  | { readonly ok: false; readonly because: string };

/** Never throws; `because` names the label that was missing or not understood. */
export function parseControlData(output: string): ControlDataResult {
  const lines = new Map<string, string>();
  for (const line of output.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) lines.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  const problems: string[] = [];
  const take = <T>(label: string, read: (text: string) => T | undefined, fallback: T): T => {
    const text = lines.get(label);
    const value = text === undefined ? undefined : read(text);
    if (value === undefined) problems.push(text === undefined ? `no line "${label}"` : `"${label}: ${text}"`);
    return value ?? fallback;
  };
  const floor = (name: FloorName): number => take(`${name} setting`, readCount, 0);
  const value: ControlData = {
    state: take('Database cluster state', readState, 'in crash recovery'),
    systemId: take('Database system identifier', (text) => (/^\d{10,20}$/.test(text) ? text : undefined), ''),
    checkpointLsn: take('Latest checkpoint location', parseLsn, 0),
    checkpointTimeline: take("Latest checkpoint's TimeLineID", readCount, 0),
    minRecoveryEndLsn: take('Minimum recovery ending location', parseLsn, 0),
    minRecoveryEndTimeline: take("Min recovery ending loc's timeline", readCount, 0),
    floors: {
      max_connections: floor('max_connections'),
      max_worker_processes: floor('max_worker_processes'),
      max_wal_senders: floor('max_wal_senders'),
      max_prepared_xacts: floor('max_prepared_xacts'),
      max_locks_per_xact: floor('max_locks_per_xact'),
    },
  };
  if (problems.length > 0) return { ok: false, because: `pg_controldata: ${problems.join(', ')}` };
  return { ok: true, value };
}

function readState(text: string): ClusterState | undefined {
  return CLUSTER_STATES.find((state) => state === text);
}

function readCount(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/**
 * Averages from snapshots. Two earlier ones are kept: an average reaches from the older one to now, so it covers one
 * to two periods and never nothing. The router calls `turnWindow` once in a period.
 */
import type { StatsCounters } from './facts.ts';

export const STATS_PERIOD_MS = 60_000;

interface Snapshot {
  readonly atMs: number;
  readonly stats: ReadonlyMap<string, StatsCounters>;
}

export interface StatsWindow {
  readonly older: Snapshot;
  readonly newer: Snapshot;
}

export const NO_STATS: StatsCounters = {
  serverAssignments: 0,
  transactions: 0,
  queries: 0,
  receivedBytes: 0,
  sentBytes: 0,
  transactionUs: 0,
  queryUs: 0,
  waitUs: 0,
  clientParses: 0,
  serverParses: 0,
  binds: 0,
};

/** A window that begins now. */
export function newWindow(atMs: number): StatsWindow {
  const snapshot = { atMs, stats: new Map<string, StatsCounters>() };
  return { older: snapshot, newer: snapshot };
}

/** The window a period later. `stats` is kept: its values must not change any more. */
export function turnWindow(
  window: StatsWindow,
  atMs: number,
  stats: ReadonlyMap<string, StatsCounters>,
): StatsWindow {
  return { older: window.newer, newer: { atMs, stats } };
}

/** Counts and bytes are a second's; times are µs of one transaction, query or assignment. Whole numbers, as PgBouncer's. */
export function averages(
  database: string,
  current: StatsCounters,
  { older }: StatsWindow,
  nowMs: number,
): StatsCounters {
  return averageSince(older.stats.get(database) ?? NO_STATS, current, nowMs - older.atMs);
}

/** The same over all databases together. */
export function averagesOfAll(
  stats: ReadonlyMap<string, StatsCounters>,
  { older }: StatsWindow,
  nowMs: number,
): StatsCounters {
  return averageSince(sumOf(older.stats), sumOf(stats), nowMs - older.atMs);
}

export function sumOf(stats: ReadonlyMap<string, StatsCounters>): StatsCounters {
  let sum = NO_STATS;
  for (const each of stats.values()) sum = combined(sum, each, (a, b) => a + b);
  return sum;
}

function averageSince(earlier: StatsCounters, current: StatsCounters, ms: number): StatsCounters {
  const grown = combined(current, earlier, (a, b) => Math.max(0, a - b));
  const aSecond = (count: number): number => (ms <= 0 ? 0 : Math.floor((count * 1000) / ms));
  return {
    serverAssignments: aSecond(grown.serverAssignments),
    transactions: aSecond(grown.transactions),
    queries: aSecond(grown.queries),
    receivedBytes: aSecond(grown.receivedBytes),
    sentBytes: aSecond(grown.sentBytes),
    transactionUs: ofEach(grown.transactionUs, grown.transactions),
    queryUs: ofEach(grown.queryUs, grown.queries),
    waitUs: ofEach(grown.waitUs, grown.serverAssignments),
    clientParses: aSecond(grown.clientParses),
    serverParses: aSecond(grown.serverParses),
    binds: aSecond(grown.binds),
  };
}

function ofEach(total: number, count: number): number {
  return count === 0 ? 0 : Math.floor(total / count);
}

function combined(a: StatsCounters, b: StatsCounters, of: (a: number, b: number) => number): StatsCounters {
  return {
    serverAssignments: of(a.serverAssignments, b.serverAssignments),
    transactions: of(a.transactions, b.transactions),
    queries: of(a.queries, b.queries),
    receivedBytes: of(a.receivedBytes, b.receivedBytes),
    sentBytes: of(a.sentBytes, b.sentBytes),
    transactionUs: of(a.transactionUs, b.transactionUs),
    queryUs: of(a.queryUs, b.queryUs),
    waitUs: of(a.waitUs, b.waitUs),
    clientParses: of(a.clientParses, b.clientParses),
    serverParses: of(a.serverParses, b.serverParses),
    binds: of(a.binds, b.binds),
  };
}

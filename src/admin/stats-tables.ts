/** STATS, STATS_TOTALS, STATS_AVERAGES and TOTALS: what was counted by database, in PgBouncer's columns and types. */
import type { AdminFacts, StatsCounters } from './facts.ts';
import { averages, averagesOfAll, sumOf } from './stats-window.ts';
import { columnsFor, type Table, tableOf } from './table.ts';

/** A counter and its names, in PgBouncer's order: bytes have three each. */
const COUNTERS: readonly {
  readonly of: keyof StatsCounters;
  /** In STATS_TOTALS and STATS_AVERAGES. */
  readonly name: string;
  /** In STATS. */
  readonly total: string;
  readonly average: string;
  /** In TOTALS, behind `total_` and `avg_`. */
  readonly summed: string;
}[] = [
  counter('serverAssignments', 'server_assignment_count'),
  counter('transactions', 'xact_count'),
  counter('queries', 'query_count'),
  {
    of: 'receivedBytes',
    name: 'bytes_received',
    total: 'total_received',
    average: 'avg_recv',
    summed: 'client_bytes',
  },
  { of: 'sentBytes', name: 'bytes_sent', total: 'total_sent', average: 'avg_sent', summed: 'server_bytes' },
  counter('transactionUs', 'xact_time'),
  counter('queryUs', 'query_time'),
  counter('waitUs', 'wait_time'),
  counter('clientParses', 'client_parse_count'),
  counter('serverParses', 'server_parse_count'),
  counter('binds', 'bind_count'),
];

interface StatsRow {
  readonly database: string;
  readonly total: StatsCounters;
  readonly average: StatsCounters;
}

const DATABASE = columnsFor<StatsRow>().text('database', ({ database }) => database);

export const STATS: Table = tableOf(
  (facts) => statsRows(facts),
  ({ numeric }) => [
    DATABASE,
    ...COUNTERS.map(({ of, total }) => numeric(total, (row: StatsRow) => row.total[of])),
    ...COUNTERS.map(({ of, average }) => numeric(average, (row: StatsRow) => row.average[of])),
  ],
);

export const STATS_TOTALS: Table = tableOf(
  (facts) => statsRows(facts),
  ({ numeric }) => [
    DATABASE,
    ...COUNTERS.map(({ of, name }) => numeric(name, (row: StatsRow) => row.total[of])),
  ],
);

export const STATS_AVERAGES: Table = tableOf(
  (facts) => statsRows(facts),
  ({ numeric }) => [
    DATABASE,
    ...COUNTERS.map(({ of, name }) => numeric(name, (row: StatsRow) => row.average[of])),
  ],
);

/** A row for each figure of STATS, over all databases. */
export const TOTALS: Table = tableOf(
  ({ stats, window, nowMs }): readonly { readonly name: string; readonly value: number }[] => {
    const total = sumOf(stats);
    const average = averagesOfAll(stats, window, nowMs);
    return [
      ...COUNTERS.map((each) => ({ name: `total_${each.summed}`, value: total[each.of] })),
      ...COUNTERS.map((each) => ({ name: `avg_${each.summed}`, value: average[each.of] })),
    ];
  },
  ({ text, numeric }) => [text('name', ({ name }) => name), numeric('value', ({ value }) => value)],
);

function counter(of: keyof StatsCounters, name: string): (typeof COUNTERS)[number] {
  return { of, name, total: `total_${name}`, average: `avg_${name}`, summed: name };
}

function statsRows({ stats, window, nowMs }: AdminFacts): readonly StatsRow[] {
  return Array.from(stats, ([database, total]) => ({
    database,
    total: wholeCounters(total),
    average: averages(database, total, window, nowMs),
  }));
}

/** Times are measured with fractions of a µs. */
function wholeCounters(counters: StatsCounters): StatsCounters {
  return {
    ...counters,
    transactionUs: Math.floor(counters.transactionUs),
    queryUs: Math.floor(counters.queryUs),
    waitUs: Math.floor(counters.waitUs),
  };
}

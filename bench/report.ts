/** The figures as text: a table a load, then our CPU time against the others' and the goals. */
import { type Column, renderTable } from '../src/base/index.ts';
import type { Cell } from './compare.ts';
import type { HostileResult } from './hostile.ts';
import type { IdleResult } from './idle.ts';
import type { Measured } from './load.ts';

const OURS = 'matriarch';
/** Goals for CPU time a transaction at this stage, as ratios. */
const GOALS: Readonly<Record<string, number>> = { pgbouncer: 1.6, pgpool: 0.5 };

/** Whose CPU time is the measure of all. */
const COMPARED = [...Object.keys(GOALS), 'pass-through'];

const COLUMNS: readonly Column[] = [
  { title: 'through' },
  ...['tx/s', 'p50 ms', 'p99 ms', 'CPU µs/tx', 'in kernel', ...COMPARED.map((peer) => `CPU : ${peer}`)].map(
    right,
  ),
];

/** All cells, and whether the goals are met. */
export function renderCells(cells: readonly Cell[]): string {
  const tables = cells.map(({ protocol, clients, results }) =>
    renderTable(
      COLUMNS,
      [...results].map(([name, measured]) => rowOf(name, measured, results)),
      `${protocol}, ${clients} ${clients === 1 ? 'client' : 'clients'}`,
    ),
  );
  return `${tables.join('\n')}\n${Object.entries(GOALS)
    .flatMap(([peer, goal]) => goalLines(cells, peer, goal))
    .join('\n')}\n`;
}

function rowOf(name: string, measured: Measured, results: ReadonlyMap<string, Measured>): readonly string[] {
  const { perSecond, p50Micros, p99Micros, cpuMicrosPerTransaction: cpu, kernelShare } = measured;
  const hasCpu = cpu !== undefined;
  return [
    name,
    perSecond.toFixed(0),
    (p50Micros / 1000).toFixed(3),
    (p99Micros / 1000).toFixed(3),
    hasCpu ? cpu.toFixed(1) : '-',
    hasCpu ? `${(kernelShare * 100).toFixed(0)} %` : '-',
    ...COMPARED.map((peer) => asText(ratio(measured, results.get(peer)))),
  ];
}

function ratio(measured: Measured, other: Measured | undefined): number | undefined {
  const { cpuMicrosPerTransaction: cpu } = measured;
  const than = other?.cpuMicrosPerTransaction;
  return cpu === undefined || than === undefined ? undefined : cpu / than;
}

function asText(value: number | undefined): string {
  return value === undefined ? '-' : value.toFixed(2);
}

function goalLines(cells: readonly Cell[], peer: string, goal: number): readonly string[] {
  const ratios = cells.flatMap(({ protocol, clients, results }) => {
    const ours = results.get(OURS);
    const value = ours === undefined ? undefined : ratio(ours, results.get(peer));
    return value === undefined ? [] : [{ protocol, clients, value }];
  });
  if (ratios.length === 0) return [];
  const met = ratios.filter(({ value }) => value <= goal);
  const each = ratios.map(({ protocol, clients, value }) => `${protocol}/${clients} ${value.toFixed(2)}`);
  return [
    `CPU a transaction, ${OURS} : ${peer}, goal ${goal} at most: met in ${met.length} of ${ratios.length} loads (${each.join(', ')})`,
  ];
}

/** Memory and latency beside idle clients. */
export function renderIdle(results: ReadonlyMap<string, IdleResult>): string {
  return renderTable(
    [
      { title: 'through' },
      ...['idle clients', 'opened in s', 'MB before', 'bytes/client'].map(right),
      ...['p99 ms alone', 'p99 ms beside', 'p50 ms alone', 'p50 ms beside'].map(right),
    ],
    [...results].map(([name, { clients, openedInMs, bytesBefore, bytesPerClient, alone, beside }]) => [
      name,
      String(clients),
      (openedInMs / 1000).toFixed(1),
      (bytesBefore / 1024 / 1024).toFixed(1),
      bytesPerClient.toFixed(0),
      ...[alone.p99Micros, beside.p99Micros, alone.p50Micros, beside.p50Micros].map((micros) =>
        (micros / 1000).toFixed(3),
      ),
    ]),
  );
}

/** How much longer one hostile client may make another wait, in ms. */
const LONGER_MS_MAX = 20;

/** A table an attack; last, how much longer the longest wait is with it than without. */
export function renderHostile(results: HostileResult): string {
  const quiet = results.get('nobody');
  const columns = [
    { title: 'through' },
    ...['p50 ms', 'p99 ms', 'longest ms', 'of all', 'longer by'].map(right),
  ];
  const longerBy = (name: string, longest: number): number => longest - (quiet?.get(name)?.longest ?? 0);
  const tables = [...results].map(([attack, byPeer]) =>
    renderTable(
      columns,
      [...byPeer].map(([name, { p50, p99, longest, longestOfAll }]) => [
        name,
        ...[p50, p99, longest, longestOfAll, longerBy(name, longest)].map((ms) => ms.toFixed(2)),
      ]),
      attack,
    ),
  );
  const ours = [...results].flatMap(([attack, byPeer]) => {
    const waits = attack === 'nobody' ? undefined : byPeer.get(OURS);
    return waits === undefined ? [] : [{ attack, by: longerBy(OURS, waits.longest) }];
  });
  const met = ours.filter(({ by }) => by <= LONGER_MS_MAX).length;
  const each = ours.map(({ attack, by }) => `${attack} ${by.toFixed(1)}`).join(', ');
  return `${tables.join('\n')}\n${OURS}: longest wait of another client longer by ${LONGER_MS_MAX} ms at most: met in ${met} of ${ours.length} (${each})\n`;
}

function right(title: string): Column {
  return { title, align: 'right' };
}

/** The demo's first half: a data set, reads that name who answered, and writes. */
import { type Column, pause, renderTable, systemClock } from '../base/index.ts';
import type { DemoOptions, DemoResult } from './demo-types.ts';
import type { LabLayout } from './hosts.ts';
import { parsePgbench, pgbench } from './pgbench.ts';
import { currentPrimary } from './readiness.ts';
import { indented, percent, seconds } from './report.ts';
import { measureReads, prepareLedger, type Shares, Writers } from './workload.ts';

/** Reads from each application host; `npm run demo` promises the configured shares within a percent over these. */
export const READS_PER_HOST = 24_000;
const SCALE = 5;
const ACCOUNTS_PER_SCALE = 100_000;
const READ_CLIENTS = 8;
const TPCB_CLIENTS = 4;
const TPCB_SECONDS = 5;
const SINGLE_WRITES_MS = 3000;

const READ_COLUMNS: readonly Column[] = [
  { title: 'application host' },
  { title: 'dc' },
  { title: 'node' },
  { title: 'dc' },
  { title: 'configured', align: 'right' },
  { title: 'measured', align: 'right' },
  { title: 'reads', align: 'right' },
];

const WRITE_COLUMNS: readonly Column[] = [
  { title: 'application host' },
  { title: 'transactions', align: 'right' },
  { title: 'failed', align: 'right' },
  { title: 'tps', align: 'right' },
];

/** pgbench's tables, and the demo's own. */
export async function loadData(options: DemoOptions, layout: LabLayout): Promise<void> {
  const host = layout.appHosts[0];
  options.print(`2. pgbench's data set, loaded through the router of ${host.name}`);
  const began = systemClock.now();
  await pgbench(options.machine.binDir, host, {
    args: ['-i', '-q', '-s', String(SCALE)],
    signal: options.signal,
  });
  await prepareLedger(host);
  options.print(
    `   ${(SCALE * ACCOUNTS_PER_SCALE).toLocaleString('en')} accounts in ${seconds(systemClock.now() - began)}\n`,
  );
}

/** Reads from every application host; returns the shares in percent, by application host and node. */
export async function showReads(options: DemoOptions, layout: LabLayout): Promise<DemoResult['readShares']> {
  options.print(
    `3. Reads: ${READS_PER_HOST.toLocaleString('en')} from each application host; each answer names the server that gave it`,
  );
  const shares: Record<string, Record<string, number>> = {};
  const rows: string[][] = [];
  for (const host of layout.appHosts) {
    const load = {
      count: READS_PER_HOST,
      clients: READ_CLIENTS,
      rows: SCALE * ACCOUNTS_PER_SCALE,
      signal: options.signal,
    };
    const counted = await measureReads(host, load);
    options.signal.throwIfAborted();
    const byNode: Record<string, number> = {};
    for (const node of layout.dbHosts) {
      const count = counted.get(node.postgres.host) ?? 0;
      byNode[node.name] = (100 * count) / READS_PER_HOST;
      const weight = node.datacenter.name === host.datacenter.name ? 10 : 1;
      rows.push([
        host.name,
        host.datacenter.name,
        node.name,
        node.datacenter.name,
        percent(weight, 12),
        percent(count, READS_PER_HOST),
        String(count),
      ]);
    }
    shares[host.name] = byNode;
  }
  options.print(indented(renderTable(READ_COLUMNS, rows)));
  return shares;
}

/** TPC-B from all hosts at once, then single writes that name their server. Returns writes that were not at the primary. */
export async function showWrites(options: DemoOptions, layout: LabLayout): Promise<number> {
  options.print(
    `4. Writes: pgbench TPC-B from all three hosts at once, ${TPCB_SECONDS} s, then single writes that name their server`,
  );
  const reports = await Promise.all(
    layout.appHosts.map((host) =>
      pgbench(options.machine.binDir, host, {
        args: ['-c', String(TPCB_CLIENTS), '-T', String(TPCB_SECONDS), '-n'],
        signal: options.signal,
      }),
    ),
  );
  const rows = layout.appHosts.map((host, index) => {
    const { transactions, failed, tps } = parsePgbench(reports[index] ?? '');
    return [host.name, String(transactions), String(failed), tps.toFixed(0)];
  });
  options.print(indented(renderTable(WRITE_COLUMNS, rows)));
  const writers = new Writers(1);
  writers.start(layout.appHosts, 2);
  await pause(SINGLE_WRITES_MS, options.signal);
  const ledger = await writers.stop();
  const primary = await currentPrimary(layout);
  options.print(`   ${where(layout, ledger.byServer)}; the primary is ${primary.name}\n`);
  return ledger.acknowledged.size - (ledger.byServer.get(primary.postgres.host) ?? 0) + ledger.errors.length;
}

function where(layout: LabLayout, counted: Shares): string {
  const total = [...counted.values()].reduce((sum, count) => sum + count, 0);
  const parts = layout.dbHosts.map((host) => `${host.name} ${counted.get(host.postgres.host) ?? 0}`);
  return `${total} writes acknowledged by: ${parts.join(', ')}`;
}

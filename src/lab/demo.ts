/**
 * The demo: the main job on real input, from nothing to a failover and back, with every figure counted by clients or
 * servers. Whatever happens, the lab is gone at the end, unless it ran on a terminal and is asked to stay.
 */
import { pause, systemClock } from '../base/index.ts';
import { ACCOUNTS, labPaths } from './files.ts';
import { type FailoverStep, watchFailover } from './failover-story.ts';
import { type DbHost, hostTitle, type LabLayout } from './hosts.ts';
import { killHost, labDown, type LabOptions, labUp, startHost } from './lab.ts';
import { parsePgbench, pgbench } from './pgbench.ts';
import { connectLab, poll, readView, runningPrimary, streamingStandbys } from './readiness.ts';
import { percent, seconds, table } from './report.ts';
import { measureReads, prepareLedger, readLedger, type Shares, type WriteLedger, Writers } from './workload.ts';

export interface DemoOptions extends LabOptions {
  readonly baseOctet: number;
  readonly signal: AbortSignal;
  readonly print: (text: string) => void;
}

/** What the demo measured; `matriarch lab demo --json` prints it, and a test asserts on it. */
export interface DemoResult {
  readonly upSeconds: number;
  /** Share of reads in percent, by application host, by node. */
  readonly readShares: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly readsPerHost: number;
  readonly writesElsewhere: number;
  readonly outageSeconds: number;
  readonly clientErrors: Readonly<Record<string, number>>;
  readonly droppedConnections: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly rejoinSeconds: number;
  readonly newPrimary: string;
}

const SCALE = 5;
const ACCOUNTS_PER_SCALE = 100_000;
const READS_PER_HOST = 24_000;
const READ_CLIENTS = 8;
const WRITERS_PER_HOST = 4;
const TPCB_SECONDS = 5;
const STEADY_MS = 3000;
/** Rows of the writers under the failover are numbered from here. */
const SECOND_RUN_ID = 1_000_000_000;
const RECOVERY_MS = 60_000;

/** Runs the whole story. The caller tears the lab down. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { print, signal } = options;
  const began = systemClock.now();
  print('1. A cluster of three datacenters, from nothing');
  await labDown(options.folder, { graceful: false, purge: true });
  const layout = await labUp(options, { baseOctet: options.baseOctet, signal, progress: (line) => print(`   ${line}`) });
  const upSeconds = (systemClock.now() - began) / 1000;
  print(`   up in ${upSeconds.toFixed(1)} s\n`);

  await loadData(options, layout);
  const readShares = await showReads(options, layout);
  const writesElsewhere = await showWrites(options, layout);
  const failover = await showFailover(options, layout);
  const rejoinSeconds = await showRejoin(options, layout, failover.killed);
  return { upSeconds, readShares, readsPerHost: READS_PER_HOST, writesElsewhere, ...failover.figures, rejoinSeconds };
}

async function loadData(options: DemoOptions, layout: LabLayout): Promise<void> {
  const host = layout.appHosts[0];
  options.print(`2. pgbench's data set, loaded through the router of ${host.name}`);
  const began = systemClock.now();
  await pgbench(options.machine.binDir, host, { args: ['-i', '-q', '-s', String(SCALE)], signal: options.signal });
  await prepareLedger(host);
  options.print(`   ${(SCALE * ACCOUNTS_PER_SCALE).toLocaleString('en')} accounts in ${seconds(systemClock.now() - began)}\n`);
}

async function showReads(options: DemoOptions, layout: LabLayout): Promise<DemoResult['readShares']> {
  options.print(`3. Reads: ${READS_PER_HOST.toLocaleString('en')} from each application host; each answer names the server that gave it`);
  const shares: Record<string, Record<string, number>> = {};
  const rows: (string | number)[][] = [];
  for (const host of layout.appHosts) {
    const load = { count: READS_PER_HOST, clients: READ_CLIENTS, rows: SCALE * ACCOUNTS_PER_SCALE, signal: options.signal };
    const counted = await measureReads(host, load);
    options.signal.throwIfAborted();
    const byNode: Record<string, number> = {};
    for (const node of layout.dbHosts) {
      const count = counted.get(node.postgres.host) ?? 0;
      byNode[node.name] = (100 * count) / READS_PER_HOST;
      const weight = node.datacenter.name === host.datacenter.name ? 10 : 1;
      rows.push([host.name, host.datacenter.name, node.name, node.datacenter.name, percent(weight, 12), percent(count, READS_PER_HOST), count]);
    }
    shares[host.name] = byNode;
  }
  options.print(`${table(['application host', 'dc', 'node', 'dc', 'configured', 'measured', 'reads'], rows)}\n`);
  return shares;
}

/** TPC-B from all hosts at once, then single writes that name their server. Returns writes that were not at the primary. */
async function showWrites(options: DemoOptions, layout: LabLayout): Promise<number> {
  options.print(`4. Writes: pgbench TPC-B from all three hosts at once, ${TPCB_SECONDS} s, then single writes that name their server`);
  const reports = await Promise.all(
    layout.appHosts.map((host) =>
      pgbench(options.machine.binDir, host, { args: ['-c', '4', '-T', String(TPCB_SECONDS), '-n'], signal: options.signal }),
    ),
  );
  const rows = layout.appHosts.map((host, index) => {
    const { transactions, failed, tps } = parsePgbench(reports[index] ?? '');
    return [host.name, transactions, failed, tps.toFixed(0)];
  });
  options.print(`${table(['application host', 'transactions', 'failed', 'tps'], rows)}`);
  const writers = new Writers(1);
  writers.start(layout.appHosts, 2);
  await pause(STEADY_MS, options.signal);
  const ledger = await writers.stop();
  const primary = await currentPrimary(layout);
  options.print(`   ${where(layout, ledger.byServer)}; the primary is ${primary.name}\n`);
  return ledger.acknowledged.size - (ledger.byServer.get(primary.postgres.host) ?? 0) + ledger.errors.length;
}

interface Failover {
  readonly killed: DbHost;
  readonly figures: Omit<DemoResult, 'upSeconds' | 'readShares' | 'readsPerHost' | 'writesElsewhere' | 'rejoinSeconds'>;
}

async function showFailover(options: DemoOptions, layout: LabLayout): Promise<Failover> {
  const { print, signal } = options;
  const paths = labPaths(options.folder);
  const killed = await currentPrimary(layout);
  print(`5. The primary's host dies: SIGKILL to PostgreSQL, agent and etcd of ${killed.name}, under ${3 * WRITERS_PER_HOST} writing clients`);
  const watching = new AbortController();
  const tell = ({ atMs, text }: FailoverStep): void => print(`   ${seconds(atMs).padStart(7)}  ${text}`);
  const story = await watchFailover({ layout, paths, killed, signal: watching.signal, tell });
  const writers = new Writers(SECOND_RUN_ID);
  try {
    writers.start(layout.appHosts, WRITERS_PER_HOST);
    await pause(STEADY_MS, signal);
    story.begin();
    const killedAt = systemClock.now();
    const processes = await killHost(paths, killed);
    const lastBefore = Math.max(writers.lastAckMs, killedAt);
    tell({ atMs: systemClock.now() - killedAt, text: `killed: ${processes} processes of ${killed.name}` });
    await poll('writes are acknowledged again', { signal, deadlineMs: RECOVERY_MS }, async () =>
      writers.lastAckMs > lastBefore + 50 ? true : undefined,
    );
    tell({ atMs: writers.lastAckMs - killedAt, text: 'first write acknowledged by the new primary' });
    await pause(STEADY_MS, signal);
  } finally {
    watching.abort();
  }
  const ledger = await writers.stop();
  return { killed, figures: await reportFailover(options, layout, ledger) };
}

async function reportFailover(options: DemoOptions, layout: LabLayout, ledger: WriteLedger): Promise<Failover['figures']> {
  const host = layout.appHosts[0];
  const present = await readLedger(host);
  const lost = [...ledger.acknowledged].filter((id) => !present.has(id)).length;
  const outageMs = ledger.longestGap.toMs - ledger.longestGap.fromMs;
  const errors: Record<string, number> = {};
  for (const { code } of ledger.errors) errors[code] = (errors[code] ?? 0) + 1;
  const errorText = Object.entries(errors).map(([code, count]) => `${count} × ${code}`).join(', ');
  const newPrimary = (await currentPrimary(layout)).name;
  options.print(`
   outage (longest time without an acknowledged write)  ${seconds(outageMs)}
   client errors                                        ${ledger.errors.length}${errorText === '' ? '' : `  (${errorText})`}
   client connections dropped                           ${ledger.dropped}
   acknowledged writes                                  ${ledger.acknowledged.size}
   acknowledged writes lost, counted row by row         ${lost}
   new primary                                          ${newPrimary}
`);
  return {
    outageSeconds: outageMs / 1000,
    clientErrors: errors,
    droppedConnections: ledger.dropped,
    acknowledged: ledger.acknowledged.size,
    lost,
    newPrimary,
  };
}

async function showRejoin(options: DemoOptions, layout: LabLayout, killed: DbHost): Promise<number> {
  options.print(`6. The dead host comes back`);
  const began = systemClock.now();
  await startHost(options, killed);
  const dcs = connectLab(layout, killed.datacenter.name);
  try {
    await poll(`${killed.name} streams as a standby`, { signal: options.signal, deadlineMs: RECOVERY_MS }, async () =>
      streamingStandbys(await readView(dcs)).includes(killed.name) ? true : undefined,
    );
  } finally {
    await dcs.close();
  }
  const took = systemClock.now() - began;
  options.print(`   ${killed.name} is a streaming standby of the new timeline after ${seconds(took)}\n`);
  return took / 1000;
}

/** How to use the lab that the demo leaves up. */
export function connectionHelp(layout: LabLayout, folder: string): string {
  const { username, password, database } = ACCOUNTS.application;
  const lines = layout.appHosts.map((host) => `   PGPASSWORD=${password} psql -h ${host.router.host} -U ${username} ${database}    # ${hostTitle(host)}`);
  return [
    'The cluster stays up. Connect through any router (superuser: postgres / postgres):',
    ...lines,
    `   matriarch lab status --data ${folder}`,
    `   matriarch lab kill ${layout.dbHosts[0].name} --data ${folder}`,
    'Ctrl-C ends it and removes everything.',
  ].join('\n');
}

async function currentPrimary(layout: LabLayout): Promise<DbHost> {
  const dcs = connectLab(layout, layout.dbHosts[2].datacenter.name);
  try {
    const name = await poll('there is a primary', { signal: AbortSignal.timeout(RECOVERY_MS), deadlineMs: RECOVERY_MS }, async () =>
      runningPrimary(await readView(dcs)),
    );
    return layout.dbHosts.find((host) => host.name === name) ?? layout.dbHosts[0];
  } finally {
    await dcs.close();
  }
}

function where(layout: LabLayout, counted: Shares): string {
  const total = [...counted.values()].reduce((sum, count) => sum + count, 0);
  const parts = layout.dbHosts.map((host) => `${host.name} ${counted.get(host.postgres.host) ?? 0}`);
  return `${total} writes acknowledged by: ${parts.join(', ')}`;
}

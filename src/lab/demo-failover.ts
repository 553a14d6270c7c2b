/** The demo's second half: the primary's host dies under load, and comes back. */
import { pause, systemClock } from '../base/index.ts';
import type { DemoOptions, DemoResult } from './demo-types.ts';
import { type FailoverStep, watchFailover } from './failover-story.ts';
import { labPaths } from './files.ts';
import type { DbHost, LabLayout } from './hosts.ts';
import { killHost } from './lab-down.ts';
import { startHost } from './lab-up.ts';
import { connectLab, currentPrimary, poll, readView, streamingStandbys } from './readiness.ts';
import { seconds } from './report.ts';
import { readLedger, type WriteLedger, Writers } from './workload.ts';

const WRITERS_PER_HOST = 4;
const STEADY_MS = 3000;
const RECOVERY_MS = 60_000;
/** Rows of these writers are numbered from here, apart from those of the first half. */
const FIRST_ID = 1_000_000_000;

export interface Failover {
  readonly killed: DbHost;
  readonly figures: Omit<
    DemoResult,
    'upSeconds' | 'readShares' | 'readsPerHost' | 'writesElsewhere' | 'rejoinSeconds'
  >;
}

/** Kills the primary's host under writing clients, tells what happens, and counts what it cost. */
export async function showFailover(options: DemoOptions, layout: LabLayout): Promise<Failover> {
  const { print, signal } = options;
  const paths = labPaths(options.folder);
  const killed = await currentPrimary(layout);
  print(
    `5. The primary's host dies: SIGKILL to PostgreSQL, agent and etcd of ${killed.name}, under ${layout.appHosts.length * WRITERS_PER_HOST} writing clients`,
  );
  const watching = new AbortController();
  const tell = ({ atMs, text }: FailoverStep): void => print(`   ${seconds(atMs).padStart(7)}  ${text}`);
  const story = await watchFailover({ layout, paths, killed, signal: watching.signal, tell });
  const writers = new Writers(FIRST_ID);
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

async function reportFailover(
  options: DemoOptions,
  layout: LabLayout,
  ledger: WriteLedger,
): Promise<Failover['figures']> {
  const host = layout.appHosts[0];
  const present = await readLedger(host);
  const lost = [...ledger.acknowledged].filter((id) => !present.has(id)).length;
  const outageMs = ledger.longestGap.toMs - ledger.longestGap.fromMs;
  const errors: Record<string, number> = {};
  for (const { code } of ledger.errors) errors[code] = (errors[code] ?? 0) + 1;
  const errorText = Object.entries(errors)
    .map(([code, count]) => `${count} × ${code}`)
    .join(', ');
  const newPrimary = (await currentPrimary(layout)).name;
  options.print(`
   outage (longest time without an acknowledged write)  ${seconds(outageMs)}
   client errors                                        ${ledger.errors.length}${errorText === '' ? '' : `  (${errorText})`}
   client connections dropped                           ${ledger.dropped}
   acknowledged writes                                  ${ledger.acknowledged.size}
   acknowledged writes lost, counted row by row         ${lost}
   new primary                                          ${newPrimary}
`);
  if (errors['08007'] !== undefined) {
    options.print(
      '   08007: the write was on its way when the host died, and nobody can know whether it was done; it is not sent twice.\n',
    );
  }
  return {
    outageSeconds: outageMs / 1000,
    clientErrors: errors,
    droppedConnections: ledger.dropped,
    acknowledged: ledger.acknowledged.size,
    lost,
    newPrimary,
  };
}

/** Starts the dead host again; returns the seconds until it streams as a standby of the new timeline. */
export async function showRejoin(options: DemoOptions, layout: LabLayout, killed: DbHost): Promise<number> {
  options.print(`6. The dead host comes back`);
  const began = systemClock.now();
  await startHost(options, killed);
  const dcs = connectLab(layout, killed.datacenter.name);
  try {
    await poll(
      `${killed.name} streams as a standby`,
      { signal: options.signal, deadlineMs: RECOVERY_MS },
      async () => (streamingStandbys(await readView(dcs)).includes(killed.name) ? true : undefined),
    );
  } finally {
    await dcs.close();
  }
  const took = systemClock.now() - began;
  options.print(`   ${killed.name} is a streaming standby of the new timeline after ${seconds(took)}\n`);
  return took / 1000;
}

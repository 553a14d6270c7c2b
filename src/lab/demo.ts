/**
 * The demo: the main job on real input, from nothing to a failover and back, with every figure counted by clients or
 * servers. The caller ends the lab, whatever happens here.
 */
import { systemClock } from '../base/index.ts';
import { showFailover, showRejoin } from './demo-failover.ts';
import { loadData, READS_PER_HOST, showReads, showWrites } from './demo-load.ts';
import type { DemoOptions, DemoResult } from './demo-types.ts';
import { ACCOUNTS } from './files.ts';
import { hostTitle, type LabLayout } from './hosts.ts';
import { labUp } from './lab-up.ts';

/** Runs the whole story in a folder that `clearAbandoned` has cleared. The caller tears the lab down. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { print, signal } = options;
  const began = systemClock.now();
  print('1. A cluster of three datacenters, from nothing');
  const layout = await labUp(options, {
    baseOctet: options.baseOctet,
    signal,
    progress: (line) => print(`   ${line}`),
  });
  const upSeconds = (systemClock.now() - began) / 1000;
  print(`   up in ${upSeconds.toFixed(1)} s\n`);

  await loadData(options, layout);
  const readShares = await showReads(options, layout);
  const writesElsewhere = await showWrites(options, layout);
  const failover = await showFailover(options, layout);
  const rejoinSeconds = await showRejoin(options, layout, failover.killed);
  return {
    upSeconds,
    readShares,
    readsPerHost: READS_PER_HOST,
    writesElsewhere,
    ...failover.figures,
    rejoinSeconds,
  };
}

/** How to use the lab that the demo leaves up; `command` is how to call matriarch from here. */
export function connectionHelp(layout: LabLayout, folder: string, command: string): string {
  const { username, password, database } = ACCOUNTS.application;
  const lines = layout.appHosts.map(
    (host) =>
      `   PGPASSWORD=${password} psql -h ${host.router.host} -U ${username} ${database}    # ${hostTitle(host)}`,
  );
  return [
    'The cluster stays up. Connect through any router (superuser: postgres / postgres):',
    ...lines,
    `   ${command} lab status --data ${folder}`,
    `   ${command} lab kill ${layout.dbHosts[0].name} --data ${folder}`,
    'Ctrl-C ends it and removes everything.',
  ].join('\n');
}

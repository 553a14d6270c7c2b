/** Ends a lab or one of its hosts, in order or by force, and clears away what it made. */
import { readdir, rm, rmdir } from 'node:fs/promises';
import { MatriarchError } from '../base/index.ts';
import { type LabPaths, labPaths } from './files.ts';
import type { Host } from './hosts.ts';
import { readState } from './lab-state.ts';
import { endProcesses, type LabProcess, labProcesses, type Part, startTicks } from './processes.ts';

const STOP_DEADLINE_MS = 20_000;

/** Ends every process of the lab: agents get to stop PostgreSQL cleanly, then what is left is killed. */
export async function labDown(
  folder: string,
  options: { readonly graceful: boolean; readonly purge: boolean },
): Promise<number> {
  const paths = labPaths(folder);
  const count = labProcesses(paths).length;
  if (options.graceful) {
    await endProcesses(paths, isPart('router', 'watcher'), {
      signal: 'SIGTERM',
      deadlineMs: STOP_DEADLINE_MS,
    });
    await endProcesses(paths, isPart('agent', 'patroni'), {
      signal: 'SIGTERM',
      deadlineMs: STOP_DEADLINE_MS,
    });
  }
  // Agents before PostgreSQL, so that none restarts what was just ended.
  await endProcesses(paths, isPart('agent', 'patroni', 'fence'), {
    signal: 'SIGKILL',
    deadlineMs: STOP_DEADLINE_MS,
  });
  const left = await endProcesses(paths, () => true, { signal: 'SIGKILL', deadlineMs: STOP_DEADLINE_MS });
  if (left.length > 0) {
    throw new MatriarchError(
      'lab-not-ready',
      `cannot end ${left.map((each) => `${each.part} ${each.pid}`).join(', ')}`,
    );
  }
  if (options.purge) await purge(paths);
  return count;
}

/** Removes what a lab has made; a folder that holds anything else stays with it. */
async function purge(paths: LabPaths): Promise<void> {
  await rm(paths.hosts, { recursive: true, force: true });
  await rm(paths.state, { force: true });
  const left = await readdir(paths.root).catch(() => ['']);
  if (left.length === 0) await rmdir(paths.root);
}

/** A power cut: SIGKILL to everything on the host at once. Returns how many processes died. */
export async function killHost(paths: LabPaths, host: Host): Promise<number> {
  const onHost = (each: LabProcess): boolean => each.host === host.name;
  const count = labProcesses(paths).filter(onHost).length;
  await endProcesses(paths, onHost, { signal: 'SIGKILL', deadlineMs: STOP_DEADLINE_MS });
  return count;
}

/** Clears away what a demo that was killed has left; rejects with `lab-running` while its owner lives. */
export async function clearAbandoned(folder: string): Promise<void> {
  const state = await readState(labPaths(folder));
  if (state !== undefined && state.owner === undefined) {
    throw new MatriarchError('lab-running', `${folder} holds a lab that is not a demo’s`);
  }
  const owner = state?.owner;
  if (owner !== undefined && startTicks(owner.pid) === owner.startTicks) {
    throw new MatriarchError('lab-running', `a demo (process ${owner.pid}) is running in ${folder}`);
  }
  await labDown(folder, { graceful: false, purge: true });
}

function isPart(...parts: readonly Part[]): (process: LabProcess) => boolean {
  return (process) => parts.includes(process.part);
}

/**
 * The lab: start, stop, kill and look at a three-datacenter cluster on this machine. The processes are the shipped
 * ones with ordinary configuration files; the lab only starts them, waits until they are whole, and ends them.
 */
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { MatriarchError, pause } from '../base/index.ts';
import { labPaths, type LabPaths, writeLabFiles } from './files.ts';
import { allHosts, type DbHost, type Host, type LabLayout, labLayout } from './hosts.ts';
import { type Machine, prepareFolder, requireFreeAddresses } from './machine.ts';
import { etcdCommand, partCommand } from './parts.ts';
import { endProcesses, type LabProcess, labProcesses, spawnPart, startTicks } from './processes.ts';
import { waitForEtcd, waitForLeader, waitForRouters, waitForStandbys } from './readiness.ts';

export interface LabOptions {
  /** Data folder; everything the lab writes is in it. */
  readonly folder: string;
  readonly machine: Machine;
  /** How to start `matriarch`: the Node binary and the command's path. */
  readonly command: readonly string[];
  /** The process that ends this lab with itself; undefined for a lab that outlives the command. */
  readonly ownerPid?: number;
}

export interface UpOptions {
  readonly baseOctet: number;
  readonly signal: AbortSignal;
  /** Called with a line for a person at each step. */
  readonly progress: (line: string) => void;
}

/** `owner`: the demo that made this lab and will end it; a lab of `up` has none. */
const stateSchema = z.object({
  baseOctet: z.int(),
  owner: z.object({ pid: z.int(), startTicks: z.number() }).optional(),
});

/** Longest wait for each step of `up`; generous, because the machine may be small and busy. */
const STEP_DEADLINE_MS = 90_000;
const STOP_DEADLINE_MS = 20_000;

/** Starts all hosts, from nothing or from an earlier run's data, and resolves when the cluster is whole. */
export async function labUp(
  options: LabOptions,
  { baseOctet, signal, progress }: UpOptions,
): Promise<LabLayout> {
  const layout = labLayout(baseOctet);
  const paths = labPaths(options.folder);
  if ((await labProcesses(paths)).length > 0)
    throw new MatriarchError('lab-running', `a lab is running in ${paths.root}`);
  await requireFreeAddresses(layout);
  await prepareFolder(paths.root, options.machine.owner);
  await mkdir(paths.hosts, { recursive: true, mode: 0o755 });
  await writeFile(paths.state, `${JSON.stringify({ baseOctet, owner: await ownerOf(options) })}\n`);
  await writeLabFiles({ layout, paths, binDir: options.machine.binDir, owner: options.machine.owner });

  const wait = { signal, deadlineMs: STEP_DEADLINE_MS };
  const [first, ...others] = layout.dbHosts;
  for (const host of layout.dbHosts) await startEtcd(options, paths, layout, host);
  await waitForEtcd(layout, wait);
  progress('etcd: three members, one quorum');
  await startPart(options, paths, first, 'agent');
  const leader = await waitForLeader(layout, wait);
  progress(`primary: ${leader}`);
  for (const host of others) await startPart(options, paths, host, 'agent');
  for (const host of layout.appHosts) await startPart(options, paths, host, 'router');
  await waitForStandbys(layout, 2, wait);
  progress('standbys: two, streaming');
  await waitForRouters(layout, wait);
  progress('routers: three, ready');
  return layout;
}

/** Ends every process of the lab: agents get to stop PostgreSQL cleanly, then what is left is killed. */
export async function labDown(
  folder: string,
  options: { readonly graceful: boolean; readonly purge: boolean },
): Promise<number> {
  const paths = labPaths(folder);
  const count = (await labProcesses(paths)).length;
  if (options.graceful) {
    await endProcesses(paths, isPart('router'), { signal: 'SIGTERM', deadlineMs: STOP_DEADLINE_MS });
    await endProcesses(paths, isPart('agent'), { signal: 'SIGTERM', deadlineMs: STOP_DEADLINE_MS });
  }
  // Agents before PostgreSQL, so that none restarts what was just ended.
  await endProcesses(paths, isPart('agent', 'fence'), { signal: 'SIGKILL', deadlineMs: STOP_DEADLINE_MS });
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

/** The layout of the lab in a folder; rejects with `lab-missing` when none was made there. */
export async function openLab(
  folder: string,
): Promise<{ readonly layout: LabLayout; readonly paths: LabPaths }> {
  const paths = labPaths(folder);
  const text = await readFile(paths.state, 'utf8').catch(() => undefined);
  if (text === undefined) throw new MatriarchError('lab-missing', `there is no lab in ${folder}`);
  return { layout: labLayout(stateSchema.parse(JSON.parse(text)).baseOctet), paths };
}

/** Clears away what a demo that was killed has left; rejects with `lab-running` while its owner lives. */
export async function clearAbandoned(folder: string): Promise<void> {
  const paths = labPaths(folder);
  const text = await readFile(paths.state, 'utf8').catch(() => undefined);
  const { owner } = text === undefined ? {} : stateSchema.parse(JSON.parse(text));
  if (owner !== undefined && (await startTicks(owner.pid)) === owner.startTicks) {
    throw new MatriarchError('lab-running', `a demo (process ${owner.pid}) is running in ${folder}`);
  }
  if (text !== undefined && owner === undefined)
    throw new MatriarchError('lab-running', `${folder} holds a lab that is not a demo’s`);
  await labDown(folder, { graceful: false, purge: true });
}

async function ownerOf({ ownerPid }: LabOptions): Promise<z.infer<typeof stateSchema>['owner']> {
  const ticks = ownerPid === undefined ? undefined : await startTicks(ownerPid);
  return ownerPid === undefined || ticks === undefined ? undefined : { pid: ownerPid, startTicks: ticks };
}

/** The host of that name; rejects with `lab-unknown-host`. */
export function hostNamed(layout: LabLayout, name: string): Host {
  const host = allHosts(layout).find((each) => each.name === name);
  if (host !== undefined) return host;
  throw new MatriarchError(
    'lab-unknown-host',
    `no host ${name}; the lab has ${allHosts(layout)
      .map((each) => each.name)
      .join(', ')}`,
  );
}

/** A power cut: SIGKILL to everything on the host at once. Returns how many processes died. */
export async function killHost(paths: LabPaths, host: Host): Promise<number> {
  const onHost = (each: LabProcess): boolean => each.host === host.name;
  const count = (await labProcesses(paths)).filter(onHost).length;
  await endProcesses(paths, onHost, { signal: 'SIGKILL', deadlineMs: STOP_DEADLINE_MS });
  return count;
}

/** Power back: starts what does not run on the host. Returns the parts that were started. */
export async function startHost(options: LabOptions, host: Host): Promise<readonly string[]> {
  const { layout, paths } = await openLab(options.folder);
  const running = new Set(
    (await labProcesses(paths)).filter((each) => each.host === host.name).map((each) => each.part),
  );
  const started: string[] = [];
  if (host.kind === 'db' && !running.has('etcd')) {
    await startEtcd(options, paths, layout, host);
    started.push('etcd');
  }
  const part = host.kind === 'db' ? 'agent' : 'router';
  if (!running.has(part)) {
    await startPart(options, paths, host, part);
    started.push(part);
  }
  return started;
}

async function startEtcd(
  options: LabOptions,
  paths: LabPaths,
  layout: LabLayout,
  host: DbHost,
): Promise<void> {
  await spawnPart(paths, {
    host: host.name,
    part: 'etcd',
    command: etcdCommand(options.machine.etcd, paths, layout, host),
  });
}

async function startPart(
  options: LabOptions,
  paths: LabPaths,
  host: Host,
  part: 'agent' | 'router',
): Promise<void> {
  const pid = await spawnPart(paths, {
    host: host.name,
    part,
    command: partCommand(options.command, paths, host, part),
  });
  // A wrong file or a taken port ends a process at once; better said now than after a long wait.
  await pause(150);
  const alive = (await labProcesses(paths)).some((each) => each.pid === pid);
  if (alive) return;
  const lines = (await readFile(paths.log(host.name, part), 'utf8')).trimEnd().split('\n').slice(-5);
  throw new MatriarchError(
    'lab-not-ready',
    `the ${part} of ${host.name} ended at once:\n${lines.join('\n')}`,
  );
}

function isPart(...parts: readonly string[]): (process: LabProcess) => boolean {
  return (process) => parts.includes(process.part);
}

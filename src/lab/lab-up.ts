/**
 * Starts a lab: the shipped processes with ordinary configuration files, in the order in which they need each other,
 * each step awaited by what a user would see.
 */
import { mkdir, stat } from 'node:fs/promises';
import { MatriarchError, pause } from '../base/index.ts';
import { type LabPaths, labPaths, writeLabFiles } from './files.ts';
import { type AppHost, type DbHost, type Host, type LabLayout, labLayout } from './hosts.ts';
import { openLab, type RouterKind, writeState } from './lab-state.ts';
import { type Machine, prepareFolder, requireFreeAddresses } from './machine.ts';
import { etcdCommand, partCommand } from './parts.ts';
import { backendsFile, pgpoolCommand, requirePgpool, watcherCommand, writePgpoolFiles } from './pgpool.ts';
import { labProcesses, type Part, type StartedPart, spawnPart } from './processes.ts';
import {
  poll,
  type Wait,
  waitForEtcd,
  waitForLeader,
  waitForPgpools,
  waitForRouters,
  waitForStandbys,
} from './readiness.ts';
import { troubleOf } from './trouble.ts';

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
  /** What the application hosts run; our router if not given. */
  readonly router?: RouterKind;
  readonly signal: AbortSignal;
  /** Called with a line for a person at each step. */
  readonly progress: (line: string) => void;
}

/** Longest wait for each step of `up`; generous, because the machine may be small and busy. */
const STEP_DEADLINE_MS = 90_000;
const FIRST_LOOK_MS = 500;

/** Starts all hosts, from nothing or from an earlier run's data, and resolves when the cluster is whole. */
export async function labUp(
  options: LabOptions,
  { baseOctet, router = 'matriarch', signal, progress }: UpOptions,
): Promise<LabLayout> {
  const layout = labLayout(baseOctet);
  const paths = labPaths(options.folder);
  await makeReady(options, { paths, layout, router });
  const started: StartedPart[] = [];
  const wait = { signal, deadlineMs: STEP_DEADLINE_MS, isHopeless: () => troubleOf(paths, started) };
  const [first, ...others] = layout.dbHosts;
  for (const host of layout.dbHosts) started.push(await startEtcd(options, { paths, layout, host }));
  await waitForEtcd(layout, wait);
  progress('etcd: three members, one quorum');
  started.push(await startPart(options, { paths, host: first, part: 'agent' }));
  const leader = await waitForLeader(layout, wait);
  progress(`primary: ${leader}`);
  for (const host of others) started.push(await startPart(options, { paths, host, part: 'agent' }));
  if (router === 'matriarch')
    for (const host of layout.appHosts)
      started.push(await startPart(options, { paths, host, part: 'router' }));
  await waitForStandbys(layout, others.length, wait);
  progress('standbys: two, streaming');
  if (router === 'pgpool') {
    for (const host of layout.appHosts) started.push(...(await startPgpool(options, { paths, host }, wait)));
    await waitForPgpools(layout, wait);
    progress('pgpool-II: three, with three servers each');
    return layout;
  }
  await waitForRouters(layout, wait);
  progress('routers: three, ready');
  return layout;
}

/** Refuses before anything is started or written where it would be in somebody's way. */
async function makeReady(
  { machine, ownerPid }: LabOptions,
  {
    paths,
    layout,
    router,
  }: { readonly paths: LabPaths; readonly layout: LabLayout; readonly router: RouterKind },
): Promise<void> {
  if (router === 'pgpool') await requirePgpool();
  if (labProcesses(paths).length > 0) {
    throw new MatriarchError('lab-running', `a lab is running in ${paths.root}`);
  }
  await requireFreeAddresses(layout);
  await prepareFolder(paths.root, machine.owner);
  await mkdir(paths.hosts, { recursive: true, mode: 0o755 });
  await writeState(paths, { baseOctet: layout.baseOctet, router }, ownerPid);
  await writeLabFiles({ layout, paths, binDir: machine.binDir, owner: machine.owner });
}

/** Power back: starts what does not run on the host. Returns the parts that were started. */
export async function startHost(options: LabOptions, host: Host): Promise<readonly string[]> {
  const { layout, paths, router } = await openLab(options.folder);
  const onHost = labProcesses(paths).filter((each) => each.host === host.name);
  const isOff = (part: Part): boolean => !onHost.some((each) => each.part === part);
  const started: StartedPart[] = [];
  if (host.kind === 'db' && isOff('etcd')) started.push(await startEtcd(options, { paths, layout, host }));
  const part = host.kind === 'db' ? 'agent' : 'router';
  if (host.kind === 'db' || router === 'matriarch') {
    if (isOff(part)) started.push(await startPart(options, { paths, host, part }));
  } else if (isOff('pgpool') && isOff('watcher')) {
    const wait = { signal: AbortSignal.timeout(STEP_DEADLINE_MS), deadlineMs: STEP_DEADLINE_MS };
    started.push(...(await startPgpool(options, { paths, host }, wait)));
  }
  // A wrong file or a taken port ends a process at once; better said now.
  await pause(FIRST_LOOK_MS);
  const trouble = await troubleOf(paths, started);
  if (trouble !== undefined) throw new MatriarchError('lab-not-ready', trouble);
  return started.map((each) => each.part);
}

async function startEtcd(
  { machine }: LabOptions,
  { paths, layout, host }: { readonly paths: LabPaths; readonly layout: LabLayout; readonly host: DbHost },
): Promise<StartedPart> {
  const command = etcdCommand(machine.etcd, paths, layout, host);
  return await spawnPart(paths, { host: host.name, part: 'etcd', command });
}

async function startPart(
  options: LabOptions,
  { paths, host, part }: { readonly paths: LabPaths; readonly host: Host; readonly part: 'agent' | 'router' },
): Promise<StartedPart> {
  const command = partCommand(options.command, paths, host, part);
  return await spawnPart(paths, { host: host.name, part, command });
}

/** The watcher first: pgpool-II does not start without its file of servers. */
async function startPgpool(
  { command, machine: { owner } }: LabOptions,
  { paths, host }: { readonly paths: LabPaths; readonly host: AppHost },
  wait: Wait,
): Promise<StartedPart[]> {
  await writePgpoolFiles({ paths, host, owner, command });
  const watcher = await spawnPart(paths, {
    host: host.name,
    part: 'watcher',
    command: watcherCommand(command, paths, host),
  });
  await poll(`the servers of ${host.name} are written`, wait, async () => {
    const { size } = await stat(backendsFile(paths, host));
    return size > 0 ? true : undefined;
  });
  const pgpool = await spawnPart(paths, {
    host: host.name,
    part: 'pgpool',
    command: pgpoolCommand(paths, host),
    user: owner,
  });
  return [watcher, pgpool];
}

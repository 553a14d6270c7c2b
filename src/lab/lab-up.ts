/**
 * Starts a lab: the shipped processes with ordinary configuration files, in the order in which they need each other,
 * each step awaited by what a user would see.
 */
import { mkdir, stat } from 'node:fs/promises';
import { MatriarchError, pause } from '../base/index.ts';
import { type HaKind, type LabPaths, labPaths, writeLabFiles } from './files.ts';
import { type AppHost, type DbHost, type Host, type LabLayout, labLayout } from './hosts.ts';
import { openLab, readState, type RouterKind, writeState } from './lab-state.ts';
import { type Machine, prepareFolder, requireFreeAddresses } from './machine.ts';
import { etcdCommand, partCommand } from './parts.ts';
import {
  giveOwnDynamic,
  installRouterLookup,
  patroniCommand,
  patroniFile,
  requirePatroni,
  writePatroniFiles,
} from './patroni.ts';
import { backendsFile, pgpoolCommand, requirePgpool, watcherCommand, writePgpoolFiles } from './pgpool.ts';
import { labProcesses, type Part, type StartedPart, spawnPart } from './processes.ts';
import {
  poll,
  type Wait,
  waitForEtcd,
  waitForLeader,
  waitForPatroniStandbys,
  waitForPgpools,
  waitForRouters,
  waitForStandbys,
  withLabStore,
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
  /** What the database hosts run; our agent if not given. */
  readonly ha?: HaKind;
  readonly signal: AbortSignal;
  /** Called with a line for a person at each step. */
  readonly progress: (line: string) => void;
}

/** Longest wait for each step of `up`; generous, because the machine may be small and busy, and Patroni looks every 10 s. */
const STEP_DEADLINE_MS: Readonly<Record<HaKind, number>> = { matriarch: 90_000, patroni: 180_000 };
const PGPOOL_DEADLINE_MS = 90_000;
const FIRST_LOOK_MS = 500;

/** Starts all hosts, from nothing or from an earlier run's data, and resolves when the cluster is whole. */
export async function labUp(
  options: LabOptions,
  { baseOctet, router = 'matriarch', ha = 'matriarch', signal, progress }: UpOptions,
): Promise<LabLayout> {
  const layout = labLayout(baseOctet);
  const paths = labPaths(options.folder);
  const before = await makeReady(options, { paths, layout, router, ha });
  const started: StartedPart[] = [];
  const wait = { signal, deadlineMs: STEP_DEADLINE_MS[ha], isHopeless: () => troubleOf(paths, started) };
  const [first, ...others] = layout.dbHosts;
  for (const host of layout.dbHosts) started.push(await startEtcd(options, { paths, layout, host }));
  await waitForEtcd(layout, wait);
  progress('etcd: three members, one quorum');
  if (ha === 'patroni' && before === 'matriarch') await withLabStore(layout, giveOwnDynamic);
  const startAgent = async (host: DbHost): Promise<unknown> =>
    started.push(await startPart(options, { paths, host, part: agentOf(ha) }));
  await startAgent(first);
  // The first makes a new cluster; of one that is there, another may have to lead.
  if (before !== undefined) await Promise.all(others.map(startAgent));
  const leader = await waitForLeader(layout, wait);
  progress(`primary: ${leader}`);
  if (before === undefined) await Promise.all(others.map(startAgent));
  if (ha === 'patroni')
    await poll('routers can look up passwords', wait, async () => {
      await installRouterLookup(layout.dbHosts.find(({ name }) => name === leader) ?? first);
      return true;
    });
  if (router === 'matriarch')
    for (const host of layout.appHosts)
      started.push(await startPart(options, { paths, host, part: 'router' }));
  await (ha === 'patroni' ? waitForPatroniStandbys : waitForStandbys)(layout, others.length, wait);
  progress('standbys: two, streaming');
  if (ha === 'patroni') progress(`Patroni: patronictl -c ${patroniFile(paths, first)} list`);
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

interface Planned {
  readonly paths: LabPaths;
  readonly layout: LabLayout;
  readonly router: RouterKind;
  readonly ha: HaKind;
}

/**
 * Refuses before anything is started or written where it would be in somebody's way. Resolves with what ran the database
 * hosts the last time; undefined for a new lab.
 */
async function makeReady(
  { machine, ownerPid }: LabOptions,
  { paths, layout, router, ha }: Planned,
): Promise<HaKind | undefined> {
  if (router === 'pgpool') await requirePgpool();
  if (ha === 'patroni') await requirePatroni();
  if (labProcesses(paths).length > 0) {
    throw new MatriarchError('lab-running', `a lab is running in ${paths.root}`);
  }
  await requireFreeAddresses(layout);
  await prepareFolder(paths.root, machine.owner);
  await mkdir(paths.hosts, { recursive: true, mode: 0o755 });
  const before = await readState(paths);
  await writeState(paths, { baseOctet: layout.baseOctet, router, ha }, ownerPid);
  const inputs = { layout, paths, binDir: machine.binDir, owner: machine.owner, ha };
  await writeLabFiles(inputs);
  if (ha === 'patroni') for (const host of layout.dbHosts) await writePatroniFiles(host, inputs);
  return before?.ha;
}

/** Power back: starts what does not run on the host. Returns the parts that were started. */
export async function startHost(options: LabOptions, host: Host): Promise<readonly string[]> {
  const { layout, paths, router, ha } = await openLab(options.folder);
  const onHost = labProcesses(paths).filter((each) => each.host === host.name);
  const isOff = (part: Part): boolean => !onHost.some((each) => each.part === part);
  const started: StartedPart[] = [];
  if (host.kind === 'db' && isOff('etcd')) started.push(await startEtcd(options, { paths, layout, host }));
  if (host.kind === 'db') {
    const part = agentOf(ha);
    if (isOff(part)) started.push(await startPart(options, { paths, host, part }));
  } else if (router === 'matriarch') {
    if (isOff('router')) started.push(await startPart(options, { paths, host, part: 'router' }));
  } else if (isOff('pgpool') && isOff('watcher')) {
    const wait = { signal: AbortSignal.timeout(PGPOOL_DEADLINE_MS), deadlineMs: PGPOOL_DEADLINE_MS };
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
  { command, machine: { owner } }: LabOptions,
  { paths, host, part }: { readonly paths: LabPaths } & HostPart,
): Promise<StartedPart> {
  const request = { host: host.name, part };
  // Patroni runs as who owns the data directory, our agent starts PostgreSQL as him.
  return part === 'patroni'
    ? await spawnPart(paths, { ...request, command: patroniCommand(paths, host), user: owner })
    : await spawnPart(paths, { ...request, command: partCommand(command, paths, host, part) });
}

type HostPart =
  | { readonly host: DbHost; readonly part: 'agent' | 'patroni' }
  | { readonly host: AppHost; readonly part: 'router' };

function agentOf(ha: HaKind): 'agent' | 'patroni' {
  return ha === 'patroni' ? 'patroni' : 'agent';
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

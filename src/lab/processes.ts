/**
 * The lab's processes: started in sessions of their own so that a Ctrl-C in the terminal is ours to handle, found
 * again by a marker in their environment, and killed by pid. Nothing else on the machine is ever touched: a process
 * is the lab's if it carries the marker of this data folder, or is a program of PostgreSQL's server side working inside
 * it (those lose the marker: server processes overwrite their environment with their title).
 */
import { spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { sep } from 'node:path';
import {
  allPids,
  findProcess,
  MatriarchError,
  pause,
  processFolder,
  processProgram,
  processText,
} from '../base/index.ts';
import type { LabPaths } from './files.ts';

/** What a process is for; `postgres` covers the postmaster and its children. */
export type Part = 'etcd' | 'agent' | 'patroni' | 'fence' | 'router' | 'pgpool' | 'watcher' | 'postgres';

export interface LabProcess {
  readonly pid: number;
  readonly host: string;
  readonly part: Part;
  readonly parent: number;
}

const MARKER = 'MATRIARCH_LAB';

export interface SpawnRequest {
  readonly host: string;
  readonly part: Part;
  readonly command: readonly string[];
  /** Whom it runs as, where that is not us. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
}

/** A process as it was started; it may have ended since. */
export interface StartedPart {
  readonly host: string;
  readonly part: Part;
  readonly pid: number;
  /** Size of its log when it was started; what stands before is of earlier lives. */
  readonly logFrom: number;
}

/** Starts a process of the lab detached, its output appended to its log. */
export async function spawnPart(paths: LabPaths, request: SpawnRequest): Promise<StartedPart> {
  const [program, ...args] = request.command;
  if (program === undefined) throw new MatriarchError('lab-tool-missing', `no program for ${request.part}`);
  const log = openSync(paths.log(request.host, request.part), 'a');
  const logFrom = fstatSync(log).size;
  try {
    const child = spawn(program, args, {
      cwd: paths.host(request.host),
      detached: true,
      ...(request.user === undefined ? {} : { uid: request.user.uid, gid: request.user.gid }),
      stdio: ['ignore', log, log],
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        LC_ALL: 'C.UTF-8',
        TZ: 'UTC',
        [MARKER]: `${paths.root}:${request.host}:${request.part}`,
      },
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => {
        reject(
          new MatriarchError('lab-tool-missing', `cannot start ${program}: ${cause.message}`, { cause }),
        );
      });
    });
    child.unref();
    return { host: request.host, part: request.part, pid: child.pid ?? 0, logFrom };
  } finally {
    closeSync(log);
  }
}

/** Every living process of the lab in this data folder. */
export function labProcesses(paths: LabPaths): readonly LabProcess[] {
  return allPids()
    .map((pid) => identify(pid, paths))
    .filter((each) => each !== undefined);
}

/** Sends `signal` to every process that `wanted` selects, again and again until none is left or `deadlineMs` passes. */
export async function endProcesses(
  paths: LabPaths,
  wanted: (process: LabProcess) => boolean,
  { signal, deadlineMs }: { readonly signal: NodeJS.Signals; readonly deadlineMs: number },
): Promise<readonly LabProcess[]> {
  const end = performance.now() + deadlineMs;
  const told = new Set<number>();
  for (;;) {
    const left = labProcesses(paths).filter(wanted).sort(byTurn);
    if (left.length === 0 || performance.now() > end) return left;
    for (const { pid } of left) {
      if (signal !== 'SIGKILL' && told.has(pid)) continue;
      told.add(pid);
      sendSignal(pid, signal);
    }
    await pause(25);
  }
}

/**
 * The order in which a host dies. In a power cut nobody sees anybody else die; killing one after another takes some
 * milliseconds, so who would react goes first (agents, fences), then PostgreSQL's youngest, which serve the clients:
 * did they outlive the senders of WAL, every client would be left waiting for a synchronous standby.
 */
function byTurn(one: LabProcess, other: LabProcess): number {
  return TURN[one.part] - TURN[other.part] || other.pid - one.pid;
}

const TURN: Readonly<Record<Part, number>> = {
  agent: 0,
  patroni: 0,
  fence: 1,
  watcher: 2,
  router: 2,
  pgpool: 2,
  postgres: 3,
  etcd: 4,
};

/** Memory of a process with shared pages counted in proportion, in bytes; 0 when it is gone. */
export function proportionalMemoryBytes(pid: number): number {
  const match = /^Pss:\s+(\d+) kB/m.exec(processText(pid, 'smaps_rollup') ?? '');
  return match === null ? 0 : Number(match[1]) * 1024;
}

/** When a process started, in clock ticks since boot; with the pid it names one process for ever. Undefined when it is gone. */
export function startTicks(pid: number): number | undefined {
  const found = findProcess(pid);
  return found === undefined ? undefined : Number(found.startTicks);
}

function identify(pid: number, paths: LabPaths): LabProcess | undefined {
  const found = findProcess(pid);
  if (found === undefined) return undefined;
  const { parent } = found;
  const server = identifyServer(pid, paths);
  if (server !== undefined) {
    const part = processProgram(pid) === 'pgpool' ? 'pgpool' : 'postgres';
    return { pid, parent, host: server, part };
  }
  const environment = (processText(pid, 'environ') ?? '').split('\0');
  const marker = environment.find((entry) => entry.startsWith(`${MARKER}=${paths.root}:`));
  if (marker === undefined) return undefined;
  const [host = '', part = 'agent'] = marker.slice(MARKER.length + 1 + paths.root.length + 1).split(':');
  const isFence = processText(pid, 'cmdline')?.includes('fence-process') === true;
  return { pid, parent, host, part: isFence ? 'fence' : partOf(part) };
}

const SERVER_PROGRAM = /^(pgpool|postgres|initdb|pg_ctl|pg_basebackup|pg_rewind|pg_controldata)$/;

/** The host of a program of PostgreSQL's server side, or of pgpool-II, that works in one of the lab's folders. */
function identifyServer(pid: number, paths: LabPaths): string | undefined {
  const folder = processFolder(pid);
  if (folder?.startsWith(paths.hosts + sep) !== true) return undefined;
  if (!SERVER_PROGRAM.test(processProgram(pid) ?? '')) return undefined;
  return folder.slice(paths.hosts.length + 1).split(sep)[0];
}

const PARTS: readonly Part[] = ['etcd', 'patroni', 'router', 'pgpool', 'watcher', 'fence', 'postgres'];

function partOf(text: string): Part {
  return PARTS.find((part) => part === text) ?? 'agent';
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (cause) {
    // Gone between the look and the signal: what we wanted.
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ESRCH')) throw cause;
  }
}

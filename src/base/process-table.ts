/**
 * Linux's /proc: which processes live, and which of them are servers of a data directory. A server process is one whose
 * program is `postgres` and whose working directory is the data directory (all of PostgreSQL's processes go there first),
 * so neither a stale pid file nor a reused pid can be mistaken for one, and backends that outlive their postmaster are found.
 * Reads are synchronous on purpose: these entries never wait for a disk, and a fence must not wait for a thread pool.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot: with the pid, names one process for ever. */
  readonly startTicks: string;
}

/** A living process, with whom it was started by or, after that one's end, was given to. */
export interface FoundProcess extends ProcessIdentity {
  readonly parent: number;
}

/** Every process of the machine that this one can see. */
export function allPids(): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}

/** Undefined when there is no such process, or only its zombie. */
export function findProcess(pid: number): FoundProcess | undefined {
  const stat = processText(pid, 'stat');
  if (stat === undefined) return undefined;
  // The second field is the program's name in parentheses and may hold anything, so count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent] = fields;
  const startTicks = fields[19];
  if (state === undefined || startTicks === undefined || state === 'Z' || state === 'X') return undefined;
  return { pid, startTicks, parent: Number(parent) };
}

export function isSameProcess(known: ProcessIdentity): boolean {
  return findProcess(known.pid)?.startTicks === known.startTicks;
}

/** All living server processes of `dataDir` (without links), postmaster and orphans alike. */
export function serverProcesses(dataDir: string): readonly FoundProcess[] {
  return allPids()
    .filter((pid) => isServerProcess(pid, dataDir))
    .map(findProcess)
    .filter((found) => found !== undefined);
}

export function isServerProcess(pid: number, dataDir: string): boolean {
  return processFolder(pid) === dataDir && processProgram(pid) === 'postgres';
}

/**
 * The postmaster among the servers of one directory: the only one that is no child of another. Undefined when there are
 * none, or several, which are orphans; a last single orphan is taken for a postmaster. The lock file is not asked: reading
 * it may wait for the very disk whose failure a fence is there for.
 */
export function postmasterOf(servers: readonly FoundProcess[]): FoundProcess | undefined {
  const pids = new Set(servers.map(({ pid }) => pid));
  const tops = servers.filter(({ parent }) => !pids.has(parent));
  return tops.length === 1 ? tops[0] : undefined;
}

/** Its working directory; undefined when it is gone, a zombie, or another user's, which is none of ours. */
export function processFolder(pid: number): string | undefined {
  return unlessGone(() => readlinkSync(`/proc/${pid}/cwd`));
}

/** The file name of its program, also of one that was replaced since ("postgres (deleted)" after an upgrade). */
export function processProgram(pid: number): string | undefined {
  const path = unlessGone(() => readlinkSync(`/proc/${pid}/exe`));
  return path === undefined ? undefined : basename(path).replace(/ \(deleted\)$/, '');
}

/** A text that /proc has of a process; undefined when it is gone or not ours to read. All but `stat` may wait for its memory. */
export function processText(
  pid: number,
  name: 'stat' | 'environ' | 'cmdline' | 'smaps_rollup',
): string | undefined {
  return unlessGone(() => readFileSync(`/proc/${pid}/${name}`, 'utf8'));
}

function unlessGone(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    // ENOENT; ESRCH when it ends while it is read; EACCES: for us, no process.
    return undefined;
  }
}

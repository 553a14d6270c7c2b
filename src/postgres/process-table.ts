/**
 * Linux's /proc: which processes are servers of a data directory. A server process is one whose program is `postgres`
 * and whose working directory is the data directory (all of PostgreSQL's processes go there first), so neither a
 * stale pid file nor a reused pid can be mistaken for one, and backends that outlive their postmaster are found.
 * Reads are synchronous on purpose: /proc never waits for a disk, and a fence must not wait for a thread pool.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot: with the pid, names one process for ever. */
  readonly startTicks: string;
}

/** Undefined when there is no such process, or only its zombie. */
export function findProcess(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    // ENOENT, or ESRCH when it ends while it is read: no process.
    return undefined;
  }
  // The second field is the program's name in parentheses and may hold anything, so count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startTicks = fields[19];
  if (state === undefined || startTicks === undefined || state === 'Z' || state === 'X') return undefined;
  return { pid, startTicks };
}

export function isSameProcess(known: ProcessIdentity): boolean {
  return findProcess(known.pid)?.startTicks === known.startTicks;
}

/** All living server processes of `dataDir`, postmaster and orphans alike. */
export function serverProcesses(dataDir: string): readonly ProcessIdentity[] {
  const found: ProcessIdentity[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const pid = Number(entry);
    if (!isServerProcess(pid, dataDir)) continue;
    const identity = findProcess(pid);
    if (identity !== undefined) found.push(identity);
  }
  return found;
}

export function isServerProcess(pid: number, dataDir: string): boolean {
  try {
    if (readlinkSync(`/proc/${pid}/cwd`) !== dataDir) return false;
    // An upgraded package leaves "postgres (deleted)".
    return /^postgres( \(deleted\))?$/.test(basename(readlinkSync(`/proc/${pid}/exe`)));
  } catch {
    // Gone, a zombie, or another user's, which is not a server of ours.
    return false;
  }
}

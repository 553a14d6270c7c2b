/**
 * The PostgreSQL processes of one data directory, from /proc. Every server process has the data directory as its
 * working directory, whatever became of its postmaster, so backends that outlive it are found as well; and a pid that
 * was reused by another program is not taken for a server. Used by the fence: no imports but node's.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** Pids of all server processes that work in `dataDir` (links resolved). */
export function serverPids(dataDir: string): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => isServerOf(pid, dataDir));
}

/** The postmaster that `postmaster.pid` names, if that process is a server of this very directory and of that start. */
export function postmasterPid(dataDir: string): number | undefined {
  const lines = readText(`${dataDir}/postmaster.pid`)?.split('\n');
  const pid = Number(lines?.[0]);
  const startedAtS = Number(lines?.[2]);
  if (!Number.isInteger(pid) || pid <= 1 || lines?.[1] !== dataDir) return undefined;
  if (!isServerOf(pid, dataDir)) return undefined;
  const bornAtS = bornAtSeconds(pid);
  // The file's time is taken shortly after the process began; the clock may have been adjusted by a little since.
  return bornAtS === undefined || Math.abs(bornAtS - startedAtS) <= 10 ? pid : undefined;
}

function isServerOf(pid: number, dataDir: string): boolean {
  try {
    if (readlinkSync(`/proc/${pid}/cwd`) !== dataDir) return false;
    return basename(readlinkSync(`/proc/${pid}/exe`)).startsWith('postgres');
  } catch {
    // The process ended, or is a zombie or another user's: none of them can be writing for this directory.
    return false;
  }
}

/** Start of a process in seconds since 1970: boot time plus field 22 of its stat, in ticks of 1/100 s. */
function bornAtSeconds(pid: number): number | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  const boot = /^btime (\d+)$/m.exec(readText('/proc/stat') ?? '')?.[1];
  if (stat === undefined || boot === undefined) return undefined;
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  return Number.isFinite(ticks) ? Number(boot) + ticks / 100 : undefined;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Gone between two looks: there is nothing to read.
    return undefined;
  }
}

/**
 * What a program and all its children cost: CPU time and memory, as the kernel counts them. CPU time is read in
 * nanoseconds from schedstat of each thread where the kernel has it, which is what utime + stime of /proc/PID/stat
 * say in hundredths of a second.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { allPids, findProcess, processText } from '../src/base/index.ts';

const TICKS_PER_SECOND = 100;

/** The process `root` and everything under it. */
export function processTree(root: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const pid of allPids()) {
    const parent = findProcess(pid)?.parent;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/** CPU time that these processes have used, in microseconds. */
export function cpuMicros(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (preciseMicros(pid) ?? tickMicros(pid)), 0);
}

/** Memory in bytes; what is shared by several processes counts in parts (PSS). */
export function memoryBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const kilobytes = /^Pss:\s+(\d+) kB/m.exec(processText(pid, 'smaps_rollup') ?? '')?.[1];
    return sum + Number(kilobytes ?? 0) * 1024;
  }, 0);
}

function preciseMicros(pid: number): number | undefined {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const spent = threads.map((thread) => {
      const [nanoseconds = ''] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
      return Number(nanoseconds) / 1000;
    });
    return spent.reduce((sum, micros) => sum + micros, 0);
  } catch {
    // No such file in this kernel, or the process has ended: the other way says which.
    return undefined;
  }
}

/** CPU time in the kernel and in all, in clock ticks: coarse, but the only place where the two are apart. */
export function kernelShare(before: Ticks, after: Ticks): number {
  const all = after.user + after.kernel - before.user - before.kernel;
  return all === 0 ? 0 : (after.kernel - before.kernel) / all;
}

export interface Ticks {
  readonly user: number;
  readonly kernel: number;
}

export function ticks(pids: readonly number[]): Ticks {
  const all = pids.map(ticksOf);
  return {
    user: all.reduce((sum, { user }) => sum + user, 0),
    kernel: all.reduce((sum, { kernel }) => sum + kernel, 0),
  };
}

function ticksOf(pid: number): Ticks {
  const stat = processText(pid, 'stat') ?? '';
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { user: Number(fields[11] ?? 0), kernel: Number(fields[12] ?? 0) };
}

function tickMicros(pid: number): number {
  const { user, kernel } = ticksOf(pid);
  return ((user + kernel) * 1_000_000) / TICKS_PER_SECOND;
}

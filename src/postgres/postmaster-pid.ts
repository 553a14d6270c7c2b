/** The lock file `postmaster.pid`: eight lines, the last ones written later than the first. [pure] */

export interface PostmasterPid {
  readonly pid: number;
  /** A `postgres --single` holds the directory, not a server. */
  readonly singleUser: boolean;
  /** Line 8; undefined while it is not written yet. `standby`: up, but takes no connections. */
  readonly status: 'starting' | 'stopping' | 'ready' | 'standby' | undefined;
}

/** Undefined when the first three lines are not all there yet, or are not a lock file's. */
export function parsePostmasterPid(content: string): PostmasterPid | undefined {
  const lines = content.split('\n').map((line) => line.trim());
  const [pid, dataDir, startedAt] = lines;
  if (pid === undefined || !/^-?\d{1,10}$/.test(pid) || Number(pid) === 0) return undefined;
  if (dataDir === undefined || dataDir === '') return undefined;
  if (startedAt === undefined || !/^\d{1,12}$/.test(startedAt)) return undefined;
  const status = (['starting', 'stopping', 'ready', 'standby'] as const).find((word) => word === lines[7]);
  return {
    pid: Math.abs(Number(pid)),
    singleUser: pid.startsWith('-'),
    status,
  };
}

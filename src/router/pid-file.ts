/**
 * Files that name our process: the one that `router.pid_file` asks for, and the lock of the Unix socket. Exchanged whole by
 * renaming, because at a take-over they go from one living process to another, and somebody may read them meanwhile.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { describe, MatriarchError } from '../base/index.ts';

const PID_FILE_MODE = 0o644;

/** Names us there; gives what removes the file if it still does. Throws `router-pid-file-unwritable`. */
export function writePidFile(path: string, pid: number): () => void {
  try {
    writeWhole(path, `${pid}\n`, PID_FILE_MODE);
  } catch (cause) {
    throw new MatriarchError('router-pid-file-unwritable', `${path}: ${describe(cause)}`, { cause });
  }
  return () => {
    if (ownerOf(path) === pid) rmSync(path, { force: true });
  };
}

/** Whoever reads it sees what was there before, or all of `text`. */
export function writeWhole(path: string, text: string, mode: number): void {
  const next = `${path}.new`;
  writeFileSync(next, text, { mode });
  renameSync(next, path);
}

/** The process of a lock file; PostgreSQL writes a standalone backend's with a minus. */
export function ownerOf(lock: string): number | undefined {
  try {
    const pid = Math.abs(Number.parseInt(readFileSync(lock, 'utf8'), 10));
    return Number.isNaN(pid) ? undefined : pid;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw cause;
  }
}

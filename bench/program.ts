/** Programs that the bench starts: their output in a file, ended with the run, with as many descriptors as they may have. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pause } from '../src/base/index.ts';
import type { Stage } from './stage.ts';

const READY_MS = 15_000;
const STOP_MS = 5000;
/** How much of a log an error shows. */
const LOG_SHOWN = 2000;

export interface Started {
  readonly pid: number;
  /** Its exit status, once it has ended. */
  readonly hasEnded: () => boolean;
  readonly stop: (signal: NodeJS.Signals) => Promise<void>;
  /** The end of what it wrote. */
  readonly logged: () => Promise<string>;
}

/**
 * Starts a program with as many file descriptors as it may have, its output in a file; it ends with the scope.
 * `asOwner`: as PostgreSQL's user when we are root, for programs that refuse root.
 */
export async function startProgram(
  stage: Stage,
  command: readonly string[],
  { folder, asOwner }: { readonly folder: string; readonly asOwner: boolean },
): Promise<Started> {
  const { owner } = stage.machine;
  const logFile = join(folder, 'log');
  const log = openSync(logFile, 'a');
  const script = 'ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"; exec "$0" "$@"';
  const lowered = asOwner && owner !== undefined ? ['setpriv', ...asUser(owner)] : [];
  const child = spawn('sh', ['-c', script, ...lowered, ...command], {
    cwd: folder,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  await once(child, 'spawn');
  const stop = async (signal: NodeJS.Signals): Promise<void> => await end(child, signal);
  stage.programs.after(() => stop('SIGTERM'));
  return {
    pid: child.pid ?? 0,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    stop,
    logged: async () => (await readFile(logFile, 'utf8')).slice(-LOG_SHOWN),
  };
}

/** The shell replaces itself by setpriv, and that by the program: one process id all the way. */
function asUser({ uid, gid }: { readonly uid: number; readonly gid: number }): string[] {
  return [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(timer);
}

/** Waits until `isReady`; fails with the program's last words when it ends or takes too long. */
export async function untilReady(
  name: string,
  program: Started,
  isReady: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (!(await isReady().catch(() => false))) {
    if (program.hasEnded() || performance.now() > deadline)
      throw new Error(`${name} did not become ready; the end of its log:\n${await program.logged()}`);
    await pause(50);
  }
}

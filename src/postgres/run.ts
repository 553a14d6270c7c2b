/**
 * Runs one of PostgreSQL's programs to its end: argument array, own process group, LC_ALL=C, as PostgreSQL's user,
 * with a deadline, an optional limit on silence, and the last part of its output. A program that must end is ended with
 * its whole group (initdb and pg_basebackup have children of their own).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { describe } from '../base/index.ts';
import { isNodeError } from './node-error.ts';
import { type Owner, type Place, type Tool, toolPath } from './place.ts';

export interface RunOptions {
  readonly deadlineMs: number;
  /** Ends the program when it writes nothing for so long. */
  readonly stallMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly onStderr?: (text: string) => void;
  /** Awaited before the result is given; its failure is the program's failure. */
  readonly onSpawn?: (pid: number) => Promise<void>;
}

export interface RunResult {
  readonly ok: boolean;
  /** Why it did not succeed, in words, with its last lines; empty when `ok`. */
  readonly because: string;
  readonly stdout: string;
  readonly stderr: string;
}

const OUTPUT_KEPT = 256 * 1024;
const LINES_SHOWN = 8;

/** The whole environment of every program: nothing of ours leaks in. */
export const ENVIRONMENT = { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin', TZ: 'UTC' } as const;

/** Never rejects: a program that cannot be started is a result too. */
export async function run(
  place: Place,
  tool: Tool,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  const child = spawn(toolPath(place.settings, tool), args, {
    cwd: '/',
    detached: true,
    env: { ...ENVIRONMENT, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...asUser(place.owner),
  });
  const limits = limit(child, options);
  const output = { stdout: '', stderr: '' };
  let noted: Promise<string> = Promise.resolve('');
  const failure = await new Promise<string>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      limits.saw();
      output.stdout = (output.stdout + text).slice(-OUTPUT_KEPT);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      limits.saw();
      output.stderr = (output.stderr + text).slice(-OUTPUT_KEPT);
      options.onStderr?.(text);
    });
    child.once('spawn', () => {
      if (child.pid === undefined || options.onSpawn === undefined) return;
      noted = options.onSpawn(child.pid).then(() => '', describe);
    });
    child.once('error', (cause) => resolve(`could not be run: ${describe(cause)}`));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(limits.ended());
      else
        resolve(
          limits.ended() || (code === null ? `was ended by ${signal ?? 'a signal'}` : `failed with ${code}`),
        );
    });
  });
  limits.lift();
  const problem = failure || (await noted);
  if (problem === '') return { ok: true, because: '', ...output };
  const lines = lastLines(`${output.stdout}\n${output.stderr}`);
  return { ok: false, because: `${tool} ${problem}${lines === '' ? '' : `:\n${lines}`}`, ...output };
}

interface Limits {
  /** It wrote something. */
  readonly saw: () => void;
  /** Why it was ended by us; empty when it was not. */
  readonly ended: () => string;
  readonly lift: () => void;
}

/** Ends the program at its deadline, when it stalls, and when it is told to. */
function limit(child: ChildProcess, options: RunOptions): Limits {
  const { deadlineMs, stallMs, signal } = options;
  let why = '';
  const end = (because: string): void => {
    if (why !== '') return;
    why = because;
    if (child.pid !== undefined) killGroup(child.pid);
  };
  const aborted = (): void => end('was told to end');
  const stalled = (): void => end(`made no progress for ${stallMs} ms`);
  const deadline = setTimeout(() => end(`took longer than ${deadlineMs} ms`), deadlineMs);
  const stall = stallMs === undefined ? undefined : setTimeout(stalled, stallMs);
  signal?.addEventListener('abort', aborted, { once: true });
  if (signal?.aborted === true) aborted();
  return {
    saw: () => stall?.refresh(),
    ended: () => why,
    lift: () => {
      clearTimeout(deadline);
      clearTimeout(stall);
      signal?.removeEventListener('abort', aborted);
    },
  };
}

/** The last lines that say something; a carriage return ends a line too (progress reports). */
export function lastLines(text: string): string {
  const lines = text.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  return lines.slice(-LINES_SHOWN).join('\n');
}

export function asUser(owner: Owner | undefined): { uid?: number; gid?: number } {
  return owner === undefined ? {} : { uid: owner.uid, gid: owner.gid };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (cause) {
    // ESRCH: it ended by itself in the meantime, which is what was wanted.
    if (!isNodeError(cause) || cause.code !== 'ESRCH') throw cause;
  }
}

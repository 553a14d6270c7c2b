/** The command as a person runs it: bin/matriarch in a process of its own, and what it printed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './sources.ts';

export interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** What is on standard output so far. */
  readonly out: () => string;
  readonly ended: Promise<Ended>;
}

export interface Surroundings {
  readonly cwd: string;
  /** The whole environment: nothing of this machine's gets in. */
  readonly env?: Readonly<Record<string, string>>;
  /** It is ended if it has not ended by then; 30 s if not given. */
  readonly timeoutMs?: number;
}

/** Starts the command. */
export function startMatriarch(
  args: readonly string[],
  { cwd, env = {}, timeoutMs = 30_000 }: Surroundings,
): Running {
  const program = join(ROOT, 'bin', 'matriarch');
  const child = spawn(process.execPath, [program, ...args], { cwd, env: { ...env }, timeout: timeoutMs });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (status) => resolve({ status, out, err }));
  });
  return { child, out: () => out, ended };
}

/** Runs the command to its end. */
export async function matriarch(args: readonly string[], surroundings: Surroundings): Promise<Ended> {
  return await startMatriarch(args, surroundings).ended;
}

/** Runs the built command as a user would, and keeps what it said. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../../bin/matriarch', import.meta.url));

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `matriarch …args` to its end; never rejects for a bad exit status. */
export async function matriarch(args: readonly string[], timeoutMs = 120_000): Promise<Finished> {
  return await finish(process.execPath, [COMMAND, ...args], { timeoutMs });
}

/** Starts `matriarch …args` with its output piped. */
export function startMatriarch(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [COMMAND, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs any program to its end. */
export async function finish(
  program: string,
  args: readonly string[],
  { env, timeoutMs }: { readonly env?: Readonly<Record<string, string>>; readonly timeoutMs: number },
): Promise<Finished> {
  return await new Promise((resolve) => {
    const options = { timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024, env: { ...process.env, ...env } };
    execFile(program, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
  });
}

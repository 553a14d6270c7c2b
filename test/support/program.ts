/** Programs of others, run to their end: psql, pgbench, guests. */
import { execFile } from 'node:child_process';

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program with its own environment and `env`; never rejects for a bad exit status. */
export async function runProgram(
  program: string,
  args: readonly string[],
  {
    env,
    timeoutMs,
    cwd,
    input = '',
  }: {
    readonly env?: Readonly<Record<string, string>>;
    readonly timeoutMs: number;
    readonly cwd?: string;
    /** What it reads from its standard input. */
    readonly input?: string;
  },
): Promise<Finished> {
  return await new Promise((resolve) => {
    const options = { timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, ...env }, cwd };
    const child = execFile(program, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
    // A program that ends without reading it is no failure of ours.
    child.stdin?.on('error', () => undefined).end(input);
  });
}

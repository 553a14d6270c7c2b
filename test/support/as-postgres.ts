/** Programs that refuse to run as root: run as the user `postgres` then, else as we are. */
import { execFile, execFileSync } from 'node:child_process';

export interface Ran {
  readonly code: number | string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const TIMEOUT_MS = 10_000;

const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));

/** User and group for `spawn`. */
export function postgresUser(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  return { uid: id('-u'), gid: id('-g') };
}

/** To its end, whatever that is. */
export async function asPostgres(program: string, args: readonly string[]): Promise<Ran> {
  return await new Promise((resolve) => {
    execFile(program, args, { timeout: TIMEOUT_MS, ...postgresUser() }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? undefined, stdout, stderr }),
    );
  });
}

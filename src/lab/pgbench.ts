/** PostgreSQL's own load generator against a router, as a user would run it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, MatriarchError } from '../base/index.ts';
import { ACCOUNTS } from './files.ts';
import type { AppHost } from './hosts.ts';

const run = promisify(execFile);

export interface PgbenchResult {
  readonly transactions: number;
  readonly failed: number;
  readonly tps: number;
}

/** Runs pgbench as the application account through the host's router; rejects with `lab-client-failed`. */
export async function pgbench(
  binDir: string,
  host: AppHost,
  { args, signal }: { readonly args: readonly string[]; readonly signal: AbortSignal },
): Promise<string> {
  const { username, password, database } = ACCOUNTS.application;
  const connection = ['-h', host.router.host, '-p', String(host.router.port), '-U', username];
  try {
    const { stdout } = await run(join(binDir, 'pgbench'), [...args, ...connection, database], {
      env: { PGPASSWORD: password, LC_ALL: 'C' },
      signal,
      timeout: 180_000,
      maxBuffer: 1024 * 1024,
    });
    return stdout;
  } catch (cause) {
    if (signal.aborted) throw new MatriarchError('interrupted', 'pgbench was interrupted', { cause });
    throw new MatriarchError(
      'lab-client-failed',
      `pgbench ${args.join(' ')} through ${host.name}: ${describe(cause)}`,
      { cause },
    );
  }
}

/** The figures of a pgbench run's report. */
export function parsePgbench(report: string): PgbenchResult {
  const figure = (pattern: RegExp): number => Number(pattern.exec(report)?.[1] ?? Number.NaN);
  return {
    transactions: figure(/number of transactions actually processed: (\d+)/),
    failed: figure(/number of failed transactions: (\d+)/),
    tps: figure(/tps = ([\d.]+)/),
  };
}

/** A real PgBouncer without servers behind it, for comparison of its admin console; only where it is installed. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Client } from 'pg';
import { eventually } from './eventually.ts';
import { freshLoopback } from './loopback.ts';
import { runProgram } from './program.ts';
import { scratchFolder } from './scratch.ts';

const PROGRAM = '/usr/sbin/pgbouncer';
const PORT = 6432;
const START_MS = 10_000;

/** False where the machine has none: the test then says that it was skipped. */
export const hasPgBouncer = existsSync(PROGRAM);

/** Connects to the console of a PgBouncer that ends with the test. */
export async function aPgBouncerConsole(t: TestContext): Promise<Client> {
  const folder = await scratchFolder(t);
  const host = freshLoopback();
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(
    file,
    [
      '[databases]',
      `app = host=${host} port=5432`,
      '[pgbouncer]',
      `listen_addr = ${host}`,
      `listen_port = ${PORT}`,
      'unix_socket_dir =',
      'auth_type = any',
      'admin_users = ops',
    ].join('\n'),
  );
  await chmod(file, 0o644);
  // It refuses to run as root.
  const asUser = process.getuid?.() === 0 ? await postgresUser() : {};
  const child = spawn(PROGRAM, ['-q', file], { stdio: 'ignore', ...asUser });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const client = await eventually('PgBouncer lets us in', async () => await connected(host), {
    holds: (seen) => seen !== undefined,
    withinMs: START_MS,
  });
  if (client === undefined) throw new Error('PgBouncer did not let us in');
  t.after(() => client.end());
  return client;
}

async function connected(host: string): Promise<Client | undefined> {
  const client = new Client({ host, port: PORT, user: 'ops', database: 'pgbouncer' });
  client.on('error', () => {});
  try {
    await client.connect();
    return client;
  } catch {
    // Not listening yet.
    return undefined;
  }
}

async function postgresUser(): Promise<{ readonly uid: number; readonly gid: number }> {
  const { stdout: uid } = await runProgram('id', ['-u', 'postgres'], { timeoutMs: 5000 });
  const { stdout: gid } = await runProgram('id', ['-g', 'postgres'], { timeoutMs: 5000 });
  return { uid: Number(uid), gid: Number(gid) };
}

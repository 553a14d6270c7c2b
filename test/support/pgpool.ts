/** A real pgpool-II with the settings that the package ships; only where it is installed. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { postgresUser } from './as-postgres.ts';
import type { Scope } from './scratch.ts';

const PROGRAM = '/usr/sbin/pgpool';
export const hasPgpool = existsSync(PROGRAM);
const SETTINGS = fileURLToPath(new URL('../../../share/template/pgpool/pgpool.conf', import.meta.url));

/** Where it listens, for SQL at 5432 and for PCP at 9898, and whom it lets in. */
export interface PgpoolPlace {
  readonly folder: string;
  readonly host: string;
  /** Its file of servers, which must be there. */
  readonly backends: string;
  /** The file for `--pcp-passfile`; the user is `matriarch`. */
  readonly passfile: string;
}

/** Settings and accounts, before it is started: role `app` with password `app` at the servers. */
export async function pgpoolPlace(folder: string, host: string): Promise<PgpoolPlace> {
  const path = (name: string): string => join(folder, name);
  const shipped = await readFile(SETTINGS, 'utf8');
  const own = [
    `listen_addresses = '${host}'`,
    'port = 5432',
    `pcp_listen_addresses = '${host}'`,
    ...['socket_dir', 'pcp_socket_dir', 'logdir'].map((name) => `${name} = '${folder}'`),
    `pid_file_name = '${path('pgpool.pid')}'`,
    'enable_pool_hba = on',
    'num_init_children = 8',
    'max_pool = 1',
    "sr_check_user = 'app'",
    "sr_check_password = 'app'",
    "sr_check_database = 'app'",
  ];
  const files: Readonly<Record<string, string>> = {
    'pgpool.conf': `${shipped.replace('/etc/pgpool2/backends.conf', path('backends.conf'))}${own.join('\n')}\n`,
    'pool_hba.conf': 'host all all 127.0.0.0/8 scram-sha-256\n',
    pool_passwd: 'app:TEXTapp\n',
    'pcp.conf': `matriarch:${createHash('md5').update('secret').digest('hex')}\n`,
    pcppass: '*:*:matriarch:secret\n',
  };
  const { uid, gid } = postgresUser();
  await chmod(folder, 0o755);
  if (uid !== undefined && gid !== undefined) await chown(folder, uid, gid);
  for (const [name, text] of Object.entries(files)) {
    await writeFile(path(name), text);
    // The pass file is read by us, the others by pgpool-II.
    if (name === 'pcppass') await chmod(path(name), 0o600);
    else if (uid !== undefined && gid !== undefined) await chown(path(name), uid, gid);
  }
  return { folder, host, backends: path('backends.conf'), passfile: path('pcppass') };
}

/** Runs it until the test ends. */
export function startPgpool(t: Scope, { folder }: PgpoolPlace): void {
  const file = (name: string): string => join(folder, name);
  const child = spawn(
    PROGRAM,
    ['-n', '-D', '-f', file('pgpool.conf'), '-a', file('pool_hba.conf'), '-F', file('pcp.conf')],
    { stdio: 'ignore', detached: true, ...postgresUser() },
  );
  const ended = new Promise((resolve) => child.once('exit', resolve));
  t.after(async () => {
    // Its children are of its group.
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    await ended;
  });
}

/** One statement in a session of its own. */
export async function askPgpool(
  { host }: PgpoolPlace,
  sql: string,
): Promise<readonly Record<string, string>[]> {
  const client = new pg.Client({
    host,
    port: 5432,
    user: 'app',
    password: 'app',
    database: 'app',
    connectionTimeoutMillis: 3_000,
    query_timeout: 3_000,
  });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, string>>(sql);
    return rows;
  } finally {
    await client.end().catch(() => {});
  }
}

/** `SHOW POOL_NODES` as `host status role share`, by number. */
export async function poolNodes(place: PgpoolPlace): Promise<string[]> {
  const rows = await askPgpool(place, 'SHOW POOL_NODES');
  return rows.map(({ hostname, status, role, lb_weight: share }) =>
    [hostname, status, role, Number(share).toFixed(2)].join(' '),
  );
}

/**
 * PgBouncer as a peer: Debian's program with a configuration of ours, in transaction mode. Before 1.21 it cannot carry
 * prepared statements from one server connection to another: for that protocol it then gets session mode.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Address } from '../src/base/index.ts';
import { freshLoopback } from '../test/support/loopback.ts';
import { runProgram } from '../test/support/program.ts';
import type { Peer, PeerOptions } from './peers.ts';
import { startProgram, untilReady } from './program.ts';
import { APP, type Stage } from './stage.ts';

export const PGBOUNCER = '/usr/sbin/pgbouncer';
const ADMIN = { user: 'admin', password: 'admin' } as const;
const SESSION_DATABASE = `${APP.database}_by_session`;
/** The first version 1.x with prepared statements in transaction mode. */
const PREPARED_SINCE = 21;

export async function startPgbouncer(
  stage: Stage,
  { poolSize, activeClients, clientsMax }: PeerOptions,
): Promise<Peer> {
  const folder = await stage.folder('pgbouncer');
  const address = { host: freshLoopback(), port: 6432 };
  const file = join(folder, 'pgbouncer.ini');
  const users = join(folder, 'users.txt');
  const server = `host=${stage.server.host} port=${stage.server.port}`;
  await writeFile(users, `"${APP.user}" "${stage.verifier}"\n"${ADMIN.user}" "${ADMIN.password}"\n`);
  await writeFile(
    file,
    [
      '[databases]',
      `${APP.database} = ${server} dbname=${APP.database}`,
      `${SESSION_DATABASE} = ${server} dbname=${APP.database} pool_mode=session pool_size=${activeClients}`,
      '[pgbouncer]',
      `listen_addr = ${address.host}`,
      `listen_port = ${address.port}`,
      'unix_socket_dir =',
      'auth_type = scram-sha-256',
      `auth_file = ${users}`,
      `admin_users = ${ADMIN.user}`,
      'pool_mode = transaction',
      `default_pool_size = ${poolSize}`,
      `max_client_conn = ${clientsMax}`,
      'log_connections = 0',
      'log_disconnections = 0',
      '',
    ].join('\n'),
  );
  const program = await startProgram(stage, [PGBOUNCER, file], { folder, asOwner: true });
  const served = async (): Promise<number> => await totalTransactions(address);
  await untilReady('pgbouncer', program, async () => (await served()) >= 0);
  const databaseFor = (await carriesPrepared()) ? {} : { prepared: SESSION_DATABASE };
  return { name: 'pgbouncer', address, pid: program.pid, served, databaseFor };
}

async function carriesPrepared(): Promise<boolean> {
  const { stdout } = await runProgram(PGBOUNCER, ['--version'], { timeoutMs: 5000 });
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(stdout) ?? [];
  return Number(major) > 1 || Number(minor) >= PREPARED_SINCE;
}

/** The sum over its databases but its own one. */
async function totalTransactions(address: Address): Promise<number> {
  const client = new Client({ ...address, ...ADMIN, database: 'pgbouncer', connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>('SHOW STATS');
    return rows
      .filter((row) => row['database'] !== 'pgbouncer')
      .reduce((sum, row) => sum + Number(row['total_xact_count']), 0);
  } finally {
    await client.end();
  }
}

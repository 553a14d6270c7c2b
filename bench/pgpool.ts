/**
 * pgpool-II as a peer: Debian's program with a configuration of ours, reading the SQL and balancing as it does before
 * streaming replication. It has no transaction mode: each client has a process with a server connection of its own.
 */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Address } from '../src/base/index.ts';
import { freshLoopback } from '../test/support/loopback.ts';
import type { Peer, PeerOptions } from './peers.ts';
import { startProgram, untilReady } from './program.ts';
import { APP, type Stage } from './stage.ts';

export const PGPOOL = '/usr/sbin/pgpool';
/** Processes beyond one a client: for the one that asks how much was served, and a connection that is just ending. */
const SPARE_CHILDREN = 4;
/** Its processes add to one counter without a lock, so some are lost: 90 of 414,331 were seen. */
const COUNT_LOST = 0.01;

export async function startPgpool(stage: Stage, { activeClients }: PeerOptions): Promise<Peer> {
  const folder = await stage.folder('pgpool');
  const address = { host: freshLoopback(), port: 9999 };
  const files = { conf: join(folder, 'pgpool.conf'), hba: join(folder, 'pool_hba.conf') };
  const pcp = join(folder, 'pcp.conf');
  const key = join(folder, 'pool_key');
  await writeFile(join(folder, 'pool_passwd'), `${APP.user}:TEXT${APP.password}\n`);
  await writeFile(files.hba, 'host all all all scram-sha-256\n');
  await writeFile(pcp, '');
  await writeFile(key, 'key-of-the-bench\n');
  await chmod(key, 0o644);
  const settings: Readonly<Record<string, string | number>> = {
    backend_clustering_mode: 'streaming_replication',
    listen_addresses: address.host,
    port: address.port,
    socket_dir: folder,
    pcp_listen_addresses: address.host,
    pcp_port: 9898,
    pcp_socket_dir: folder,
    pid_file_name: join(folder, 'pgpool.pid'),
    logdir: folder,
    backend_hostname0: stage.server.host,
    backend_port0: stage.server.port,
    backend_weight0: 1,
    backend_flag0: 'ALLOW_TO_FAILOVER',
    enable_pool_hba: 'on',
    pool_passwd: 'pool_passwd',
    allow_clear_text_frontend_auth: 'off',
    num_init_children: activeClients + SPARE_CHILDREN,
    max_pool: 1,
    child_life_time: 0,
    connection_cache: 'on',
    load_balance_mode: 'on',
    memory_cache_enabled: 'off',
    sr_check_period: 0,
    sr_check_user: APP.user,
    sr_check_password: APP.password,
    sr_check_database: APP.database,
    health_check_period: 0,
    use_watchdog: 'off',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
  await writeFile(files.conf, lines.join(''));
  const command = [PGPOOL, '-n', '-D', '-f', files.conf, '-a', files.hba, '-F', pcp, '-k', key];
  const program = await startProgram(stage, command, { folder, asOwner: true });
  const served = async (): Promise<number> => await totalSelects(address);
  await untilReady('pgpool', program, async () => (await served()) >= 0);
  return { name: 'pgpool', address, pid: program.pid, served, servedMissing: COUNT_LOST };
}

async function totalSelects(address: Address): Promise<number> {
  const client = new Client({ ...address, ...APP, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>('SHOW POOL_BACKEND_STATS');
    return rows.reduce((sum, row) => sum + Number(row['select_cnt']), 0);
  } finally {
    await client.end();
  }
}

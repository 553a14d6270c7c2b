/**
 * The original router on an application host: Debian's pgpool-II, and our watcher that keeps its servers right with the
 * shipped resource. It stands where our router would: same address, same accounts.
 */
import { createHash } from 'node:crypto';
import { access, chmod, chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MatriarchError } from '../base/index.ts';
import { ACCOUNTS, type LabPaths } from './files.ts';
import type { AppHost } from './hosts.ts';
import type { Machine } from './machine.ts';

/** What the package ships for it. */
const SHIPPED = fileURLToPath(new URL('../../../share/template/pgpool', import.meta.url));
/** Where Debian's package has it. */
export const PGPOOL_PROGRAM = '/usr/sbin/pgpool';
const PCP = { user: 'matriarch', password: 'matriarch' };
/** Clients at once. */
const CHILDREN = 16;

interface PgpoolInputs {
  readonly paths: LabPaths;
  readonly host: AppHost;
  readonly owner: Machine['owner'];
  /** How to start `matriarch`. */
  readonly command: readonly string[];
}

/** Rejects with `lab-tool-missing`. */
export async function requirePgpool(): Promise<void> {
  await access(PGPOOL_PROGRAM).catch((cause: unknown) => {
    throw new MatriarchError('lab-tool-missing', 'pgpool-II is not installed: apt-get install pgpool2', {
      cause,
    });
  });
}

/** The file of servers, which the watcher writes; pgpool-II does not start without it. */
export function backendsFile(paths: LabPaths, host: AppHost): string {
  return join(folderOf(paths, host), 'backends.conf');
}

const shipped = async (name: string): Promise<string> => await readFile(join(SHIPPED, name), 'utf8');

/** Writes all files of the two. What servers had which numbers is forgotten: pgpool-II has none while it does not run. */
export async function writePgpoolFiles({ paths, host, owner, command }: PgpoolInputs): Promise<void> {
  const folder = folderOf(paths, host);
  const file = (name: string): string => join(folder, name);
  for (const each of ['.', 'confd/conf.d', 'confd/templates'])
    await mkdir(file(each), { recursive: true, mode: 0o755 });
  await rm(backendsFile(paths, host), { force: true });
  const template = 'templates/pgpool-backends.conf.tmpl';
  await writeFile(file(`confd/${template}`), await shipped(template));
  const resource = (await shipped('conf.d/pgpool-backends.toml'))
    .replaceAll('/etc/pgpool2/backends.conf', backendsFile(paths, host))
    .replace('/etc/pgpool2/matriarch.pcppass', file('pcppass'))
    .replace('"matriarch ', `"${command.join(' ')} `)
    .replace('--pcp-user', `--pcp-host ${host.router.host} --pcp-user`);
  await writeFile(file('confd/conf.d/pgpool-backends.toml'), resource);
  const settings = (await shipped('pgpool.conf')).replace(
    '/etc/pgpool2/backends.conf',
    backendsFile(paths, host),
  );
  const { application, superuser } = ACCOUNTS;
  const accounts = [application, superuser];
  const files: Readonly<Record<string, string>> = {
    'pgpool.conf': `${settings}${ownSettings(host, folder)}`,
    'pool_hba.conf': 'host all all 127.0.0.0/8 scram-sha-256\n',
    pool_passwd: accounts.map(({ username, password }) => `${username}:TEXT${password}\n`).join(''),
    'pcp.conf': `${PCP.user}:${createHash('md5').update(PCP.password).digest('hex')}\n`,
  };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(file(name), text, { mode: 0o600 });
    if (owner !== undefined) await chown(file(name), owner.uid, owner.gid);
  }
  await writeFile(file('pcppass'), `*:*:${PCP.user}:${PCP.password}\n`, { mode: 0o600 });
  await chmod(file('pcppass'), 0o600);
  if (owner !== undefined) await chown(folder, owner.uid, owner.gid);
}

export function pgpoolCommand(paths: LabPaths, host: AppHost): readonly string[] {
  const file = (name: string): string => join(folderOf(paths, host), name);
  return [
    PGPOOL_PROGRAM,
    '-n',
    '-D',
    '-f',
    file('pgpool.conf'),
    '-a',
    file('pool_hba.conf'),
    '-F',
    file('pcp.conf'),
  ];
}

export function watcherCommand(
  command: readonly string[],
  paths: LabPaths,
  host: AppHost,
): readonly string[] {
  const folder = folderOf(paths, host);
  return [
    ...command,
    'template',
    '--watch',
    '--config',
    paths.config(host.name),
    '--confdir',
    join(folder, 'confd'),
    '--state-dir',
    join(folder, 'state'),
    '--status-listen',
    `${host.http.host}:${host.http.port}`,
  ];
}

function ownSettings(host: AppHost, folder: string): string {
  const { username, password, database } = ACCOUNTS.application;
  const quoted: Readonly<Record<string, string>> = {
    listen_addresses: host.router.host,
    pcp_listen_addresses: host.router.host,
    socket_dir: folder,
    pcp_socket_dir: folder,
    logdir: folder,
    pid_file_name: join(folder, 'pgpool.pid'),
    sr_check_user: username,
    sr_check_password: password,
    sr_check_database: database,
  };
  const lines = Object.entries(quoted).map(([name, value]) => `${name} = '${value}'`);
  const others = [`port = ${host.router.port}`, 'enable_pool_hba = on', `num_init_children = ${CHILDREN}`];
  return `${[...lines, ...others].join('\n')}\n`;
}

function folderOf(paths: LabPaths, host: AppHost): string {
  return join(paths.host(host.name), 'pgpool');
}

/**
 * The files of a lab: one folder a host, with the `matriarch.yaml` that its processes run from. These are ordinary
 * configuration files, so they double as examples. Accounts are fixed and documented; it is a lab.
 */
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { formatAddress } from '../base/index.ts';
import { type AppHost, type DbHost, etcdEndpoints, type Host, type LabLayout } from './hosts.ts';

/** Name of the cluster in etcd. */
export const LAB_SCOPE = 'matriarch';

/** The documented accounts of the lab. */
export const ACCOUNTS = {
  superuser: { username: 'postgres', password: 'postgres' },
  application: { username: 'app', password: 'app', database: 'app' },
  replication: { username: 'replicator', password: 'replicator' },
  rewind: { username: 'rewind_user', password: 'rewind_user' },
  /** As whom routers look up passwords where Patroni runs the servers; our agents make a role of their own. */
  lookup: { username: 'router_lookup', password: 'router_lookup' },
} as const;

/** Of PostgreSQL, beside what its agent sets. */
export const PARAMETERS = {
  max_connections: 300,
  shared_buffers: '32MB',
  max_wal_size: '256MB',
  wal_keep_size: '128MB',
} as const;

export const PG_HBA = ['host all all 127.0.0.0/8 scram-sha-256'] as const;

/** What runs PostgreSQL on the database hosts: our agent, or the original. */
export type HaKind = 'matriarch' | 'patroni';

/** Where things are under the lab's data folder. */
export interface LabPaths {
  readonly root: string;
  readonly hosts: string;
  readonly host: (name: string) => string;
  readonly config: (name: string) => string;
  readonly log: (name: string, part: string) => string;
  readonly pgdata: (name: string) => string;
  readonly etcd: (name: string) => string;
  readonly state: string;
}

export function labPaths(root: string): LabPaths {
  const hosts = join(root, 'hosts');
  const host = (name: string): string => join(hosts, name);
  return {
    root,
    hosts,
    host,
    config: (name) => join(host(name), 'matriarch.yaml'),
    log: (name, part) => join(host(name), 'log', `${part}.log`),
    pgdata: (name) => join(host(name), 'postgresql', 'data'),
    etcd: (name) => join(host(name), 'etcd'),
    state: join(root, 'lab.json'),
  };
}

export interface FileInputs {
  readonly layout: LabLayout;
  readonly paths: LabPaths;
  readonly binDir: string;
  readonly ha: HaKind;
  /** Owner of the PostgreSQL files when we are root; undefined otherwise. */
  readonly owner: { readonly uid: number; readonly gid: number; readonly name: string } | undefined;
}

/** Makes every host's folders and configuration files; existing data is left alone. */
export async function writeLabFiles(inputs: FileInputs): Promise<void> {
  const { layout, paths } = inputs;
  for (const host of [...layout.dbHosts, ...layout.appHosts]) {
    await mkdir(join(paths.host(host.name), 'log'), { recursive: true, mode: 0o755 });
    if (host.kind === 'db') await makeDatabaseFolders(host, inputs);
    const file = paths.config(host.name);
    await writeFile(file, stringify(hostConfig(host, inputs), { lineWidth: 0 }), { mode: 0o600 });
    await chmod(file, 0o600);
  }
}

/** The configuration of one host, as an object in the file's own form. */
export function hostConfig(host: Host, inputs: FileInputs): Record<string, unknown> {
  const common = {
    scope: LAB_SCOPE,
    name: host.name,
    datacenter: host.datacenter.name,
    log: { level: 'info', format: 'json' },
    etcd: { endpoints: [...etcdEndpoints(inputs.layout, host.datacenter.name)] },
  };
  return host.kind === 'app'
    ? { ...common, ...routerSection(host, inputs.ha) }
    : { ...common, ...agentSections(host, inputs) };
}

/**
 * Three routers with it stay below max_connections. Larger than the usual 20, because pgbench -M prepared with more clients
 * than server connections waits for itself: it prepares while it holds other clients' transactions open.
 */
const POOL_SIZE = 50;

function routerSection(host: AppHost, ha: HaKind): Record<string, unknown> {
  const { username, password } = ACCOUNTS.lookup;
  return {
    router: {
      listen: formatAddress(host.router),
      http_listen: formatAddress(host.http),
      default_pool_size: POOL_SIZE,
      admin_users: [ACCOUNTS.superuser.username],
      // With our agents it is in etcd.
      ...(ha === 'matriarch' ? {} : { auth_user: username, auth_password: password }),
    },
  };
}

function agentSections(host: DbHost, { paths, binDir, owner }: FileInputs): Record<string, unknown> {
  return {
    tags: { city: host.datacenter.city },
    restapi: { listen: formatAddress(host.rest) },
    // One machine plays them all, and is not to be reset.
    watchdog: { mode: 'off' },
    postgresql: {
      data_dir: paths.pgdata(host.name),
      bin_dir: binDir,
      listen: formatAddress(host.postgres),
      socket_dir: join(paths.host(host.name), 'postgresql'),
      ...(owner === undefined ? {} : { os_user: owner.name }),
      authentication: {
        superuser: ACCOUNTS.superuser,
        replication: ACCOUNTS.replication,
        rewind: ACCOUNTS.rewind,
      },
      parameters: PARAMETERS,
      pg_hba: PG_HBA,
    },
    // A commit is acknowledged once one standby has it on disk: no single datacenter's death loses it.
    bootstrap: { users: [ACCOUNTS.application], dcs: { synchronous_mode: 'quorum' } },
  };
}

async function makeDatabaseFolders(host: DbHost, { paths, owner }: FileInputs): Promise<void> {
  const folder = join(paths.host(host.name), 'postgresql');
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await mkdir(paths.etcd(host.name), { recursive: true, mode: 0o700 });
  if (owner !== undefined) await chown(folder, owner.uid, owner.gid);
}

/**
 * The original agent on a database host: Debian's Patroni, with Patroni's own timing, over the lab's etcd. It stands where
 * our agent would: same data directory, addresses, accounts, scope and namespace, so either takes over what the other has left.
 */
import { randomBytes } from 'node:crypto';
import { access, chmod, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { formatAddress, isRecord, MatriarchError, parseJson } from '../base/index.ts';
import type { Dcs } from '../dcs/index.ts';
import { installLookup } from '../postgres/index.ts';
import { ACCOUNTS, type FileInputs, LAB_SCOPE, type LabPaths, PARAMETERS, PG_HBA } from './files.ts';
import { type DbHost, etcdEndpoints } from './hosts.ts';
import { LAB_KEYS } from './readiness.ts';

/** Where Debian's package has it. */
export const PATRONI_PROGRAM = '/usr/bin/patroni';

const SALT_BYTES = 16;
const CALL_MS = 2000;

/** Rejects with `lab-tool-missing`. */
export async function requirePatroni(): Promise<void> {
  await access(PATRONI_PROGRAM).catch((cause: unknown) => {
    throw new MatriarchError('lab-tool-missing', 'Patroni is not installed: apt-get install patroni', {
      cause,
    });
  });
}

/** The host's configuration file, which `patronictl -c` takes too. */
export function patroniFile(paths: LabPaths, host: DbHost): string {
  return join(paths.host(host.name), 'patroni.yml');
}

/** Writes all files of the host; Patroni reads them as the user that PostgreSQL runs as. */
export async function writePatroniFiles(host: DbHost, inputs: FileInputs): Promise<void> {
  const files = {
    [patroniFile(inputs.paths, host)]: stringify(patroniSettings(host, inputs), { lineWidth: 0 }),
    [bootstrapFile(inputs.paths, host)]: bootstrapSql(),
  };
  for (const [file, text] of Object.entries(files)) {
    await writeFile(file, text, { mode: 0o600 });
    await chmod(file, 0o600);
    if (inputs.owner !== undefined) await chown(file, inputs.owner.uid, inputs.owner.gid);
  }
}

export function patroniCommand(paths: LabPaths, host: DbHost): readonly string[] {
  return [PATRONI_PROGRAM, patroniFile(paths, host)];
}

/** What a new cluster of Patroni's begins with in etcd. */
const DYNAMIC = {
  ttl: 30,
  loop_wait: 10,
  retry_timeout: 10,
  maximum_lag_on_failover: 1024 * 1024,
  // As in the lab of our agents: a commit is acknowledged once one standby has it on disk.
  synchronous_mode: true,
  // Patroni takes this parameter from here only.
  postgresql: { parameters: { max_connections: PARAMETERS.max_connections } },
} as const;

/** The file of one host, as an object in Patroni's own form. */
function patroniSettings(
  host: DbHost,
  { layout, paths, binDir }: Pick<FileInputs, 'layout' | 'paths' | 'binDir'>,
): Record<string, unknown> {
  const { max_connections: _, ...parameters } = PARAMETERS;
  const folder = join(paths.host(host.name), 'postgresql');
  const { superuser, replication, rewind } = ACCOUNTS;
  const bootstrap = shellWord(bootstrapFile(paths, host));
  return {
    scope: LAB_SCOPE,
    namespace: '/service/',
    name: host.name,
    etcd3: { hosts: etcdEndpoints(layout, host.datacenter.name).map((url) => new URL(url).host) },
    restapi: { listen: formatAddress(host.rest), connect_address: formatAddress(host.rest) },
    bootstrap: {
      dcs: DYNAMIC,
      initdb: [{ encoding: 'UTF8' }, { locale: 'C.UTF-8' }, 'data-checksums'],
      post_bootstrap: `${shellWord(join(binDir, 'psql'))} -X -q -v ON_ERROR_STOP=1 -f ${bootstrap}`,
    },
    postgresql: {
      listen: formatAddress(host.postgres),
      connect_address: formatAddress(host.postgres),
      data_dir: paths.pgdata(host.name),
      bin_dir: binDir,
      pgpass: join(folder, 'pgpass'),
      use_pg_rewind: true,
      // Else a clone waits for the leader's next checkpoint, minutes long.
      basebackup: [{ checkpoint: 'fast' }],
      authentication: { superuser, replication, rewind },
      parameters: { ...parameters, unix_socket_directories: folder },
      pg_hba: ['host replication all 127.0.0.0/8 scram-sha-256', ...PG_HBA],
    },
    watchdog: { mode: 'off' },
    tags: { datacenter: host.datacenter.name, city: host.datacenter.city },
  };
}

/**
 * What the routers of a cluster without our agents look up passwords with, as `matriarch auth install` makes it. Waits for
 * no standby: there may be none yet.
 */
export async function installRouterLookup({ postgres }: DbHost): Promise<void> {
  const { superuser, lookup } = ACCOUNTS;
  const account = `${superuser.username}:${superuser.password}`;
  const options = encodeURIComponent('-c synchronous_commit=local');
  await installLookup(`postgres://${account}@${formatAddress(postgres)}/postgres?options=${options}`, {
    role: lookup.username,
    password: lookup.password,
    salt: randomBytes(SALT_BYTES),
  });
}

/** A cluster that our agents made has their timing and durability in etcd; Patroni is given its own, the rest stays. */
export async function giveOwnDynamic(dcs: Dcs): Promise<void> {
  const key = LAB_KEYS.config;
  const entry = await dcs.get(key, { timeoutMs: CALL_MS });
  const before = parseJson(entry?.value ?? '');
  if (!isRecord(before)) return;
  const value = JSON.stringify(laidOver(before, DYNAMIC));
  await dcs.transact({ when: [], then: [{ op: 'put', key, value }] }, { timeoutMs: CALL_MS });
}

function laidOver(before: unknown, own: unknown): unknown {
  if (!isRecord(before) || !isRecord(own)) return own;
  const changed = Object.entries(own).map(([key, value]) => [key, laidOver(before[key], value)]);
  return { ...before, ...Object.fromEntries(changed) };
}

function bootstrapFile(paths: LabPaths, host: DbHost): string {
  return join(paths.host(host.name), 'bootstrap.sql');
}

/** The counterpart of our agent's `bootstrap.users`. */
function bootstrapSql(): string {
  const { username, password, database } = ACCOUNTS.application;
  return `CREATE ROLE ${username} LOGIN PASSWORD '${password}';\nCREATE DATABASE ${database} OWNER ${username};\n`;
}

/** One word for a shell, and for Patroni, which cuts as one. */
function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'"'"'`)}'`;
}

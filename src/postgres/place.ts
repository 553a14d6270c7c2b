/** Where one PostgreSQL lives, and as whom it runs: resolved once, handed to every part. */
import { execFile } from 'node:child_process';
import { access, constants, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, MatriarchError } from '../base/index.ts';
import { isNodeError } from './node-error.ts';
import type { PostgresOptions, PostgresSettings } from './types.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface Place {
  readonly settings: PostgresSettings;
  readonly scope: string;
  readonly name: string;
  /** Absolute and without symbolic links, itself included: as /proc shows the working directory of its servers. */
  readonly dataDir: string;
  readonly socketDir: string;
  /** Beside the data directory, because clones and rewinds overwrite what is in it. */
  readonly passFile: string;
  readonly markerFile: string;
  /** There from initdb until the cluster is this directory's: see `claimDataDir`. */
  readonly unclaimedFile: string;
  readonly logFile: string;
  /** Whom PostgreSQL's processes and files belong to; undefined when that is this process's own user. */
  readonly owner: Owner | undefined;
}

const TOOLS = ['initdb', 'postgres', 'pg_controldata', 'pg_basebackup', 'pg_rewind'] as const;

/** Names of the programs that are run, in `bin_dir`. */
export type Tool = (typeof TOOLS)[number];

/** The longest path of a Unix socket that the kernel takes. */
const SOCKET_PATH_MAX = 107;

/** Throws `postgres-binaries-missing` or `postgres-setting-invalid`; changes nothing. */
export async function findPlace(options: PostgresOptions): Promise<Place> {
  const settings = options.config;
  for (const tool of TOOLS) {
    await access(toolPath(settings, tool), constants.X_OK).catch((cause: unknown) => {
      throw new MatriarchError('postgres-binaries-missing', `no program ${toolPath(settings, tool)}`, {
        cause,
      });
    });
  }
  const socketDir = resolve(settings.socket_dir);
  const socketPath = join(socketDir, `.s.PGSQL.${settings.listen.port}`);
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_MAX) {
    const problem = `postgresql.socket_dir makes a socket path longer than ${SOCKET_PATH_MAX} bytes: ${socketPath}`;
    throw new MatriarchError('postgres-setting-invalid', problem);
  }
  const dataDir = await withoutLinks(resolve(settings.data_dir)).catch((cause: unknown) => {
    const problem = `postgresql.data_dir cannot be resolved: ${describe(cause)}`;
    throw new MatriarchError('postgres-setting-invalid', problem, { cause });
  });
  return {
    settings,
    scope: options.scope,
    name: options.name,
    dataDir,
    socketDir,
    passFile: `${dataDir}.pgpass`,
    markerFile: `${dataDir}.in-progress`,
    unclaimedFile: `${dataDir}.unclaimed`,
    logFile: `${dataDir}.log`,
    owner: await ownerOf(settings.os_user),
  };
}

export function toolPath(settings: PostgresSettings, tool: Tool): string {
  return join(settings.bin_dir, tool);
}

/**
 * The path without symbolic links, as /proc shows it, whether it exists already or not: a link whose target is still to be
 * made counts too. What cannot be resolved (a circle, no right to look) is thrown: a directory under another name than the
 * kernel's has no processes to be found, and its server would pass for stopped.
 */
async function withoutLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (cause) {
    if (!isNodeError(cause) || cause.code !== 'ENOENT') throw cause;
  }
  const parent = await withoutLinks(dirname(path));
  const target = await readlink(path).catch(() => undefined);
  return target === undefined ? join(parent, basename(path)) : withoutLinks(resolve(parent, target));
}

/** `id` asks the name service too, not only /etc/passwd. PostgreSQL refuses to run as root. */
async function ownerOf(user: string): Promise<Owner | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const ask = async (flag: '-u' | '-g'): Promise<number> => {
    const { stdout } = await promisify(execFile)('id', [flag, '--', user], { timeout: 10_000 });
    return Number.parseInt(stdout, 10);
  };
  try {
    const owner = { uid: await ask('-u'), gid: await ask('-g') };
    if (owner.uid > 0) return owner;
  } catch (cause) {
    const problem = `postgresql.os_user: no user ${user}: ${describe(cause)}`;
    throw new MatriarchError('postgres-setting-invalid', problem, { cause });
  }
  throw new MatriarchError(
    'postgres-setting-invalid',
    'postgresql.os_user is root, as whom PostgreSQL does not run',
  );
}

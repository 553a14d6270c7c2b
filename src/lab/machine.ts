/**
 * What the lab needs of the machine it runs on: PostgreSQL's programs, etcd, an unprivileged user when we are root,
 * a data folder that this user can enter, and free addresses. Each lack is one error that says what to do.
 */
import { access, constants, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, formatAddress, MatriarchError } from '../base/index.ts';
import { type LabLayout, listeners } from './hosts.ts';

export interface Machine {
  /** Directory of initdb, postgres and the others; the newest version that Debian's packages put there. */
  readonly binDir: string;
  readonly etcd: string;
  /** The user that PostgreSQL runs as, when we are root. */
  readonly owner: { readonly uid: number; readonly gid: number; readonly name: string } | undefined;
}

/** Where Debian's packages put their programs. */
const DEBIAN: Places = { programRoot: '/usr/lib/postgresql', etcdFolders: ['/usr/bin', '/usr/local/bin'] };

interface Places {
  readonly programRoot: string;
  readonly etcdFolders: readonly string[];
}

/** Finds the programs and the user; `uid` is ours. Rejects with `lab-tool-missing`. */
export async function inspectMachine(uid: number, searchPath: string, places = DEBIAN): Promise<Machine> {
  return {
    binDir: await findPostgres(places.programRoot),
    etcd: await findEtcd([...searchPath.split(':'), ...places.etcdFolders]),
    owner: await findOwner(uid),
  };
}

/** Makes the data folder and checks that PostgreSQL's user can get into it. */
export async function prepareFolder(folder: string, owner: Machine['owner']): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 }).catch((cause: unknown) => {
    throw new MatriarchError('lab-folder-unusable', `cannot make ${folder}: ${describe(cause)}`, { cause });
  });
  if (owner === undefined) return;
  for (let each = folder; ; each = dirname(each)) {
    const { mode, uid, gid } = await stat(each);
    const mayEnter =
      (uid === owner.uid && (mode & 0o100) !== 0) ||
      (gid === owner.gid && (mode & 0o010) !== 0) ||
      (mode & 0o001) !== 0;
    if (!mayEnter)
      throw new MatriarchError('lab-folder-unusable', `${folder}: user ${owner.name} cannot enter ${each}`);
    if (each === dirname(each)) return;
  }
}

/** How many taken addresses an error names. */
const TAKEN_TOLD = 3;

/** Tries to listen on every address of the lab; rejects with `lab-addresses-taken`. */
export async function requireFreeAddresses(layout: LabLayout): Promise<void> {
  const taken: string[] = [];
  for (const { address, what } of listeners(layout)) {
    if (!(await canListen(address.host, address.port)))
      taken.push(`${formatAddress(address)} (for the ${what})`);
  }
  if (taken.length === 0) return;
  const named = taken.slice(0, TAKEN_TOLD).join(', ');
  const others = taken.length > TAKEN_TOLD ? ` and ${taken.length - TAKEN_TOLD} more` : '';
  throw new MatriarchError('lab-addresses-taken', `the lab's addresses are taken: ${named}${others}`);
}

async function findPostgres(root: string): Promise<string> {
  const versions = await readdir(root).catch(() => []);
  const newestFirst = versions
    .map(Number)
    .filter(Number.isFinite)
    .sort((a, b) => b - a);
  for (const version of newestFirst) {
    const binDir = join(root, String(version), 'bin');
    if (await isExecutable(join(binDir, 'initdb'))) return binDir;
  }
  throw new MatriarchError('lab-tool-missing', `PostgreSQL's server programs are not under ${root}`);
}

async function findEtcd(folders: readonly string[]): Promise<string> {
  for (const folder of folders) {
    if (folder !== '' && (await isExecutable(join(folder, 'etcd')))) return join(folder, 'etcd');
  }
  throw new MatriarchError('lab-tool-missing', 'etcd is not in the search path');
}

async function findOwner(uid: number): Promise<Machine['owner']> {
  if (uid !== 0) return undefined;
  const passwd = await readFile('/etc/passwd', 'utf8');
  const line = passwd.split('\n').find((each) => each.startsWith('postgres:'));
  const [name = '', , userId, groupId] = line?.split(':') ?? [];
  if (line === undefined)
    throw new MatriarchError(
      'lab-tool-missing',
      'running as root, and there is no user postgres to run PostgreSQL as',
    );
  return { name, uid: Number(userId), gid: Number(groupId) };
}

async function isExecutable(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function canListen(host: string, port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * The file that a resource keeps right: how it is, and how it is replaced. What is new is written beside it, with its
 * owner and mode, and to the disk, before it takes the other's name: there is no instant without a whole file.
 */
import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Resource } from '../resource/resource.ts';

export interface Attributes {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
}

const MODE_BITS = 0o7777;
const USUAL_MODE = 0o644;

export function stagedPath({ dest }: Pick<Resource, 'dest'>): string {
  return join(dirname(dest), `.${basename(dest)}.staged`);
}

/** What the file is to be like: as the resource says, else as it is, else as ours. */
export async function wantedAttributes(resource: Resource): Promise<Attributes> {
  const current = await attributesOf(resource.dest);
  const uid = await idOf('/etc/passwd', resource.owner);
  const gid = await idOf('/etc/group', resource.group);
  return {
    uid: uid ?? current?.uid ?? process.geteuid?.() ?? 0,
    gid: gid ?? current?.gid ?? process.getegid?.() ?? 0,
    mode: resource.mode ?? current?.mode ?? USUAL_MODE,
  };
}

/** Whether the file has this content and these attributes. */
export async function isInPlace(dest: string, bytes: Buffer, wanted: Attributes): Promise<boolean> {
  const current = await attributesOf(dest);
  if (
    current === undefined ||
    current.uid !== wanted.uid ||
    current.gid !== wanted.gid ||
    current.mode !== wanted.mode
  )
    return false;
  return bytes.equals(await readFile(dest));
}

/** Writes the staged file anew. Rejects with what the system says. */
export async function stage(staged: string, bytes: Buffer, { uid, gid, mode }: Attributes): Promise<void> {
  // Whatever has that name, a link to elsewhere included, is not written through.
  await rm(staged, { force: true });
  const file = await open(staged, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await giveTo(file, uid, gid);
    await file.chmod(mode);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Gives the staged file the name of the other. One that is mounted by itself cannot be replaced, and is overwritten. */
export async function replace(staged: string, dest: string): Promise<void> {
  try {
    await rename(staged, dest);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EBUSY')) throw error;
    await overwrite(dest, await readFile(staged));
    await rm(staged, { force: true });
  }
  const folder = await open(dirname(dest), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Without a moment at which it is empty; what was there is put back if the disk is full, for it has the room that it had. */
async function overwrite(dest: string, bytes: Buffer): Promise<void> {
  const before = await readFile(dest);
  const file = await open(dest, 'r+');
  try {
    await fill(file, bytes).catch(async (cause: unknown) => {
      await fill(file, before);
      throw cause;
    });
  } finally {
    await file.close();
  }
}

async function fill(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; )
    at += (await file.write(bytes, at, bytes.length - at, at)).bytesWritten;
  await file.truncate(bytes.length);
  await file.sync();
}

async function giveTo(file: FileHandle, uid: number, gid: number): Promise<void> {
  const current = await file.stat();
  if (current.uid !== uid || current.gid !== gid) await file.chown(uid, gid);
}

async function attributesOf(path: string): Promise<Attributes | undefined> {
  try {
    const current = await stat(path);
    if (current.isDirectory()) throw new Error(`${path} is a folder; dest must name the file in it`);
    const { uid, gid, mode } = current;
    return { uid, gid, mode: mode & MODE_BITS };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The number of a name in a file of the form of passwd; rejects when there is none. */
async function idOf(table: string, owner: string | number | undefined): Promise<number | undefined> {
  if (typeof owner !== 'string') return owner;
  const rows = (await readFile(table, 'utf8')).split('\n').map((line) => line.split(':'));
  const id = Number(rows.find(([name]) => name === owner)?.[2]);
  if (!Number.isInteger(id)) throw new Error(`${owner} is not in ${table}`);
  return id;
}

/** Small files that must never be seen half-written: written beside, synced, renamed. */
import { access, chown, type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isNodeError } from './node-error.ts';
import type { Owner } from './place.ts';

export interface FileOptions {
  readonly owner: Owner | undefined;
  readonly mode?: number;
}

/** True when the content is different from before. */
export async function writeWhole(path: string, content: string, options: FileOptions): Promise<boolean> {
  if ((await readIfThere(path)) === content) return false;
  const beside = `${path}.new`;
  await rm(beside, { force: true });
  const handle = await open(beside, 'wx', options.mode ?? 0o600);
  await withHandle(handle, async () => {
    await handle.writeFile(content);
    await handle.sync();
  });
  if (options.owner !== undefined) await chown(beside, options.owner.uid, options.owner.gid);
  await rename(beside, path);
  await syncFolder(dirname(path));
  return true;
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (isNodeError(cause) && cause.code === 'ENOENT') return undefined;
    throw cause;
  }
}

/** False as well where the folder cannot be read. */
export async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** Makes the names in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await withHandle(handle, () => handle.sync());
}

async function withHandle(handle: FileHandle, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await handle.close();
  }
}

/** A whole data directory that a copy takes the place of, under another name beside it: `<data_dir>.replaced`. */
import { rename, rm, rmdir, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { dataDirState } from './data-dir.ts';
import { isThere, syncFolder } from './files.ts';
import { isNodeError } from './node-error.ts';
import type { Place } from './place.ts';

/** A mount point, another disk, a folder that is not ours to write in. */
const CANNOT_BE_RENAMED = ['EBUSY', 'EXDEV', 'EACCES', 'EPERM', 'EROFS'];

export const asidePath = (place: Place): string => `${place.dataDir}.replaced`;

/** Its new path; undefined when the directory is not whole or cannot be renamed, and then all is as it was. */
export async function setAside(place: Place): Promise<string | undefined> {
  const state = await dataDirState(place);
  if (state.kind !== 'initialized' || state.isUnclaimed) return undefined;
  const aside = asidePath(place);
  // What an earlier copy left there is older than what is whole here.
  await dropAside(place);
  try {
    await rename(place.dataDir, aside);
  } catch (cause) {
    if (isNodeError(cause) && CANNOT_BE_RENAMED.includes(cause.code ?? '')) return undefined;
    throw cause;
  }
  await syncFolder(dirname(aside));
  return aside;
}

export async function dropAside(place: Place): Promise<void> {
  await rm(asidePath(place), { recursive: true, force: true });
}

/** Gives the directory its name again; false when it is not there any more. What took its place is gone or empty by now. */
export async function putBack(place: Place): Promise<boolean> {
  const aside = asidePath(place);
  if (!(await isThere(aside))) return false;
  if (await isThere(place.dataDir)) await rmdir(place.dataDir);
  await rename(aside, place.dataDir);
  await syncFolder(dirname(aside));
  return true;
}

/** Whether that much more fits on the disk. */
export async function hasRoom(place: Place, bytes: number): Promise<boolean> {
  const { bavail, bsize } = await statfs(dirname(place.dataDir));
  return bavail * bsize > bytes;
}

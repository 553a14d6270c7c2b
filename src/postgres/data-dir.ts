/**
 * The data directory as a whole: what is in it, the marker of work in progress, making and removing it. The marker is a
 * file beside the directory; while it is there, the content is `partial` and must not be started. It names the process
 * that does the work, so that an agent that comes after a crash ends that process before it touches the directory.
 */
import { chmod, chown, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findProcess, isSameProcess, MatriarchError, pause } from '../base/index.ts';
import { isThere, readIfThere, removeFile, syncFolder, writeWhole } from './files.ts';
import { isNodeError } from './node-error.ts';
import type { Place } from './place.ts';
import type { DataDirState, Operation } from './types.ts';

const OPERATIONS: readonly Operation[] = ['initdb', 'basebackup', 'rewind'];
const WORKER_END_MS = 5000;

export async function dataDirState(place: Place): Promise<DataDirState> {
  const marker = await readIfThere(place.markerFile);
  if (marker !== undefined) return { kind: 'partial', during: parseMarker(marker).operation };
  let names: string[];
  try {
    names = await readdir(place.dataDir);
  } catch (cause) {
    if (isNodeError(cause) && cause.code === 'ENOENT') return { kind: 'absent' };
    if (isNodeError(cause) && cause.code === 'ENOTDIR')
      return { kind: 'foreign', because: 'it is not a directory' };
    throw cause;
  }
  const own = names.filter((name) => name !== 'lost+found');
  if (own.length === 0) return { kind: 'empty' };
  if (own.includes('PG_VERSION') && own.includes('global'))
    return { kind: 'initialized', isUnclaimed: await isThere(place.unclaimedFile) };
  return { kind: 'foreign', because: `it holds ${own.slice(0, 3).join(', ')} but no PG_VERSION` };
}

/** Makes the directory (0700, PostgreSQL's user), or throws `postgres-data-dir` when something is in it already. */
export async function makeEmpty(place: Place): Promise<void> {
  const state = await dataDirState(place);
  if (state.kind !== 'absent' && state.kind !== 'empty') {
    const what = state.kind === 'foreign' ? state.because : `it is ${state.kind}`;
    throw new MatriarchError('postgres-data-dir', `${place.dataDir} is not empty: ${what}`);
  }
  await mkdir(place.dataDir, { recursive: true, mode: 0o700 });
  await chmod(place.dataDir, 0o700);
  if (place.owner !== undefined) await chown(place.dataDir, place.owner.uid, place.owner.gid);
}

/** Says that `operation` is under way, and which process does it as soon as there is one. */
export async function mark(place: Place, operation: Operation, workerPid?: number): Promise<void> {
  const worker = workerPid === undefined ? undefined : findProcess(workerPid);
  await writeWhole(place.markerFile, `${JSON.stringify({ operation, worker })}\n`, { owner: place.owner });
}

export async function unmark(place: Place): Promise<void> {
  await removeFile(place.markerFile);
  await syncFolder(dirname(place.markerFile));
}

/**
 * Removes the content, then the marker: a crash in between leaves a `partial` directory, never one that looks whole.
 * The directory itself stays, since it may be a mount point.
 */
export async function removeContent(place: Place): Promise<void> {
  const state = await dataDirState(place);
  if (state.kind === 'foreign') {
    throw new MatriarchError('postgres-data-dir', `${place.dataDir} is not removed: ${state.because}`);
  }
  await endWorker(place);
  if (state.kind === 'initialized') await mark(place, 'basebackup');
  if (state.kind !== 'absent') {
    for (const name of await namesIn(place.dataDir)) {
      if (name !== 'lost+found') await rm(join(place.dataDir, name), { recursive: true, force: true });
    }
  }
  await claim(place);
  await unmark(place);
}

/** What initdb made is somebody's cluster now, or nothing any more. */
export async function claim(place: Place): Promise<void> {
  await removeFile(place.unclaimedFile);
}

/** Renames the directory and returns its new path; what was marked stays marked under the new name. */
export async function moveAside(place: Place, because: string, wallNow: number): Promise<string> {
  const state = await dataDirState(place);
  if (state.kind === 'absent' || state.kind === 'foreign') {
    throw new MatriarchError('postgres-data-dir', `${place.dataDir} is not moved aside: it is ${state.kind}`);
  }
  await endWorker(place);
  const at = new Date(wallNow).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const reason = because
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40);
  const aside = `${place.dataDir}.${at}-${reason}`;
  await rename(place.dataDir, aside);
  if (state.kind === 'partial') await rename(place.markerFile, `${aside}.in-progress`);
  await claim(place);
  await syncFolder(dirname(place.dataDir));
  return aside;
}

async function namesIn(path: string): Promise<readonly string[]> {
  const there = await stat(path).catch(() => undefined);
  return there?.isDirectory() === true ? readdir(path) : [];
}

/** A program that an agent before us left running would go on writing into the directory. */
async function endWorker(place: Place): Promise<void> {
  const worker = parseMarker((await readIfThere(place.markerFile)) ?? '').worker;
  if (worker === undefined) return;
  for (let waited = 0; isSameProcess(worker); waited += 20) {
    if (waited > WORKER_END_MS) {
      throw new MatriarchError(
        'postgres-data-dir',
        `process ${worker.pid} holds ${place.dataDir} and does not end`,
      );
    }
    try {
      process.kill(-worker.pid, 'SIGKILL');
    } catch (cause) {
      if (!isNodeError(cause) || cause.code !== 'ESRCH') throw cause;
    }
    await pause(20);
  }
}

/** An unreadable marker still means partial; the gravest operation is assumed. */
function parseMarker(content: string): {
  operation: Operation;
  worker: { pid: number; startTicks: string } | undefined;
} {
  const operation = OPERATIONS.find((name) => content.includes(`"operation":"${name}"`)) ?? 'rewind';
  const worker = /"pid":(\d+),"startTicks":"(\d+)"/.exec(content);
  if (worker?.[1] === undefined || worker[2] === undefined) return { operation, worker: undefined };
  return { operation, worker: { pid: Number(worker[1]), startTicks: worker[2] } };
}

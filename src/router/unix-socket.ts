/**
 * The router's Unix socket: `.s.PGSQL.PORT` and, beside it, `.s.PGSQL.PORT.lock` with our process id, as PostgreSQL makes
 * them, so that neither takes the other's. A socket that a dead process left is replaced, one that somebody listens on
 * never: a client would talk to whoever came last. But for the process that we take over from: its socket and lock are
 * exchanged for ours by renaming, so that there is one at any time.
 */
import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, findProcess, MatriarchError } from '../base/index.ts';
import { ownerOf, writeWhole } from './pid-file.ts';

export interface UnixSocketPlace {
  readonly folder: string;
  readonly port: number;
  /** Of the socket, e.g. 0o777. */
  readonly mode: number;
  /** For the lock file. */
  readonly pid: number;
  /** The process that we take over from, which may own the lock. */
  readonly predecessor: number | undefined;
}

const LOCK_MODE = 0o600;

/**
 * Listens there; gives what removes both files, unless they are a successor's by then, for after the server is closed. Rejects with
 * `router-socket-unusable`.
 */
export async function listenUnix(server: Server, place: UnixSocketPlace): Promise<() => void> {
  const path = join(place.folder, `.s.PGSQL.${place.port}`);
  const lock = `${path}.lock`;
  // Libuv removes the name that was bound when its server closes, be it another's by then. So that name is not the real one.
  const bound = join(place.folder, `.m${place.pid.toString(36)}`);
  try {
    const isHeir = place.predecessor !== undefined && ownerOf(lock) === place.predecessor;
    if (!isHeir) {
      takeLock(lock, place, false);
      if (await isListenedOn(path)) throw new Error('somebody listens on it');
    }
    rmSync(bound, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(bound, () => {
        server.off('error', reject);
        resolve();
      });
    });
    chmodSync(bound, place.mode);
    if (isHeir) writeWhole(lock, lockText(place), LOCK_MODE);
    renameSync(bound, path);
  } catch (cause) {
    if (ownerOf(lock) === place.pid) rmSync(lock, { force: true });
    rmSync(bound, { force: true });
    throw new MatriarchError('router-socket-unusable', `${path}: ${describe(cause)}`, { cause });
  }
  return () => {
    const owner = ownerOf(lock);
    if (owner !== undefined && owner !== place.pid) return;
    rmSync(path, { force: true });
    rmSync(lock, { force: true });
  };
}

function lockText({ pid, port, folder }: UnixSocketPlace): string {
  return `${pid}\n\n\n${port}\n${folder}\n`;
}

/** Made anew, never written over: of two that start at once, one finds the other's. */
function takeLock(lock: string, place: UnixSocketPlace, isSecondTry: boolean): void {
  const { pid } = place;
  try {
    writeFileSync(lock, lockText(place), { flag: 'wx', mode: LOCK_MODE });
  } catch (cause) {
    const isThere = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    const owner = isThere ? ownerOf(lock) : undefined;
    if (!isThere || isSecondTry) throw cause;
    if (owner !== undefined && owner !== pid && findProcess(owner) !== undefined)
      throw new Error(`${lock} belongs to process ${owner}, which runs`, { cause });
    rmSync(lock, { force: true });
    takeLock(lock, place, true);
  }
}

async function isListenedOn(path: string): Promise<boolean> {
  return await new Promise<boolean>((resolve, reject) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (cause) => {
      socket.destroy();
      const code = 'code' in cause ? cause.code : undefined;
      if (code === 'ENOENT' || code === 'ECONNREFUSED') resolve(false);
      else reject(cause);
    });
  });
}

/**
 * The router's Unix socket: `.s.PGSQL.PORT` and, beside it, `.s.PGSQL.PORT.lock` with our process id, as PostgreSQL makes
 * them, so that neither takes the other's. A socket that a dead process left is removed, one that somebody listens on
 * never: a client would talk to whoever came last.
 */
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, findProcess, MatriarchError } from '../base/index.ts';

export interface UnixSocketPlace {
  readonly folder: string;
  readonly port: number;
  /** Of the socket, e.g. 0o777. */
  readonly mode: number;
  /** For the lock file. */
  readonly pid: number;
}

const LOCK_MODE = 0o600;

/** Listens there; gives what removes both files, for after the server is closed. Rejects with `router-socket-unusable`. */
export async function listenUnix(server: Server, place: UnixSocketPlace): Promise<() => void> {
  const path = join(place.folder, `.s.PGSQL.${place.port}`);
  const lock = `${path}.lock`;
  try {
    takeLock(lock, place, false);
    if (await isListenedOn(path)) throw new Error('somebody listens on it');
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    });
    chmodSync(path, place.mode);
  } catch (cause) {
    if (ownerOf(lock) === place.pid) rmSync(lock, { force: true });
    throw new MatriarchError('router-socket-unusable', `${path}: ${describe(cause)}`, { cause });
  }
  return () => rmSync(lock, { force: true });
}

/** Made anew, never written over: of two that start at once, one finds the other's. */
function takeLock(lock: string, { pid, folder, port }: UnixSocketPlace, isSecondTry: boolean): void {
  try {
    writeFileSync(lock, `${pid}\n\n\n${port}\n${folder}\n`, { flag: 'wx', mode: LOCK_MODE });
  } catch (cause) {
    const isThere = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    const owner = isThere ? ownerOf(lock) : undefined;
    if (!isThere || isSecondTry) throw cause;
    if (owner !== undefined && owner !== pid && findProcess(owner) !== undefined)
      throw new Error(`${lock} belongs to process ${owner}, which runs`, { cause });
    rmSync(lock, { force: true });
    takeLock(lock, { pid, folder, port, mode: 0 }, true);
  }
}

/** The process of a lock file; PostgreSQL writes a standalone backend's with a minus. */
function ownerOf(lock: string): number | undefined {
  try {
    const pid = Math.abs(Number.parseInt(readFileSync(lock, 'utf8'), 10));
    return Number.isNaN(pid) ? undefined : pid;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw cause;
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

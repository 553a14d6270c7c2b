/** A start, from the checks before it to the first accepted connection or the log lines that say why not. */
import { chown, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { type Address, type Clock, listenError, MatriarchError, pause } from '../base/index.ts';
import type { Place } from './place.ts';
import type { Postmaster } from './postmaster.ts';
import { lastLines } from './run.ts';
import type { StartResult } from './types.ts';

const POLL_MS = 20;
const LOG_BYTES_MAX = 64 * 1024 * 1024;
const LOG_TAIL_BYTES = 16 * 1024;

export interface Startup {
  readonly place: Place;
  readonly postmaster: Postmaster;
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** Further arguments of `postgres`. */
  readonly args: readonly string[];
}

/** The directory must be ready to start (configuration and signal files written, nothing running). */
export async function startServer({
  place,
  postmaster,
  clock,
  deadlineMs,
  args,
}: Startup): Promise<StartResult> {
  const startedAt = clock.now();
  await makeSocketDir(place);
  const logFrom = await rotateLog(place);
  const pid = await postmaster.spawn(args);
  for (;;) {
    const state = postmaster.observe();
    if (state.kind === 'accepting') return { outcome: 'accepting', pid };
    if (state.kind === 'stopped' || state.kind === 'orphans') {
      const lines = lastLines(await readTail(place.logFile, logFrom));
      throw new MatriarchError(
        'postgres-start-failed',
        `PostgreSQL did not start in ${place.dataDir}:\n${lines}`,
      );
    }
    if (clock.now() - startedAt > deadlineMs) return { outcome: 'still-starting', pid };
    await pause(POLL_MS);
  }
}

/** Throws `address-in-use` and its kin, which are clearer than what a failed start could say. */
export async function checkListen(place: Place): Promise<void> {
  const { host, port } = place.settings.listen;
  for (const address of host.split(',')) {
    const name = address.trim();
    await tryListen({ host: name === '*' ? '0.0.0.0' : name, port });
  }
}

async function tryListen(address: Address): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(listenError(cause, address, 'PostgreSQL')));
    server.listen({ ...address, exclusive: true }, resolve);
  });
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
}

async function makeSocketDir({ socketDir, owner }: Place): Promise<void> {
  const made = await mkdir(socketDir, { recursive: true, mode: 0o755 });
  if (made !== undefined && owner !== undefined) await chown(socketDir, owner.uid, owner.gid);
}

/**
 * Keeps one older log; returns where this start's lines will begin. Only a start does this: the server writes to the file
 * that it was started with, so the log of one that runs for months grows as long. Where that matters, PostgreSQL's own
 * `logging_collector`, `log_rotation_age` and kin (in `parameters`) are the remedy; little but start and end is here then.
 */
async function rotateLog({ logFile }: Place): Promise<number> {
  const size = (await stat(logFile).catch(() => undefined))?.size ?? 0;
  if (size < LOG_BYTES_MAX) return size;
  await rm(`${logFile}.1`, { force: true });
  await rename(logFile, `${logFile}.1`);
  return 0;
}

async function readTail(path: string, from: number): Promise<string> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const start = Math.max(from, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read({
      buffer: Buffer.alloc(LOG_TAIL_BYTES),
      position: start,
    });
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

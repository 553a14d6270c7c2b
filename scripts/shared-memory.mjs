// A PostgreSQL server that is killed leaves its shared memory to the next start in the same data directory. In a run of
// the tests there is none: the directory goes, and the kernel would keep some small segments of each killed server
// until it has no more to give (kernel.shmmni). So a run removes, at its end, what came up in it and nobody uses.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

const POSIX_FOLDER = '/dev/shm';
const POSIX_NAME = /^PostgreSQL\.\d+$/;

/** Segments that are there now; `removeLeftSegments` leaves them alone. */
export function presentSegments() {
  return { systemV: new Set(systemV().map(({ id }) => id)), posix: new Set(posix()) };
}

/**
 * Removes what was not there at `before` and belongs to no process. A System V segment of a running server is always
 * attached. One of /dev/shm may be a running server's without being mapped for a while, so with a server of somebody
 * else's on the machine those stay.
 */
export function removeLeftSegments(before) {
  const ids = systemV().filter(({ id, attached }) => attached === 0 && !before.systemV.has(id));
  // ipcrm refuses what is not ours.
  if (ids.length > 0)
    spawnSync(
      'ipcrm',
      ids.flatMap(({ id }) => ['-m', String(id)]),
      { stdio: 'ignore' },
    );
  const { isServerRunning, mapped } = processes();
  if (isServerRunning) return;
  for (const name of posix()) {
    if (!before.posix.has(name) && !mapped.has(name) && isOurs(name))
      rmSync(join(POSIX_FOLDER, name), { force: true });
  }
}

/** The kernel's table: shmid is the second word of a line, cpid the fifth, nattch the seventh. Only of servers that ended. */
function systemV() {
  return lines('/proc/sysvipc/shm')
    .slice(1)
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([, id, , , creator, , attached]) => ({ id, creator, attached }))
    .filter(({ creator }) => lines(`/proc/${creator}/comm`).length === 0);
}

function posix() {
  try {
    return readdirSync(POSIX_FOLDER).filter((name) => POSIX_NAME.test(name));
  } catch {
    return [];
  }
}

function isOurs(name) {
  try {
    const own = process.getuid?.();
    return own === 0 || statSync(join(POSIX_FOLDER, name)).uid === own;
  } catch {
    return false;
  }
}

function processes() {
  const mapped = new Set();
  let isServerRunning = false;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (lines(`/proc/${pid}/comm`)[0] === 'postgres') isServerRunning = true;
    for (const line of lines(`/proc/${pid}/maps`)) {
      const at = line.indexOf(`${POSIX_FOLDER}/PostgreSQL.`);
      if (at !== -1) mapped.add(line.slice(at + POSIX_FOLDER.length + 1).split(' ')[0]);
    }
  }
  return { isServerRunning, mapped };
}

/** None of a file that is not there, or of another user's process. */
function lines(path) {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}

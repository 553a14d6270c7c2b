// What a run of the tests leaves is the run's to remove: tests that are ended by a limit of time run no `after`, and
// the servers that they started would go on for ever. Every test makes its folders in the run's own one, so whatever
// still works there, or has its name in its environment, at the end of the run is a leftover: ended, and reported.
import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { presentSegments, removeLeftSegments } from './shared-memory.mjs';

/** Memory is quicker than a disk; with less than this free in it, the run's folder is on the disk. */
const MEMORY_BYTES = 6 * 1024 ** 3;
const MEMORY_FOLDER = '/dev/shm';

/** Makes the run's folder and hands it to every process of the run as TMPDIR; it is gone when this process ends. */
export function beginRun() {
  const folder = mkdtempSync(join(roomyFolder(), 'mtr-'));
  // PostgreSQL's user passes through it.
  chmodSync(folder, 0o755);
  process.env.TMPDIR = folder;
  process.env.MATRIARCH_TEST_RUN = folder;
  const segments = presentSegments();
  process.once('exit', () => {
    rmSync(folder, { recursive: true, force: true });
    removeLeftSegments(segments);
  });
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ]) {
    process.once(signal, () => {
      endLeftovers(folder);
      process.exit(128 + number);
    });
  }
  return folder;
}

/** Ends what still belongs to the run, and says what that was: one line a process. */
export function endLeftovers(folder) {
  const ended = [];
  // What supervises others may start one more while it is being ended: until none is left, but not for ever.
  for (let round = 0; round < 10; round += 1) {
    const found = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid && belongsTo(folder, name))
      .map((pid) => ({
        pid: Number(pid),
        command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim(),
      }));
    if (found.length === 0) break;
    for (const { pid, command } of found) {
      ended.push(`${pid} ${command.slice(0, 200)}`);
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself meanwhile.
      }
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  return [...new Set(ended)];
}

function belongsTo(folder, pid) {
  try {
    // A zombie has ended; its parent has not looked yet.
    if (/^State:\s+Z/m.test(read(`/proc/${pid}/status`))) return false;
    const environment = `\0${read(`/proc/${pid}/environ`)}`;
    if (environment.includes(`\0MATRIARCH_TEST_RUN=${folder}`) || environment.includes(`=${folder}/`))
      return true;
    if (readlinkSync(`/proc/${pid}/cwd`).startsWith(`${folder}/`)) return true;
    return read(`/proc/${pid}/cmdline`).includes(`${folder}/`);
  } catch {
    // Another user's, or gone.
    return false;
  }
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function roomyFolder() {
  try {
    const { bavail, bsize } = statfsSync(MEMORY_FOLDER);
    const [, available = '0'] = /MemAvailable:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8')) ?? [];
    if (bavail * bsize > MEMORY_BYTES && Number(available) * 1024 > MEMORY_BYTES) return MEMORY_FOLDER;
  } catch {
    // No such file system here.
  }
  return tmpdir();
}

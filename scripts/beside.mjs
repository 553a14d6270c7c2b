// Runs a ring of tests beside the others, in what these leave of the processors, and tells what it said when it is done: a
// process of its own (ring-beside.mjs) at the lowest priority, which what it starts has from it.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './setup.mjs';

/** Resolves with the ring's summary, as `runRing`; that it has none is a failure of the ring. */
export async function startBeside({ name }, signal) {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [join(ROOT, 'scripts', 'ring-beside.mjs'), name], {
    // A session of its own, for the kernel may weigh sessions against each other, and priorities only within one.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  makeLowest(child.pid);
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(chunk));
  const end = () => child.kill('SIGTERM');
  process.once('exit', end);
  signal.addEventListener('abort', end);
  let summary;
  child.on('message', (message) => {
    summary = message;
  });
  const how = await new Promise((resolve) => {
    child.on('error', (cause) => resolve(cause.message));
    child.on('close', (code, killedBy) => resolve(`it ended with ${killedBy ?? `status ${code}`}`));
  });
  process.off('exit', end);
  signal.removeEventListener('abort', end);
  process.stdout.write(Buffer.concat(output));
  const used = 'beside the others';
  if (summary !== undefined) return { ...summary, used };
  const failures = [`${name}: the ring has told nothing: ${how}`];
  const ms = performance.now() - startedAt;
  return { name, passed: 0, failed: 1, skipped: [], failures, files: 0, durations: [], ms, used };
}

function makeLowest(pid) {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW);
    // sched(7): the priority of the session; not every kernel has it.
    writeFileSync(`/proc/${pid}/autogroup`, String(constants.priority.PRIORITY_LOW));
  } catch {
    // It runs all the same.
  }
}

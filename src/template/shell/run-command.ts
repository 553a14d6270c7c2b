/** Commands of resources: by `/bin/sh -c`, in a process group of their own, so that a timeout ends all of it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as waitFor } from 'node:timers/promises';
import { describe } from '../../base/index.ts';

export type CommandOutcome =
  | { readonly outcome: 'succeeded' }
  | { readonly outcome: 'failed'; readonly message: string };

/** What a command prints beyond is not kept. */
const OUTPUT_BYTES_MAX = 4096;
/** Between asking a group to end and ending it. */
const GRACE_MS = 2_000;

/** How long output is waited for behind the end, where something that the command left holds it open. */
const LAST_WORDS_MS = 100;

/**
 * Never rejects. The last lines of the output are in the message of a failure. What a command that ended in time has left
 * in the background goes on, and what it prints is dropped.
 */
export async function runCommand(line: string, timeoutMs: number): Promise<CommandOutcome> {
  let child: ChildProcessByStdio<null, Readable, Readable>;
  try {
    child = spawn('/bin/sh', ['-c', line], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (cause) {
    // A text that no command can have: too long, or with a NUL.
    return { outcome: 'failed', message: describe(cause) };
  }
  const ended = once(child, 'exit');
  // What could not be started, for want of descriptors, has none.
  const pipes = child.pid === undefined ? [] : [child.stdout, child.stderr];
  let output = '';
  const keep = (chunk: string): void => {
    output = (output + chunk).slice(-OUTPUT_BYTES_MAX);
  };
  for (const pipe of pipes) pipe.setEncoding('utf8').on('data', keep);
  let isLate = false;
  let grace: NodeJS.Timeout | undefined;
  const timer = setTimeout(() => {
    isLate = true;
    endGroup(child.pid, 'SIGTERM');
    grace = setTimeout(() => endGroup(child.pid, 'SIGKILL'), GRACE_MS);
  }, timeoutMs);
  let because: string | undefined;
  try {
    const whole = once(child, 'close').catch(() => []);
    const [code, signal]: readonly (number | string | null)[] = await ended;
    clearTimeout(timer);
    await Promise.race([whole, waitFor(LAST_WORDS_MS, undefined, { ref: false })]);
    if (isLate) because = `took longer than ${timeoutMs} ms`;
    else if (code !== 0) because = code === null ? `ended by ${signal}` : `exit status ${code}`;
  } catch (cause) {
    because = describe(cause);
  }
  clearTimeout(timer);
  clearTimeout(grace);
  // A grandchild that ignored SIGTERM must not outlive the command that timed out.
  if (isLate) endGroup(child.pid, 'SIGKILL');
  for (const pipe of pipes) letGo(pipe.off('data', keep), isLate);
  if (because === undefined) return { outcome: 'succeeded' };
  const said = output.trim();
  return { outcome: 'failed', message: said === '' ? because : `${because}: ${said}` };
}

/** A pipe that something may still write to keeps nobody waiting; it is closed only where that was to end. */
function letGo(pipe: Readable, isLate: boolean): void {
  if (isLate) pipe.destroy();
  else pipe.resume();
  if (pipe instanceof Socket) pipe.unref();
}

function endGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // Gone already.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

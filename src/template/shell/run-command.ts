/** Commands of resources: by `/bin/sh -c`, in a process group of their own, so that a timeout ends all of it. */
import { spawn } from 'node:child_process';

export type CommandOutcome =
  | { readonly outcome: 'succeeded' }
  | { readonly outcome: 'failed'; readonly message: string };

/** What a command prints beyond is not kept. */
const OUTPUT_BYTES_MAX = 4096;
/** Between asking a group to end and ending it. */
const GRACE_MS = 2_000;

/** Never rejects. The last lines of the output are in the message of a failure. */
export async function runCommand(line: string, timeoutMs: number): Promise<CommandOutcome> {
  return await new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', line], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let isLate = false;
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_BYTES_MAX);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const timer = setTimeout(() => {
      isLate = true;
      endGroup(child.pid, 'SIGTERM');
      grace = setTimeout(() => endGroup(child.pid, 'SIGKILL'), GRACE_MS);
    }, timeoutMs);
    let grace: NodeJS.Timeout | undefined;
    const settle = (because: string | undefined): void => {
      clearTimeout(timer);
      clearTimeout(grace);
      // A grandchild that ignored SIGTERM must not outlive the command that timed out.
      if (isLate) endGroup(child.pid, 'SIGKILL');
      // Nor may one that holds the pipes keep us waiting.
      child.stdout.destroy();
      child.stderr.destroy();
      if (because === undefined) resolve({ outcome: 'succeeded' });
      else
        resolve({
          outcome: 'failed',
          message: output.trim() === '' ? because : `${because}: ${output.trim()}`,
        });
    };
    child.once('error', (error) => settle(error.message));
    child.once('exit', (code, signal) => {
      if (isLate) settle(`took longer than ${timeoutMs} ms`);
      else if (code === 0) settle(undefined);
      else settle(code === null ? `ended by ${signal}` : `exit status ${code}`);
    });
  });
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

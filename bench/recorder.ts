/** `perf record` of one process, from its start until it is told to stop. */
import { spawn } from 'node:child_process';
import { describe } from '../src/base/index.ts';

/** Samples a second: not a divisor of any timer's frequency. */
const FREQUENCY = 1999;

export interface Recorder {
  readonly stop: () => void;
  /** Rejects with what perf said when it could not record. */
  readonly ended: Promise<void>;
}

export function runRecorder(pid: number, file: string): Recorder {
  const args = ['record', '-g', '-F', String(FREQUENCY), '-o', file, '-p', String(pid)];
  const child = spawn('perf', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  let isStopping = false;
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new Error(`perf cannot be run: ${describe(cause)}; Debian's package is linux-perf`));
    });
    child.once('close', () => {
      if (isStopping) resolve();
      else reject(new Error(`perf record: ${said.trim()}`));
    });
  });
  // It is awaited when the load has ended.
  ended.catch(() => undefined);
  const stop = (): void => {
    isStopping = child.exitCode === null;
    child.kill('SIGINT');
  };
  return { stop, ended };
}

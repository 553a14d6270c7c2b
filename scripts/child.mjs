// Runs one program in the place of a script of ours. The child has a process group of its own, so that Ctrl-C (which a
// terminal sends to the whole group, and npm once more) reaches it exactly once, through here; then the script waits
// until the child has cleared up, and ends as it did.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** Repeats within this time are the same key press, seen by npm and by us. */
const SAME_SIGNAL_MS = 500;

/** `name` is what an error begins with. */
export function runChild(name, command, args) {
  const child = spawn(command, args, { stdio: 'inherit', detached: true });
  let forwardedAt = -Infinity;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (performance.now() - forwardedAt < SAME_SIGNAL_MS) return;
      forwardedAt = performance.now();
      child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
    });
  }
  child.on('error', (cause) => {
    process.stderr.write(`${name}: cannot start: ${cause.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
}

// `npm run demo`: makes the checkout ready, then runs `matriarch lab demo` with the rest of the command line.
// The child has a process group of its own, so that Ctrl-C (which a terminal sends to the whole group, and npm
// once more) reaches it exactly once, through here; then this script waits until the child has cleared up.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ROOT, setup } from './setup.mjs';

/** Repeats within this time are the same key press, seen by npm and by us. */
const SAME_SIGNAL_MS = 500;

setup();
const child = spawn(
  process.execPath,
  [join(ROOT, 'bin', 'matriarch'), 'lab', 'demo', ...process.argv.slice(2)],
  {
    stdio: 'inherit',
    detached: true,
  },
);
let forwardedAt = -Infinity;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(name, () => {
    if (performance.now() - forwardedAt < SAME_SIGNAL_MS) return;
    forwardedAt = performance.now();
    child.kill(name === 'SIGHUP' ? 'SIGTERM' : name);
  });
}
child.on('error', (cause) => {
  process.stderr.write(`demo: cannot start: ${cause.message}\n`);
  process.exit(1);
});
child.on('exit', (code, signal) => {
  process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
});

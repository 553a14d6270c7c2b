// `npm run lint`: formatting, type-aware rules, dead code. Runs all three even when one fails; changes nothing.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT, say } from './setup.mjs';

const CHECKS = [
  'biome format .',
  'oxlint --type-aware --deny-warnings src test scripts bench',
  'knip --no-progress',
];

const failed = CHECKS.filter((command) => {
  say(`lint: ${command}`);
  const [program = '', ...args] = command.split(' ');
  const { status } = spawnSync(join(ROOT, 'node_modules', '.bin', program), args, {
    cwd: ROOT,
    stdio: 'inherit',
  });
  return status !== 0;
});
if (failed.length > 0) {
  say(`lint: failed: ${failed.join('; ')}`);
  process.exitCode = 1;
}

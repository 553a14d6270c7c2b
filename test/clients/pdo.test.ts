/** PDO: PHP. */
import { test } from 'node:test';
import { playProgram } from '../support/client-suite.ts';

const tests = playProgram('PHP PDO', {
  program: '/usr/bin/php',
  args: ['pdo-guest.php'],
  probe: '/usr/bin/php -m | grep -qx pdo_pgsql',
});

for (const [title, compare] of tests) test(title, compare);

/** PDO: PHP. */
import { playProgram } from '../support/client-suite.ts';

playProgram('PHP PDO', {
  program: '/usr/bin/php',
  args: ['pdo-guest.php'],
  probe: '/usr/bin/php -m | grep -qx pdo_pgsql',
});

// `npm run bench [-- options]`: makes the checkout ready, installs the peers that are missing, and runs bench/main.ts
// with as many file descriptors as this user may have.
import { join } from 'node:path';
import { runChild } from './child.mjs';
import { installPackages, isExecutable, ROOT, setup } from './setup.mjs';

const PEERS = [
  { name: 'pgbouncer', isPresent: () => isExecutable('/usr/sbin/pgbouncer'), what: 'PgBouncer' },
  { name: 'pgpool2', isPresent: () => isExecutable('/usr/sbin/pgpool'), what: 'pgpool-II' },
];
const RUN = 'ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"; exec "$0" "$@"';

setup();
installPackages(PEERS);
const command = [process.execPath, join(ROOT, 'dist', 'bench', 'main.js'), ...process.argv.slice(2)];
runChild('bench', 'sh', ['-c', RUN, ...command]);

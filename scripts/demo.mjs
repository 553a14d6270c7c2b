// `npm run demo`: makes the checkout ready, then runs `matriarch lab demo` with the rest of the command line.
import { join } from 'node:path';
import { runChild } from './child.mjs';
import { ROOT, setup } from './setup.mjs';

setup();
const command = [join(ROOT, 'bin', 'matriarch'), 'lab', 'demo', ...process.argv.slice(2)];
runChild('demo', process.execPath, command);

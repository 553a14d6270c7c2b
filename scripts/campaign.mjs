// `npm run differential|consistency|oracle|fuzz|simulate|lab:pgpool|lab:faults [-- options]`: makes the checkout ready and runs one of the campaigns
// that are too long for `npm test`. As in a run of the tests, what the campaign leaves running is ended with it,
// however it ends.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChild } from './child.mjs';
import { ROOT, say, setup } from './setup.mjs';
import { beginRun, endLeftovers } from './test-run.mjs';

const CAMPAIGNS = {
  differential: 'differential/night.js',
  consistency: 'integration/consistency-night.js',
  oracle: 'differential/oracle-night.js',
  fuzz: 'differential/fuzz.js',
  simulate: 'simulation/night.js',
  pgpool: 'lab/pgpool-night.js',
  faults: 'lab/faults-night.js',
};

const [name = '', ...options] = process.argv.slice(2);
const file = CAMPAIGNS[name];
if (file === undefined) {
  say(`campaign: no campaign ${JSON.stringify(name)}; there are ${Object.keys(CAMPAIGNS).join(', ')}`);
  process.exit(2);
}
if (options.includes('--help')) {
  process.stdout.write(`${describe(join(ROOT, 'test', file.replace(/\.js$/, '.ts')))}\n`);
  process.exit(0);
}
setup();
const runFolder = beginRun();
// Runs before the folder is removed, which is the order in which they were asked for only when it comes first.
process.prependOnceListener('exit', () => endLeftovers(runFolder));
runChild(name, process.execPath, [join(ROOT, 'dist', 'test', file), ...options]);

/** What a campaign says of itself and its options: the comment that its file begins with. */
function describe(path) {
  const [, comment = ''] = /^\/\*\*(.*?)\*\//s.exec(readFileSync(path, 'utf8')) ?? [];
  return comment.replace(/^\s*\* ?/gm, '').trim();
}

// `npm test [-- ring…]`: makes the checkout ready and runs the rings of tests (rings.mjs), from the quickest to the slowest;
// all but those that have to be asked for by name. The last line is always `N passed, N failed`.
import { setMaxListeners } from 'node:events';
import { join, relative } from 'node:path';
import { startBeside } from './beside.mjs';
import { installClients, installPatroni } from './client-packages.mjs';
import { RINGS, runRing } from './rings.mjs';
import { ROOT, say, setup } from './setup.mjs';
import { beginRun } from './test-run.mjs';

/** The whole run ends by then, whatever hangs. */
const WHOLE_LIMIT_MS = 32 * 60_000;
/** So many files are named at the end with the time that they took. */
const SLOWEST = 12;

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !RINGS.some((ring) => ring.name === name));
if (unknown.length > 0) {
  say(`test: no ring ${unknown.join(', ')}; there are ${RINGS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
setup();
if (wantsAny('clients')) installClients();
if (wantsAny('agents', 'lab', 'night')) installPatroni();
const whole = AbortSignal.timeout(WHOLE_LIMIT_MS);
// Every test process listens to it.
setMaxListeners(0, whole);
const chosen = RINGS.filter(isWanted);
// A ring that is alone has nobody to leave room to.
const beside = chosen.length === 1 ? [] : chosen.filter(({ isBeside }) => isBeside === true);
// Before this run's folder is in the environment, by which a ring knows what it has left running.
const started = beside.map((ring) => startBeside(ring, whole));
const runFolder = beginRun();
const summaries = [];
for (const ring of chosen.filter((each) => !beside.includes(each))) {
  // What it measures is what a whole machine gives.
  if (ring.isAlone) await Promise.all(started);
  summaries.push(await runRing(ring, { runFolder, signal: whole }));
}
report([...summaries, ...(await Promise.all(started))]);

/** Without a name, all rings are, but those that have to be asked for. */
function isWanted({ name, isOnDemand }) {
  return wanted.includes(name) || (wanted.length === 0 && isOnDemand !== true);
}

function wantsAny(...names) {
  return RINGS.some((ring) => names.includes(ring.name) && isWanted(ring));
}

/** Where the time of the run went, so that it can be kept. */
function slowest(rings) {
  const files = rings.flatMap(({ durations }) => durations).sort(([, a], [, b]) => b - a);
  return files
    .slice(0, SLOWEST)
    .map(
      ([file, ms]) =>
        `${(ms / 1000).toFixed(1).padStart(7)} s  ${relative(join(ROOT, 'dist', 'test'), file)}`,
    );
}

function report(rings) {
  const lines = [''];
  for (const { name, passed, failed, skipped, files, ms, used, budgetMs } of rings) {
    const late = budgetMs !== undefined && ms > budgetMs ? `, over its budget of ${budgetMs / 1000} s` : '';
    const skips = skipped.length === 0 ? '' : `, ${skipped.length} skipped`;
    lines.push(
      `${name.padEnd(12)} ${passed} passed, ${failed} failed${skips} in ${files} files, ${(ms / 1000).toFixed(1)} s${late}, ${used}`,
    );
  }
  lines.push('', ...slowest(rings));
  const skipped = rings.flatMap((ring) => ring.skipped);
  const failures = rings.flatMap((ring) => ring.failures);
  if (skipped.length > 0) lines.push('', 'skipped:', ...skipped.map((line) => `  ${line}`));
  if (failures.length > 0) lines.push('', 'failed:', ...failures.map((line) => `  ${line}`));
  const passed = rings.reduce((sum, ring) => sum + ring.passed, 0);
  const failed = rings.reduce((sum, ring) => sum + ring.failed, 0);
  process.stdout.write(`${lines.join('\n')}\n\n${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

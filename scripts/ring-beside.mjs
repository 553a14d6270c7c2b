// The process of a ring that runs beside the others (beside.mjs): runs it, tells its summary, and ends with who started it.
import { RINGS, runRing } from './rings.mjs';
import { beginRun } from './test-run.mjs';

const ring = RINGS.find(({ name }) => name === process.argv[2]);
// A folder of its own: what is left in it is this ring's.
const runFolder = beginRun();
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
const { signal } = new AbortController();
const summary = await runRing(ring, { runFolder, signal });
process.send(summary, () => process.exit());

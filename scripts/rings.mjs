// The rings of tests, and how one is run: its files in processes of their own, what they report counted.
// Counts leaf tests; a ring or a file in which nothing ran is a failure, for a check that looked at nothing proves
// nothing.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { ROOT } from './setup.mjs';
import { endLeftovers } from './test-run.mjs';

/**
 * `budgetMs` is what a ring should take, `limitMs` how long one file may run before it is ended. One that `isBeside` needs
 * processors and no clock: it runs beside the others, in what they leave (beside.mjs); one that `isAlone` begins when that is done.
 */
export const RINGS = [
  {
    name: 'unit',
    folders: ['unit', '.'],
    concurrency: availableParallelism(),
    // Most of a small file's time is the start of its process: these share some, and keep nothing outside it.
    processes: 2 * availableParallelism(),
    limitMs: 180_000,
    budgetMs: 10_000,
  },
  { name: 'simulation', folders: ['simulation'], concurrency: 2, limitMs: 1_500_000, isBeside: true },
  { name: 'conformance', folders: ['conformance'], concurrency: 2, limitMs: 180_000 },
  { name: 'integration', folders: ['integration'], concurrency: 2, limitMs: 600_000 },
  // One at a time: an election is a matter of seconds, and a member that another file starves is rightly passed over.
  { name: 'agents', folders: ['agents'], concurrency: 1, limitMs: 300_000 },
  { name: 'differential', folders: ['differential'], concurrency: 2, limitMs: 900_000 },
  // In one process, because they share one lab.
  {
    name: 'clients',
    folders: ['clients'],
    concurrency: 1,
    processes: 1,
    limitMs: 600_000,
    budgetMs: 150_000,
  },
  { name: 'lab', folders: ['lab'], concurrency: 1, limitMs: 480_000, isAlone: true },
  // Only by its name: what a night has time for, and a change that is to be merged has not.
  { name: 'night', folders: ['night'], concurrency: 1, limitMs: 480_000, isOnDemand: true },
];

/**
 * Runs the files of a ring, each in a process of its own unless they share some, and counts what they report. What they
 * leave running in `runFolder` is ended, and is a failure. `signal` ends it.
 */
export async function runRing(
  { name, folders, concurrency, processes, limitMs, budgetMs },
  { runFolder, signal },
) {
  const files = folders.flatMap((folder) => testFiles(folder));
  const counted = new Map(files.map((file) => [file, { leaves: 0, isNested: [] }]));
  const summary = { name, passed: 0, failed: 0, skipped: [], failures: [], files: files.length, budgetMs };
  const fail = (what) => {
    summary.failed += 1;
    summary.failures.push(what);
  };
  const durations = new Map();
  const startedAt = performance.now();
  const memory = watchMemory();
  const processorAtFirst = processorTimes();
  const count = (isPass) => (event) => {
    if (event.nesting === 0)
      durations.set(event.file, (durations.get(event.file) ?? 0) + event.details.duration_ms);
    const seen = counted.get(event.file) ?? counted.get(event.name);
    const title = `${name}: ${relative(join(ROOT, 'dist'), event.file ?? '')}: ${event.name}`;
    const hasChildren = seen?.isNested[event.nesting + 1] === true;
    if (seen !== undefined) {
      seen.isNested[event.nesting + 1] = false;
      seen.isNested[event.nesting] = true;
    }
    if (hasChildren && (isPass || event.details.error?.failureType === 'subtestsFailed')) return;
    // A suite is no test, nor is a file, which Node reports as a passed one when nothing in it ran.
    if (isPass && (event.details.type === 'suite' || event.name === event.file)) return;
    if (seen !== undefined) seen.leaves += 1;
    if (event.skip !== undefined && event.skip !== false)
      summary.skipped.push(`${title} (${event.skip === true ? 'no reason given' : event.skip})`);
    else if (isPass) summary.passed += 1;
    else fail(`${title}\n${why(event.details.error)}`);
  };
  if (files.length > 0) {
    const entries = processes === undefined ? files : bundles(name, files, processes);
    const stream = run({ files: entries, concurrency, timeout: limitMs, signal });
    stream.on('test:pass', count(true)).on('test:fail', count(false));
    await new Promise((resolve) => {
      const shown = stream.compose(new spec());
      shown.on('end', resolve).on('error', resolve).pipe(process.stdout, { end: false });
    });
  }
  for (const [file, { leaves }] of counted) {
    if (leaves === 0) fail(`${name}: ${relative(join(ROOT, 'dist'), file)}: no test declared in it ran`);
  }
  if (files.length === 0) fail(`${name}: the ring has no test file`);
  for (const left of endLeftovers(runFolder)) fail(`${name}: a process was left running: ${left}`);
  return {
    ...summary,
    durations: [...durations],
    ms: performance.now() - startedAt,
    used: `processors ${Math.round(busySince(processorAtFirst) * 100)} %, memory +${memory.stop()} MB`,
  };
}

/** The first lines of what a test failed with, so that the end of a log says it all. */
function why(error) {
  const lines = String(error?.cause?.message ?? error?.message ?? error).split('\n');
  return lines
    .slice(0, 12)
    .map((line) => `      ${line.slice(0, 1000)}`)
    .join('\n');
}

/** Compiled forms of the `*.test.ts` under test/<folder>; '.' is test itself without its folders. */
function testFiles(folder) {
  let names;
  try {
    names = readdirSync(join(ROOT, 'test', folder), { recursive: folder !== '.' });
  } catch (cause) {
    if (cause.code === 'ENOENT') return [];
    throw cause;
  }
  return names
    .filter((name) => name.endsWith('.test.ts'))
    .sort((one, other) => (one < other ? -1 : 1))
    .map((name) => join(ROOT, 'dist', 'test', folder, name.replace(/\.ts$/, '.js')));
}

/** Writes `count` modules that import the files in turn; each is run as one file. */
function bundles(name, files, count) {
  const folder = join(ROOT, 'dist', 'test', 'bundles');
  mkdirSync(folder, { recursive: true });
  return Array.from({ length: Math.min(count, files.length) }, (_, index) => {
    const path = join(folder, `${name}-${index}.js`);
    const own = files.filter((_file, position) => position % count === index);
    writeFileSync(path, own.map((file) => `import ${JSON.stringify(file)};\n`).join(''));
    return path;
  });
}

/** The most memory that the machine used beyond what it used at first; servers that tests start are in it. */
function watchMemory() {
  const atFirst = availableMb();
  let least = atFirst;
  const timer = setInterval(() => {
    least = Math.min(least, availableMb());
  }, 500);
  return {
    stop() {
      clearInterval(timer);
      return Math.round(atFirst - least);
    },
  };
}

/** Of all processors together, in ms; what runs beside is none of a ring's. */
function processorTimes() {
  const all = cpus().flatMap(({ times }) => Object.entries(times));
  return { idle: totalOf(all.filter(([name]) => name === 'idle' || name === 'nice')), all: totalOf(all) };
}

function totalOf(times) {
  return times.reduce((total, [, ms]) => total + ms, 0);
}

/** How much of the machine was used, 0 to 1: what is near 1 gains nothing from more files at once. */
function busySince(before) {
  const now = processorTimes();
  return 1 - (now.idle - before.idle) / (now.all - before.all);
}

function availableMb() {
  return Number(/MemAvailable:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) / 1024;
}

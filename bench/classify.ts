/**
 * What a classification costs, cached and not: `npm run build && node dist/bench/classify.js`. Goals for a one-line query:
 * under 1 µs cached, under 100 µs uncached. Hostile texts within the limits: under 20 ms.
 */
import { performance } from 'node:perf_hooks';
import { loadClassifier } from '../src/sql/index.ts';

const ONE_LINE = 'SELECT abalance FROM pgbench_accounts WHERE aid = ';
const HOSTILE: readonly (readonly [what: string, text: string])[] = [
  ['10,000 nested parentheses', `SELECT ${'('.repeat(10_000)}1${')'.repeat(10_000)}`],
  ['7,500 nested parentheses', `SELECT ${'('.repeat(7_500)}1${')'.repeat(7_500)}`],
  ['8,000 columns', `SELECT ${'a,'.repeat(8_000)}a`],
  ['5,400 casts', `SELECT 1${'::a'.repeat(5_400)}`],
  ['2,000 settings', 'set a=1;'.repeat(2_000)],
  ['2,000 operators', `SELECT 1 ${'+-'.repeat(1_000)} 1`],
  ['1,000 nested comments', '/*'.repeat(1_000)],
  ['1 MB', `SELECT '${'x'.repeat(1024 * 1024)}'`],
];

const classifier = await loadClassifier();
const texts = Array.from({ length: 1_000 }, (_, id) => `${ONE_LINE}${id}`);
for (let id = 0; id < 20_000; id++) classifier.classify(`${ONE_LINE}${id + 1_000_000}`);
report(
  'uncached, one line',
  medianMicros(20_000, (id) => classifier.classify(`${ONE_LINE}${id + 2_000_000}`)),
);
for (const text of texts) classifier.classify(text);
report(
  'cached, one line',
  batchMicros(1_000_000, (id) => classifier.classify(texts[id % 1_000] ?? '')),
);
report('cached, fresh string', freshStringMicros(300_000));
for (const [what, text] of HOSTILE) {
  report(
    what,
    medianMicros(9, (id) => classifier.classify(`${text}${' '.repeat(id)}`)),
  );
}
process.stdout.write(`${JSON.stringify(classifier.stats())}\n`);

function report(what: string, micros: number): void {
  process.stdout.write(`${what.padEnd(28)} ${micros.toFixed(2).padStart(10)} µs\n`);
}

function medianMicros(times: number, work: (id: number) => unknown): number {
  const spent: number[] = [];
  for (let id = 0; id < times; id++) {
    const start = performance.now();
    work(id);
    spent.push(performance.now() - start);
  }
  return (spent.sort((a, b) => a - b)[times >> 1] ?? 0) * 1_000;
}

function batchMicros(times: number, work: (id: number) => unknown): number {
  const start = performance.now();
  for (let id = 0; id < times; id++) work(id);
  return ((performance.now() - start) * 1_000) / times;
}

/** As in the router, where each text is decoded from bytes and its hash is not known yet. The decoding is counted too. */
function freshStringMicros(times: number): number {
  const bytes = texts.map((text) => Buffer.from(text));
  return batchMicros(times, (id) => classifier.classify(bytes[id % 1_000]?.toString() ?? ''));
}

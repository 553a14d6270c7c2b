/**
 * What a classification costs, by tier: `npm run build && node dist/bench/classify.js`. Goals for a one-line query: under
 * 1 µs cached, under 100 µs uncached. Hostile texts: under 20 ms each, the worst of several and never seen before.
 * "Worst" is given by the clock, which on a busy machine measures its neighbours too, and by the process's own processor
 * time (its collector's threads counted in), which does not.
 */
import { performance } from 'node:perf_hooks';
import { loadClassifier } from '../src/sql/index.ts';

const ONE_LINE = 'SELECT abalance FROM pgbench_accounts WHERE aid = ';
const BY_TEXT = "SELECT current_setting('app.tenant";
/** Each makes the text anew for its number, so that neither its digest nor its bytes are known. */
const HOSTILE: readonly (readonly [what: string, text: (id: number) => string])[] = [
  ['10,000 nested parentheses', (id) => `SELECT a${id} ${'('.repeat(10_000)}1${')'.repeat(10_000)}`],
  ['2,400 nested parentheses', (id) => `SELECT a${id}, ${'('.repeat(2_400)}1${')'.repeat(2_400)}`],
  ['8,000 columns', (id) => `SELECT ${'a,'.repeat(8_000)}a${id}`],
  ['2,400 columns', (id) => `SELECT ${'a,'.repeat(2_400)}a${id}`],
  ['1,600 casts', (id) => `SELECT a${id}${'::a'.repeat(1_600)}`],
  ['480 settings', (id) => `${'set a=1;'.repeat(480)}set a=${id}`],
  ['600 statements', (id) => `${'table a;'.repeat(600)}table a${id}`],
  ['1,500 operators', (id) => `SELECT a${id} ${'+-'.repeat(750)} 1`],
  ['1,000 nested comments', (id) => `${'/*'.repeat(1_000)}${id}`],
  ['16 kB of one string', (id) => `SELECT a${id}, '${'x'.repeat(16_000)}'`],
  ['16 kB of operators', (id) => `SELECT a${id} ${'+-'.repeat(8_000)} 1`],
  ['1 MB', (id) => `SELECT a${id}, '${'x'.repeat(1024 * 1024)}'`],
];

const classifier = await loadClassifier();
for (let id = 0; id < 20_000; id++)
  classifier.classify(`SELECT warm${id} FROM pgbench_accounts WHERE aid = 1`);

const seen = new Set<string>();
const uncached = microsOf(20_000, (id) => `SELECT a${id} FROM pgbench_accounts WHERE aid = 1`);
reportSpread('uncached', uncached);

const literals = Array.from({ length: 1_000 }, (_, id) => aMessage(`${ONE_LINE}${id}`));
report('by digest, new literals', batchMicros(1_000_000, literals));
const texts = Array.from({ length: 1_000 }, (_, id) => aMessage(`${BY_TEXT}${id}')`));
for (const { bytes, end } of texts) classifier.classifyBytes(bytes, 5, end);
report('by exact text', batchMicros(1_000_000, texts));
report('by digest, from a string', stringMicros(1_000_000));

const flood = microsOf(100_000, (id) => `SELECT flood${id} FROM t`);
reportSpread('100,000 digests', flood);
for (const [what, text] of HOSTILE) reportSpread(what, microsOf(20, text));
process.stdout.write(`${JSON.stringify(classifier.stats())}\n`);

function report(what: string, micros: number | undefined): void {
  process.stdout.write(`${what.padEnd(48)} ${(micros ?? Number.NaN).toFixed(2).padStart(10)} µs\n`);
}

interface Spent {
  readonly wall: readonly number[];
  readonly processor: readonly number[];
}

function reportSpread(what: string, { wall, processor }: Spent): void {
  report(`${what}, median`, wall[wall.length >> 1]);
  report(`${what}, worst by the clock`, wall.at(-1));
  report(`${what}, worst of processor`, processor.at(-1));
}

/** What each of so many texts took, in µs, sorted. A text that was timed before would measure the cache. */
function microsOf(times: number, text: (id: number) => string): Spent {
  const wall: number[] = [];
  const processor: number[] = [];
  for (let id = 0; id < times; id++) {
    const sql = text(id);
    if (seen.has(sql)) throw new Error('this text was timed before');
    if (sql.length < 100) seen.add(sql);
    const before = process.cpuUsage();
    const start = performance.now();
    classifier.classify(sql);
    wall.push((performance.now() - start) * 1_000);
    const { user, system } = process.cpuUsage(before);
    processor.push(user + system);
  }
  return { wall: wall.sort((a, b) => a - b), processor: processor.sort((a, b) => a - b) };
}

/** A Query message as the router has it: a tag and a length before the text, a zero after it. */
function aMessage(sql: string): { readonly bytes: Buffer; readonly end: number } {
  const bytes = Buffer.from(`Q....${sql}\0`);
  return { bytes, end: bytes.length - 1 };
}

function batchMicros(times: number, messages: readonly { bytes: Buffer; end: number }[]): number {
  const start = performance.now();
  for (let id = 0; id < times; id++) {
    const message = messages[id % messages.length];
    if (message !== undefined) classifier.classifyBytes(message.bytes, 5, message.end);
  }
  return ((performance.now() - start) * 1_000) / times;
}

function stringMicros(times: number): number {
  const start = performance.now();
  for (let id = 0; id < times; id++) classifier.classify(`${ONE_LINE}${id}`);
  return ((performance.now() - start) * 1_000) / times;
}

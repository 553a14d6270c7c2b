/** `npm run oracle -- --statements 100000 [--seed N]`: the oracle of the suite, asked as much as wanted. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { consultOracle } from './oracle.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

const { values } = parseArgs({
  options: { statements: { type: 'string', default: '100000' }, seed: { type: 'string' } },
});
const seed = values.seed === undefined ? randomInt(2 ** 30) : Number(values.seed);
const statements = Number(values.statements);

test(`${statements} random statements, seed ${seed}`, { timeout: DAY_MS }, async (t) => {
  const startedAt = performance.now();
  const { strict, findings, ...counts } = await consultOracle(t, { statements, seed, limitMs: DAY_MS });
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  t.diagnostic(`${JSON.stringify(counts)} in ${seconds} s`);
  t.diagnostic(`on the primary, and taken by a standby: ${JSON.stringify(Object.fromEntries(strict))}`);
  assert.deepEqual(findings, []);
  assert.equal(counts.statements, statements);
});

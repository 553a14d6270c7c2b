/** What is sent to a standby is a read there, for random definitions and statements: see oracle.ts. `npm run oracle` asks more. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { consultOracle } from './oracle.ts';

test('no standby refuses what the router takes for a read', { timeout: 120_000 }, async (t) => {
  const seed = randomInt(2 ** 30);
  const result = await consultOracle(t, { statements: 1_000_000, seed, limitMs: 12_000 });
  t.diagnostic(`seed ${seed}: ${result.statements} statements`);
  assert.deepEqual(result.findings, [], `seed ${seed}`);
  assert.ok(result.reads > 200, `only ${result.reads} reads`);
  assert.ok(result.rescued > 0, 'functions that lie were refused');
});

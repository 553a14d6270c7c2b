/** More clients than server connections: each sees what it sees alone. The property is in isolation.ts. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { isolationCampaign } from './isolation.ts';

const ROUNDS = 25;

test('clients of one pool each see what they see alone', { timeout: 400_000 }, async (t) => {
  const seed = randomInt(2 ** 31);
  t.diagnostic(`seed ${seed}`);
  const { played, finding } = await isolationCampaign(t, { runs: ROUNDS, seed, limitMs: 300_000 });
  if (finding !== undefined) assert.fail(`npm run differential -- --isolation ${finding}`);
  assert.equal(played, ROUNDS);
});

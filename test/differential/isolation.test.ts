/** More clients than server connections: each sees what it sees alone. The property is in isolation.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isolationCampaign } from './isolation.ts';

const ROUNDS = 25;
/** The same each time, so that a change is what makes a difference; `npm run differential -- --isolation` plays others. */
const SEED = 552_981_787;

test('clients of one pool each see what they see alone', { timeout: 400_000 }, async (t) => {
  const { played, finding } = await isolationCampaign(t, { runs: ROUNDS, seed: SEED, limitMs: 300_000 });
  if (finding !== undefined) assert.fail(`npm run differential -- --isolation ${finding}`);
  assert.equal(played, ROUNDS);
});

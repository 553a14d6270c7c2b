/** The same conversation with PostgreSQL and with a router in front of it: every message is the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checked } from './campaign.ts';
import { conversations } from './generate.ts';
import { SCRIPTS } from './scripts.ts';
import { anArena } from './stage.ts';

const CONVERSATIONS = 500;
const LIMIT_MS = 600_000;
/** The same each time, so that a change is what makes a difference; `npm run differential` plays others. */
const SEED = 77;

test('a router answers as PostgreSQL does', { timeout: 800_000 }, async (suite) => {
  const arena = await anArena(suite);
  for (const [name, conversation] of SCRIPTS) {
    await suite.test(name, async () => {
      const found = await arena.compare(conversation);
      if (found !== undefined) assert.fail(found);
    });
  }
  await suite.test(`${CONVERSATIONS} random conversations, seed ${SEED}`, async () => {
    const { played, finding } = await checked(conversations(), arena.compare, {
      runs: CONVERSATIONS,
      seed: SEED,
      limitMs: LIMIT_MS,
    });
    if (finding !== undefined) assert.fail(`npm run differential -- ${finding}`);
    assert.equal(played, CONVERSATIONS);
  });
});

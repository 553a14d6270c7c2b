/** `npm run differential -- --conversations 10000 --seed N [--path P]`: the random conversations of the suite, as many as wanted. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { campaign } from './campaign.ts';
import { anArena } from './stage.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

const { values } = parseArgs({
  options: {
    conversations: { type: 'string', default: '10000' },
    seed: { type: 'string' },
    path: { type: 'string' },
  },
});
const count = Number(values.conversations);
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);

test(`${count} random conversations, seed ${seed}`, { timeout: DAY_MS }, async (t) => {
  const arena = await anArena(t);
  const startedAt = performance.now();
  const { played, finding } = await campaign(arena, {
    conversations: count,
    seed,
    limitMs: DAY_MS,
    ...(values.path === undefined ? {} : { path: values.path }),
  });
  t.diagnostic(`${played} conversations in ${Math.round((performance.now() - startedAt) / 1000)} s`);
  if (finding !== undefined) assert.fail(finding);
  assert.ok(played > 0);
});

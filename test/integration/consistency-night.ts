/**
 * `npm run consistency -- --minutes 5 --level session`: clients write and read at once while standbys are made late, and
 * every answer is judged; see test/support/time-travel.ts. At the level `eventual` steps back are found, which shows that they would be.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { aTravelStage, inWords, travel } from '../support/time-travel.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    level: { type: 'string', default: 'session' },
  },
});
const LEVELS = ['eventual', 'session', 'shared', 'strong'] as const;
const level = LEVELS.find((one) => one === values.level);
if (level === undefined) throw new Error(`--level is one of ${LEVELS.join(', ')}`);

test(`${values.minutes} minutes at the level ${level}`, { timeout: DAY_MS }, async (t) => {
  const travels = await travel(t, await aTravelStage(t), { level, ms: Number(values.minutes) * 60_000 });
  for (const line of inWords(travels).split('\n')) t.diagnostic(line.trim());
  assert.ok(travels.reads > 0 && travels.writes > 0);
  if (level === 'eventual') assert.ok(travels.ownWrites > 0 && travels.backwards > 0 && travels.others > 0);
  else assert.deepEqual([travels.ownWrites, travels.backwards], [0, 0], inWords(travels));
  if (level === 'shared' || level === 'strong') assert.equal(travels.others, 0, inWords(travels));
});

/**
 * `npm run differential -- --conversations 10000 [--seed N] [--path P]`: the random conversations of the suite, as many
 * as wanted; seed and path of a failure play it again. `--survey` goes on after a difference and tells each kind once;
 * `--isolation` plays so many rounds of clients that share a pool.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { checked } from './campaign.ts';
import { conversations } from './generate.ts';
import { isolationCampaign } from './isolation.ts';
import { anArena } from './stage.ts';
import { survey } from './survey.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const TELL_EVERY_MS = 60_000;

const { values } = parseArgs({
  options: {
    conversations: { type: 'string', default: '10000' },
    seed: { type: 'string' },
    path: { type: 'string' },
    survey: { type: 'boolean', default: false },
    isolation: { type: 'boolean', default: false },
  },
});
const options = {
  runs: Number(values.conversations),
  seed: values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed),
  limitMs: DAY_MS,
  ...(values.path === undefined ? {} : { path: values.path }),
};

test(`${options.runs} random conversations, seed ${options.seed}`, { timeout: DAY_MS }, async (t) => {
  if (values.survey) {
    const found = await survey(await anArena(t), options);
    if (found !== '') assert.fail(found);
    return;
  }
  const startedAt = performance.now();
  let toldAt = startedAt;
  const onChecked = (count: number): void => {
    const now = performance.now();
    if (now - toldAt < TELL_EVERY_MS) return;
    toldAt = now;
    process.stderr.write(
      `${Math.round((now - startedAt) / 1000)} s: ${count} of ${options.runs} conversations\n`,
    );
  };
  const { played, finding } = values.isolation
    ? await isolationCampaign(t, options)
    : await checked(conversations(), (await anArena(t)).compare, { ...options, onChecked });
  t.diagnostic(`${played} in ${Math.round((performance.now() - startedAt) / 1000)} s`);
  if (finding !== undefined) assert.fail(finding);
  assert.ok(played > 0);
});

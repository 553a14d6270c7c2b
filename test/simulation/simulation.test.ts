/** CI's part of the simulation; `npm run simulate` plays any number of seeds. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { campaign } from './campaign.ts';
import { play } from './world.ts';

const SEEDS = 20_000;

test(`${SEEDS} runs: one writer, one believer, nothing lost that was promised, and whole at the end`, async (t) => {
  const failed: string[] = [];
  const summary = await campaign({
    from: 1,
    count: SEEDS,
    workers: availableParallelism(),
    failuresMax: 5,
    onFailure: ({ seed, problems }) => {
      failed.push(`seed ${seed} (npm run simulate -- --seed ${seed} --trace): ${problems.join('; ')}`);
    },
  });
  t.diagnostic(JSON.stringify(summary));
  deepEqual(failed, []);
  equal(summary.seeds, SEEDS);
  // A simulation in which nothing happens would find nothing, too.
  ok(summary.acknowledged > 20 * SEEDS && summary.promotions > SEEDS && summary.leftBehind > 0);
});

test('a seed is a run: the same one tells the same story', async () => {
  const [first, second]: [string[], string[]] = [[], []];
  const results = [await play(7, (line) => first.push(line)), await play(7, (line) => second.push(line))];
  deepEqual(results[0], results[1]);
  deepEqual(first, second);
  ok(first.length > 20);
});

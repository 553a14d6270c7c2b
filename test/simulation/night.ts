/**
 * `npm run simulate -- --seeds 100000 [--from 1] [--workers 2]`: plays seeds, as many as are asked for, on all processors,
 * says how far it is, names each that fails, and ends with a line of JSON; `--from` takes one up again that was stopped.
 * `--seed N --trace` plays one and tells what happens in it.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { campaign, type Progress } from './campaign.ts';
import { play } from './world.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20000' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});
const say = (line: string): boolean => process.stdout.write(`${line}\n`);
const TELL_EVERY_S = 10;

if (values.seed === undefined) {
  const failed: number[] = [];
  const count = Number(values.seeds);
  const from = Number(values.from);
  let told: Pick<Progress, 'seeds' | 'seconds'> = { seeds: 0, seconds: 0 };
  const summary = await campaign({
    from,
    count,
    workers: Number(values.workers),
    failuresMax: 20,
    onFailure: ({ seed, problems }) => {
      failed.push(seed);
      say(`seed ${seed}: ${problems.join('; ')}`);
    },
    onProgress: (progress) => {
      const { seeds, failures, seconds, next } = progress;
      if (seconds - told.seconds < TELL_EVERY_S) return;
      const rate = Math.round((seeds - told.seeds) / (seconds - told.seconds));
      told = progress;
      say(
        `${seconds.toFixed(0)} s: ${seeds} of ${count} seeds, ${rate} seeds/s, ${failures} failed; the rest: --from ${next} --seeds ${from + count - next}`,
      );
    },
  });
  if (summary.failures > 0) say(`one of them, told: npm run simulate -- --seed ${failed[0]} --trace`);
  say(JSON.stringify({ ...summary, from, failed: failed.sort((one, other) => one - other) }));
  process.exitCode = summary.failures === 0 ? 0 : 1;
} else {
  const result = await play(Number(values.seed), values.trace ? say : undefined);
  say(JSON.stringify(result, undefined, 2));
  process.exitCode = result.problems.length === 0 ? 0 : 1;
}

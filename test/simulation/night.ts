/**
 * `npm run simulate -- --seeds 100000 [--from 1] [--workers 2]`: plays seeds, as many as are asked for, and names each
 * that fails; `--seed N --trace` plays one and tells what happens in it.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { campaign } from './campaign.ts';
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

if (values.seed === undefined) {
  const summary = await campaign({
    from: Number(values.from),
    count: Number(values.seeds),
    workers: Number(values.workers),
    failuresMax: 20,
    onFailure: ({ seed, problems }) => say(`seed ${seed}: ${problems.join('; ')}`),
  });
  say(JSON.stringify(summary));
  if (summary.failures > 0) say('one of them, told: npm run simulate -- --seed N --trace');
  process.exitCode = summary.failures === 0 ? 0 : 1;
} else {
  const result = await play(Number(values.seed), values.trace ? say : undefined);
  say(JSON.stringify(result, undefined, 2));
  process.exitCode = result.problems.length === 0 ? 0 : 1;
}

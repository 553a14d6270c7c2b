/** A thread of a campaign: plays batches of seeds. A broken assertion of the product fails the seed in which it broke. */
// oxlint-disable unicorn/require-post-message-target-origin -- a thread's port, not a window's
import { parentPort } from 'node:worker_threads';
import { type Batch, type BatchResult, NOTHING_PLAYED } from './campaign.ts';
import { play, type RunResult } from './world.ts';

// Nobody reads them here, and errors are many.
Error.stackTraceLimit = 0;

const bugs: string[] = [];
process.on('unhandledRejection', (cause) => bugs.push(`a bug: ${String(cause)}`));

parentPort?.on('message', ({ from, count }: Batch) => {
  void batch(from, count).then((result) => parentPort?.postMessage(result));
});

async function played(seed: number): Promise<RunResult> {
  try {
    return await play(seed);
  } catch (cause) {
    const nothing = {
      events: 0,
      virtualMs: 0,
      acknowledged: 0,
      leftBehind: 0,
      promotions: 0,
      convergedMs: 0,
    };
    return { seed, problems: [`the run broke: ${String(cause)}`], ...nothing };
  }
}

async function batch(from: number, count: number): Promise<BatchResult> {
  const failed: { seed: number; problems: readonly string[] }[] = [];
  const total = { ...NOTHING_PLAYED };
  for (let seed = from; seed < from + count; seed += 1) {
    const result = await played(seed);
    // Rejections are told of between turns of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    const problems = [...result.problems, ...bugs.splice(0)];
    if (problems.length > 0) failed.push({ seed, problems });
    total.seeds += 1;
    total.virtualHours += result.virtualMs / 3_600_000;
    total.events += result.events;
    total.acknowledged += result.acknowledged;
    total.leftBehind += result.leftBehind;
    total.promotions += result.promotions;
    total.slowestConvergenceMs = Math.max(total.slowestConvergenceMs, result.convergedMs ?? 0);
  }
  return { ...total, failed };
}

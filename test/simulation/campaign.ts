/** Many seeds, shared among worker threads in batches; stops early when enough have failed. */
// oxlint-disable unicorn/require-post-message-target-origin -- a thread's port, not a window's
import { Worker } from 'node:worker_threads';
import type { RunResult } from './world.ts';

export interface CampaignOptions {
  readonly from: number;
  readonly count: number;
  readonly workers: number;
  /** No further seeds once so many have failed. */
  readonly failuresMax: number;
  /** The program of a worker, where it is not this one. */
  readonly worker?: URL;
  readonly onFailure?: (result: Pick<RunResult, 'seed' | 'problems'>) => void;
  /** After each batch. */
  readonly onProgress?: (progress: Progress) => void;
}

export interface Progress {
  readonly seeds: number;
  readonly failures: number;
  readonly seconds: number;
  /** All seeds before this one have been played: from here the campaign can be taken up again. */
  readonly next: number;
}

export interface CampaignSummary {
  readonly seeds: number;
  readonly failures: number;
  readonly seconds: number;
  /** Of the whole process, its workers' start included. */
  readonly cpuMsPerSeed: number;
  readonly virtualHours: number;
  readonly events: number;
  readonly acknowledged: number;
  /** Acknowledged writes that asynchronous replication was allowed to leave behind. */
  readonly leftBehind: number;
  readonly promotions: number;
  readonly slowestConvergenceMs: number;
}

/** What a worker is given, and what it says of it. */
export interface Batch {
  readonly from: number;
  readonly count: number;
}

export type BatchResult = Omit<CampaignSummary, 'seconds' | 'cpuMsPerSeed' | 'failures'> & {
  readonly failed: readonly Pick<RunResult, 'seed' | 'problems'>[];
};

const BATCH = 20;
const OWN_WORKER = new URL('./worker.js', import.meta.url);

/** Before a seed was played. */
export const NOTHING_PLAYED: Omit<BatchResult, 'failed'> = {
  seeds: 0,
  virtualHours: 0,
  events: 0,
  acknowledged: 0,
  leftBehind: 0,
  promotions: 0,
  slowestConvergenceMs: 0,
};

export async function campaign(options: CampaignOptions): Promise<CampaignSummary> {
  const startedAt = performance.now();
  const cpuAtFirst = process.cpuUsage();
  const secondsSoFar = (): number => Math.round(performance.now() - startedAt) / 1000;
  const total = { ...NOTHING_PLAYED, failures: 0 };
  let next = options.from;
  const end = options.from + options.count;
  const underWay = new Set<number>();
  const take = (): Batch | undefined => {
    if (next >= end || total.failures >= options.failuresMax) return undefined;
    const batch = { from: next, count: Math.min(BATCH, end - next) };
    next += batch.count;
    underWay.add(batch.from);
    return batch;
  };
  const add = ({ from }: Batch, result: BatchResult): void => {
    underWay.delete(from);
    total.seeds += result.seeds;
    total.failures += result.failed.length;
    total.virtualHours += result.virtualHours;
    total.events += result.events;
    total.acknowledged += result.acknowledged;
    total.leftBehind += result.leftBehind;
    total.promotions += result.promotions;
    total.slowestConvergenceMs = Math.max(total.slowestConvergenceMs, result.slowestConvergenceMs);
    for (const failure of result.failed) options.onFailure?.(failure);
    const { seeds, failures } = total;
    options.onProgress?.({ seeds, failures, seconds: secondsSoFar(), next: Math.min(next, ...underWay) });
  };
  await Promise.all(
    Array.from({ length: options.workers }, async () => await work(options.worker ?? OWN_WORKER, take, add)),
  );
  const { user, system } = process.cpuUsage(cpuAtFirst);
  const cpuMsPerSeed = Math.round((user + system) / 10 / Math.max(1, total.seeds)) / 100;
  return { ...total, seconds: secondsSoFar(), cpuMsPerSeed };
}

/** One worker, batch after batch. */
async function work(
  program: URL,
  take: () => Batch | undefined,
  add: (batch: Batch, result: BatchResult) => void,
): Promise<void> {
  const worker = new Worker(program, { resourceLimits: { maxYoungGenerationSizeMb: 64 } });
  try {
    await new Promise<void>((resolve, reject) => {
      const give = (): void => {
        const batch = take();
        if (batch === undefined) resolve();
        else {
          worker.once('message', (result: BatchResult) => {
            add(batch, result);
            give();
          });
          worker.postMessage(batch);
        }
      };
      worker.on('error', reject);
      give();
    });
  } finally {
    await worker.terminate();
  }
}

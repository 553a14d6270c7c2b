/** Long work has one owner; what was given up is not listened to any more. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { type JobContext, Jobs } from '../../../src/agent/jobs.ts';
import { Wake } from '../../../src/agent/wake.ts';
import { deferred, silentLog, systemTimers } from '../../../src/base/index.ts';

function someJobs(now = { ms: 0 }): {
  readonly jobs: Jobs;
  readonly ends: () => number;
  readonly now: { ms: number };
} {
  let count = 0;
  const clock = { now: () => now.ms, wallNow: () => now.ms };
  const jobs = new Jobs({ clock, log: silentLog, random: () => 1, onEnd: () => (count += 1) });
  return { jobs, ends: () => count, now };
}

const settled = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

test('a job runs until its work ends, and then wakes the loop', async () => {
  const { jobs, ends } = someJobs();
  const work = deferred();
  jobs.start('clone', () => work.promise);
  equal(jobs.running, 'clone');
  work.resolve();
  await settled();
  deepEqual([jobs.running, ends(), jobs.retryAt], [undefined, 1, undefined]);
});

test('failures are counted and backed off from, until a success', async () => {
  const { jobs, now } = someJobs();
  for (const [count, waitMs] of [
    [1, 500],
    [2, 1000],
    [3, 2000],
  ] as const) {
    jobs.start('clone', () => Promise.reject(new Error('no')));
    await settled();
    deepEqual([jobs.failuresOf('clone'), jobs.retryAt], [count, now.ms + waitMs]);
  }
  equal(jobs.failuresOf('rejoin'), 0);
  jobs.start('clone', () => Promise.resolve());
  await settled();
  deepEqual([jobs.failuresOf('clone'), jobs.retryAt], [0, undefined]);
});

test('the result of an abandoned job is discarded, and its signal aborts', async () => {
  const { jobs, ends } = someJobs();
  const work = deferred();
  const handed = deferred<JobContext>();
  jobs.start('promote', (job) => {
    handed.resolve(job);
    return work.promise;
  });
  const seen = await handed.promise;
  ok(seen.isCurrent());
  jobs.start('demote', () => Promise.resolve());
  ok(seen.signal.aborted && !seen.isCurrent());
  work.reject(new Error('late'));
  await settled();
  deepEqual([jobs.running, ends(), jobs.failuresOf('promote')], [undefined, 1, 0]);
});

test('each begin and end of a job is a turn, so that what was seen before it is known to be old', async () => {
  const { jobs } = someJobs();
  const turns = [jobs.turns];
  jobs.start('restart', () => Promise.resolve());
  turns.push(jobs.turns);
  await settled();
  turns.push(jobs.turns);
  jobs.start('clone', () => new Promise(() => undefined));
  jobs.abandon('the test ends');
  turns.push(jobs.turns);
  deepEqual(turns, [0, 1, 2, 4]);
});

test('many events before a wait make one wake-up, and none is lost', async () => {
  const wake = new Wake(systemTimers);
  wake.now();
  wake.now();
  await wake.wait(10_000);
  const waited = wake.wait(20).then(() => 'by time');
  equal(await waited, 'by time');
  const woken = wake.wait(10_000);
  wake.now();
  await woken;
});

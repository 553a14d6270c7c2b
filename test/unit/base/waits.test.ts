/** Waits with an end, delays between retries, and durations as people write them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  AssertionError,
  background,
  backoffMs,
  deferred,
  parseDuration,
  pause,
  rethrowBug,
  silentLog,
  unlessAborted,
  withDeadline,
} from '../../../src/base/index.ts';

test('a wait that takes too long ends with deadline-exceeded and says what was waited for', async () => {
  const never = deferred();
  await assert.rejects(withDeadline(never.promise, 10, 'the answer of db-1'), {
    code: 'deadline-exceeded',
    message: 'the answer of db-1 took longer than 10 ms',
    exit: 3,
  });
});

test('a wait that ends in time gives its value, or its own error', async () => {
  assert.equal(await withDeadline(Promise.resolve(7), 1000, 'seven'), 7);
  await assert.rejects(withDeadline(Promise.reject(new Error('no')), 1000, 'seven'), /^Error: no$/);
});

test('a pause ends at once when its signal aborts, before or during it', async () => {
  const stop = new AbortController();
  const paused = pause(60_000, stop.signal);
  stop.abort();
  await withDeadline(paused, 1000, 'the pause');
  await withDeadline(pause(60_000, stop.signal), 1000, 'the second pause');
});

test('what is not waited for any more gives nothing, before or during it, and else its own', async () => {
  const stop = new AbortController();
  assert.equal(await unlessAborted(Promise.resolve(7), stop.signal), 7);
  await assert.rejects(unlessAborted(Promise.reject(new Error('no')), stop.signal), /^Error: no$/);
  const waited = unlessAborted(deferred().promise, stop.signal);
  stop.abort();
  assert.equal(await waited, undefined);
  assert.equal(await unlessAborted(deferred().promise, stop.signal), undefined);
});

test('a failure of unawaited work is logged with its name', async () => {
  const logged = deferred<unknown>();
  const log = { ...silentLog, error: (event: string, fields: unknown) => logged.resolve({ event, fields }) };
  background(log, 'the keep-alive', Promise.reject(new TypeError('boom')));
  assert.deepEqual(await logged.promise, {
    event: 'background-failed',
    fields: { what: 'the keep-alive', cause: 'boom' },
  });
});

test('a bug of our own is not taken for a failure of the world', () => {
  assert.throws(() => rethrowBug(new AssertionError('a broken invariant')), AssertionError);
  rethrowBug(new Error('a lost server'));
});

test('a delay between retries doubles up to its limit, and never falls below half of that', () => {
  const limits = { firstMs: 100, maxMs: 5000 };
  assert.deepEqual(
    [0, 1, 2, 10].map((attempt) => backoffMs(attempt, limits, 0)),
    [50, 100, 200, 2500],
  );
  fc.assert(
    fc.property(fc.nat(2000), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempt, random) => {
      const ms = backoffMs(attempt, limits, random);
      assert.ok(ms >= 50 && ms <= 5000, `${ms}`);
    }),
  );
});

test('durations are read with PostgreSQL’s units, and a bare number is seconds', () => {
  const read = ['250ms', '5s', '1min', '2h', '1d', '1.5s', ' 3 s ', '7', '500us'].map(parseDuration);
  assert.deepEqual(read, [250, 5000, 60_000, 7_200_000, 86_400_000, 1500, 3000, 7000, 0.5]);
  assert.deepEqual([5, 0.25].map(parseDuration), [5000, 250]);
  const refused = ['', 's', '-1s', '5 parsecs', '1m', Number.NaN, -1, Number.POSITIVE_INFINITY].map(
    parseDuration,
  );
  assert.deepEqual(new Set(refused), new Set([undefined]));
});

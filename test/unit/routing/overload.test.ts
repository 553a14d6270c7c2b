/** How much of its reads an overloaded node hands on. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Load, Median, nextLoad, noLoad } from '../../../src/routing/index.ts';

const shares = (judgements: number, facts: (share: number) => Parameters<typeof nextLoad>[1]): number[] => {
  let load: Load = noLoad;
  return Array.from({ length: judgements }, () => {
    load = nextLoad(load, facts(load.share));
    return load.share;
  });
};

describe('a node', () => {
  test('keeps all its reads while they cost about what they cost elsewhere', () => {
    assert.deepEqual(new Set(shares(50, () => ({ costMs: 21, otherMs: 1 }))), new Set([1]));
    assert.deepEqual(new Set(shares(50, () => ({ costMs: 300, otherMs: 200 }))), new Set([1]));
    assert.deepEqual(new Set(shares(50, () => ({ costMs: 300, otherMs: undefined }))), new Set([1]));
  });

  test('hands on more and more while it costs far more, after three judgements, and keeps a tenth', () => {
    const seen = shares(30, () => ({ costMs: 100, otherMs: 5 }));
    assert.deepEqual(seen.slice(0, 4), [1, 1, 0.75, 0.5625]);
    assert.equal(seen.at(-1), 0.1);
  });

  test('settles where both cost about the same', () => {
    // What it costs grows with what it serves: 12 ms at a tenth of its reads, 120 ms at all of them.
    const seen = shares(200, (share) => ({ costMs: share * 120, otherMs: 10 }));
    const last = seen.slice(-50);
    assert(
      last.every((share) => share >= 0.1 && share < 0.5),
      String(last),
    );
  });

  test('has all its reads again soon after it costs no more', () => {
    let load: Load = { share: 0.1, strikes: 9 };
    for (let judgement = 0; judgement < 9; judgement += 1) load = nextLoad(load, { costMs: 2, otherMs: 5 });
    assert.equal(Math.round(load.share * 100), 100);
    assert.equal(nextLoad({ share: 0.5, strikes: 9 }, { costMs: undefined, otherMs: 5 }).share, 0.6);
  });
});

describe('the median', () => {
  test('is that of the short reads, whatever the few long ones take', () => {
    const median = new Median();
    for (let n = 0; n < 1000; n += 1) median.observe(n % 5 === 0 ? 10_000 : 1);
    assert(median.ms < 2, String(median.ms));
  });

  test('follows when all become slow, and when they are fast again', () => {
    const median = new Median();
    assert.equal(median.ms, 0);
    for (let n = 0; n < 100; n += 1) median.observe(1);
    assert(Math.abs(median.ms - 1) < 0.1);
    for (let n = 0; n < 150; n += 1) median.observe(100);
    assert.equal(median.ms, 100);
    for (let n = 0; n < 150; n += 1) median.observe(1);
    assert(median.ms < 1.1, String(median.ms));
    assert.equal(median.count, 400);
  });
});

/** Whose turn it is to serve a read: exact shares, and turns that are handed on. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Rotation, type Turn } from '../../../src/router/rotation.ts';

const THREE: readonly Turn[] = [
  { name: 'a', weight: 10 },
  { name: 'b', weight: 1 },
  { name: 'c', weight: 1 },
];

const count = (rotation: Rotation, turns: number): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (let n = 0; n < turns; n += 1) {
    const name = rotation.next() ?? 'nobody';
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
};

const planned = (turns: readonly Turn[]): Rotation => {
  const rotation = new Rotation();
  rotation.plan(turns);
  return rotation;
};

describe('turns', () => {
  test('are exact over any window of twelve', () => {
    const rotation = planned(THREE);
    const names = Array.from({ length: 60 }, () => rotation.next());
    for (let at = 0; at + 12 <= names.length; at += 1) {
      const window = names.slice(at, at + 12);
      assert.deepEqual(
        ['a', 'b', 'c'].map((name) => window.filter((one) => one === name).length),
        [10, 1, 1],
      );
    }
  });

  test('are exact over any window as long as the weights without their common divisor, whatever they are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 }),
        fc.nat(20),
        (weights, skip) => {
          const rotation = planned(
            weights.map((weight, index) => ({ name: String(index), weight: weight * 7 })),
          );
          count(rotation, skip);
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          const seen = count(rotation, total);
          assert.deepEqual(
            weights.map((_, index) => seen[String(index)]),
            weights,
          );
        },
      ),
      { numRuns: 30 },
    );
  });

  test('go on where they were when the same nodes are planned again', () => {
    const rotation = planned(THREE);
    const names = Array.from({ length: 24 }, () => {
      rotation.plan([...THREE]);
      return rotation.next();
    });
    assert.equal(names.filter((name) => name === 'a').length, 20);
    assert.notDeepEqual(names.slice(0, 2), ['b', 'b']);
  });

  test('are nobody’s where there is nobody, and where the weights are too many to lay out', () => {
    assert.equal(planned([]).next(), undefined);
    assert.equal(
      planned([
        { name: 'a', weight: 4096 },
        { name: 'b', weight: 1 },
      ]).next(),
      undefined,
    );
  });
});

describe('a node with a part of its share', () => {
  test('hands the rest of its turns on to the others by their weights, and they are counted', () => {
    const rotation = planned([
      { name: 'a', weight: 10 },
      { name: 'b', weight: 3 },
      { name: 'c', weight: 1 },
    ]);
    rotation.setShare('a', 0.25);
    const seen = count(rotation, 1400);
    assert.deepEqual(seen, { a: 250, b: 300 + 563, c: 100 + 187 });
    assert.equal(rotation.handedOn('a'), 750);
    rotation.setShare('a', 1);
    assert.deepEqual(count(rotation, 14), { a: 10, b: 3, c: 1 });
    assert.equal(rotation.handedOn('a'), 750);
  });

  test('serves all the same where there is no other', () => {
    const rotation = planned([{ name: 'a', weight: 10 }]);
    rotation.setShare('a', 0.25);
    assert.deepEqual(count(rotation, 100), { a: 100 });
    assert.equal(rotation.handedOn('a'), 0);
    assert.equal(rotation.instead('a'), undefined);
  });

  test('that has no room is replaced by another', () => {
    const rotation = planned(THREE);
    const names = Array.from({ length: 10 }, () => rotation.instead('a'));
    // That is not yet to say that one of them takes it.
    assert.equal(rotation.handedOn('a'), 0);
    names.forEach(() => rotation.handOn('a'));
    assert.deepEqual(names.filter((name) => name === 'b').length, 5);
    assert(!names.includes('a'));
    assert.equal(rotation.handedOn('a'), 10);
  });
});

/** The ring queue, against the plainest queue there is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RingQueue } from '../../../src/base/index.ts';

test('a ring queue behaves as an array with push, shift and pop, whatever the order of calls', () => {
  const call = fc.oneof(
    { weight: 5, arbitrary: fc.integer().map((value) => ({ op: 'push' as const, value })) },
    { weight: 3, arbitrary: fc.constant({ op: 'shift' as const }) },
    { weight: 2, arbitrary: fc.constant({ op: 'pop' as const }) },
    { weight: 1, arbitrary: fc.constant({ op: 'clear' as const }) },
  );
  fc.assert(
    fc.property(fc.array(call, { maxLength: 200 }), (calls) => {
      const ring = new RingQueue<number>();
      let model: number[] = [];
      for (const each of calls) {
        if (each.op === 'push') {
          ring.push(each.value);
          model.push(each.value);
        } else if (each.op === 'shift') {
          assert.equal(ring.shift(), model.shift());
        } else if (each.op === 'pop') {
          assert.equal(ring.pop(), model.pop());
        } else {
          ring.clear();
          model = [];
        }
        assert.equal(ring.size, model.length);
        assert.equal(ring.peek(), model[0]);
        assert.deepEqual([...ring], model);
      }
    }),
  );
});

test('a ring queue that was long gives its values in order, and is good for more', () => {
  const ring = new RingQueue<number>();
  for (const _ of ['once', 'again']) {
    for (let value = 0; value < 5000; value += 1) ring.push(value);
    for (let value = 0; value < 5000; value += 1) assert.equal(ring.shift(), value);
    assert.equal(ring.size, 0);
  }
});

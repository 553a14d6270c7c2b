/** The messages that a unit of work keeps: copied before their chunk is overwritten, in one store. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeptMessages } from '../../../src/router/kept-messages.ts';

test('messages outlive the chunks that they came in, and the store is used again', () => {
  const kept = new KeptMessages();
  for (const round of [0, 1, 2]) {
    const told: string[] = [];
    for (let event = 0; event < 40; event += 1) {
      const chunk = Buffer.from(`${round}:${event}:${'x'.repeat(event)}`);
      const cut = event % chunk.length;
      for (const message of [chunk.subarray(0, cut), chunk.subarray(cut)]) {
        kept.add(message);
        told.push(message.toString());
      }
      assert.equal(kept.at(kept.count - 1)?.toString(), told.at(-1), 'before it is copied');
      kept.own();
      chunk.fill(0);
    }
    assert.equal(kept.count, told.length);
    assert.equal(kept.bytes, told.join('').length);
    assert.deepEqual(kept.all().map(String), told);
    assert.equal(kept.at(kept.count), undefined);
    kept.clear();
    assert.deepEqual(
      { count: kept.count, bytes: kept.bytes, first: kept.at(0) },
      { count: 0, bytes: 0, first: undefined },
    );
  }
});

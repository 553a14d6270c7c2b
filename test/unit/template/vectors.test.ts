/**
 * The engine prints what Go prints, byte for byte, its complaints included: every vector that was recorded from Go.
 * Among them are confd's documented examples. How to add to them and record anew: test/golden/template/README.md.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readText } from '../../support/sources.ts';
import { expectedOf, renderedOf, type Vector } from '../../support/template-vectors.ts';

const vectors = (readText('test/golden/template/vectors.jsonl') ?? '')
  .trimEnd()
  .split('\n')
  .map((line): Vector => JSON.parse(line));

for (const subject of new Set(vectors.map(({ of }) => of ?? ''))) {
  const group = vectors.filter(({ of }) => (of ?? '') === subject);
  test(`${subject}: ${group.length} templates give what Go gives`, () => {
    for (const vector of group) assert.equal(renderedOf(vector), expectedOf(vector), vector.template);
  });
}

test('there are vectors to compare with, and many of them fail', () => {
  assert.ok(vectors.length > 1400);
  assert.ok(vectors.filter(({ error }) => error !== undefined).length > 300);
});

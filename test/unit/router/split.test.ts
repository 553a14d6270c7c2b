/** A text that ends a transaction and goes on: where it is parted, and what of it is sent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitOf } from '../../../src/router/split.ts';
import { loadClassifier } from '../../../src/sql/index.ts';
import { Query } from '../../../src/wire/index.ts';

const classifier = await loadClassifier();

function parted(sql: string): readonly string[] | undefined {
  const split = splitOf(Query(sql), classifier.classify(sql));
  return (
    split &&
    [split.first, split.rest.message, split.rest.meant].map((query) =>
      query.toString('utf8', 5, query.length - 1),
    )
  );
}

test('a text is parted behind the statement that leaves no transaction open', () => {
  assert.deepEqual(parted('COMMIT; SELECT 1; SELECT 2'), [
    'COMMIT; ',
    '    END;SELECT 1; SELECT 2',
    'SELECT 1; SELECT 2',
  ]);
  assert.deepEqual(parted("SELECT 'é'; END;SET a.b = 1"), [
    "SELECT 'é'; END;",
    '            END;SET a.b = 1',
    'SET a.b = 1',
  ]);
  assert.deepEqual(parted('COMMIT AND CHAIN; ROLLBACK; TABLE t'), [
    'COMMIT AND CHAIN; ROLLBACK; ',
    `${' '.repeat(24)}END;TABLE t`,
    'TABLE t',
  ]);
});

test('a text that ends with its transaction, or ends none, is one', () => {
  for (const sql of [
    'COMMIT',
    'SELECT 1; COMMIT;',
    'COMMIT AND CHAIN; SELECT 1',
    'SELECT 1; SELECT 2',
    'ROLLBACK TO a; SELECT 1',
    'SELEC; COMMIT; x',
  ])
    assert.equal(parted(sql), undefined, sql);
});

test('texts of one digest are parted each at its own place', () => {
  assert.deepEqual(parted('SELECT 1; COMMIT; SELECT 1')?.[0], 'SELECT 1; COMMIT; ');
  assert.deepEqual(parted('SELECT 12345; COMMIT; SELECT 1')?.[0], 'SELECT 12345; COMMIT; ');
});

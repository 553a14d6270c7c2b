/** What a session has made at a standby, in a READ ONLY transaction: it is used and freed there. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Classifier } from '../../../src/sql/index.ts';
import { Flush, Parse, Query } from '../../../src/wire/index.ts';
import { aClassifier, extended, SessionStage } from '../../support/router-session.ts';

let classifier: Classifier;
before(async () => {
  classifier = await aClassifier();
});
const begun = () => new SessionStage(classifier).started();

describe('what was made in a READ ONLY transaction at a standby', () => {
  for (const [what, made, used, frees] of [
    [
      'a cursor that outlives it',
      'DECLARE cc CURSOR WITH HOLD FOR SELECT * FROM t',
      ['FETCH 1 FROM cc', 'MOVE 1 IN cc'],
      ['CLOSE cc', 'CLOSE ALL'],
    ],
    [
      'a prepared statement',
      'PREPARE pq(int) AS SELECT $1 + 1',
      ['EXECUTE pq(1)'],
      ['DEALLOCATE pq', 'DEALLOCATE ALL'],
    ],
    [
      'an advisory lock',
      'SELECT pg_advisory_lock(77)',
      [],
      ['SELECT pg_advisory_unlock(77)', 'SELECT pg_catalog.pg_advisory_unlock_all()'],
    ],
  ] as const) {
    const bound = (): SessionStage => {
      const stage = begun();
      for (const text of ['BEGIN READ ONLY', 'SELECT 1', made]) stage.send(Query(text));
      stage.server('n2').audited = stage.session.pin?.because.join(' ') ?? '';
      stage.send(Query('COMMIT')).take();
      assert.equal(stage.session.pin?.member, 'n2');
      return stage;
    };
    for (const free of frees) {
      test(`${what} can be used there, and ${free} frees the session of it`, () => {
        const stage = bound();
        for (const text of used) {
          assert.deepEqual(heardAt(stage.send(Query(text))), [`n2 < ${text}`]);
          assert.deepEqual(heardAt(stage.send(...extended(text))), [
            `n2 < Parse : ${text}`,
            `n2 < Execute ${text}`,
          ]);
        }
        assert.deepEqual(heardAt(stage.send(Query('INSERT INTO t VALUES (1)'))), ['client > ERROR 25006']);
        stage.server('n2').audited = '';
        assert.deepEqual(heardAt(stage.send(Query(free))), [`n2 < ${free}`]);
        assert.equal(stage.session.pin, undefined);
        assert.equal(
          heardAt(stage.send(Query('INSERT INTO t VALUES (1)'))).at(-1),
          'n1 < INSERT INTO t VALUES (1)',
        );
      });
    }

    if (used.length > 0)
      test(`${what} is not used, and nothing written by it, where the standby is none any more`, () => {
        const stage = bound();
        stage.server('n2').timeline = 2;
        assert.deepEqual(heardAt(stage.send(Query(used[0] ?? ''))), ['client > ERROR 25006']);
      });
  }
});

test('a batch of a READ ONLY transaction whose part behind a Flush is for the primary is not cut by a look at the cluster', () => {
  const stage = begun();
  stage.send(Query('BEGIN READ ONLY'));
  stage.send(...extended('SELECT 1').slice(0, -1), Flush());
  stage.take();
  stage.send(Parse({ name: '', sql: 'DO $$ BEGIN END $$', parameterTypes: [] }), Flush());
  stage.changeWorld(() => undefined);
  assert.deepEqual(heardAt(stage), ['n2 < Parse : DO $$ BEGIN END $$']);
  stage.send(...extended('SELECT 2'));
  assert.deepEqual(heardAt(stage), ['n2 < Parse : SELECT 2', 'n2 < Execute SELECT 2']);
});

/** What was said to servers by the client, and errors. */
function heardAt(stage: SessionStage): readonly string[] {
  return stage.take().filter((line) => /<|ERROR/.test(line) && !/\((?:probe|audit)\)/.test(line));
}

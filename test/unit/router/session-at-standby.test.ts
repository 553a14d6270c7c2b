/** What a session has made at a standby, in a READ ONLY transaction: it is used and freed there. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Classifier } from '../../../src/sql/index.ts';
import { Flush, Parse, Query, Sync } from '../../../src/wire/index.ts';
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
      'SELECT takes_lock(77)',
      [],
      ['SELECT pg_advisory_unlock(77)', 'SELECT pg_catalog.pg_advisory_unlock_all()'],
    ],
  ] as const) {
    const bound = (): SessionStage => {
      const stage = new SessionStage(classifier, { auditsCode: true }).started();
      for (const text of ['BEGIN READ ONLY', 'SELECT 1', made]) stage.send(Query(text));
      stage.server('n2').audited = stage.session.pin?.because.join(' ') ?? 'holds-session-lock';
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

const inTransaction = (...texts: readonly string[]): SessionStage => {
  const stage = begun();
  for (const text of ['BEGIN READ ONLY', 'SELECT 1', ...texts]) stage.send(Query(text));
  stage.take();
  return stage;
};

describe('what only the primary is right for, and a standby would do', () => {
  const NONE = 'n2 < EXECUTE "matriarch none"';
  for (const text of [
    'SELECT pg_advisory_xact_lock(1)',
    'SELECT pg_advisory_xact_lock_shared(1)',
    'SELECT pg_try_advisory_xact_lock(1)',
    'SELECT pg_catalog.pg_try_advisory_lock_shared(1)',
    'SELECT pg_advisory_lock(1)',
    'SELECT random(), unknown_function(), pg_advisory_xact_lock(1), clock_timestamp()',
    'SELECT 2; SELECT pg_try_advisory_lock(1)',
    'DECLARE c CURSOR FOR SELECT pg_advisory_xact_lock(1)',
    'COPY (SELECT pg_advisory_xact_lock(1)) TO STDOUT',
    'EXPLAIN ANALYZE SELECT pg_advisory_xact_lock(1)',
    'SELECT pg_terminate_backend(1)',
    'SELECT pg_cancel_backend(pid) FROM t',
    'SELECT pg_stat_reset()',
  ])
    test(`is refused in a READ ONLY transaction that is there: ${text}`, () => {
      const stage = inTransaction();
      stage.send(Query(text));
      assert.deepEqual(answers(stage), [NONE, 'client > ERROR 25006', 'client > Ready E']);
      assert.equal(stage.session.pin, undefined);
      stage.send(Query(text));
      assert.deepEqual(answers(stage), [`n2 < ${text}`, 'client > ERROR 25P02', 'client > Ready E']);
      assert.deepEqual(heardAt(stage.send(Query('COMMIT'))), ['n2 < COMMIT']);
      assert.deepEqual(heardAt(stage.send(Query('SELECT pg_advisory_xact_lock(1)'))), [
        'n1 < SELECT pg_advisory_xact_lock(1)',
      ]);
    });

  test('is refused by its Bind, behind what its batch has done', () => {
    const stage = inTransaction();
    stage.send(
      ...extended('SELECT 2').slice(0, -1),
      ...extended('SELECT pg_advisory_xact_lock(1)').slice(0, -1),
      ...extended('SELECT 3'),
    );
    assert.deepEqual(answers(stage), [
      'n2 < Parse : SELECT 2',
      'n2 < Execute SELECT 2',
      'n2 < Parse : SELECT pg_advisory_xact_lock(1)',
      ...['1', '2', 'n', 'row 2', 'SELECT 1', '1', 'ERROR 25006', 'Ready E'].map(
        (line) => `client > ${line}`,
      ),
    ]);
  });

  test('is refused behind a Flush in the batch that begins the transaction there', () => {
    const stage = begun();
    stage.send(Query('BEGIN READ ONLY')).take();
    stage.send(...extended('SELECT 1').slice(0, -1), Flush()).take();
    stage.send(...extended('SELECT pg_advisory_xact_lock(1)').slice(0, -1), Sync());
    assert.deepEqual(answers(stage), [
      'n2 < Parse : SELECT pg_advisory_xact_lock(1)',
      ...['1', 'ERROR 25006', 'Ready E'].map((line) => `client > ${line}`),
    ]);
  });

  test('is refused to an EXECUTE of it', () => {
    const stage = inTransaction('PREPARE p AS SELECT pg_advisory_xact_lock(1)');
    stage.send(Query('EXECUTE p'));
    assert.deepEqual(answers(stage), [NONE, 'client > ERROR 25006', 'client > Ready E']);
  });

  for (const text of [
    'SELECT random(), clock_timestamp(), unknown_function()',
    'SELECT ours.pg_advisory_lock(1)',
    'SELECT pg_advisory_unlock(1)',
    'SELECT pg_stat_get_numscans(1)',
    'EXPLAIN SELECT pg_advisory_xact_lock(1)',
  ])
    test(`is not this: ${text}`, () => {
      assert.deepEqual(heardAt(inTransaction().send(Query(text))), [`n2 < ${text}`]);
    });

  test('is done where the transaction is at the primary', () => {
    const lock = 'SELECT pg_advisory_xact_lock(1)';
    const stage = begun();
    for (const text of ['BEGIN READ ONLY', lock]) stage.send(Query(text));
    assert.equal(heardAt(stage).at(-1), `n1 < ${lock}`);
    assert.deepEqual(heardAt(stage.send(Query(lock))), [`n1 < ${lock}`]);
    stage.send(Query('COMMIT'), Query('/* matriarch: node=n1 */ BEGIN READ ONLY'), Query('SELECT 1'));
    assert.equal(heardAt(stage).at(-1), 'n1 < SELECT 1');
    assert.deepEqual(heardAt(stage.send(Query(lock))), [`n1 < ${lock}`]);
  });
});

/** What was said to servers, and by them. */
function answers(stage: SessionStage): readonly string[] {
  return stage.take().filter((line) => !line.startsWith('counted'));
}

/** What was said to servers by the client, and errors. */
function heardAt(stage: SessionStage): readonly string[] {
  return stage.take().filter((line) => /<|ERROR/.test(line) && !/\((?:probe|audit)\)/.test(line));
}

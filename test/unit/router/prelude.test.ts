/** A transaction that its client has begun and no server knows of yet. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Classifier } from '../../../src/sql/index.ts';
import { Flush, Query } from '../../../src/wire/index.ts';
import { aClassifier, again, extended, named, SessionStage } from '../../support/router-session.ts';

const say = (stage: SessionStage, ...texts: string[]) =>
  texts.flatMap((text) => stage.send(Query(text)).take());
const heard = (lines: string[]) => lines.filter((line) => !/> (Ready|1|2|n)/.test(line));

describe('a transaction that no server knows of', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });
  const begun = () => new SessionStage(classifier).started();

  test('costs no server until it has a statement, whose node gets the BEGIN with it', () => {
    const stage = begun();
    assert.deepEqual(say(stage, 'BEGIN'), ['client > BEGIN', 'client > Ready T']);
    assert.deepEqual(say(stage, 'SELECT 1').slice(-6), [
      'counted write at n1',
      'n1 < BEGIN',
      'n1 < SELECT 1',
      'client > row 1',
      'client > SELECT 1',
      'client > Ready T',
    ]);
    assert.deepEqual(say(stage, 'COMMIT').slice(-2), ['client > COMMIT', 'client > Ready I']);
  });

  for (const [texts, told] of [
    [
      ['BEGIN', 'COMMIT'],
      ['BEGIN', 'COMMIT'],
    ],
    [
      ['START TRANSACTION', 'ROLLBACK'],
      ['START TRANSACTION', 'ROLLBACK'],
    ],
    [
      ['BEGIN', 'SET TRANSACTION READ ONLY', 'END'],
      ['BEGIN', 'SET', 'COMMIT'],
    ],
    [
      ['BEGIN ISOLATION LEVEL SERIALIZABLE', 'ABORT'],
      ['BEGIN', 'ROLLBACK'],
    ],
  ] as const) {
    test(`${texts.join('; ')} is answered without a server, in either protocol`, () => {
      const lines = told.map((tag) => `client > ${tag}`);
      assert.deepEqual(heard(say(begun(), ...texts)), lines);
      const stage = begun();
      const extendedLines = texts.flatMap((text) => stage.send(...extended(text)).take());
      assert.deepEqual(heard(extendedLines), lines);
      const prepared = begun();
      const again1 = texts.flatMap((text, index) => prepared.send(...extended(text, `s${index}`)).take());
      const again2 = texts.flatMap((_, index) => prepared.send(...again(`s${index}`)).take());
      assert.deepEqual([heard(again1), heard(again2)], [lines, lines]);
    });
  }

  test('a chain of it is as little known, with the same options', () => {
    const stage = begun();
    say(stage, 'BEGIN READ ONLY', 'COMMIT AND CHAIN');
    assert.deepEqual(say(stage, 'SELECT 1').slice(0, 3), [
      'counted read at n2',
      'n2 < BEGIN READ ONLY',
      'n2 < SELECT 1',
    ]);
  });

  test('what is said of it before its first statement goes along, and decides where', () => {
    const stage = begun();
    say(stage, 'BEGIN', 'SET TRANSACTION READ ONLY');
    assert.deepEqual(say(stage, 'SELECT 1').slice(0, 3), [
      'counted read at n2',
      'n2 < BEGIN\n;SET TRANSACTION READ ONLY',
      'n2 < SELECT 1',
    ]);
  });

  for (const texts of [
    ['BEGIN READ ONLY, ISOLATION LEVEL SERIALIZABLE, DEFERRABLE'],
    ['BEGIN READ ONLY', 'SET TRANSACTION READ WRITE', 'SET TRANSACTION READ ONLY'],
    ['BEGIN ISOLATION LEVEL SERIALIZABLE', 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY'],
  ]) {
    test(`a standby would refuse ${texts.join('; ')}: it goes to the primary`, () => {
      const stage = begun();
      say(stage, ...texts);
      assert.ok(say(stage, 'SELECT 1').includes('counted write at n1'));
    });
  }

  test('a READ ONLY one whose first statement needs the primary runs there', () => {
    const stage = begun();
    say(stage, 'BEGIN READ ONLY');
    assert.ok(say(stage, 'SELECT nextval(1)').includes('counted write at n1'));
  });

  test('a READ ONLY one keeps to a standby also where its statements come with Flush', () => {
    const stage = begun();
    say(stage, 'BEGIN READ ONLY');
    assert.ok(stage.send(named('', 'SELECT 1'), Flush()).take().includes('counted read at n2'));
  });

  test('a first statement that fails fails the transaction', () => {
    const stage = begun();
    assert.deepEqual(say(stage, 'BEGIN', 'SELECT fail').slice(-2), [
      'client > ERROR 22012',
      'client > Ready E',
    ]);
    assert.deepEqual(say(stage, 'COMMIT').slice(-2), ['client > ROLLBACK', 'client > Ready I']);
  });

  test('a first statement that the router fails fails the transaction', () => {
    const stage = begun();
    say(stage, 'BEGIN');
    stage.changeWorld((world) => {
      world.none = 'no-leader';
    });
    stage.send(Query('INSERT INTO t VALUES (1)'));
    stage.session.cancel(1, () => undefined);
    const told = stage.take().filter((line) => line.startsWith('client'));
    assert.deepEqual(told, ['client > ERROR 57014', 'client > Ready E']);
    assert.deepEqual(say(stage, 'SELECT 1', 'COMMIT'), [
      'client > ERROR 25P02',
      'client > Ready E',
      'client > ROLLBACK',
      'client > Ready I',
    ]);
  });

  test('loses nothing when the leader changes, and begins at the next', () => {
    const stage = begun();
    say(stage, 'BEGIN');
    stage.timelines = { n2: 2 };
    stage.changeWorld((world) => {
      world.term = { member: 'n2', newestTimeline: 2 };
    });
    stage.lose('n1');
    assert.deepEqual(say(stage, 'INSERT INTO t VALUES (1)').slice(-5), [
      'counted write at n2',
      'n2 < BEGIN',
      'n2 < INSERT INTO t VALUES (1)',
      'client > INSERT 0 1',
      'client > Ready T',
    ]);
  });

  test('a second BEGIN is the server’s to answer, with its warning', () => {
    const stage = begun();
    assert.deepEqual(say(stage, 'BEGIN', 'BEGIN').filter((line) => line.startsWith('n1 < BEGIN')).length, 2);
  });

  test('settings of one that was lost are not made by the next', () => {
    const stage = begun();
    say(stage, 'BEGIN', "SET search_path = 'a'");
    stage.lose('n1');
    stage.take();
    say(stage, 'ROLLBACK', 'BEGIN', 'SELECT 1', 'COMMIT');
    assert.ok(!say(stage, 'SELECT 2').some((line) => line.includes('search_path')));
  });

  test('one whose read a standby refuses is rolled back there and begins at the primary', () => {
    const stage = begun();
    say(stage, 'BEGIN READ ONLY');
    const lines = say(stage, 'SELECT refused_by_standby, 1').filter((line) => line.includes('<'));
    assert.deepEqual(lines.slice(-3).sort(), [
      'n1 < BEGIN READ ONLY',
      'n1 < SELECT refused_by_standby, 1',
      'n2 < ROLLBACK',
    ]);
  });
});

/** What a session does with the messages around its end: nothing that comes behind it is heard. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Classifier } from '../../../src/sql/index.ts';
import { Query, Terminate } from '../../../src/wire/index.ts';
import { aClassifier, SessionStage } from '../../support/router-session.ts';

describe('at the end of a session', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });
  const begun = () => new SessionStage(classifier).started();

  test('what was sent behind a Terminate is not run, and borrows nothing', () => {
    const stage = begun();
    stage.send(Terminate(), Query('BEGIN'), Query('INSERT INTO t VALUES (1)'));
    assert.deepEqual(stage.take(), ['client ended']);
    assert.equal(stage.session.links.length, 0);
  });

  test('nor is it if it waited behind a statement', () => {
    const stage = begun();
    stage.send(
      Query('INSERT INTO t VALUES (1)'),
      Terminate(),
      Query('BEGIN'),
      Query('INSERT INTO t VALUES (2)'),
    );
    assert.doesNotMatch(stage.take().join('\n'), /BEGIN|VALUES \(2\)/);
    assert.equal(stage.session.links.length, 0);
  });
});

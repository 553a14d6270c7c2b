/** A portal that is bound in one batch and run in another of its transaction: it acts in the latter. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bind, Execute, Parse, Query, Sync } from '../../../src/wire/index.ts';
import { aClassifier, SessionStage } from '../../support/router-session.ts';

test('what is bound in one batch and executed in a later one acts in that', async () => {
  const stage = new SessionStage(await aClassifier()).started();
  const text = 'SET standard_conforming_strings = off';
  stage.send(Query('BEGIN'), Query('INSERT INTO t VALUES (1)'));
  stage.send(
    Parse({ name: 's', sql: text, parameterTypes: [] }),
    Bind({ portal: 'p', statement: 's' }),
    Sync(),
  );
  const pins = () => stage.session.pin?.because;
  assert.equal(pins(), undefined);
  stage.send(Execute('p', 0), Sync());
  assert.deepEqual(pins(), ['setting-changes-grammar']);
});

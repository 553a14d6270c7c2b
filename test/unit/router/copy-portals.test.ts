/** Which data can be of a COPY. */
import { equal } from 'node:assert/strict';
import { before, test } from 'node:test';
import { CopyPortals } from '../../../src/router/copy-portals.ts';
import { PREPARED_LIMITS, PreparedStatements } from '../../../src/router/prepared.ts';
import { ServerNames } from '../../../src/router/server-names.ts';
import { type Classifier, loadClassifier } from '../../../src/sql/index.ts';
import { Parse } from '../../../src/wire/index.ts';

let classifier: Classifier;
before(async () => {
  classifier = await loadClassifier();
});

const bound = (...texts: readonly (string | undefined)[]): CopyPortals => {
  const copies = new CopyPortals();
  for (const text of texts) {
    const prepared = new PreparedStatements(classifier, new ServerNames('m'), PREPARED_LIMITS);
    copies.bound(
      text === undefined ? undefined : prepared.parse(Parse({ name: '', sql: text, parameterTypes: [] })),
    );
  }
  return copies;
};

test('data is of a COPY FROM STDIN that has been bound, and of no other statement', () => {
  equal(bound('COPY t FROM STDIN').mayWantData, true);
  equal(bound('SELECT 1', 'COPY t TO STDOUT', 'INSERT INTO t VALUES (1)').mayWantData, false);
});

test('what nobody has looked into may be one', () => {
  equal(bound(undefined).mayWantData, true);
  equal(bound('SELEC').mayWantData, true);
});

test('each end of data is of one', () => {
  const copies = bound('COPY t FROM STDIN', 'SELECT 1', 'COPY u FROM STDIN');
  copies.ended();
  equal(copies.mayWantData, true);
  copies.ended();
  equal(copies.mayWantData, false);
  copies.bound(undefined);
  equal(copies.mayWantData, true);
});

test('no portal outlives its transaction', () => {
  const copies = bound('COPY t FROM STDIN');
  copies.over();
  equal(copies.mayWantData, false);
});

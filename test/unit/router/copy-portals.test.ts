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

/** Portals that are bound to these statements, by their names. */
function portals(all: Readonly<Record<string, string | undefined>>): CopyPortals {
  const copies = new CopyPortals();
  for (const [portal, text] of Object.entries(all)) bind(copies, portal, text);
  return copies;
}

function bind(copies: CopyPortals, portal: string, text: string | undefined): void {
  const prepared = new PreparedStatements(classifier, new ServerNames('m'), PREPARED_LIMITS);
  const made =
    text === undefined ? undefined : prepared.parse(Parse({ name: '', sql: text, parameterTypes: [] }));
  copies.bound(portal, made);
}

/** Whether data may be wanted once `portal` is run. */
function wantsAfter(copies: CopyPortals, portal: string): boolean {
  copies.executed(portal);
  return copies.mayWantData;
}

test('data is of a COPY FROM STDIN that is run, and of no other statement', () => {
  const all = { copy: 'COPY t FROM STDIN', read: 'SELECT 1', out: 'COPY t TO STDOUT' };
  equal(portals(all).mayWantData, false, 'it has not been run');
  equal(wantsAfter(portals(all), 'read'), false);
  equal(wantsAfter(portals(all), 'out'), false);
  equal(wantsAfter(portals(all), 'copy'), true);
});

test('what nobody has looked into may be one', () => {
  equal(wantsAfter(portals({ p: undefined }), 'p'), true);
  equal(wantsAfter(portals({ p: 'SELEC' }), 'p'), true);
});

test('the end of data is that of the COPY that runs, and of none that is still to be run', () => {
  const copies = portals({ first: 'COPY t FROM STDIN', second: 'COPY u FROM STDIN' });
  copies.ended();
  equal(wantsAfter(copies, 'first'), true);
  copies.ended();
  copies.ended();
  equal(copies.mayWantData, false);
  equal(wantsAfter(copies, 'second'), true);
});

test('a portal that is bound anew, or closed, is a COPY no more; nor does one outlive its transaction', () => {
  const copy = { p: 'COPY t FROM STDIN' };
  const anew = portals(copy);
  bind(anew, 'p', 'SELECT 1');
  equal(wantsAfter(anew, 'p'), false);
  const closed = portals(copy);
  closed.closed('p');
  equal(wantsAfter(closed, 'p'), false);
  const over = portals(copy);
  over.settle(false, true);
  equal(wantsAfter(over, 'p'), false);
  equal(over.isEmpty, true);
});

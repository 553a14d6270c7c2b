/** What a start-up packet asks for: with which parameters a connection begins, and what the router itself goes by. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type StartUp, startUpOf } from '../../../src/router/start-up.ts';

function begun(parameters: Readonly<Record<string, string>>): StartUp {
  return startUpOf({ user: 'app', database: 'app', parameters: new Map(Object.entries(parameters)) });
}

describe('a start-up packet', () => {
  test('shows a name of an application as PostgreSQL does: cut between characters, in printable ASCII', () => {
    assert.equal(begun({ application_name: 'ä'.repeat(50) }).applicationName, '?'.repeat(62));
    assert.equal(begun({ application_name: 'x'.repeat(70) }).applicationName, 'x'.repeat(63));
  });

  test('has options as they are, without what is said to the router', () => {
    assert.equal(
      begun({ options: '-c work_mem=1MB   -c  geqo=off' }).variant,
      'options=-c work_mem=1MB   -c  geqo=off',
    );
    assert.equal(
      begun({ options: '-c work_mem=1MB   -c matriarch.explain=on' }).variant,
      'options=-c work_mem=1MB',
    );
    assert.equal(begun({ options: '-c matriarch.explain=on', application_name: 'x' }).variant, '');
  });

  for (const [parameters, path] of [
    [{}, undefined],
    [{ search_path: 'a' }, 'a'],
    [{ Search_Path: 'a,b' }, 'a,b'],
    [{ options: '-c search_path=a' }, 'a'],
    [{ options: '--search-path=a -csearch_path=b\\ ,\\ d' }, 'b , d'],
    [{ search_path: 'c', options: '-c search_path=a' }, 'c'],
    [{ options: '-c app.search_path=a' }, undefined],
  ] as const) {
    test(`${JSON.stringify(parameters)} begins with the search_path ${path ?? 'of its role'}`, () => {
      assert.equal(begun(parameters).searchPath, path);
    });
  }

  for (const [parameters, isSerializable] of [
    [{ default_transaction_isolation: 'SERIALIZABLE' }, true],
    [{ options: '-c default_transaction_isolation=serializable' }, true],
    [{ options: '--default-transaction-isolation=serializable -c geqo=off' }, true],
    [{ options: '-c default_transaction_isolation=repeatable\\ read' }, false],
    [{ options: '-c app.default_transaction_isolation=serializable' }, false],
  ] as const) {
    test(`${JSON.stringify(parameters)} ${isSerializable ? 'makes' : 'does not make'} its transactions serializable`, () => {
      assert.equal(begun(parameters).isSerializable, isSerializable);
    });
  }
});

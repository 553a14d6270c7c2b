/** What a start-up packet asks for: what is carried from connection to connection, and what a connection must begin with. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { serverParameters } from '../../../src/router/server-parameters.ts';
import { type StartUp, startUpOf, welcomeOf } from '../../../src/router/start-up.ts';

function begun(parameters: Readonly<Record<string, string>>): StartUp {
  return startUpOf({ user: 'app', database: 'app', parameters: new Map(Object.entries(parameters)) });
}

function shown({ shared, own, carried }: StartUp) {
  return { shared: shared.variant, own: own.variant, carried: carried.map((pair) => pair.join('=')) };
}

describe('a start-up packet', () => {
  test('of tenants who differ by search_path and by a setting of their own asks for one kind of connection', () => {
    const tenants = ['a', 'b'].map((name) =>
      begun({ options: `-c search_path=${name},public -c app.tenant=${name}`, TimeZone: 'UTC' }),
    );
    assert.deepEqual(tenants.map(shown), [
      {
        shared: 'TimeZone=UTC',
        own: 'TimeZone=UTC\0app.tenant=a\0search_path=a,public',
        carried: ['search_path=a,public', 'app.tenant=a'],
      },
      {
        shared: 'TimeZone=UTC',
        own: 'TimeZone=UTC\0app.tenant=b\0search_path=b,public',
        carried: ['search_path=b,public', 'app.tenant=b'],
      },
    ]);
    assert.equal(
      tenants[0]?.settings.entries[0]?.text,
      "SELECT pg_catalog.set_config(E'search_path', E'a,public', false)",
    );
  });

  test('without anything to carry has one kind of connection, and its options as they are', () => {
    const startUp = begun({ options: '-c work_mem=1MB   -c  geqo=off', application_name: 'x' });
    assert.equal(startUp.own, startUp.shared);
    assert.equal(startUp.shared.variant, 'options=-c work_mem=1MB   -c  geqo=off');
  });

  test('says a setting in more than one way: the last counts, a parameter after all options', () => {
    const { carried } = begun({
      search_path: 'c',
      options: '--search-path=a -csearch_path=b\\ ,\\ d -c App.Tenant=1 -c app.tenant=2',
    });
    assert.deepEqual(carried, [
      ['app.tenant', '2'],
      ['search_path', 'c'],
    ]);
    assert.deepEqual(begun({ options: '--search-path=a -csearch_path=b\\ ,\\ d' }).carried, [
      ['search_path', 'b , d'],
    ]);
  });

  for (const [name, value] of [
    ['search_path', 'a,,b'],
    ['search_path', '"a'],
    ['app.1', 'x'],
    ['role', 'other'],
    ['default_transaction_isolation', 'serializable'],
  ] as const) {
    test(`with ${name} = ${value} begins on a connection that PostgreSQL has judged it for`, () => {
      const startUp = begun({ options: `-c ${name}=${value}` });
      assert.deepEqual(shown(startUp), {
        shared: `options=-c ${name}=${value}`,
        own: `options=-c ${name}=${value}`,
        carried: [],
      });
    });
  }

  test('is welcomed with what it has asked for, where the server reports such', () => {
    const startUp = begun({ search_path: 'a', application_name: 'x' });
    const reported = { server_version: '18.0', search_path: '"$user", public', application_name: '' };
    const { values } = welcomeOf(serverParameters(new Map(Object.entries(reported))), startUp);
    assert.deepEqual(Object.fromEntries(values), {
      server_version: '18.0',
      search_path: 'a',
      application_name: 'x',
    });
    const older = welcomeOf(serverParameters(new Map([['server_version', '15.0']])), startUp);
    assert.deepEqual([...older.values.keys()], ['server_version']);
  });
});

/** Sources that are no store of keys, as keys, in confd's forms. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentPairs, environmentPairs } from '../../../src/template/resource/flatten.ts';
import { commonFolder } from '../../../src/template/shell/backend.ts';

test('variables of the environment are keys in small letters with slashes', () => {
  assert.deepEqual(
    environmentPairs({
      MYAPP_DATABASE_URL: 'db.example.com',
      myapp_user: 'rob',
      HOME: '/root',
      gone: undefined,
    }),
    new Map([
      ['/myapp/database/url', 'db.example.com'],
      ['/myapp/user', 'rob'],
      ['/home', '/root'],
    ]),
  );
});

test('a document is its leaves; lists count from 0, and null is not there', () => {
  const document = {
    myapp: { database: { url: 'db', port: 5432, ratio: 0.5, big: 1e21, on: true } },
    list: ['a', { b: 'c' }, []],
    nothing: null,
    empty: {},
  };
  assert.deepEqual(
    documentPairs(document),
    new Map([
      ['/myapp/database/url', 'db'],
      ['/myapp/database/port', '5432'],
      ['/myapp/database/ratio', '0.5'],
      ['/myapp/database/big', '1000000000000000000000'],
      ['/myapp/database/on', 'true'],
      ['/list/0', 'a'],
      ['/list/1/b', 'c'],
    ]),
  );
  assert.deepEqual(documentPairs('only a text'), new Map());
});

test('keys are read by the deepest folder that all are in', () => {
  assert.equal(commonFolder(['/service/main/members', '/service/main/leader']), '/service/main');
  assert.equal(commonFolder(['/service/main', '/service/mainframe']), '/service');
  assert.equal(commonFolder(['/a/b']), '/a/b');
  assert.equal(commonFolder(['/a', '/b']), '/');
  assert.equal(commonFolder(['/a/b', '/a']), '/a');
  assert.equal(commonFolder([]), '/');
});

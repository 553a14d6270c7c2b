/** The language of the admin console: text to commands. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type AdminCommand, parseCommands, SHOWN } from '../../../src/admin/index.ts';

const none: readonly AdminCommand[] = [];

function commands(text: string): readonly AdminCommand[] | string {
  const parsed = parseCommands(text);
  return parsed.outcome === 'commands' ? parsed.commands : `invalid: ${parsed.text}`;
}

test('commands are what they are in PgBouncer, in any case, with or without a semicolon', () => {
  const table: readonly (readonly [string, AdminCommand])[] = [
    ['SHOW POOLS', { kind: 'show', shown: 'pools' }],
    ['  show\n\tPools ; ', { kind: 'show', shown: 'pools' }],
    ['show "stats"', { kind: 'show', shown: 'stats' }],
    ['SELECT version', { kind: 'show', shown: 'version' }],
    ['SELECT version()', { kind: 'show', shown: 'version' }],
    ['select 1', { kind: 'constant', value: 1 }],
    ['SHOW HELP', { kind: 'help' }],
    ['SHOW FDS', { kind: 'fds' }],
    ['PAUSE', { kind: 'database', verb: 'pause', database: undefined }],
    ['pause App', { kind: 'database', verb: 'pause', database: 'App' }],
    ['PAUSE "my-db ""x"""', { kind: 'database', verb: 'pause', database: 'my-db "x"' }],
    ['RESUME app', { kind: 'database', verb: 'resume', database: 'app' }],
    ['RECONNECT', { kind: 'database', verb: 'reconnect', database: undefined }],
    ['KILL app', { kind: 'database', verb: 'kill', database: 'app' }],
    ['WAIT_CLOSE app', { kind: 'database', verb: 'wait_close', database: 'app' }],
    ['KILL_CLIENT 1234', { kind: 'kill-client', id: 1234 }],
    ["KILL_CLIENT '12'", { kind: 'kill-client', id: 12 }],
    ['DISABLE app', { kind: 'gate', verb: 'disable', database: 'app' }],
    ['ENABLE', { kind: 'gate', verb: 'enable', database: undefined }],
    ['RELOAD', { kind: 'reload' }],
    ['SUSPEND', { kind: 'suspend' }],
    ['SHUTDOWN', { kind: 'shutdown', mode: 'now' }],
    ['SHUTDOWN WAIT_FOR_SERVERS', { kind: 'shutdown', mode: 'wait-for-servers' }],
    ['shutdown wait_for_clients;', { kind: 'shutdown', mode: 'wait-for-clients' }],
    ['SET default_pool_size = 5', { kind: 'set', key: 'default_pool_size', value: '5' }],
    ['SET Default_Pool_Size=5;', { kind: 'set', key: 'default_pool_size', value: '5' }],
    ["set query_timeout to '1min'", { kind: 'set', key: 'query_timeout', value: '1min' }],
    ['SET listen TO 127.0.0.1:5432', { kind: 'set', key: 'listen', value: '127.0.0.1:5432' }],
    ['SET x TO DEFAULT', { kind: 'set', key: 'x', value: undefined }],
  ];
  for (const [text, expected] of table) assert.deepEqual(commands(text), [expected], text);
});

test('SHOW ROUTE takes a statement in quotes, and who would send it in any order', () => {
  assert.deepEqual(commands("show route 'SELECT ''a''; SELECT 2'"), [
    { kind: 'route', sql: "SELECT 'a'; SELECT 2", who: {} },
  ]);
  assert.deepEqual(commands(`SHOW ROUTE 'x' DATABASE Shop USER "my user" APPLICATION 'a b';`), [
    { kind: 'route', sql: 'x', who: { database: 'Shop', user: 'my user', application: 'a b' } },
  ]);
  for (const wrong of ["'x' USER", 'x', "'x' USER a USER b", "'x' ROLE a", "'x', 'y'", "'x' USER ="]) {
    assert.equal(commands(`SHOW ROUTE ${wrong}`), `invalid: SHOW ROUTE ${wrong}`);
  }
});

test('every table can be shown', () => {
  for (const shown of SHOWN) assert.deepEqual(commands(`SHOW ${shown}`), [{ kind: 'show', shown }]);
});

test('what drivers say when they connect or hand a connection back is understood', () => {
  const table: readonly (readonly [string, AdminCommand])[] = [
    ['SET application_name TO "my app"', { kind: 'set', key: 'application_name', value: 'my app' }],
    ['SET extra_float_digits = 3', { kind: 'set', key: 'extra_float_digits', value: '3' }],
    ['SET SESSION statement_timeout = -1', { kind: 'set', key: 'statement_timeout', value: '-1' }],
    ['SET DateStyle=ISO, MDY', { kind: 'set', key: 'datestyle', value: 'ISO, MDY' }],
    ["SET TIME ZONE 'UTC'", { kind: 'set', key: 'timezone', value: 'UTC' }],
    ["SET NAMES 'utf8'", { kind: 'set', key: 'client_encoding', value: 'utf8' }],
    ['SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY', { kind: 'harmless', tag: 'SET' }],
    ['SHOW TRANSACTION ISOLATION LEVEL', { kind: 'show-parameter', name: 'transaction_isolation' }],
    ['SHOW TimeZone', { kind: 'show-parameter', name: 'timezone' }],
    ['BEGIN', { kind: 'harmless', tag: 'BEGIN', status: 'T' }],
    ['BEGIN ISOLATION LEVEL READ COMMITTED', { kind: 'harmless', tag: 'BEGIN', status: 'T' }],
    ['START TRANSACTION READ ONLY', { kind: 'harmless', tag: 'START TRANSACTION', status: 'T' }],
    ['COMMIT', { kind: 'harmless', tag: 'COMMIT', status: 'I' }],
    ['END', { kind: 'harmless', tag: 'COMMIT', status: 'I' }],
    ['ROLLBACK', { kind: 'harmless', tag: 'ROLLBACK', status: 'I' }],
    ['ROLLBACK TO SAVEPOINT a', { kind: 'harmless', tag: 'ROLLBACK' }],
    ['RESET ALL', { kind: 'harmless', tag: 'RESET' }],
    ['DISCARD ALL', { kind: 'deallocate', name: undefined, tag: 'DISCARD ALL' }],
    ['DISCARD TEMP', { kind: 'harmless', tag: 'DISCARD TEMP' }],
    ['DEALLOCATE ALL', { kind: 'deallocate', name: undefined, tag: 'DEALLOCATE ALL' }],
    ['DEALLOCATE PREPARE s1', { kind: 'deallocate', name: 's1', tag: 'DEALLOCATE' }],
  ];
  for (const [text, expected] of table) assert.deepEqual(commands(text), [expected], text);
});

test('comments and blanks are nothing, wherever they stand', () => {
  const show = [{ kind: 'show', shown: 'pools' }];
  assert.deepEqual(commands('/* tool: /* nested */ x */ SHOW /* ; */ POOLS -- at the end'), show);
  assert.deepEqual(commands('-- first\nSHOW POOLS;-- last\n'), show);
  for (const text of ['', ' ', ';', ' ; ;', '--', '/**/', '-- SHOW POOLS']) {
    assert.deepEqual(commands(text), none, text);
  }
});

test('several commands in one text are several commands', () => {
  assert.deepEqual(commands("PAUSE a; SHOW POOLS;; SET x = 'a;b'"), [
    { kind: 'database', verb: 'pause', database: 'a' },
    { kind: 'show', shown: 'pools' },
    { kind: 'set', key: 'x', value: 'a;b' },
  ]);
});

test('what is not a command is told as it came', () => {
  for (const text of [
    'foo',
    'SHOW',
    'SHOW POOLS now',
    'PAUSE a b',
    'PAUSE 1+1',
    "PAUSE 'app'",
    'KILL_CLIENT',
    'KILL_CLIENT x',
    'KILL_CLIENT 1 2',
    'KILL_CLIENT 99999999999999999999',
    'RELOAD now',
    'SHUTDOWN maybe',
    'SHUTDOWN WAIT_FOR_SERVERS now',
    'SET',
    'SET x',
    'SET x =',
    'SET x = (1)',
    'SET x 5',
    'SELECT 1 + 1',
    'SELECT * FROM pg_class',
    'START',
    'DEALLOCATE',
    '/* open',
    'PAUSE "open',
    "SET x = 'open",
    `PAUSE ${'x'.repeat(300)}`,
  ]) {
    assert.equal(commands(text), `invalid: ${text}`);
  }
});

test('no text breaks the parser, and a quoted name comes back whole', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseCommands(text)));
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      assert.deepEqual(commands(`KILL "${name.replaceAll('"', '""')}"`), [
        { kind: 'database', verb: 'kill', database: name },
      ]);
    }),
  );
});

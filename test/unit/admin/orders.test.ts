/** What is ordered of the router, by whom, and what is refused before it gets there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminAccess, isAdminDatabase } from '../../../src/admin/index.ts';
import { Query } from '../../../src/wire/index.ts';
import { aDatabase, someFacts } from '../../support/admin-facts.ts';
import { AdminTalk } from '../../support/admin-session.ts';

test('each command that changes something becomes one order, and its tag is the command', () => {
  const table = [
    ['PAUSE', { kind: 'pause', database: undefined }, 'PAUSE'],
    ['PAUSE app', { kind: 'pause', database: 'app' }, 'PAUSE'],
    ['RESUME reports', { kind: 'resume', database: 'reports' }, 'RESUME'],
    ['RECONNECT app', { kind: 'reconnect', database: 'app' }, 'RECONNECT'],
    ['KILL app', { kind: 'kill', database: 'app' }, 'KILL'],
    ['WAIT_CLOSE', { kind: 'wait_close', database: undefined }, 'WAIT_CLOSE'],
    ['DISABLE app', { kind: 'disable', database: 'app' }, 'DISABLE'],
    ['ENABLE app', { kind: 'enable', database: 'app' }, 'ENABLE'],
    ['KILL_CLIENT 2', { kind: 'kill-client', id: 2 }, 'KILL_CLIENT'],
    ['RELOAD', { kind: 'reload' }, 'RELOAD'],
    ['SHUTDOWN WAIT_FOR_CLIENTS', { kind: 'shutdown', mode: 'wait-for-clients' }, 'SHUTDOWN'],
    ['SET default_pool_size = 5', { kind: 'set', key: 'default_pool_size', value: '5' }, 'SET'],
  ] as const;
  for (const [text, order, tag] of table) {
    const talk = new AdminTalk({ atOnce: true });
    assert.deepEqual(talk.say(Query(text)), [`C ${tag}`, 'Z I'], text);
    assert.deepEqual(
      talk.given.map((given) => given.order),
      [order],
      text,
    );
  }
});

test('SUSPEND and RESUME are ordered where the whole router is in the state for it', () => {
  const suspending = new AdminTalk({ atOnce: true, facts: someFacts({ databases: [aDatabase('app')] }) });
  assert.deepEqual(suspending.say(Query('SUSPEND')), ['C SUSPEND', 'Z I']);
  const resuming = new AdminTalk({ atOnce: true, facts: someFacts({ state: 'paused' }) });
  assert.deepEqual(resuming.say(Query('RESUME')), ['C RESUME', 'Z I']);
  assert.deepEqual(resuming.given[0]?.order, { kind: 'resume', database: undefined });
});

test('what makes no sense is refused with PgBouncer’s words and PostgreSQL’s SQLSTATE', () => {
  const paused = someFacts({ state: 'paused' });
  const free = someFacts({ databases: [aDatabase('app')] });
  const table = [
    ['PAUSE', paused, '55000 already suspended/paused'],
    ['KILL', paused, '55000 already suspended/paused'],
    ['SUSPEND', paused, '55000 already suspended/paused'],
    ['SUSPEND', someFacts(), '55000 cannot suspend with paused databases'],
    ['RESUME', free, '55000 pooler is not paused/suspended'],
    ['RESUME app', free, '55000 database app is not paused'],
    ['RESUME nodb', free, '3D000 no such database: nodb'],
    ['KILL nodb', free, '3D000 no such database: nodb'],
    ['RECONNECT nodb', free, '3D000 no such database: nodb'],
    ['ENABLE nodb', free, '3D000 no such database: nodb'],
    ['DISABLE', free, '42601 a database is required'],
    ['PAUSE pgbouncer', free, '0A000 cannot pause admin db: pgbouncer'],
    ['WAIT_CLOSE matriarch', free, '0A000 cannot wait close admin db: matriarch'],
    ['DISABLE matriarch', free, '0A000 cannot disable admin db: matriarch'],
    ['KILL_CLIENT 99', free, '42704 client not found'],
    ['SET listen = 1', free, '55P02 parameter "listen" cannot be changed now'],
    ['SET nothing = 1', free, '42704 unrecognized configuration parameter "nothing"'],
    ['SHOW nothing', free, '42704 unrecognized configuration parameter "nothing"'],
    ['SHOW FDS', free, '0A000 SHOW FDS is not supported'],
    ['foo', free, "42601 invalid command 'foo', use SHOW HELP;"],
  ] as const;
  for (const [text, facts, error] of table) {
    const talk = new AdminTalk({ facts });
    assert.deepEqual(talk.say(Query(text)), [`E ${error}`, 'Z I'], text);
    assert.deepEqual(talk.given, [], text);
  }
});

test('a database that nobody uses yet can be paused and disabled, with a notice', () => {
  for (const [text, tag] of [
    ['PAUSE nodb', 'PAUSE'],
    ['DISABLE nodb', 'DISABLE'],
  ] as const) {
    const talk = new AdminTalk({ atOnce: true });
    const heard = talk.say(Query(text));
    assert.deepEqual(heard, ['N 00000 database "nodb" is not in use yet', `C ${tag}`, 'Z I']);
  }
});

test('who may only look is refused everything else, but not what drivers say', () => {
  for (const text of [
    'PAUSE',
    'KILL app',
    'KILL_CLIENT 1',
    'RELOAD',
    'SHUTDOWN',
    'SET default_pool_size=1',
  ]) {
    const talk = new AdminTalk({ access: 'stats', atOnce: true });
    assert.deepEqual(talk.say(Query(text)), ['E 42501 admin access needed', 'Z I'], text);
    assert.deepEqual(talk.given, []);
  }
  const talk = new AdminTalk({ access: 'stats' });
  assert.equal(talk.say(Query('SHOW STATE')).at(-2), 'C SHOW');
  assert.deepEqual(talk.say(Query('SET extra_float_digits = 3')), ['C SET', 'Z I']);
});

test('who may come is listed by role, and the console has two names', () => {
  const lists = { admin_users: ['ops', 'both'], stats_users: ['monitoring', 'both'] };
  assert.equal(adminAccess('ops', lists), 'admin');
  assert.equal(adminAccess('both', lists), 'admin');
  assert.equal(adminAccess('monitoring', lists), 'stats');
  assert.equal(adminAccess('OPS', lists), undefined);
  assert.deepEqual(['matriarch', 'pgbouncer', 'app', 'Matriarch'].map(isAdminDatabase), [
    true,
    true,
    false,
    false,
  ]);
});

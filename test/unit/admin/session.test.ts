/** Conversations with the admin console: what it says, message by message, in both protocols. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import * as wire from '../../../src/wire/index.ts';
import { someFacts } from '../../support/admin-facts.ts';
import { AdminTalk } from '../../support/admin-session.ts';

const { Bind, Execute, Flush, Parse, Query, Sync, Terminate } = wire;

const parse = (sql: string, name = '') => Parse({ name, sql, parameterTypes: [] });
const bind = (changes: Partial<wire.BindFields> = {}) => Bind({ portal: '', statement: '', ...changes });

const text = (value: string) => Buffer.from(`${value}\0`);
const row = (key: string, value: string) =>
  Buffer.concat([
    Buffer.from([0x44, 0, 0, 0, 4 + 2 + 4 + key.length + 4 + value.length, 0, 2]),
    Buffer.from([0, 0, 0, key.length]),
    Buffer.from(key),
    Buffer.from([0, 0, 0, value.length]),
    Buffer.from(value),
  ]);

const STATE_COLUMNS = 'T key:25/0|value:25/0';
const STATE_ROWS = ['D active|yes', 'D paused|no', 'D suspended|no'];

test('a client is welcomed with what a driver wants to know', () => {
  const talk = new AdminTalk();
  talk.session.start();
  assert.deepEqual(talk.heard(), [
    'S application_name=psql',
    'S client_encoding=UTF8',
    'S DateStyle=ISO, MDY',
    'S default_transaction_read_only=off',
    'S in_hot_standby=off',
    'S integer_datetimes=on',
    'S IntervalStyle=postgres',
    'S is_superuser=on',
    'S server_encoding=UTF8',
    'S server_version=15.0/matriarch',
    'S session_authorization=ops',
    'S standard_conforming_strings=on',
    'S TimeZone=UTC',
    'K',
    'Z I',
  ]);
});

test('a simple query, byte by byte', () => {
  const talk = new AdminTalk();
  talk.session.receive(Query('SHOW STATE'));
  const column = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0]);
  assert.deepEqual(
    talk.bytes(),
    Buffer.concat([
      Buffer.from([0x54, 0, 0, 0, 52, 0, 2]),
      text('key'),
      column,
      text('value'),
      column,
      row('active', 'yes'),
      row('paused', 'no'),
      row('suspended', 'no'),
      Buffer.from([0x43, 0, 0, 0, 9]),
      text('SHOW'),
      Buffer.from([0x5a, 0, 0, 0, 5, 0x49]),
    ]),
  );
});

test('nothing is an empty query; several commands are answered one by one, up to an error', () => {
  const talk = new AdminTalk({ atOnce: true });
  assert.deepEqual(talk.say(wire.Query(' ; -- nothing')), ['I', 'Z I']);
  assert.deepEqual(talk.say(wire.Query('RELOAD; SHOW STATE')), [
    'C RELOAD',
    STATE_COLUMNS,
    ...STATE_ROWS,
    'C SHOW',
    'Z I',
  ]);
  assert.deepEqual(talk.say(wire.Query('SHOW FDS; RELOAD')), ['E 0A000 SHOW FDS is not supported', 'Z I']);
  assert.equal(talk.given.length, 1);
});

test('help is a notice with the commands in its detail', () => {
  const talk = new AdminTalk();
  talk.session.receive(Query('SHOW HELP'));
  const bytes = talk.bytes();
  const end = 1 + bytes.readInt32BE(1);
  const { severity, message, detail } = wire.readErrorFields(bytes.subarray(0, end));
  assert.deepEqual([severity, message], ['NOTICE', 'Console usage']);
  for (const word of ['POOLS', 'POOL_NODES', 'WAIT_CLOSE [<db>]', 'KILL_CLIENT <client_id>']) {
    assert.ok(detail?.includes(word), word);
  }
  assert.deepEqual(
    bytes.subarray(end),
    Buffer.concat([wire.CommandComplete('SHOW'), wire.ReadyForQuery('I')]),
  );
});

test('what drivers set is remembered and told; what is fixed is ignored with a notice', () => {
  const talk = new AdminTalk();
  assert.deepEqual(talk.say(wire.Query("SET application_name = 'tool'")), [
    'C SET',
    'S application_name=tool',
    'Z I',
  ]);
  assert.deepEqual(talk.say(wire.Query('SHOW application_name')), [
    'T application_name:25/0',
    'D tool',
    'C SHOW',
    'Z I',
  ]);
  assert.deepEqual(talk.say(wire.Query('SET application_name TO DEFAULT')).slice(0, 2), [
    'C SET',
    'S application_name=',
  ]);
  assert.deepEqual(talk.say(wire.Query("SET client_encoding TO 'LATIN1'")), [
    'N 00000 SET ignored',
    'C SET',
    'Z I',
  ]);
  assert.deepEqual(talk.say(wire.Query('SET extra_float_digits = 3')), ['C SET', 'Z I']);
  assert.deepEqual(talk.say(wire.Query('SHOW transaction isolation level')).slice(0, 2), [
    'T transaction_isolation:25/0',
    'D read committed',
  ]);
  assert.deepEqual(talk.say(wire.Query('SHOW default_pool_size')).slice(0, 2), [
    'T default_pool_size:25/0',
    'D 20',
  ]);
  assert.deepEqual(talk.say(wire.Query('select 1')), ['T ?column?:23/0', 'D 1', 'C SELECT 1', 'Z I']);
});

test('BEGIN and COMMIT do nothing but say so', () => {
  const talk = new AdminTalk();
  assert.deepEqual(talk.say(wire.Query('BEGIN')), ['C BEGIN', 'Z T']);
  assert.deepEqual(talk.say(wire.Query('foo')), ["E 42601 invalid command 'foo', use SHOW HELP;", 'Z T']);
  assert.deepEqual(talk.say(wire.Query('SAVEPOINT a')), ['C SAVEPOINT', 'Z T']);
  assert.deepEqual(talk.say(wire.Query('COMMIT')), ['C COMMIT', 'Z I']);
});

test('an order is answered when it is done; until then the client waits and is not read from', () => {
  const talk = new AdminTalk();
  assert.deepEqual(talk.say(wire.Query('PAUSE; SHOW STATE'), Query('RELOAD')), []);
  assert.deepEqual(talk.backlog, [true]);
  talk.given[0]?.done({ kind: 'done' });
  assert.deepEqual(talk.heard(), ['C PAUSE', STATE_COLUMNS, ...STATE_ROWS, 'C SHOW', 'Z I']);
  assert.deepEqual(talk.backlog, [true, false, true]);
  talk.given[0]?.done({ kind: 'done' });
  assert.deepEqual(talk.heard(), [], 'who is done twice is heard once');
  talk.given[1]?.done({ kind: 'failed', failure: { code: 'F0000', message: 'RELOAD failed' } });
  assert.deepEqual(talk.heard(), ['E F0000 RELOAD failed', 'Z I']);
});

test('a cancel ends the waiting, not the order; without waiting it is nothing', () => {
  const talk = new AdminTalk();
  talk.session.cancel();
  assert.deepEqual(talk.say(wire.Query('PAUSE')), []);
  talk.session.cancel();
  assert.deepEqual(talk.heard(), ['E 57014 canceling statement due to user request', 'Z I']);
  talk.given[0]?.done({ kind: 'done' });
  assert.deepEqual(talk.heard(), []);
  assert.equal(talk.say(wire.Query('SHOW STATE')).at(-1), 'Z I');
});

test('what is done after the client has gone is heard by nobody', () => {
  const talk = new AdminTalk();
  talk.say(wire.Query('PAUSE'), Query('SHOW STATE'));
  talk.session.closed();
  talk.given[0]?.done({ kind: 'done' });
  assert.deepEqual(talk.say(wire.Query('SHOW STATE')), []);
});

test('a function call is refused and the connection goes on; COPY data of nobody is nothing', () => {
  const talk = new AdminTalk();
  const call = Buffer.from([wire.FRONTEND.FunctionCall, 0, 0, 0, 4]);
  assert.deepEqual(talk.say(call), ['E 0A000 the admin console has no functions', 'Z I']);
  assert.deepEqual(talk.say(wire.CopyFail('x'), Flush()), []);
  assert.equal(talk.say(wire.Query('SHOW STATE')).at(-1), 'Z I');
});

test('goodbye ends it; what is no message, or too long, breaks the protocol', () => {
  const talk = new AdminTalk();
  assert.deepEqual(talk.say(Terminate(), Query('SHOW STATE')), []);
  assert.equal(talk.hasEnded, true);
  const violation = { name: 'ProtocolViolation' };
  assert.throws(() => new AdminTalk().say(Buffer.from([0x7a, 0, 0, 0, 4])), violation);
  assert.throws(() => new AdminTalk().say(Query(`SHOW ${'x'.repeat(70_000)}`)), violation);
});

test('more prepared statements than are kept are refused', () => {
  const talk = new AdminTalk();
  const heard = talk.say(...Array.from({ length: 1001 }, (_, index) => parse('SHOW STATE', `s${index}`)));
  assert.equal(heard.length, 1001);
  assert.equal(heard.at(-1), 'E 54000 too many prepared statements: the admin console keeps 1000');
});

test('no cut of the bytes changes the answers', () => {
  const said = Buffer.concat([
    Query('SHOW STATE; SHOW nothing'),
    parse('SHOW LISTS', 's'),
    bind({ statement: 's' }),
    Execute('', 3),
    Sync(),
    Query('BEGIN'),
  ]);
  const facts = someFacts();
  const whole = new AdminTalk({ facts }).say(said);
  fc.assert(
    fc.property(fc.array(fc.nat(said.length), { maxLength: 8 }), (cuts) => {
      const talk = new AdminTalk({ facts });
      const places = [0, ...cuts.sort((a, b) => a - b), said.length];
      const heard = places.slice(1).flatMap((end, index) => talk.say(said.subarray(places[index], end)));
      assert.deepEqual(heard, whole);
    }),
  );
});

test('SHOW ROUTE tells the decision step by step, for the asker if nobody else is named', () => {
  const talk = new AdminTalk();
  const who = (command: string) =>
    talk
      .say(wire.Query(command))
      .find((line) => line.startsWith('D notice'))
      ?.split('|')
      .slice(1, 5);
  assert.deepEqual(who("SHOW ROUTE 'SELECT 1'"), ['SELECT 1', 'ops', 'ops', '']);
  assert.deepEqual(who("SHOW ROUTE 'x' USER u"), ['x', 'u', 'u', '']);
  assert.deepEqual(who("SHOW ROUTE 'x' DATABASE d APPLICATION a"), ['x', 'ops', 'd', 'a']);
  assert.deepEqual(talk.say(wire.Query("SHOW ROUTE 'x'")), [
    'T step:25/0|value:25/0|because:25/0|weight:20/0|lag_bytes:20/0|role:25/0|state:25/0|state_because:25/0|datacenter:25/0',
    'D class|write|function-volatile: random|-|-|-|-|-|-',
    'D need|primary|its-class|-|-|-|-|-|-',
    'D wish|replica|rule 2|-|-|-|-|-|-',
    'D consistency|session||-|-|-|-|-|-',
    'D candidate|db-sib-01|local|10|-|primary|in||dc1',
    'D candidate|db-sib-03|remote|1|4096|standby|returning|unreachable|dc2',
    'D choice|db-sib-01|needs-primary|-|-|-|-|-|-',
    'D notice|x|ops|ops|||-|-|-|-|-|-',
    'C SHOW',
    'Z I',
  ]);
});

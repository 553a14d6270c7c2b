/** Conversations with the admin console: what it says, message by message, in both protocols. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import * as wire from '../../../src/wire/index.ts';
import { someFacts } from '../../support/admin-facts.ts';
import { AdminTalk } from '../../support/admin-session.ts';

const { Bind, Close, Describe, Execute, Flush, Parse, Query, Sync, Terminate } = wire;

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
  assert.deepEqual(talk.say(Query(' ; -- nothing')), ['I', 'Z I']);
  assert.deepEqual(talk.say(Query('RELOAD; SHOW STATE')), [
    'C RELOAD',
    STATE_COLUMNS,
    ...STATE_ROWS,
    'C SHOW',
    'Z I',
  ]);
  assert.deepEqual(talk.say(Query('SHOW FDS; RELOAD')), ['E 0A000 SHOW FDS is not supported', 'Z I']);
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
  assert.deepEqual(talk.say(Query("SET application_name = 'tool'")), [
    'C SET',
    'S application_name=tool',
    'Z I',
  ]);
  assert.deepEqual(talk.say(Query('SHOW application_name')), [
    'T application_name:25/0',
    'D tool',
    'C SHOW',
    'Z I',
  ]);
  assert.deepEqual(talk.say(Query('SET application_name TO DEFAULT')).slice(0, 2), [
    'C SET',
    'S application_name=',
  ]);
  assert.deepEqual(talk.say(Query("SET client_encoding TO 'LATIN1'")), [
    'N 00000 SET ignored',
    'C SET',
    'Z I',
  ]);
  assert.deepEqual(talk.say(Query('SET extra_float_digits = 3')), ['C SET', 'Z I']);
  assert.deepEqual(talk.say(Query('SHOW transaction isolation level')).slice(0, 2), [
    'T transaction_isolation:25/0',
    'D read committed',
  ]);
  assert.deepEqual(talk.say(Query('SHOW default_pool_size')).slice(0, 2), [
    'T default_pool_size:25/0',
    'D 20',
  ]);
  assert.deepEqual(talk.say(Query('select 1')), ['T ?column?:23/0', 'D 1', 'C SELECT 1', 'Z I']);
});

test('BEGIN and COMMIT do nothing but say so', () => {
  const talk = new AdminTalk();
  assert.deepEqual(talk.say(Query('BEGIN')), ['C BEGIN', 'Z T']);
  assert.deepEqual(talk.say(Query('foo')), ["E 42601 invalid command 'foo', use SHOW HELP;", 'Z T']);
  assert.deepEqual(talk.say(Query('SAVEPOINT a')), ['C SAVEPOINT', 'Z T']);
  assert.deepEqual(talk.say(Query('COMMIT')), ['C COMMIT', 'Z I']);
});

test('an order is answered when it is done; until then the client waits and is not read from', () => {
  const talk = new AdminTalk();
  assert.deepEqual(talk.say(Query('PAUSE; SHOW STATE'), Query('RELOAD')), []);
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
  assert.deepEqual(talk.say(Query('PAUSE')), []);
  talk.session.cancel();
  assert.deepEqual(talk.heard(), ['E 57014 canceling statement due to user request', 'Z I']);
  talk.given[0]?.done({ kind: 'done' });
  assert.deepEqual(talk.heard(), []);
  assert.equal(talk.say(Query('SHOW STATE')).at(-1), 'Z I');
});

test('what is done after the client has gone is heard by nobody', () => {
  const talk = new AdminTalk();
  talk.say(Query('PAUSE'), Query('SHOW STATE'));
  talk.session.closed();
  talk.given[0]?.done({ kind: 'done' });
  assert.deepEqual(talk.say(Query('SHOW STATE')), []);
});

test('the extended protocol as drivers speak it: Parse, Describe, Bind, Execute, Sync', () => {
  const talk = new AdminTalk();
  assert.deepEqual(
    talk.say(
      parse('SHOW STATE'),
      Describe('statement', ''),
      bind(),
      Describe('portal', ''),
      Execute('', 0),
      Sync(),
    ),
    ['1', 't', STATE_COLUMNS, '2', STATE_COLUMNS, ...STATE_ROWS, 'C SHOW', 'Z I'],
  );
});

test('a named statement is run again and again, until it is closed', () => {
  const talk = new AdminTalk({ atOnce: true });
  assert.deepEqual(talk.say(parse('RELOAD', 's'), Describe('statement', 's'), Sync()), [
    '1',
    't',
    'n',
    'Z I',
  ]);
  for (let times = 0; times < 2; times += 1) {
    const run = [bind({ statement: 's' }), Describe('portal', ''), Execute('', 0), Sync()];
    assert.deepEqual(talk.say(...run), ['2', 'n', 'C RELOAD', 'Z I']);
  }
  assert.equal(talk.given.length, 2);
  assert.deepEqual(talk.say(parse('RELOAD', 's'), Sync()), [
    'E 42P05 prepared statement "s" already exists',
    'Z I',
  ]);
  assert.deepEqual(talk.say(Close('statement', 's'), Close('statement', 's'), parse('RELOAD', 's'), Sync()), [
    '3',
    '3',
    '1',
    'Z I',
  ]);
  assert.deepEqual(talk.say(Query('DEALLOCATE s')), ['C DEALLOCATE', 'Z I']);
  assert.deepEqual(talk.say(Query('DEALLOCATE s')), ['E 26000 prepared statement "s" does not exist', 'Z I']);
});

test('an order is carried out once, however often its portal is executed', () => {
  const talk = new AdminTalk({ atOnce: true });
  assert.deepEqual(talk.say(parse('RELOAD'), bind(), Execute('', 0), Execute('', 0), Sync()), [
    '1',
    '2',
    'C RELOAD',
    'E 34000 portal "" does not exist',
    'Z I',
  ]);
  assert.equal(talk.given.length, 1);
});

test('an order in the extended protocol holds up what follows it', () => {
  const talk = new AdminTalk();
  const messages = [parse('PAUSE app'), bind(), Execute('', 0), Sync(), Query('SHOW STATE')];
  assert.deepEqual(talk.say(...messages), ['1', '2']);
  talk.given[0]?.done({ kind: 'done' });
  assert.deepEqual(talk.heard().slice(0, 2), ['C PAUSE', 'Z I']);
});

test('after an error everything is skipped until Sync', () => {
  const table: readonly (readonly [readonly Buffer[], string])[] = [
    [[parse('foo')], "42601 invalid command 'foo', use SHOW HELP;"],
    [[parse('SHOW STATE; RELOAD')], '42601 cannot insert multiple commands into a prepared statement'],
    [[bind({ statement: 'x' })], '26000 prepared statement "x" does not exist'],
    [[Describe('statement', '')], '26000 unnamed prepared statement does not exist'],
    [[Describe('portal', 'p')], '34000 portal "p" does not exist'],
    [[Execute('p', 0)], '34000 portal "p" does not exist'],
    [[parse('SHOW FDS'), bind(), Execute('', 0)], '0A000 SHOW FDS is not supported'],
    [
      [parse('SHOW nothing'), Describe('statement', '')],
      '42704 unrecognized configuration parameter "nothing"',
    ],
    [
      [parse('SHOW STATE'), bind({ parameters: [Buffer.from('1')] })],
      '08P01 bind message supplies 1 parameters, but prepared statement "" requires 0',
    ],
    [
      [parse('SHOW STATE'), bind({ resultFormats: [0, 0, 0] })],
      '08P01 bind message has 3 result formats but query has 2 columns',
    ],
    [[parse('SHOW STATE'), bind({ resultFormats: [2] })], '22023 unsupported format code: 2'],
    [
      [
        parse('SHOW STATE', 's'),
        bind({ statement: 's', portal: 'p' }),
        bind({ statement: 's', portal: 'p' }),
      ],
      '42P03 cursor "p" already exists',
    ],
  ];
  for (const [messages, error] of table) {
    const talk = new AdminTalk();
    const heard = talk.say(...messages, parse('SHOW STATE'), Execute('', 0), Query('RELOAD'), Sync());
    assert.deepEqual(heard.slice(-2), [`E ${error}`, 'Z I']);
    assert.deepEqual(talk.given, []);
  }
});

test('rows come in portions where Execute says so, and the last portion is found out by asking', () => {
  const talk = new AdminTalk();
  const [active = '', paused = '', suspended = ''] = STATE_ROWS;
  assert.deepEqual(talk.say(parse('SHOW STATE'), bind(), Execute('', 2), Execute('', 2), Sync()), [
    '1',
    '2',
    active,
    paused,
    's',
    suspended,
    'C SHOW',
    'Z I',
  ]);
  assert.deepEqual(talk.say(parse('SHOW STATE'), bind(), Execute('', 3), Execute('', 3), Sync()), [
    '1',
    '2',
    ...STATE_ROWS,
    's',
    'C SHOW',
    'Z I',
  ]);
});

test('portals end with Sync, but in a transaction with its end', () => {
  const talk = new AdminTalk();
  const gone = ['E 34000 portal "" does not exist', 'Z I'];
  talk.say(parse('SHOW STATE'), bind(), Sync());
  assert.deepEqual(talk.say(Execute('', 0), Sync()), gone);
  talk.say(Query('BEGIN'), parse('SHOW STATE'), bind({ portal: 'p' }), Sync());
  assert.equal(talk.say(Execute('p', 0), Sync()).at(-1), 'Z T');
  talk.say(Query('COMMIT'));
  assert.deepEqual(talk.say(Execute('p', 0), Sync()), ['E 34000 portal "p" does not exist', 'Z I']);
});

test('an empty statement has no columns and answers with the empty query', () => {
  const talk = new AdminTalk();
  assert.deepEqual(talk.say(parse(''), Describe('statement', ''), bind(), Execute('', 0), Sync()), [
    '1',
    't',
    'n',
    '2',
    'I',
    'Z I',
  ]);
});

test('binary results, for drivers that ask for them', () => {
  const talk = new AdminTalk();
  talk.session.receive(Buffer.concat([parse('SHOW STATS_TOTALS'), bind({ resultFormats: [1] }), Flush()]));
  talk.bytes();
  talk.session.receive(Buffer.concat([Execute('', 0), Sync()]));
  const sent = talk.bytes();
  // 600, 600, 1200, 120000, 600000 …: base-10000 digits, as numeric_send writes them.
  const expected = Buffer.concat([
    Buffer.from([0, 12, 0, 0, 0, 3]),
    Buffer.from('app'),
    Buffer.from([0, 0, 0, 10, 0, 1, 0, 0, 0, 0, 0, 0, 2, 88]),
    Buffer.from([0, 0, 0, 10, 0, 1, 0, 0, 0, 0, 0, 0, 2, 88]),
    Buffer.from([0, 0, 0, 10, 0, 1, 0, 0, 0, 0, 0, 0, 4, 176]),
    Buffer.from([0, 0, 0, 12, 0, 2, 0, 1, 0, 0, 0, 0, 0, 12, 0, 0]),
  ]);
  assert.deepEqual(sent.subarray(5, 5 + expected.length), expected);
  talk.session.receive(
    Buffer.concat([parse('SHOW MEM'), bind({ resultFormats: [0, 1, 0, 0, 1] }), Execute('', 0), Sync()]),
  );
  const mem = talk.bytes().subarray(10);
  const first = mem.subarray(7, 1 + mem.readInt32BE(1));
  assert.deepEqual(
    first,
    Buffer.concat([
      Buffer.from([0, 0, 0, 6]),
      Buffer.from('client'),
      Buffer.from([0, 0, 0, 4, 0, 0, 8, 0, 0, 0, 0, 1]),
      Buffer.from('3'),
      Buffer.from([0, 0, 0, 1]),
      Buffer.from('1'),
      Buffer.from([0, 0, 0, 4, 0, 0, 32, 0]),
    ]),
  );
  assert.ok(
    mem.includes(Buffer.from([0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff])),
    'more than int4 holds is its most',
  );
});

test('a function call is refused and the connection goes on; COPY data of nobody is nothing', () => {
  const talk = new AdminTalk();
  const call = Buffer.from([wire.FRONTEND.FunctionCall, 0, 0, 0, 4]);
  assert.deepEqual(talk.say(call), ['E 0A000 the admin console has no functions', 'Z I']);
  assert.deepEqual(talk.say(wire.CopyFail('x'), Flush()), []);
  assert.equal(talk.say(Query('SHOW STATE')).at(-1), 'Z I');
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

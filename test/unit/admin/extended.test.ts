/** Conversations with the admin console in the extended protocol, which PgBouncer's console does not speak. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as wire from '../../../src/wire/index.ts';
import { AdminTalk } from '../../support/admin-session.ts';

const { Bind, Close, Describe, Execute, Flush, Parse, Query, Sync } = wire;

const parse = (sql: string, name = '') => Parse({ name, sql, parameterTypes: [] });
const bind = (changes: Partial<wire.BindFields> = {}) => Bind({ portal: '', statement: '', ...changes });

const STATE_COLUMNS = 'T key:25/0|value:25/0';
const STATE_ROWS = ['D active|yes', 'D paused|no', 'D suspended|no'];

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

/** Messages that lie: cut short, without their NUL, with bytes left over. Each reader refuses, none reads on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import * as wire from '../../../src/wire/index.ts';

/** A message of each kind that has a reader of fields. */
const CASES: readonly (readonly [string, (message: Buffer) => unknown, Buffer])[] = [
  ['Query', wire.readQuery, wire.Query('select 1')],
  ['Parse', wire.readParse, wire.Parse({ name: 'a', sql: 'select $1', parameterTypes: [23, 25] })],
  [
    'Bind',
    wire.readBind,
    wire.Bind({
      portal: 'p',
      statement: 's',
      parameterFormats: [1],
      parameters: [Buffer.from('value'), undefined],
      resultFormats: [0, 1],
    }),
  ],
  ['Describe', wire.readDescribe, wire.Describe('statement', 's')],
  ['Close', wire.readClose, wire.Close('portal', 'p')],
  ['Execute', wire.readExecute, wire.Execute('p', 5)],
  ['PasswordMessage', wire.readPasswordMessage, wire.PasswordMessage('secret')],
  ['SASLInitialResponse', wire.readSASLInitialResponse, wire.SASLInitialResponse('SCRAM-SHA-256', 'n,,')],
  ['Authentication', wire.readAuthentication, wire.AuthenticationSASL(['SCRAM-SHA-256', 'OTHER'])],
  ['CommandComplete', wire.readCommandComplete, wire.CommandComplete('SELECT 1')],
  [
    'ErrorResponse',
    wire.readErrorFields,
    wire.ErrorResponse({ severity: 'ERROR', code: '42601', message: 'x' }),
  ],
  [
    'NoticeResponse',
    wire.readErrorFields,
    wire.NoticeResponse({ severity: 'INFO', code: '00000', message: 'x' }),
  ],
  [
    'NegotiateProtocolVersion',
    wire.readNegotiateProtocolVersion,
    wire.NegotiateProtocolVersion(0, ['_pq_.a']),
  ],
  ['ParameterStatus', wire.readParameterStatus, wire.ParameterStatus('a', 'b')],
  ['BackendKeyData', wire.readBackendKeyData, wire.BackendKeyData(1, Buffer.alloc(4))],
  ['ReadyForQuery', wire.readReadyForQuery, wire.ReadyForQuery('I')],
];

/** Runs a reader that must refuse; returns which rule it named. */
function violationOf(read: () => unknown): wire.ProtocolViolation {
  try {
    read();
  } catch (cause) {
    if (cause instanceof wire.ProtocolViolation) return cause;
    throw cause;
  }
  return assert.fail('the message was accepted');
}

for (const [name, read, message] of CASES) {
  test(`a ${name} cut short anywhere is refused, even where more bytes follow in memory`, () => {
    for (let length = 5; length < message.length; length += 1) {
      const violation = violationOf(() => read(message.subarray(0, length)));
      assert.match(violation.because, /^(past-end|missing-terminator)$/);
      assert.equal(violation.place.message, name);
      assert.notEqual(violation.place.field, undefined);
      assert.ok((violation.place.offset ?? -1) <= length);
    }
  });

  if (name === 'BackendKeyData') continue;
  test(`a ${name} with a byte left over is refused`, () => {
    const violation = violationOf(() => read(Buffer.concat([message, Buffer.from('x')])));
    assert.deepEqual(
      [violation.because, violation.place],
      ['trailing-bytes', { message: name, offset: message.length }],
    );
  });

  test(`a ${name} of arbitrary bytes is read or refused, and nothing else`, () => {
    const body = fc.uint8Array({ maxLength: 30 });
    fc.assert(
      fc.property(body, (bytes) => {
        try {
          read(Buffer.concat([message.subarray(0, 5), Buffer.from(bytes)]));
        } catch (cause) {
          assert.ok(cause instanceof wire.ProtocolViolation, String(cause));
        }
      }),
    );
  });
}

test('a Bind that promises more parameters than it holds is refused with field and offset', () => {
  const message = wire.Bind({ portal: '', statement: '', parameters: [Buffer.from('ab')] });
  message.writeUInt16BE(40_000, 9);
  const violation = violationOf(() => wire.readBind(message));
  assert.equal(violation.message, 'message Bind ends before its field "length of parameter" at byte 17');
});

for (const length of [-2, -(2 ** 31)]) {
  test(`a parameter of length ${length} is refused: only -1 means NULL`, () => {
    const message = wire.Bind({ portal: '', statement: '', parameters: [Buffer.from('ab')] });
    message.writeInt32BE(length, 11);
    assert.equal(violationOf(() => wire.readBind(message)).because, 'bad-value');
  });
}

test('a parameter of 2 GB in a small Bind is refused', () => {
  const message = wire.Bind({ portal: '', statement: '', parameters: [Buffer.from('ab')] });
  message.writeInt32BE(2 ** 31 - 1, 11);
  assert.equal(violationOf(() => wire.readBind(message)).because, 'past-end');
});

test('a huge count of protocol options ends with the message', () => {
  const message = wire.NegotiateProtocolVersion(0, []);
  message.writeInt32BE(2 ** 31 - 1, 9);
  assert.equal(violationOf(() => wire.readNegotiateProtocolVersion(message)).because, 'missing-terminator');
});

test('letters the manual does not know are refused', () => {
  const describe = wire.Describe('portal', 'x');
  describe[5] = 0x51;
  assert.deepEqual(violationOf(() => wire.readDescribe(describe)).place, {
    message: 'Describe',
    field: 'kind',
    offset: 5,
  });
  const ready = Buffer.from(wire.ReadyForQuery('I'));
  ready[5] = 0x58;
  assert.equal(violationOf(() => wire.readReadyForQuery(ready)).because, 'bad-value');
});

test('a tag is shown as its letter where it has one', () => {
  assert.equal(wire.describeTag(wire.FRONTEND.Query), "'Q' (0x51)");
  assert.equal(wire.describeTag(0), '0x00');
});

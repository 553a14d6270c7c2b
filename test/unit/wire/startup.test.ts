/** The packets that open a connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  CancelRequest,
  GSSENCRequest,
  ProtocolViolation,
  readStartup,
  SSLRequest,
  StartupMessage,
  type StartupPacket,
  StartupReader,
} from '../../../src/wire/index.ts';
import { assertAnyCut } from '../../support/cuts.ts';

const BEHIND = 'bytes behind the packet';

/** What a fresh reader makes of `portions`: the first packet, and the bytes it left for others. */
function readFirst(portions: Iterable<Buffer>): unknown {
  const reader = new StartupReader();
  let packet: StartupPacket | undefined;
  let rest = '';
  for (const portion of portions) {
    if (packet !== undefined) {
      rest += portion.toString('latin1');
      continue;
    }
    try {
      const found = reader.push(portion);
      packet = found?.packet;
      rest = found?.rest.toString('latin1') ?? '';
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause;
      return { because: cause.because, ...cause.place };
    }
  }
  return { packet, rest };
}

function assertPacket(bytes: Buffer, packet: StartupPacket): void {
  assertAnyCut(Buffer.concat([bytes, Buffer.from(BEHIND)]), readFirst, {
    packet,
    rest: BEHIND,
  });
}

function packetOf(code: number, body: string | Buffer, length?: number): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(8), Buffer.from(body)]);
  bytes.writeInt32BE(length ?? bytes.length, 0);
  bytes.writeInt32BE(code, 4);
  return bytes;
}

const V3 = 3 << 16;

test('a StartupMessage yields its parameters, and keeps the protocol options apart', () => {
  const sent: [string, string][] = [
    ['user', 'ana'],
    ['database', 'țuică'],
    ['_pq_.grease', '1'],
    ['options', '-c search_path=a,b'],
    ['user', 'the last one counts'],
  ];
  assertPacket(StartupMessage(sent, 2), {
    kind: 'startup',
    protocol: { major: 3, minor: 2 },
    parameters: new Map([
      ['user', 'the last one counts'],
      ['database', 'țuică'],
      ['options', '-c search_path=a,b'],
    ]),
    protocolOptions: ['_pq_.grease'],
  });
});

test('a StartupMessage without parameters is legal for us; who needs a user says so', () => {
  assertPacket(StartupMessage([]), {
    kind: 'startup',
    protocol: { major: 3, minor: 0 },
    parameters: new Map(),
    protocolOptions: [],
  });
});

test('requests for encryption are told apart', () => {
  assertPacket(SSLRequest(), { kind: 'ssl-request' });
  assertPacket(GSSENCRequest(), { kind: 'gssenc-request' });
});

test('a CancelRequest names a process and a key of 4 to 256 bytes', () => {
  for (const size of [4, 32, 256]) {
    const secretKey = Buffer.alloc(size, 7);
    assertPacket(CancelRequest(-5, secretKey), { kind: 'cancel-request', processId: -5, secretKey });
  }
  for (const size of [0, 3, 257]) {
    assert.throws(() => readStartup(CancelRequest(1, Buffer.alloc(size))), { because: 'bad-value' });
  }
});

test('the key of a CancelRequest outlives the bytes it came in', () => {
  const bytes = CancelRequest(1, Buffer.from('keys'));
  const packet = readStartup(bytes);
  bytes.fill(0);
  assert.ok(packet.kind === 'cancel-request');
  assert.deepEqual(packet.secretKey, Buffer.from('keys'));
});

test('a protocol other than 3 is reported, its fields are not guessed at', () => {
  for (const [major, minor] of [
    [2, 0],
    [4, 7],
    [1234, 1],
    [0x4745, 0x5420],
  ] as const) {
    assertPacket(packetOf((major << 16) | minor, 'anything'), {
      kind: 'unsupported-protocol',
      protocol: { major, minor },
    });
  }
});

test('after a refused request for encryption the same reader takes the next packet', () => {
  const reader = new StartupReader();
  const next = StartupMessage([['user', 'ana']]);
  const first = reader.push(Buffer.concat([SSLRequest(), next.subarray(0, 3)]));
  assert.equal(first?.packet.kind, 'ssl-request');
  assert.equal(reader.push(first?.rest ?? Buffer.alloc(0)), undefined);
  assert.equal(reader.push(next.subarray(3))?.packet.kind, 'startup');
});

for (const length of [0, 3, 7, -1, -(2 ** 31)]) {
  test(`the impossible length ${length} is a violation`, () => {
    const expected = { because: 'bad-length', message: 'StartupMessage', length };
    assertAnyCut(packetOf(V3, 'user\0a\0\0', length), readFirst, expected);
  });
}

test('a packet over 10,000 bytes is a violation as soon as it says so', () => {
  for (const length of [10_005, 0x16030100, 2 ** 31 - 1]) {
    const expected = { because: 'over-limit', message: 'StartupMessage', length, limit: 10_000 };
    assertAnyCut(packetOf(V3, 'x', length), readFirst, expected);
  }
  const largest = packetOf(V3, `user\0${'x'.repeat(10_000 - 4 - 5 - 2)}\0\0`);
  assert.equal(largest.length, 10_004);
  assert.equal(new StartupReader().push(largest)?.packet.kind, 'startup');
});

test('a violation is sticky', () => {
  const reader = new StartupReader();
  assert.throws(() => reader.push(packetOf(V3, '', 3)), { because: 'bad-length' });
  assert.throws(() => reader.push(SSLRequest()), { because: 'bad-length' });
});

test('a packet whose strings do not end, or that goes on behind its last, is a violation', () => {
  const cases: [string, string][] = [
    ['', 'missing-terminator'],
    ['user', 'missing-terminator'],
    ['user\0ana', 'missing-terminator'],
    ['user\0ana\0', 'missing-terminator'],
    ['user\0ana\0\0more', 'trailing-bytes'],
  ];
  for (const [body, because] of cases)
    assert.throws(() => readStartup(packetOf(V3, body)), { because }, body);
  assert.throws(() => readStartup(packetOf(80877103, 'x')), { because: 'trailing-bytes' });
  assert.throws(() => readStartup(packetOf(80877104, 'x')), { because: 'trailing-bytes' });
});

test('any parameters survive the round trip', () => {
  const word = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !text.includes('\0'));
  fc.assert(
    fc.property(fc.array(fc.tuple(word, word), { maxLength: 8 }), (sent) => {
      const parameters = new Map(sent.filter(([name]) => !name.startsWith('_pq_.')));
      const packet = readStartup(StartupMessage(sent));
      assert.deepEqual(packet.kind === 'startup' && packet.parameters, parameters);
    }),
  );
});

test('arbitrary bytes yield a packet, a violation, or a wait for more, and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 70 }), (bytes, length) => {
      const packet = Buffer.concat([Buffer.alloc(4), Buffer.from(bytes)]);
      packet.writeInt32BE(length, 0);
      assert.equal(typeof readFirst([packet]), 'object');
    }),
    { numRuns: 1000 },
  );
});

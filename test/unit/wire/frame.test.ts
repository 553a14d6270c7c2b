/** The frame reader: what it delivers, whatever the portions, and what it refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  BACKEND,
  type Delivery,
  FrameReader,
  type FrameSink,
  LIMITS_BEFORE_AUTHENTICATION,
  ProtocolViolation,
  Query,
  ReadyForQuery,
} from '../../../src/wire/index.ts';
import { assertAnyCut, cutsOf, portionsOf } from '../../support/cuts.ts';

type Seen = readonly ['whole', string] | readonly ['pass', string];
type Deliver = (tag: number, bodyLength: number) => Delivery;

const ROWS_PASS: Deliver = (tag) => (tag === BACKEND.DataRow ? 'pass' : 'whole');

/** Keeps copies of what it is told; neighbouring runs of passed bytes count as one. */
function recorder(deliver: Deliver = ROWS_PASS): FrameSink & { readonly seen: Seen[] } {
  const seen: Seen[] = [];
  return {
    seen,
    delivery: deliver,
    whole(tag, message) {
      assert.equal(message[0], tag);
      assert.equal(message.readInt32BE(1) + 1, message.length);
      seen.push(['whole', message.toString('latin1')]);
    },
    pass(bytes) {
      assert.notEqual(bytes.length, 0, 'a run is never empty');
      const last = seen.at(-1);
      const before = last?.[0] === 'pass' ? (seen.pop()?.[1] ?? '') : '';
      seen.push(['pass', before + bytes.toString('latin1')]);
    },
  };
}

interface Reading {
  readonly seen: readonly Seen[];
  readonly isBetweenMessages: boolean;
  /** Its code and place, where the stream broke the rules. */
  readonly violation: object | undefined;
}

/** What a fresh reader sees in `portions`, and how it ends. */
function readAll(
  portions: Iterable<Buffer>,
  deliver: Deliver = ROWS_PASS,
  wholeBytesMax = 64 * 1024,
): Reading {
  const reader = new FrameReader({ wholeBytesMax });
  const sink = recorder(deliver);
  let violation: object | undefined;
  for (const portion of portions) {
    try {
      reader.push(portion, sink);
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause;
      violation = { because: cause.because, ...cause.place };
    }
  }
  return { seen: sink.seen, isBetweenMessages: reader.isBetweenMessages, violation };
}

function frame(tag: number, body: string | Buffer): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([header(String.fromCharCode(tag), bytes.length + 4), bytes]);
}

function header(tag: string, length: number): Buffer {
  const bytes = Buffer.from(`${tag}....`);
  bytes.writeInt32BE(length, 1);
  return bytes;
}

const text = (bytes: Buffer): string => bytes.toString('latin1');
const row = (body: string): Buffer => frame(BACKEND.DataRow, body);

test('messages wanted whole arrive one by one', () => {
  const messages = [Query('select 1'), Query(''), ReadyForQuery('I')];
  const seen = messages.map((message) => ['whole', text(message)]);
  assertAnyCut(Buffer.concat(messages), (portions) => readAll(portions), {
    seen,
    isBetweenMessages: true,
    violation: undefined,
  });
});

test('messages that pass arrive as the bytes they came in, between those wanted whole', () => {
  const rows = Buffer.concat([row('a'), row(''), row('x'.repeat(300))]);
  const ready = ReadyForQuery('T');
  assertAnyCut(Buffer.concat([rows, ready, row('last')]), (portions) => readAll(portions), {
    seen: [
      ['pass', text(rows)],
      ['whole', text(ready)],
      ['pass', text(row('last'))],
    ],
    isBetweenMessages: true,
    violation: undefined,
  });
});

test('an unfinished message is not delivered, and the reader says that it is inside one', () => {
  for (const cut of [1, 4, 5, 6]) {
    const seen = readAll([Query('select 1').subarray(0, cut)]);
    assert.deepEqual(seen, { seen: [], isBetweenMessages: false, violation: undefined });
  }
});

test('the body of a message that passes is handed on as it arrives', () => {
  const reader = new FrameReader(LIMITS_BEFORE_AUTHENTICATION);
  const sink = recorder();
  reader.push(row('abcdef').subarray(0, 7), sink);
  assert.deepEqual(sink.seen, [['pass', text(row('abcdef').subarray(0, 7))]]);
  assert.equal(reader.isBetweenMessages, false);
});

test('neighbouring messages that pass are one slice of the chunk, without a copy', () => {
  const chunk = Buffer.concat([row('a'), row('b'), row('c')]);
  const runs: Buffer[] = [];
  new FrameReader(LIMITS_BEFORE_AUTHENTICATION).push(chunk, {
    delivery: () => 'pass',
    whole: () => assert.fail('nothing is wanted whole'),
    pass: (bytes) => runs.push(bytes),
  });
  assert.equal(runs.length, 1);
  assert.equal(runs[0], chunk);
});

test('a last message is complete when it ends a run, which goes no further than that', () => {
  const [first, second] = [row('a'), row('bc')];
  const ready = ReadyForQuery('I');
  const bytes = Buffer.concat([first, ready, second, ready, ready]);
  const answers = [Buffer.concat([first, ready]), Buffer.concat([second, ready]), ready].map(text);
  const read = (portions: Iterable<Buffer>): readonly string[] => {
    const reader = new FrameReader(LIMITS_BEFORE_AUTHENTICATION);
    const ended: string[] = [];
    let run = '';
    for (const portion of portions) {
      reader.push(portion, {
        delivery: (tag) => (tag === BACKEND.ReadyForQuery ? 'last' : 'pass'),
        whole: () => assert.fail('nothing is wanted whole'),
        pass: (passed, endsWithLast) => {
          run += text(passed);
          if (!endsWithLast) return;
          assert.deepEqual(passed.subarray(-ready.length), ready);
          ended.push(run);
          run = '';
        },
      });
    }
    return ended;
  };
  assertAnyCut(bytes, read, answers);
});

test('a message wanted whole aliases the chunk that holds all of it', () => {
  const chunk = Buffer.concat([row('a'), Query('select 1')]);
  const messages: Buffer[] = [];
  new FrameReader(LIMITS_BEFORE_AUTHENTICATION).push(chunk, {
    ...recorder(),
    whole: (_, message) => messages.push(message),
  });
  assert.equal(messages[0]?.buffer, chunk.buffer);
});

test('a message that passes has no bound, one wanted whole has', () => {
  const long = row('x'.repeat(1000));
  assert.deepEqual(
    readAll([long], () => 'pass', 100),
    {
      seen: [['pass', text(long)]],
      isBetweenMessages: true,
      violation: undefined,
    },
  );
  const exact = row('x'.repeat(95));
  assert.deepEqual(
    readAll([exact], () => 'whole', 100),
    {
      seen: [['whole', text(exact)]],
      isBetweenMessages: true,
      violation: undefined,
    },
  );
});

test('a message over the limit is refused at its header, before any of its body is kept', () => {
  const bytes = Buffer.concat([row('a'), header('Q', 100), Buffer.alloc(3)]);
  assertAnyCut(
    bytes,
    (portions) => {
      const { seen, violation } = readAll(portions, ROWS_PASS, 100);
      return { seen, violation };
    },
    {
      seen: [['pass', text(row('a'))]],
      violation: { because: 'over-limit', message: "'Q' (0x51)", tag: 0x51, length: 100, limit: 100 },
    },
  );
});

for (const length of [0, 3, -1, -(2 ** 31)]) {
  test(`the impossible length ${length} is a violation, and what came before it still arrives`, () => {
    const bytes = Buffer.concat([row('a'), Query('b'), row('c'), header('D', length), row('never seen')]);
    assertAnyCut(
      bytes,
      (portions) => {
        const { seen, violation } = readAll(portions);
        return { seen, violation };
      },
      {
        seen: [
          ['pass', text(row('a'))],
          ['whole', text(Query('b'))],
          ['pass', text(row('c'))],
        ],
        violation: { because: 'bad-length', message: "'D' (0x44)", tag: 0x44, length },
      },
    );
  });
}

test('a promise of 2 GB passes as far as it comes, and reserves nothing where it is wanted whole', () => {
  const bytes = Buffer.concat([header('D', 2 ** 31 - 1), Buffer.from('abc')]);
  assertAnyCut(bytes, (portions) => readAll(portions), {
    seen: [['pass', text(bytes)]],
    isBetweenMessages: false,
    violation: undefined,
  });
  const before = process.memoryUsage().arrayBuffers;
  const reader = new FrameReader({ wholeBytesMax: 2 ** 31 });
  reader.push(
    bytes,
    recorder(() => 'whole'),
  );
  assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024, 'room grows with what arrived');
});

test('a violation is sticky: every later push throws the same error', () => {
  const reader = new FrameReader(LIMITS_BEFORE_AUTHENTICATION);
  const sink = recorder();
  const first = errorOf(() => reader.push(header('Q', 0), sink));
  assert.ok(first instanceof ProtocolViolation);
  assert.equal(first.sqlstate, '08P01');
  assert.equal(first.message, "message 'Q' (0x51) has the impossible length 0");
  assert.equal(
    errorOf(() => reader.push(Query('good'), sink)),
    first,
  );
  assert.deepEqual(sink.seen, []);
});

test('an error of the sink ends the reader too, because the rest of the chunk was not looked at', () => {
  const reader = new FrameReader(LIMITS_BEFORE_AUTHENTICATION);
  const refusal = new Error('the sink does not like it');
  const sink = {
    ...recorder(),
    whole: () => {
      throw refusal;
    },
  };
  assert.equal(
    errorOf(() => reader.push(Query('a'), sink)),
    refusal,
  );
  assert.equal(
    errorOf(() => reader.push(Query('b'), sink)),
    refusal,
  );
});

test('what is unfinished can be handed to another reader, wherever it was cut', () => {
  const message = Query('SELECT 1');
  for (let cut = 0; cut < message.length; cut += 1) {
    const first = new FrameReader({ wholeBytesMax: 100 });
    first.push(message.subarray(0, cut), recorder());
    assert.deepEqual(first.unfinished, message.subarray(0, cut));
  }
});

test('each header is asked about once, with the length of its body', () => {
  const asked: [number, number][] = [];
  const deliver: Deliver = (tag, bodyLength) => {
    asked.push([tag, bodyLength]);
    return tag === BACKEND.DataRow ? 'pass' : 'whole';
  };
  const bytes = Buffer.concat([row('four'), Query('x'), row('')]);
  assertAnyCut(
    bytes,
    (portions) => {
      asked.length = 0;
      readAll(portions, deliver);
      return [...asked];
    },
    [
      [BACKEND.DataRow, 4],
      [0x51, 2],
      [BACKEND.DataRow, 0],
    ],
  );
});

test('a large message in small portions is joined in linear time', () => {
  const message = Query('x'.repeat(16 * 1024 * 1024));
  const reader = new FrameReader({ wholeBytesMax: 32 * 1024 * 1024 });
  let joined: Buffer | undefined;
  const sink = {
    ...recorder(),
    whole: (_: number, bytes: Buffer) => {
      joined = bytes;
    },
  };
  for (let start = 0; start < message.length; start += 1024) {
    reader.push(message.subarray(start, start + 1024), sink);
  }
  // Copying everything anew for each of the 16,384 portions would move 137 GB and not end in time.
  assert.ok(joined?.equals(message));
});

/** Passes rows, and of CopyData those of even length. */
const SOME_PASS: Deliver = (tag, length) =>
  tag === 0x44 || (tag === 0x64 && length % 2 === 0) ? 'pass' : 'whole';

test('no cut of the bytes changes the frames', () => {
  const tag = fc.constantFrom(0x44, 0x51, 0x5a, 0x64);
  const message = fc
    .tuple(tag, fc.uint8Array({ maxLength: 40 }))
    .map(([of, body]) => frame(of, Buffer.from(body)));
  const damage = fc.option(
    fc.integer({ min: -5, max: 3 }).map((length) => header('D', length)),
    { nil: undefined },
  );
  const stream = fc
    .tuple(fc.array(message, { maxLength: 8 }), damage, fc.uint8Array({ maxLength: 4 }))
    .map(([messages, bad, tail]) => Buffer.concat([...messages, bad ?? Buffer.alloc(0), Buffer.from(tail)]));
  fc.assert(
    fc.property(
      stream.chain((bytes) => fc.tuple(fc.constant(bytes), cutsOf(bytes))),
      ([bytes, cuts]) => {
        assert.deepEqual(
          readAll(portionsOf(bytes, cuts), SOME_PASS, 30),
          readAll([Buffer.from(bytes)], SOME_PASS, 30),
        );
      },
    ),
    { numRuns: 500 },
  );
});

function errorOf(run: () => void): unknown {
  try {
    run();
  } catch (cause) {
    return cause;
  }
  return assert.fail('nothing was thrown');
}

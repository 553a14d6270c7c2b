/** Long messages, as the frame reader delivers them: the beginning in one slice, then the rest as it comes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  Bind,
  FRONTEND,
  FrameReader,
  isHead,
  MESSAGE_HEAD_BYTES,
  Parse,
  ProtocolViolation,
  Query,
  readBind,
  readBindNames,
  readParse,
  readParseText,
  Sync,
  withBindStatement,
  withParseName,
} from '../../../src/wire/index.ts';
import { cutsOf, portionsOf } from '../../support/cuts.ts';

interface Reading {
  readonly seen: readonly string[];
  /** Of the long messages, in order. */
  readonly heads: readonly string[];
  readonly rests: readonly string[];
  readonly missing: readonly number[];
  readonly isBetweenMessages: boolean;
}

/** Every message of more than a head is delivered by its head; CopyData passes. */
function readAll(portions: Iterable<Buffer>): Reading {
  const reader = new FrameReader({ wholeBytesMax: MESSAGE_HEAD_BYTES });
  const seen: string[] = [];
  const heads: string[] = [];
  const rests: string[] = [];
  const missing: number[] = [];
  for (const portion of portions) {
    reader.push(portion, {
      delivery: (tag, length) => {
        if (tag === FRONTEND.CopyData) return 'pass';
        return length + 5 > MESSAGE_HEAD_BYTES ? 'head' : 'whole';
      },
      whole: (tag, message) => seen.push(`whole ${String.fromCharCode(tag)} ${message.length}`),
      pass: (bytes) => {
        const last = seen.at(-1)?.startsWith('pass') === true ? (seen.pop() ?? '') : 'pass ';
        seen.push(last + bytes.toString('latin1'));
      },
      head: (tag, beginning, total) => {
        seen.push(`head ${String.fromCharCode(tag)} ${total}`);
        heads.push(beginning.toString('latin1'));
        rests.push('');
        missing.push(total - beginning.length);
      },
      rest: (bytes, left) => {
        assert.notEqual(bytes.length, 0);
        rests.push((rests.pop() ?? '') + bytes.toString('latin1'));
        assert.equal((missing.pop() ?? 0) - bytes.length, left);
        missing.push(left);
      },
    });
  }
  return { seen, heads, rests, missing, isBetweenMessages: reader.isBetweenMessages };
}

const long = Query('abc'.repeat(12_000));
const longer = Bind({ portal: 'p', statement: 's', parameters: [Buffer.alloc(70_000, 'xyz')] });
const copy = Buffer.from('d\0\0\0\x07abc', 'latin1');
const stream = Buffer.concat([copy, long, copy, Sync(), longer, long, Sync()]);
const text = (bytes: Buffer): string => bytes.toString('latin1');
const expected: Reading = {
  seen: [
    `pass ${text(copy)}`,
    `head Q ${long.length}`,
    `pass ${text(copy)}`,
    'whole S 5',
    `head B ${longer.length}`,
    `head Q ${long.length}`,
    'whole S 5',
  ],
  heads: [long, longer, long].map((message) => text(message.subarray(0, MESSAGE_HEAD_BYTES))),
  rests: [long, longer, long].map((message) => text(message.subarray(MESSAGE_HEAD_BYTES))),
  missing: [0, 0, 0],
  isBetweenMessages: true,
};

test('a long message arrives as its beginning and the rest, among others', () => {
  assert.deepEqual(readAll([Buffer.from(stream)]), expected);
});

test('a long message arrives so byte by byte', () => {
  assert.deepEqual(
    readAll(
      portionsOf(
        stream,
        Array.from(stream, (_, index) => index),
      ),
    ),
    expected,
  );
});

test('no cut changes how a long message arrives', () => {
  fc.assert(
    fc.property(cutsOf(stream), (cuts) => {
      assert.deepEqual(readAll(portionsOf(stream, cuts)), expected);
    }),
    { numRuns: 100 },
  );
});

test('a reader in the rest of a long message is not between messages', () => {
  for (const cut of [MESSAGE_HEAD_BYTES - 1, MESSAGE_HEAD_BYTES, long.length - 1]) {
    assert.equal(readAll([Buffer.from(long.subarray(0, cut))]).isBetweenMessages, false);
  }
});

test('the beginning of a message is told from a whole one by its length', () => {
  assert.equal(isHead(long), false);
  assert.equal(isHead(long.subarray(0, MESSAGE_HEAD_BYTES)), true);
});

test('a Bind renamed by its beginning has the length of the whole', () => {
  const head = longer.subarray(0, MESSAGE_HEAD_BYTES);
  const rest = longer.subarray(MESSAGE_HEAD_BYTES);
  for (const name of ['', 'x', 'another name, which is longer']) {
    const renamed = Buffer.concat([withBindStatement(head, Buffer.from(name)), rest]);
    assert.deepEqual(readBind(renamed), { portal: 'p', statement: name });
    assert.deepEqual(renamed, withBindStatement(longer, Buffer.from(name)));
  }
  assert.deepEqual(readBindNames(head), { portal: 'p', statement: 's' });
});

test('a Parse renamed by its beginning has the length of the whole', () => {
  const sql = 'SELECT 1 '.repeat(10_000);
  const parse = Parse({ name: 'mine', sql, parameterTypes: [23] });
  const head = parse.subarray(0, MESSAGE_HEAD_BYTES);
  const renamed = Buffer.concat([
    withParseName(head, Buffer.from('ours')),
    parse.subarray(MESSAGE_HEAD_BYTES),
  ]);
  assert.deepEqual(readParse(renamed), { name: 'ours', sql, parameterTypes: [23] });
  assert.deepEqual(readParseText(head), { name: 'mine', start: 10, end: MESSAGE_HEAD_BYTES });
});

test('a name that does not end in the beginning is a violation', () => {
  const head = Bind({ portal: 'p'.repeat(40_000), statement: '' }).subarray(0, MESSAGE_HEAD_BYTES);
  assert.throws(() => readBindNames(head), ProtocolViolation);
});

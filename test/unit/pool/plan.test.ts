/** The arithmetic of a pool. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  connectionsToOpen,
  type FreeConnection,
  isWaitOver,
  type PoolCounts,
  type PoolLimits,
  type Wear,
  wearOf,
  wornOutAt,
} from '../../../src/pool/plan.ts';

const limits = (changes: Partial<PoolLimits> = {}): PoolLimits => ({
  size: 5,
  minSize: 0,
  reserveSize: 0,
  reserveAfterMs: 5000,
  waitMs: 10_000,
  lifetimeMs: 60_000,
  idleMs: 1000,
  ...changes,
});
const counts = (changes: Partial<PoolCounts> = {}): PoolCounts => ({
  lent: 0,
  idle: 0,
  opening: 0,
  waiting: 0,
  oldestWaitMs: 0,
  roomElsewhere: Number.POSITIVE_INFINITY,
  isFillingPaused: false,
  ...changes,
});

describe('connections to open', () => {
  const table: [string, Partial<PoolLimits>, Partial<PoolCounts>, number][] = [
    ['none, when nobody waits', {}, { lent: 2 }, 0],
    ['one for each who waits', {}, { waiting: 3 }, 3],
    ['not again for whom one is being opened', {}, { waiting: 3, opening: 2 }, 1],
    ['not more than there is room for', {}, { waiting: 9, lent: 3 }, 2],
    ['none in a full pool', {}, { waiting: 9, lent: 5 }, 0],
    ['a size of 0 is no limit', { size: 0 }, { waiting: 900, lent: 500 }, 900],
    [
      'the reserve is not touched at once',
      { reserveSize: 2 },
      { waiting: 1, lent: 5, oldestWaitMs: 4999 },
      0,
    ],
    [
      'the reserve helps who has waited long',
      { reserveSize: 2 },
      { waiting: 9, lent: 5, oldestWaitMs: 5000 },
      2,
    ],
    ['the least number, though nobody waits', { minSize: 3 }, { lent: 1 }, 2],
    ['not the least number just after a failure', { minSize: 3 }, { isFillingPaused: true }, 0],
    ['for who waits also after a failure', { minSize: 3 }, { waiting: 1, isFillingPaused: true }, 1],
    ['other limits count too', {}, { waiting: 3, roomElsewhere: 1 }, 1],
    ['other limits may be exceeded already', {}, { waiting: 3, roomElsewhere: -2 }, 0],
    ['the least number is kept without anybody waiting', { minSize: 3 }, { idle: 1 }, 2],
    ['the least number does not exceed the size', { minSize: 9 }, {}, 5],
  ];
  for (const [fact, limit, count, expected] of table) {
    test(fact, () => assert.equal(connectionsToOpen(limits(limit), counts(count)), expected));
  }
});

describe('a free connection is closed', () => {
  const free: FreeConnection = { wornOutAt: 100, freeSince: 0, isOld: false };
  const table: [string, Partial<FreeConnection>, Partial<PoolLimits>, number, number, Wear | undefined][] = [
    ['not while it is young', {}, {}, 99, 1, undefined],
    ['when it is too old', {}, {}, 100, 1, 'lifetime'],
    ['for its age only after use, if the lifetime is 0', {}, { lifetimeMs: 0 }, 100, 1, undefined],
    ['when it was free for long', { wornOutAt: 9999 }, {}, 1000, 1, 'idle'],
    [
      'not for being free, if it is one of the least number',
      { wornOutAt: 9999 },
      { minSize: 1 },
      1000,
      1,
      undefined,
    ],
    ['never for being free, if that is off', { wornOutAt: 9999 }, { idleMs: 0 }, 5000, 1, undefined],
    [
      'when the limit was lowered, and there are more than size and reserve',
      {},
      { reserveSize: 1 },
      0,
      7,
      'surplus',
    ],
    ['not while size and reserve allow it', {}, { reserveSize: 1 }, 0, 6, undefined],
    ['when all are to be replaced', { isOld: true }, {}, 0, 1, 'replaced'],
  ];
  for (const [fact, changes, limit, now, open, expected] of table) {
    test(fact, () => assert.equal(wearOf({ ...free, ...changes }, limits(limit), { now, open }), expected));
  }
});

test('a tenth of the lifetime is left to chance', () => {
  assert.deepEqual(
    [0, 0.5].map((random) => wornOutAt(limits(), 1000, random)),
    [61_000, 58_000],
  );
});

test('who waits is told at the limit, or never', () => {
  assert.deepEqual(
    [
      isWaitOver(limits(), 0, 9999),
      isWaitOver(limits(), 0, 10_000),
      isWaitOver(limits({ waitMs: 0 }), 0, 1e9),
    ],
    [false, true, false],
  );
});

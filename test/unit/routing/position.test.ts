/** What follows from where a server is in the WAL. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReached } from '../../../src/routing/index.ts';
import { aPosition } from '../../support/position.ts';

const standby = aPosition({ replayLsn: 100 });
const primary = aPosition({ isInRecovery: false, insertLsn: 300, writeLsn: 250, replayLsn: undefined });

test('a standby has reached what it has replayed, not what it has received', () => {
  assert.deepEqual(
    [99, 100, 101, 200].map((lsn) => hasReached(standby, lsn)),
    [true, true, false, false],
  );
});

test('a primary has reached all that it put into WAL, written or not', () => {
  assert.deepEqual(
    [250, 300, 301].map((lsn) => hasReached(primary, lsn)),
    [true, true, false],
  );
});

test('a position that is not told has reached nothing', () => {
  assert.equal(hasReached({ ...standby, replayLsn: undefined }, 0), false);
});

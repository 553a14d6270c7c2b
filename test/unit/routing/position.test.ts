/** What follows from where a server is in the WAL. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReached, type Position } from '../../../src/routing/index.ts';

const standby: Position = {
  askedAt: 1,
  answeredAt: 2,
  connection: 1,
  connectedAt: 0,
  xmin: 1,
  xmax: 1,
  isInRecovery: true,
  timeline: 1,
  insertLsn: undefined,
  writeLsn: undefined,
  receiveLsn: 200,
  replayLsn: 100,
  isReplayPaused: false,
  isStreaming: true,
  replayedCommitAtMs: undefined,
};
const primary: Position = {
  ...standby,
  isInRecovery: false,
  insertLsn: 300,
  writeLsn: 250,
  replayLsn: undefined,
};

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

/** How far a standby is behind, by where the primary was when. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WalTrail } from '../../../src/routing/index.ts';
import { aPosition } from '../../support/position.ts';

const atPrimary = (at: number, writeLsn: number, timeline = 1) =>
  aPosition({ isInRecovery: false, askedAt: at, answeredAt: at, writeLsn, timeline });
const atStandby = (at: number, replayLsn: number) => aPosition({ askedAt: at, answeredAt: at, replayLsn });

describe('a standby', () => {
  test('is as far behind as what it misses is old', () => {
    const trail = new WalTrail();
    for (const [at, lsn] of [
      [1000, 100],
      [2000, 200],
      [3000, 300],
    ] as const)
      trail.note('a', atPrimary(at, lsn));
    assert.deepEqual(trail.lagOf(atStandby(3500, 300)), { bytes: 0, ms: 0 });
    assert.deepEqual(trail.lagOf(atStandby(3500, 250)), { bytes: 50, ms: 500 });
    assert.deepEqual(trail.lagOf(atStandby(3500, 199)), { bytes: 101, ms: 1500 });
    assert.deepEqual(trail.lagOf(atStandby(3500, 0)), { bytes: 300, ms: 2500 });
  });

  test('is not late where nothing is written, for however long', () => {
    const trail = new WalTrail();
    for (let at = 0; at <= 3_600_000; at += 1000) trail.note('a', atPrimary(at, 100));
    assert.deepEqual(trail.lagOf(atStandby(3_600_500, 100)), { bytes: 0, ms: 0 });
    trail.note('a', atPrimary(3_601_000, 101));
    assert.deepEqual(trail.lagOf(atStandby(3_601_200, 100)), { bytes: 1, ms: 200 });
  });

  test('is not blamed for what was written after it was asked', () => {
    const trail = new WalTrail();
    trail.note('a', atPrimary(1000, 100));
    trail.note('a', atPrimary(2000, 200));
    assert.deepEqual(trail.lagOf(atStandby(1500, 100)), { bytes: 0, ms: 0 });
  });

  test('is compared with no primary that was not heard of for three seconds, or that is gone', () => {
    const trail = new WalTrail();
    trail.note('a', atPrimary(1000, 100));
    assert.notEqual(trail.lagOf(atStandby(4000, 50)), undefined);
    assert.equal(trail.lagOf(atStandby(4001, 50)), undefined);
    trail.silent('b');
    assert.notEqual(trail.lagOf(atStandby(4000, 50)), undefined);
    trail.silent('a');
    assert.equal(trail.lagOf(atStandby(4000, 50)), undefined);
    trail.note('a', atPrimary(4100, 100));
    assert.deepEqual(trail.lagOf(atStandby(4200, 50)), { bytes: 50, ms: 3200 });
    assert.equal(new WalTrail().lagOf(atStandby(0, 50)), undefined);
  });

  test('is compared anew with a new primary, and on a new timeline', () => {
    const trail = new WalTrail();
    trail.note('a', atPrimary(1000, 100));
    trail.note('b', atPrimary(2000, 300, 2));
    assert.deepEqual(trail.lagOf(atStandby(2500, 100)), { bytes: 200, ms: 500 });
    trail.note('b', atPrimary(3000, 400, 3));
    assert.deepEqual(trail.lagOf(atStandby(3100, 100)), { bytes: 300, ms: 100 });
  });

  test('that is behind for hours is known to be, though not to the second', () => {
    const trail = new WalTrail();
    for (let at = 0; at <= 10_000_000; at += 1000) trail.note('a', atPrimary(at, at));
    const lag = trail.lagOf(atStandby(10_000_000, 1000));
    assert(lag !== undefined && lag.bytes === 9_999_000 && lag.ms > 9_300_000, JSON.stringify(lag));
  });
});

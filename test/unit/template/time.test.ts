/** Times that are moved across a change of summer time, and out of what can be shown. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../../../src/template/go/errors.ts';
import { Time, type Zone } from '../../../src/template/go/time.ts';

const SUMMER_FROM = Date.parse('2026-03-29T01:00:00Z');
const bucharest: Zone = (epochMs) =>
  epochMs < SUMMER_FROM ? { offsetSeconds: 7200, name: 'EET' } : { offsetSeconds: 10_800, name: 'EEST' };
const eve = new Time({ epochMs: Date.parse('2026-03-28T01:30:15.123Z'), nanos: 456_789, zone: bucharest });

// The figures are Go 1.19's.
test('a day later is the same time of the day, 24 hours later is not', () => {
  const noon = new Time({ ...eve.instant, epochMs: Date.parse('2026-03-28T10:00:00Z') });
  assert.equal(noon.addDate(0, 0, 1).toString(), '2026-03-29 12:00:00.000456789 +0300 EEST');
  assert.equal(noon.add(86_400_000_000_000n).toString(), '2026-03-29 13:00:00.000456789 +0300 EEST');
});

test('a time that clocks skip is an hour later', () => {
  assert.equal(eve.addDate(0, 0, 1).toString(), '2026-03-29 04:30:15.123456789 +0300 EEST');
});

test('a day that its month has not is in the next', () => {
  assert.equal(eve.addDate(0, 14, -40).toString(), '2027-04-18 03:30:15.123456789 +0300 EEST');
});

test('a time that cannot be shown is refused', () => {
  assert.throws(() => eve.addDate(3_000_000, 0, 0), Refusal);
});

/** What a time is called on this host is what the host's own `date` calls it, in every kind of zone. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { hostZone } from '../../src/template/shell/host-zone.ts';
import { Time } from '../../src/template/go/time.ts';

const ZONES = [
  'Europe/Bucharest',
  'Europe/Berlin',
  'Europe/Dublin',
  'Asia/Kolkata',
  'Asia/Tehran',
  'America/Sao_Paulo',
  'America/St_Johns',
  'America/New_York',
  'Australia/Lord_Howe',
  'Africa/Casablanca',
  'Pacific/Kiritimati',
  'Etc/GMT+5',
  '/usr/share/zoneinfo/Europe/Paris',
  ':Europe/Paris',
  'UTC',
  '',
];
const INSTANTS = ['1985-03-31T12:00:00Z', '2024-01-15T00:00:00Z', '2026-07-01T00:00:00Z'].map(Date.parse);
/** The second of a change, the one before, and times behind all that files list. */
const EDGES = [
  '2026-03-29T00:59:59Z',
  '2026-03-29T01:00:00Z',
  '2090-01-01T00:00:00Z',
  '2090-07-01T00:00:00Z',
];

test('zones have the offsets and names that date prints', () => {
  for (const zone of ZONES) {
    for (const ms of [...INSTANTS, ...EDGES.map(Date.parse)]) {
      const time = new Time({ epochMs: ms, nanos: 0, zone: hostZone(zone) });
      const told = execFileSync('date', ['-d', `@${ms / 1000}`, '+%Y-%m-%d %H:%M:%S %z %Z'], {
        encoding: 'utf8',
        env: { ...process.env, TZ: zone },
      });
      assert.equal(time.format('2006-01-02 15:04:05 -0700 MST'), told.trim(), `${zone} at ${ms}`);
    }
  }
});

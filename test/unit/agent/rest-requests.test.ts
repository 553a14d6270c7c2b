/** Bodies of changing requests: what they mean, and Patroni's words for those that mean nothing. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  isoTime,
  parseChangeOfLeader,
  parseRestart,
  parseSchedule,
  patchConfig,
  versionNumber,
} from '../../../src/agent/rest-requests.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');

const at = (value: unknown) => {
  const parsed = parseSchedule(value, 'restart', NOW);
  return 'ok' in parsed ? isoTime(parsed.ok) : `${parsed.refused.status} ${parsed.refused.text}`;
};

test('a time is read with its zone; without one, in the past, or unreadable it is refused', () => {
  equal(at('2026-01-01T13:30:00+01:00'), '2026-01-01T12:30:00.000+00:00');
  equal(at('2026-01-01 12:30:00.250000+0000'), '2026-01-01T12:30:00.250+00:00');
  equal(at('2026-01-01 12:30Z'), '2026-01-01T12:30:00.000+00:00');
  equal(at('2026-01-01 12:30+00'), '2026-01-01T12:30:00.000+00:00');
  equal(at('2026-01-01T12:30'), '400 Timezone information is mandatory for the scheduled restart');
  equal(at('2026-01-01T11:59:59Z'), '422 Cannot schedule restart in the past');
  const unreadable =
    '422 Unable to parse scheduled timestamp. It should be in an unambiguous format, e.g. ISO 8601';
  for (const value of ['tomorrow', '2026-13-01T00:00Z', '', 5, null, '2026-01-01T25:00Z'])
    equal(at(value), unreadable);
});

test('a restart takes Patroni’s conditions, and no others', () => {
  deepEqual(
    parseRestart(
      {
        role: 'master',
        postgres_version: '15.4',
        timeout: '30s',
        restart_pending: true,
        schedule: '2026-01-01T13:00Z',
      },
      NOW,
    ),
    {
      ok: {
        role: 'primary',
        olderThan: 150_004,
        isOnlyPending: true,
        at: NOW + 3_600_000,
        startMs: 30_000,
        json: {
          role: 'primary',
          postgres_version: '15.4',
          timeout: 30,
          restart_pending: true,
          schedule: '2026-01-01T13:00:00.000+00:00',
        },
      },
    },
  );
  const refusal = (body: Record<string, unknown>) => {
    const parsed = parseRestart(body, NOW);
    return 'refused' in parsed ? `${parsed.refused.status} ${parsed.refused.text}` : 'taken';
  };
  equal(refusal({}), 'taken');
  equal(refusal({ role: 'king' }), '400 PostgreSQL role should be either primary or replica');
  equal(refusal({ timeout: 0 }), '400 Timeout should be a positive number of seconds');
  equal(refusal({ timeout: 'soon' }), '400 Timeout should be a positive number of seconds');
  equal(refusal({ colour: 1 }), '400 Unknown filter for the scheduled restart: colour');
  equal(
    refusal({ postgres_version: '15' }),
    '400 Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: 15',
  );
});

test('a version is a number as PostgreSQL counts them', () => {
  deepEqual(
    ['15.3', '9.6.24', '10.0', '15', '15.3.1.2', 'x.y', 15.3].map((value) => versionNumber(value)),
    [150_003, 90_624, 100_000, undefined, undefined, undefined, undefined],
  );
});

test('a change of leader says from whom or to whom, and in a pause to whom for certain', () => {
  const asked = (action: 'switchover' | 'failover', body: Record<string, unknown>, isPaused = false) => {
    const parsed = parseChangeOfLeader(body, action, { isPaused, now: NOW });
    return 'ok' in parsed ? parsed.ok : `${parsed.refused.status} ${parsed.refused.text}`;
  };
  const later = '2026-01-01T13:00Z';
  deepEqual(asked('switchover', { leader: 'a' }), { leader: 'a', candidate: undefined, at: undefined });
  deepEqual(asked('failover', { member: 'b' }), { leader: undefined, candidate: 'b', at: undefined });
  deepEqual(asked('switchover', { leader: 'a', candidate: 'b', scheduled_at: later }), {
    leader: 'a',
    candidate: 'b',
    at: NOW + 3_600_000,
  });
  equal(
    asked('switchover', { candidate: 'b' }),
    '400 Switchover could be performed only from a specific leader',
  );
  equal(asked('failover', { leader: 'a' }), '400 Failover could be performed only to a specific candidate');
  equal(
    asked('switchover', { leader: 'a', candidate: 'a' }),
    '400 Switchover target and source are the same',
  );
  equal(
    asked('failover', { candidate: 'b', scheduled_at: later }),
    '400 Scheduled failover is possible only from a specific leader',
  );
  equal(
    asked('switchover', { leader: 'a', candidate: 'b', scheduled_at: later }, true),
    "400 Can't schedule switchover in the paused state",
  );
  equal(
    asked('switchover', { leader: 'a' }, true),
    '400 Switchover is possible only to a specific candidate in a paused state',
  );
});

test('a partial configuration is merged: objects into objects, null removes, lists and values replace', () => {
  const before = { ttl: 30, postgresql: { parameters: { a: 1, b: 2 }, pg_hba: ['x', 'y'] } };
  deepEqual(patchConfig(before, { ttl: null, postgresql: { parameters: { a: 5, c: 3 }, pg_hba: ['z'] } }), {
    postgresql: { parameters: { a: 5, b: 2, c: 3 }, pg_hba: ['z'] },
  });
  deepEqual(patchConfig({}, { a: { b: null, c: 1 } }), { a: { c: 1 } });
  equal(patchConfig(before, { ttl: 30 }), before);
});

test('a patch that is made twice is as one, and one of null takes away what it gave', () => {
  const key = fc.constantFrom('a', 'b', 'c');
  const tree = fc.letrec<{ node: Record<string, unknown> }>((tie) => ({
    node: fc.dictionary(key, fc.oneof({ maxDepth: 2 }, fc.integer(), fc.constant('x'), tie('node')), {
      noNullPrototype: true,
    }),
  })).node;
  fc.assert(
    fc.property(tree, tree, (config, patch) => {
      const once = patchConfig(config, patch);
      deepEqual(patchConfig(once, patch), once);
      const nothing = Object.fromEntries(Object.keys(once).map((name) => [name, null]));
      deepEqual(patchConfig(once, nothing), {});
    }),
  );
});

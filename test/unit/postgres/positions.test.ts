/** Positions and timelines: LSN text, history files, and whether a rewind is needed. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type ControlData,
  type LocalPosition,
  needsRewind,
  positionOf,
  type RewindNeed,
} from '../../../src/postgres/index.ts';
import { hidesFork } from '../../../src/postgres/needs-rewind.ts';
import { parseLsn } from '../../../src/postgres/lsn.ts';
import { parseTimelineHistory } from '../../../src/postgres/timeline-history.ts';

test('the text of an LSN becomes bytes', () => {
  for (const [text, bytes] of [
    ['0/0', 0],
    ['0/3000060', 0x3000060],
    ['16/B374D848', 0x16b374d848],
    ['1FFFFF/FFFFFFFF', Number.MAX_SAFE_INTEGER],
  ] as const) {
    assert.equal(parseLsn(text), bytes);
  }
  assert.equal(parseLsn('a/b'), 0xa0000000b);
});

test('text that is no LSN, or one beyond exact numbers, is undefined', () => {
  for (const text of ['', '0', '/', '0/', '/0', '0/G', '0/123456789', '-1/0', '200000/0', '0/0/0', '0x1/0']) {
    assert.equal(parseLsn(text), undefined, text);
  }
});

test('a timeline history file is read with its comments and reasons', () => {
  const content = '1\t0/3000148\tno recovery target specified\n\n# by hand\n3\t16/B374D848\n';
  assert.deepEqual(parseTimelineHistory(content), {
    ok: true,
    value: [
      { timeline: 1, lsn: 0x3000148, reason: 'no recovery target specified' },
      { timeline: 3, lsn: 0x16b374d848, reason: '' },
    ],
  });
  assert.deepEqual(parseTimelineHistory(''), { ok: true, value: [] });
});

test('a timeline history that PostgreSQL would not have written is refused with its line', () => {
  for (const [content, because] of [
    ['1 0/1 a\nx 0/2 b', 'timeline history line 2 is not "timeline lsn reason"'],
    ['1 zero a', 'timeline history line 1 is not "timeline lsn reason"'],
    ['2 0/1 a\n2 0/2 b', 'timeline history line 2: timelines do not grow'],
  ] as const) {
    assert.deepEqual(parseTimelineHistory(content), { ok: false, because });
  }
});

const LEADER = {
  timeline: 4,
  history: [
    { timeline: 1, lsn: 1000, reason: '' },
    { timeline: 3, lsn: 3000, reason: '' },
  ],
};

const stay = (because: 'same-timeline' | 'before-the-switch'): RewindNeed => ({ needed: false, because });

test('needsRewind: the whole table', () => {
  const table: readonly (readonly [number, number, LocalPosition['lsnIs'], RewindNeed])[] = [
    [4, 9999, 'end', stay('same-timeline')],
    [4, 9999, 'last-record', stay('same-timeline')],
    [4, 9999, 'unknown', stay('same-timeline')],
    [3, 2999, 'end', stay('before-the-switch')],
    [3, 3000, 'end', stay('before-the-switch')],
    [3, 3001, 'end', { needed: true, because: 'past-the-switch' }],
    [3, 2999, 'last-record', stay('before-the-switch')],
    [3, 3000, 'last-record', { needed: true, because: 'past-the-switch' }],
    [3, 1, 'unknown', { needed: true, because: 'not-shut-down' }],
    [1, 1000, 'end', stay('before-the-switch')],
    [1, 1001, 'end', { needed: true, because: 'past-the-switch' }],
    [2, 1, 'end', { needed: true, because: 'not-an-ancestor' }],
    [2, 1, 'unknown', { needed: true, because: 'not-an-ancestor' }],
    [5, 1, 'end', { needed: true, because: 'newer-timeline' }],
    [5, 1, 'unknown', { needed: true, because: 'newer-timeline' }],
  ];
  for (const [timeline, lsn, lsnIs, expected] of table) {
    assert.deepEqual(needsRewind({ timeline, lsn, lsnIs }, LEADER), expected, `${timeline} ${lsn} ${lsnIs}`);
  }
});

test('a timeline that was left before its child began: the earliest switch counts, and pg_rewind cannot know it', () => {
  const history = [
    { timeline: 1, lsn: 1000, reason: '' },
    { timeline: 2, lsn: 3000, reason: '' },
    { timeline: 3, lsn: 2500, reason: '' },
  ];
  const at = (timeline: number, lsn: number): RewindNeed =>
    needsRewind({ timeline, lsn, lsnIs: 'end' }, { timeline: 4, history });
  assert.deepEqual(at(2, 2500), stay('before-the-switch'));
  assert.deepEqual(at(2, 2501), { needed: true, because: 'past-the-switch' });
  assert.deepEqual(at(2, 3000), { needed: true, because: 'past-the-switch' });
  assert.deepEqual(at(3, 2501), { needed: true, because: 'past-the-switch' });
  assert.deepEqual(at(1, 1000), stay('before-the-switch'));
  assert.deepEqual(
    [1, 2, 3, 4].map((timeline) => hidesFork(timeline, history)),
    [false, true, false, false],
  );
});

const control = (state: ControlData['state']): ControlData => ({
  state,
  systemId: '7300000000000000001',
  checkpointLsn: 500,
  checkpointTimeline: 2,
  minRecoveryEndLsn: state.includes('recovery') ? 700 : 0,
  minRecoveryEndTimeline: state.includes('recovery') ? 3 : 0,
  floors: {
    max_connections: 1,
    max_worker_processes: 1,
    max_wal_senders: 1,
    max_prepared_xacts: 0,
    max_locks_per_xact: 1,
  },
});

test('the position of a stopped directory follows from its state', () => {
  assert.deepEqual(positionOf(control('shut down')), { timeline: 2, lsn: 500, lsnIs: 'last-record' });
  for (const state of ['shut down in recovery', 'in archive recovery'] as const) {
    assert.deepEqual(positionOf(control(state)), { timeline: 3, lsn: 700, lsnIs: 'end' });
  }
  for (const state of ['starting up', 'shutting down', 'in crash recovery', 'in production'] as const) {
    assert.deepEqual(positionOf(control(state)), { timeline: 2, lsn: 500, lsnIs: 'unknown' });
  }
});

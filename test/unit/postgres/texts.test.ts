/** Small texts: SQL quoting, progress lines, postmaster.pid. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { parseProgress } from '../../../src/postgres/clone.ts';
import { parsePostmasterPid } from '../../../src/postgres/postmaster-pid.ts';
import { lastLines } from '../../../src/postgres/run.ts';
import { quoteIdentifier, quoteLiteral } from '../../../src/postgres/sql-text.ts';
import { parseStatus, withReplayed } from '../../../src/postgres/status.ts';

test('identifiers and literals are quoted so that nothing gets out', () => {
  assert.equal(quoteIdentifier('a"b; DROP'), '"a""b; DROP"');
  assert.equal(quoteLiteral("it's"), "'it''s'");
  assert.equal(quoteLiteral("a\\'b"), "E'a\\\\''b'");
  assert.throws(() => quoteIdentifier('a\0b'), RangeError);
  assert.throws(() => quoteLiteral('a\0b'), RangeError);
});

const LOCK = ['4711', '/data', '1700000000', '5432', '/run', '127.0.0.1', '  12345   6', 'ready   ', ''];

test('postmaster.pid is read whole and while it is still being written', () => {
  const found = { pid: 4711, singleUser: false };
  assert.deepEqual(parsePostmasterPid(LOCK.join('\n')), { ...found, status: 'ready' });
  for (let lines = 3; lines < 8; lines += 1) {
    const cut = `${LOCK.slice(0, lines).join('\n')}\n`;
    assert.deepEqual(parsePostmasterPid(cut), { ...found, status: undefined });
  }
  assert.deepEqual(parsePostmasterPid('-4711\n/data\n1700000000\n'), {
    ...found,
    singleUser: true,
    status: undefined,
  });
});

test('a postmaster.pid that is cut short or holds anything else is no lock', () => {
  for (const content of [
    '',
    '4711',
    '4711\n',
    '4711\n/data\n',
    'x\n/data\n1\n',
    '0\n/data\n1\n',
    '1\n\n1\n',
    '1\n/d\nsoon',
  ]) {
    assert.equal(parsePostmasterPid(content), undefined, content);
  }
});

test("pg_basebackup's last figure counts", () => {
  assert.deepEqual(
    parseProgress('\r 100/31284 kB (0%), 0/1 tablespace\r23102/31284 kB (73%), 0/1 tablespace'),
    {
      doneKb: 23102,
      totalKb: 31284,
    },
  );
  assert.equal(parseProgress('waiting for checkpoint'), undefined);
});

test('the last lines of an output are those that say something', () => {
  assert.equal(lastLines('a\n\n \r\nb\rc\n'), 'a\nb\nc');
  assert.equal(lastLines(Array.from({ length: 20 }, (_, at) => `${at}`).join('\n')).split('\n').length, 8);
});

const PRIMARY = {
  in_recovery: false,
  write_timeline: '0000000A',
  flush_lsn: 90,
  receive_lsn: null,
  replay_lsn: null,
  replay_paused: false,
  checkpoint_timeline: 9,
  recovery_timeline: 0,
  receiver: null,
  standbys: [],
  slots: [],
  start_time: '2026-11-23 09:00:00+00',
  is_closed: false,
  version: 150_018,
  pending_restart: [],
};

test('the status row becomes a value; a standby without a receiver takes its timeline from what it replayed', () => {
  const primary = parseStatus(PRIMARY);
  assert.equal(primary.timeline, 10);
  assert.equal(primary.replicationState, undefined);
  const alone = { ...PRIMARY, in_recovery: true, write_timeline: null, recovery_timeline: 11 };
  assert.equal(parseStatus(alone).timeline, 11);
  assert.equal(withReplayed(parseStatus(alone), 13).timeline, 13);
  assert.equal(parseStatus(alone).replicationState, 'in archive recovery');
  const receiver = { status: 'streaming', timeline: 12 };
  const streaming = parseStatus({ ...alone, receiver });
  assert.equal(streaming.timeline, 12);
  assert.equal(streaming.replicationState, 'streaming');
});

test('a status of another form is refused', () => {
  for (const value of [undefined, {}, { ...PRIMARY, flush_lsn: '100' }, { ...PRIMARY, in_recovery: null }]) {
    assert.throws(() => parseStatus(value), { code: 'postgres-unreachable' });
  }
});

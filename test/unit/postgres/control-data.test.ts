/** What pg_controldata prints, read strictly. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type ControlData, parseControlData } from '../../../src/postgres/control-data.ts';

const PRINTED = `pg_control version number:            1300
Catalog version number:               202209061
Database system identifier:           7300000000000000001
Database cluster state:               in archive recovery
pg_control last modified:             Mon Nov 23 09:40:00 2026
Latest checkpoint location:           0/5000060
Latest checkpoint's REDO location:    0/5000028
Latest checkpoint's REDO WAL file:    000000020000000000000005
Latest checkpoint's TimeLineID:       2
Latest checkpoint's PrevTimeLineID:   2
Minimum recovery ending location:     1/6000148
Min recovery ending loc's timeline:   3
Backup start location:                0/0
wal_level setting:                    replica
wal_log_hints setting:                on
max_connections setting:              100
max_worker_processes setting:         8
max_wal_senders setting:              10
max_prepared_xacts setting:           0
max_locks_per_xact setting:           64
Data page checksum version:           1
`;

const VALUE: ControlData = {
  state: 'in archive recovery',
  systemId: '7300000000000000001',
  checkpointLsn: 0x5000060,
  checkpointTimeline: 2,
  minRecoveryEndLsn: 0x106000148,
  minRecoveryEndTimeline: 3,
  floors: {
    max_connections: 100,
    max_worker_processes: 8,
    max_wal_senders: 10,
    max_prepared_xacts: 0,
    max_locks_per_xact: 64,
  },
};

test('what pg_controldata prints becomes a value', () => {
  assert.deepEqual(parseControlData(PRINTED), { ok: true, value: VALUE });
});

test('pg_controldata output with any needed line missing is refused, with its label', () => {
  const needed = PRINTED.split('\n').filter((line) =>
    /identifier|state|checkpoint loc|TimeLineID|inimum|Min rec|max_/.test(line),
  );
  const lines = needed.filter((line) => !line.includes('PrevTimeLineID'));
  assert.equal(lines.length, 11);
  for (const line of lines) {
    const result = parseControlData(PRINTED.replace(`${line}\n`, ''));
    const label = line.slice(0, line.indexOf(':'));
    assert.deepEqual(result, { ok: false, because: `pg_controldata: no line "${label}"` });
  }
});

test('a state or number that is not known is refused, not guessed', () => {
  for (const [from, to] of [
    ['in archive recovery', 'in sweet dreams'],
    ['0/5000060', '0-5000060'],
    ['1/6000148', ''],
    ['7300000000000000001', '12'],
  ] as const) {
    const result = parseControlData(PRINTED.replace(from, to));
    assert.equal(result.ok, false, to);
    assert.match(result.ok ? '' : result.because, /^pg_controldata: "/);
  }
  assert.equal(parseControlData('').ok, false);
});

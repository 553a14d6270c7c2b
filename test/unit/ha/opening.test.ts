/** When a server that was restarted lets clients in: never before what it shows is where the durability wants it. */
import { deepEqual, equal } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nextOpening, OPEN, type Opening, type Seen } from '../../../src/ha/index.ts';

const QUORUM = { is: 'quorum', acks: 1, isStrict: false } as const;
const STRICT = { ...QUORUM, isStrict: true } as const;
const ALONE = { leader: 'a', voters: ['b', 'c'], quorum: 2 };
const FALLEN_BACK = { leader: 'a', voters: [], quorum: 0 };
const NOBODY = { names: [], acks: 0 };

function aPrimary(changes: Partial<Extract<Seen, { role: 'primary' }>> = {}): Seen {
  return {
    role: 'primary',
    self: 'a',
    start: 'one',
    isClosed: true,
    mode: QUORUM,
    flushLsn: 1000,
    required: { names: ['b', 'c'], acks: 1 },
    published: ALONE,
    standbys: [],
    ...changes,
  };
}

const aStandby = (isStreaming: boolean, changes: Partial<Seen> = {}): Seen => ({
  start: 'one',
  isClosed: true,
  mode: QUORUM,
  ...changes,
  role: 'standby',
  isStreaming,
});

const at = (flushLsn: number, name = 'b') => ({ standbys: [{ name, flushLsn }] });

/** The looks one after the other. */
function after(...looks: readonly Seen[]): string {
  return looks.reduce<Opening>(nextOpening, OPEN).is;
}

describe('a primary that was started closed', () => {
  test('stays so until enough of the required standbys have all that its recovery brought', () => {
    equal(after(aPrimary()), 'closed');
    equal(after(aPrimary(), aPrimary(at(999))), 'closed');
    equal(after(aPrimary(), aPrimary(at(1000))), 'opening');
    equal(after(aPrimary(), aPrimary(at(1000, 'B'))), 'opening', 'names as PostgreSQL compares them');
    equal(after(aPrimary(), aPrimary(at(5000, 'backup'))), 'closed', 'one that is not required');
    const two = { required: { names: ['b', 'c'], acks: 2 } };
    equal(after(aPrimary({ ...two, ...at(1000) })), 'closed', 'one of two');
  });

  test('is judged by where its WAL was at first, not by what has been written since', () => {
    const later = aPrimary({ flushLsn: 9000, standbys: [{ name: 'c', flushLsn: 1000 }] });
    deepEqual(nextOpening(nextOpening(OPEN, aPrimary()), later), { is: 'opening', start: 'one', upTo: 1000 });
    equal(after(aPrimary(), { ...later, start: 'two' }), 'closed', 'another start has recovered more');
  });

  test('with nobody to wait for, opens once the store says so; strictly it stays closed', () => {
    const fallen = { required: NOBODY, published: FALLEN_BACK };
    equal(after(aPrimary({ required: NOBODY })), 'closed', 'the key still promises');
    equal(after(aPrimary(fallen)), 'opening');
    equal(
      after(aPrimary({ required: NOBODY, published: { ...FALLEN_BACK, leader: 'b' } })),
      'closed',
      'by another',
    );
    equal(after(aPrimary({ ...fallen, mode: STRICT })), 'closed');
  });

  test('opens at once where the cluster has become asynchronous', () => {
    equal(after(aPrimary({ mode: { is: 'asynchronous' } })), 'opening');
    equal(after(aStandby(false, { mode: { is: 'asynchronous' } })), 'opening');
  });

  test('is opened again and again until the server says that it is, and never taken back meanwhile', () => {
    const confirmed = aPrimary({ standbys: [{ name: 'b', flushLsn: 1000 }] });
    equal(after(confirmed, aPrimary()), 'opening');
    equal(after(confirmed, aPrimary({ isClosed: false })), 'open');
    equal(after(aPrimary({ isClosed: false })), 'open', 'one that was never closed');
  });
});

describe('a former primary that was started closed as a standby', () => {
  test('is opened while it streams', () => {
    equal(after(aStandby(false)), 'closed');
    equal(after(aStandby(false), aStandby(true)), 'opening');
  });

  test('and is promoted before that: it waits for standbys as a primary', () => {
    equal(after(aStandby(false), aPrimary()), 'closed');
    equal(after(aStandby(false), aPrimary({ standbys: [{ name: 'b', flushLsn: 1000 }] })), 'opening');
  });
});

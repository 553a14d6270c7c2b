/** Whether a server has what a session must see: each rule by itself; in schedules by chance: consistency-schedules.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  NO_CONNECTION_YET,
  type NodePosition,
  PositionBook,
  recordEnd,
  freshnessText,
  type Level,
  readStaleness,
  Seen,
  stricterFreshness,
} from '../../../src/routing/index.ts';

/** Of a server that redoes nothing, unless it is told; a transaction is open, so that the WAL alone tells how far it is. */
const aPosition = (over: Partial<NodePosition> = {}): NodePosition => ({
  askedAt: 100,
  connectedAt: 0,
  isPrimary: false,
  timeline: 1,
  lsn: 1000,
  boundLsn: over.lsn ?? 1000,
  xmin: 10,
  xmax: 11,
  ...over,
});
const aPrimary = (over: Partial<NodePosition> = {}) => aPosition({ isPrimary: true, ...over });
const everyone = () => true;

function aBook(primary: string | undefined = 'p'): PositionBook {
  const book = new PositionBook();
  book.viewChanged(primary, everyone);
  return book;
}

function seenAt(book: PositionBook, member: string, at: number): Seen {
  const seen = new Seen();
  book.noteRead(seen, member, at);
  return seen;
}

describe('a session that has seen what the primary had at 100', () => {
  test('reads anywhere if it has seen nothing', () => {
    assert.equal(aBook().judge(new Seen(), 's', NO_CONNECTION_YET), 'met');
  });

  test('reads at the primary, and at its successor', () => {
    const book = aBook();
    const seen = seenAt(book, 'p', 100);
    assert.equal(book.judge(seen, 'p', 200), 'met');
    book.viewChanged('q', everyone);
    assert.equal(book.judge(seen, 'q', 200), 'met');
  });

  test('does not take an answer to an earlier question for it', () => {
    const book = aBook();
    const seen = seenAt(book, 'p', 100);
    book.told('p', aPrimary({ askedAt: 100 }));
    book.told('s', aPosition({ askedAt: 150 }));
    assert.equal(book.judge(seen, 's', 0), 'unknown');
    book.told('p', aPrimary({ askedAt: 101 }));
    assert.equal(book.judge(seen, 's', 0), 'met');
  });

  test('reads at a standby that has been there already, however long ago it was asked', () => {
    const book = aBook();
    book.told('s', aPosition({ askedAt: 50 }));
    const seen = seenAt(book, 'p', 100);
    book.told('p', aPrimary({ askedAt: 101 }));
    assert.equal(book.judge(seen, 's', 0), 'met');
    // By a connection that was not there when it was asked: it may have been started again.
    assert.equal(book.judge(seen, 's', 60), 'unknown');
  });

  test('does not read at a standby that is behind, or on another timeline', () => {
    const book = aBook();
    const seen = seenAt(book, 'p', 100);
    book.told('p', aPrimary({ askedAt: 101, timeline: 2 }));
    book.told('s', aPosition({ askedAt: 50, timeline: 2, lsn: 999 }));
    assert.equal(book.judge(seen, 's', 0), 'unknown');
    book.told('s', aPosition({ askedAt: 110, timeline: 2, lsn: 999 }));
    assert.equal(book.judge(seen, 's', 0), 'late');
    book.told('t', aPosition({ askedAt: 110, timeline: 1, lsn: 1001 }));
    assert.equal(book.judge(seen, 't', 0), 'late');
    book.told('s', aPosition({ askedAt: 110, timeline: 3, lsn: 1000 }));
    assert.equal(book.judge(seen, 's', 0), 'met');
  });

  test('reads at a standby for which all of those transactions have ended, whatever WAL it lacks', () => {
    const book = aBook();
    const seen = seenAt(book, 'p', 100);
    book.told('p', aPrimary({ askedAt: 101, lsn: 1000, xmax: 20 }));
    book.told('s', aPosition({ askedAt: 102, lsn: 999, xmin: 19, xmax: 25 }));
    assert.equal(book.judge(seen, 's', 0), 'late');
    book.told('s', aPosition({ askedAt: 103, lsn: 998, boundLsn: 999, xmin: 20, xmax: 25 }));
    assert.equal(book.judge(seen, 's', 0), 'late', 'it may still redo one of them');
    book.told('s', aPosition({ askedAt: 104, lsn: 998, boundLsn: 999, xmin: 20, xmax: 25 }));
    assert.equal(book.judge(seen, 's', 0), 'late', 'and still');
    book.told('s', aPosition({ askedAt: 105, lsn: 999, boundLsn: 1000, xmin: 20, xmax: 25 }));
    assert.equal(book.judge(seen, 's', 0), 'met', 'that record is replayed');
    book.told(
      's',
      aPosition({ askedAt: 106, connectedAt: 105.5, lsn: 998, boundLsn: 999, xmin: 20, xmax: 25 }),
    );
    book.told('p', aPrimary({ askedAt: 107, lsn: 1000, xmax: 20 }));
    assert.equal(book.judge(seen, 's', 0), 'late', 'it was started again');
    book.told('s', aPosition({ askedAt: 107, lsn: 998, xmin: 20, xmax: 25 }));
    assert.equal(book.judge(seen, 's', 0), 'met', 'no record is being redone');
    // Transactions of another history have the same numbers.
    const later = seenAt(book, 'p', 200);
    book.told('p', aPrimary({ askedAt: 201, timeline: 2, lsn: 1000, xmax: 20 }));
    book.told('s', aPosition({ askedAt: 202, lsn: 999, xmin: 20, xmax: 25 }));
    assert.equal(book.judge(later, 's', 0), 'late');
  });

  test('goes by the next primary where its own is gone without an answer', () => {
    const book = aBook();
    book.told('p', aPrimary({ askedAt: 90 }));
    const seen = seenAt(book, 'p', 100);
    book.viewChanged(undefined, everyone);
    book.told('s', aPosition({ askedAt: 200 }));
    assert.equal(book.judge(seen, 's', 0), 'unknown');
    book.viewChanged('q', everyone);
    book.told('q', aPrimary({ askedAt: 300, timeline: 2, lsn: 900 }));
    assert.equal(book.judge(seen, 's', 0), 'late');
    book.told('s', aPosition({ askedAt: 310, timeline: 2, lsn: 900 }));
    assert.equal(book.judge(seen, 's', 0), 'met');
  });
});

describe('a session that has seen what a standby had at 100', () => {
  test('reads there again, but for one that was started again since', () => {
    const book = aBook();
    const seen = seenAt(book, 's', 100);
    assert.equal(book.judge(seen, 's', 100), 'met');
    assert.equal(book.judge(seen, 's', 101), 'unknown');
    // It has less than it had: what it had, its primary has told meanwhile.
    book.told('s', aPosition({ askedAt: 120, connectedAt: 110, lsn: 500 }));
    book.told('p', aPrimary({ askedAt: 120 }));
    assert.equal(book.judge(seen, 's', 115), 'late');
  });

  test('has seen what that redoes, though it is not told as replayed yet', () => {
    const book = aBook();
    const seen = seenAt(book, 's', 100);
    book.told('s', aPosition({ askedAt: 101, lsn: 1000, boundLsn: 1100 }));
    book.told('t', aPosition({ askedAt: 102, lsn: 1000, boundLsn: 1100 }));
    assert.equal(book.judge(seen, 't', 0), 'late');
    book.told('t', aPosition({ askedAt: 103, lsn: 1100 }));
    assert.equal(book.judge(seen, 't', 0), 'met');
  });

  test('goes by the first such answer, not by what is received since', () => {
    const book = aBook();
    const seen = seenAt(book, 's', 100);
    book.told('s', aPosition({ askedAt: 101, lsn: 1000, boundLsn: 1010 }));
    assert.equal(book.judge(seen, 't', 0), 'unknown');
    book.told('s', aPosition({ askedAt: 103, lsn: 1500, boundLsn: 1600 }));
    book.told('t', aPosition({ askedAt: 104, lsn: 1010, boundLsn: 1700 }));
    assert.equal(book.judge(seen, 't', 0), 'met');
  });

  test('goes by transactions where no stream feeds that standby, and by the primary: it cannot tell what it redoes', () => {
    const book = aBook();
    const seen = seenAt(book, 's', 100);
    book.told('s', aPosition({ askedAt: 101, boundLsn: undefined }));
    book.told('t', aPosition({ askedAt: 102, lsn: 9000 }));
    assert.equal(book.judge(seen, 't', 0), 'late');
    book.told('t', aPosition({ askedAt: 102, xmin: 11 }));
    assert.equal(book.judge(seen, 't', 0), 'met');
    book.told('t', aPosition({ askedAt: 102 }));
    book.told('p', aPrimary({ askedAt: 103, lsn: 1100 }));
    assert.equal(book.judge(seen, 't', 0), 'late');
    book.told('t', aPosition({ askedAt: 104, lsn: 1100 }));
    assert.equal(book.judge(seen, 't', 0), 'met');
  });

  test('does not take the primary’s transactions for those that the standby has shown: it may still wait with them', () => {
    const book = aBook();
    const seen = seenAt(book, 's', 100);
    book.told('s', aPosition({ askedAt: 110, connectedAt: 105 }));
    book.told('p', aPrimary({ askedAt: 103, lsn: 1100, xmax: 11 }));
    book.told('t', aPosition({ askedAt: 104, xmin: 11 }));
    assert.equal(book.judge(seen, 't', 0), 'late');
  });

  test('reads there again on a newer connection, however late it is, but not after a start in between', () => {
    const book = aBook();
    const seen = seenAt(book, 's', 100);
    book.told('s', aPosition({ askedAt: 120, connectedAt: 50, lsn: 1000, boundLsn: 9000 }));
    assert.equal(book.judge(seen, 's', 110), 'met');
    assert.equal(book.judge(seen, 's', 121), 'unknown');
    book.told('s', aPosition({ askedAt: 130, connectedAt: 125, lsn: 1000, boundLsn: 9000 }));
    assert.notEqual(book.judge(seen, 's', 110), 'met');
  });

  test('reads at the primary once that shows all that had ended at the standby', () => {
    const book = aBook();
    const seen = seenAt(book, 's', 100);
    book.told('s', aPosition({ askedAt: 101, xmax: 20 }));
    book.told('p', aPrimary({ askedAt: 102, xmin: 19, xmax: 30, lsn: 5000 }));
    assert.equal(book.judge(seen, 'p', 0), 'late');
    book.told('p', aPrimary({ askedAt: 103, xmin: 20, xmax: 30 }));
    assert.equal(book.judge(seen, 'p', 0), 'met');
  });

  test('must not forget that by a write, which the primary takes without being judged', () => {
    const book = aBook();
    const seen = seenAt(book, 's', 100);
    book.noteWrite(seen, 'p', 110);
    book.told('s', aPosition({ askedAt: 111, xmax: 20 }));
    book.told('p', aPrimary({ askedAt: 112, xmin: 19, xmax: 30 }));
    assert.equal(book.judge(seen, 'p', 0), 'late');
    book.noteRead(seen, 's', 120);
    book.viewChanged('s', everyone);
    assert.equal(book.judge(seen, 's', 130), 'met');
  });

  test('reads at the next primary as at any', () => {
    const book = aBook();
    book.told('s', aPosition({ askedAt: 50 }));
    const seen = seenAt(book, 's', 100);
    book.told('s', aPosition({ askedAt: 101, xmax: 20 }));
    book.viewChanged('q', everyone);
    assert.equal(book.judge(seen, 'q', 0), 'unknown', 'nobody has said that it is one');
    book.told('q', aPrimary({ askedAt: 102, timeline: 2, xmin: 20, xmax: 20 }));
    assert.equal(book.judge(seen, 'q', 0), 'met');
  });

  test('a standby’s timeline does not fall back where it cannot tell it for a moment', () => {
    const book = aBook();
    book.told('s', aPosition({ askedAt: 50, timeline: 2 }));
    const seen = seenAt(book, 's', 100);
    book.told('s', aPosition({ askedAt: 101, timeline: 1, boundLsn: 900 }));
    book.told('t', aPosition({ askedAt: 102, timeline: 1, lsn: 5000, xmin: 50, xmax: 50 }));
    assert.equal(book.judge(seen, 't', 0), 'late', 'another history');
    book.told('t', aPosition({ askedAt: 103, timeline: 2, lsn: 5000, xmin: 50, xmax: 50 }));
    assert.equal(book.judge(seen, 't', 0), 'met');
  });

  test('nor by a statement that is not judged: the primary does not show what it waits with', () => {
    const book = aBook();
    const seen = seenAt(book, 's', 100);
    book.noteWrite(seen, 'p', 110);
    book.told('p', aPrimary({ askedAt: 111, lsn: 1100, xmin: 19, xmax: 19 }));
    book.told('t', aPosition({ askedAt: 112, lsn: 1000, xmin: 19, xmax: 19 }));
    assert.equal(book.judge(seen, 't', 0), 'late');
    book.told('t', aPosition({ askedAt: 113, lsn: 1100, xmin: 19, xmax: 20 }));
    assert.equal(book.judge(seen, 't', 0), 'met');
    // Its own WAL is asked for once: what others have written since is not.
    book.noteRead(seen, 'p', 120);
    book.told('p', aPrimary({ askedAt: 121, lsn: 1200, xmin: 20, xmax: 20 }));
    book.told('t', aPosition({ askedAt: 122, lsn: 1150, xmin: 20, xmax: 20 }));
    assert.equal(book.judge(seen, 't', 0), 'met');
  });

  test('is not taken to another primary by a view that had none for a moment', () => {
    const book = aBook();
    const seen = seenAt(book, 's', 100);
    book.told('s', aPosition({ askedAt: 101, xmax: 20 }));
    book.viewChanged(undefined, everyone);
    book.viewChanged('p', everyone);
    book.told('p', aPrimary({ askedAt: 102, xmin: 19, xmax: 19 }));
    assert.equal(book.judge(seen, 'p', 0), 'late');
    book.told('p', aPrimary({ askedAt: 103, xmin: 20, xmax: 20 }));
    assert.equal(book.judge(seen, 'p', 0), 'met');
  });

  test('does not take what the next primary waits with for lost: the standby showed it on the same timeline', () => {
    const book = aBook();
    const seen = seenAt(book, 's', 100);
    book.viewChanged('q', everyone);
    book.told('s', aPosition({ askedAt: 101, timeline: 2, xmax: 20 }));
    book.told('q', aPrimary({ askedAt: 102, timeline: 2, xmin: 19, xmax: 19 }));
    assert.equal(book.judge(seen, 'q', 0), 'late');
  });
});

describe('how far behind the primary a server is', () => {
  const book = aBook();
  book.told('p', aPrimary({ askedAt: 1000, lsn: 100 }));
  book.told('p', aPrimary({ askedAt: 2000, lsn: 200 }));
  book.told('s', aPosition({ askedAt: 2100, lsn: 150 }));

  for (const [allowed, now, verdict] of [
    ['1200ms', 2150, 'met'],
    ['1s', 2150, 'late'],
    ['1200ms', 2201, 'late'],
    ['50B', 2150, 'met'],
    ['49B', 2150, 'late'],
    ['50B', 3001, 'unknown'],
  ] as const) {
    test(`${allowed} at ${now} is ${verdict}`, () => {
      const staleness = readStaleness(allowed);
      assert.ok(staleness);
      assert.equal(book.judgeStaleness(staleness, 's', { connectedAt: 0, now }), verdict);
      assert.equal(book.judgeStaleness(staleness, 'p', { connectedAt: 0, now }), 'met');
      assert.equal(book.judgeStaleness(staleness, 'other', { connectedAt: 0, now }), 'unknown');
    });
  }

  test('is known for hours, of answers that are the further apart the older they are', () => {
    const long = aBook();
    for (let s = 0; s < 20_000; s += 1) long.told('p', aPrimary({ askedAt: s * 1000, lsn: s }));
    const now = 20_000_000;
    for (const agoS of [1, 10, 100, 1000, 10_000]) {
      long.told('s', aPosition({ askedAt: now, lsn: 20_000 - agoS }));
      const judged = (ms: number) =>
        long.judgeStaleness({ ms, bytes: Number.POSITIVE_INFINITY }, 's', { connectedAt: 0, now });
      assert.equal(judged(agoS * 1500), 'met');
      assert.equal(judged(agoS * 990), 'late');
    }
  });

  test('and whether it will have it soon', () => {
    assert.equal(book.isInStep('s', 10), false);
    assert.equal(book.isInStep('s', 500), true);
    assert.equal(book.isInStep('other', 500), true);
    assert.equal(aBook().isInStep('s', 500), false);
  });
});

describe('a bound', () => {
  test('of two statements together is what suits both', () => {
    const [one, other] = [readStaleness('10s'), readStaleness('1MB')];
    assert.deepEqual(
      stricterFreshness(
        { level: 'eventual', staleness: one },
        { level: undefined, staleness: other },
        'session',
      ),
      { level: 'session', staleness: { ms: 10_000, bytes: 1024 ** 2 } },
    );
  });

  test('is shown as it was written, with the level that holds', () => {
    assert.deepEqual(
      [
        freshnessText(undefined, 'shared'),
        asText('eventual'),
        asText(undefined, '5s'),
        asText('eventual', '2kB'),
      ],
      ['shared', 'eventual', 'session, max_staleness 5000ms', 'eventual, max_staleness 2048B'],
    );
  });

  test('that is none is not read', () => {
    assert.equal(readStaleness('soon'), undefined);
    assert.deepEqual(readStaleness('3')?.ms, 3);
  });
});

test('a position behind the header of a page is that of the end of the page before', () => {
  const segment = 16 * 1024 ** 2;
  assert.equal(recordEnd(5 * segment + 40), 5 * segment);
  assert.equal(recordEnd(5 * segment + 8192 + 24), 5 * segment + 8192);
  assert.equal(recordEnd(5 * segment + 8192 + 40), 5 * segment + 8192 + 40);
  assert.equal(recordEnd(5 * segment + 8192), 5 * segment + 8192);
});

function asText(level: Level | undefined, allowed?: string): string {
  const staleness = allowed === undefined ? undefined : readStaleness(allowed);
  return freshnessText({ level, staleness }, 'session');
}

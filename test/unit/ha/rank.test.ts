/** Who may lead and who should: facts, and the properties that keep an election from standing still. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bestCandidate,
  type Candidate,
  compareCandidates,
  mayRace,
  whyIneligible,
} from '../../../src/ha/index.ts';
import { aCluster, aPeer } from '../../support/observations.ts';

const cluster = aCluster({ leader: undefined });
const aCandidate = (changes: Partial<Candidate> = {}): Candidate => ({
  name: 'alpha',
  isNofailover: false,
  priority: 1,
  isSameCity: false,
  timeline: 3,
  lsn: 1000,
  ...changes,
});

const running = { isRunning: true, role: 'standby', isHeldBack: false } as const;

const anyCandidate = (name: fc.Arbitrary<string>): fc.Arbitrary<Candidate> =>
  fc.record({
    name,
    isNofailover: fc.boolean(),
    priority: fc.integer({ min: 0, max: 3 }),
    isSameCity: fc.boolean(),
    timeline: fc.option(fc.integer({ min: 2, max: 4 }), { nil: undefined }),
    lsn: fc.option(fc.integer({ min: 300, max: 1200 }), { nil: undefined }),
  });

/** The leader was at least where any of these is. */
const known = (members: readonly Candidate[]) => ({
  ...cluster,
  optime: Math.max(1000, ...members.map(({ timeline, lsn }) => (timeline === 3 ? (lsn ?? 0) : 0))),
});

test('who may not lead is told why', () => {
  equal(whyIneligible(aCandidate(), cluster), undefined);
  equal(whyIneligible(aCandidate({ isNofailover: true }), cluster), 'tagged-nofailover');
  equal(whyIneligible(aCandidate({ priority: 0 }), cluster), 'tagged-nofailover');
  equal(whyIneligible(aCandidate({ lacksWatchdog: true }), cluster), 'watchdog-unusable');
  equal(whyIneligible(aCandidate({ lacksWatchdog: false }), cluster), undefined);
  equal(whyIneligible(aCandidate({ lsn: undefined }), cluster), 'position-unknown');
  equal(whyIneligible(aCandidate({ timeline: 2 }), cluster), 'behind-timeline');
  equal(whyIneligible(aCandidate({ timeline: undefined }), cluster), 'behind-timeline');
  equal(whyIneligible(aCandidate({ lsn: 500 }), cluster), undefined);
  equal(whyIneligible(aCandidate({ lsn: 499 }), cluster), 'lag-too-great');
  equal(whyIneligible(aCandidate({ lsn: 499 }), { ...cluster, optime: undefined }), undefined);
});

test('the most WAL comes first, then the priority, then the city, then the name', () => {
  const order = [
    aCandidate({ name: 'z', lsn: 1001 }),
    aCandidate({ name: 'y', priority: 2 }),
    aCandidate({ name: 'x', isSameCity: true }),
    aCandidate({ name: 'a' }),
    aCandidate({ name: 'b' }),
  ];
  deepEqual([...order].reverse().sort(compareCandidates), order);
});

test('the best candidate is a running standby that may lead', () => {
  const peers = [
    aPeer({ name: 'primary', role: 'primary', lsn: 2000 }),
    aPeer({ name: 'stopped', isRunning: false, lsn: 2000 }),
    aPeer({ name: 'barred', isNofailover: true, lsn: 1300 }),
    aPeer({ name: 'late', lsn: 900 }),
    aPeer({ name: 'best', lsn: 901 }),
  ];
  equal(bestCandidate(peers, cluster)?.name, 'best');
  equal(bestCandidate([], cluster), undefined);
});

test('how far the leader was is what it wrote last, or what anybody has got from it since', () => {
  const verdict = (peers: Parameters<typeof mayRace>[1]): string => {
    const { may, ...rest } = mayRace(aCandidate({ lsn: 900 }), peers, cluster);
    return may || !('because' in rest) ? 'may' : rest.because;
  };
  equal(verdict([]), 'may');
  // Written at 1000; somebody who may not lead himself has 1401 of it, and 500 may be missing.
  const barred = { isNofailover: true, lsn: 1401 };
  equal(verdict([aPeer(barred)]), 'lag-too-great');
  equal(verdict([aPeer({ ...barred, lsn: 1400 })]), 'may');
  equal(verdict([aPeer({ ...barred, timeline: 2 })]), 'may');
  equal(verdict([aPeer({ ...barred, isRunning: false })]), 'may');
  equal(bestCandidate([aPeer({ name: 'late', lsn: 900 }), aPeer(barred)], cluster), undefined);
});

/** What one at 900 is told, who sees a former leader at 1401; 500 may be missing. */
function verdictUnder(leader: string | undefined, voters: readonly string[], quorum: number): string {
  const promised = { leader, voters, quorum };
  const former = aPeer({ name: 'former', lsn: 1401 });
  const { may, ...rest } = mayRace(aCandidate({ lsn: 900 }), [former], { ...cluster, promised });
  return may || !('because' in rest) ? 'may' : rest.because;
}

test('whom the promise lets lead is not too late: what others have beyond was acknowledged to nobody', () => {
  // Alone: it was elected, and died before it was a primary; who led before has a tail that it was cut off with.
  equal(verdictUnder('alpha', ['beta', 'former'], 2), 'better-candidate');
  equal(verdictUnder('gone', ['alpha', 'beta'], 0), 'better-candidate');
  equal(verdictUnder('gone', ['alpha', 'beta'], 1), 'lag-too-great');
  equal(verdictUnder(undefined, [], 0), 'lag-too-great');
});

const held = (changes: object): unknown =>
  mayRace(aCandidate(), [aPeer({ isHeldBack: true, ...changes })], cluster);

test('a better standby that is held back is waited for, whatever the turn; a lesser one is not', () => {
  deepEqual(held({ lsn: 1001 }), { may: false, because: 'better-candidate-held-back', isCourtesy: false });
  deepEqual(held({ lsn: 999 }), { may: true });
  // It never leads, so nobody waits for it.
  deepEqual(held({ lsn: 1001, isNofailover: true }), { may: true });
});

test('property: of members that see each other, exactly one goes first, unless none may', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(anyCandidate(fc.constantFrom('a', 'b', 'c', 'd', 'e')), {
        minLength: 1,
        selector: (one) => one.name,
      }),
      (members) => {
        const goes = members.filter(
          (self) =>
            mayRace(
              self,
              members.filter((other) => other !== self).map((other) => ({ ...other, ...running })),
              cluster,
            ).may,
        );
        const fit = members.filter((member) => whyIneligible(member, known(members)) === undefined);
        equal(goes.length, fit.length === 0 ? 0 : 1);
      },
    ),
  );
});

test('property: whoever waits waits only out of courtesy, or because it must not lead, or for a living primary', () => {
  fc.assert(
    fc.property(anyCandidate(fc.constant('self')), fc.array(anyCandidate(fc.string())), (self, others) => {
      const verdict = mayRace(
        self,
        others.map((other) => ({ ...other, ...running })),
        cluster,
      );
      if (!verdict.may && !verdict.isCourtesy)
        equal(verdict.because, whyIneligible(self, known([self, ...others])));
    }),
  );
});

test('property: the order is total', () => {
  fc.assert(
    fc.property(anyCandidate(fc.constant('a')), anyCandidate(fc.constant('b')), (left, right) => {
      ok(compareCandidates(left, right) !== 0);
      equal(Math.sign(compareCandidates(left, right)), -Math.sign(compareCandidates(right, left)));
    }),
  );
});

/** Whose turn it is when there is no leader: what one standby decides, by what the others answer and by what it remembers. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { decide, freshMemory, type Observation } from '../../../src/ha/index.ts';
import { aCluster, anObservation, aPeer, NOW } from '../../support/observations.ts';

const race = { lock: { is: 'none' }, cluster: aCluster({ leader: undefined }) } as const;

const decided = (changes: Partial<Observation> = {}): string => {
  const { action, because } = decide(anObservation({ ...race, ...changes }));
  return `${action.do}: ${because}`;
};

test('an election: positions are asked first, the best goes, the second best waits its turn', () => {
  equal(decided(), 'ask-peers: positions-unknown');
  equal(decided({ peers: [] }), 'acquire-leader: best-candidate');
  equal(decided({ peers: [aPeer({ lsn: 999 })] }), 'acquire-leader: best-candidate');
  equal(decided({ peers: [aPeer({ lsn: 1001 })] }), 'wait: better-candidate');
  const memory = { ...freshMemory, openSince: NOW - 2000 };
  equal(decided({ memory, peers: [aPeer({ lsn: 1001 })] }), 'acquire-leader: courtesy-over');
  // The better of two that are ahead may be waiting for the best, which stands back: its turn comes before ours.
  const two = [aPeer({ lsn: 1001 }), aPeer({ name: 'gamma', lsn: 1002 })];
  equal(decided({ memory, peers: two }), 'wait: better-candidate');
  const longer = { ...memory, openSince: NOW - 4000 };
  equal(decided({ memory: longer, peers: two }), 'acquire-leader: courtesy-over');
});

test('the turns of an election are counted from when nobody is held back by a pledge any more', () => {
  const memory = { ...freshMemory, openSince: NOW - 9000 };
  const openSince = (changes: Partial<Observation>): number | undefined =>
    decide(anObservation({ ...race, memory, ...changes })).memory.openSince;
  const better = aPeer({ lsn: 1001 });
  equal(openSince({ peers: [better] }), NOW - 9000);
  const held = { ...better, isHeldBack: true };
  equal(openSince({ peers: [held] }), undefined);
  equal(decided({ memory, peers: [held] }), 'wait: better-candidate-held-back');
  const { failsafe } = anObservation();
  equal(openSince({ failsafe: { ...failsafe, boundForMs: 1 } }), undefined);
  equal(openSince({ failsafe: { ...failsafe, key: 'listed', aliveForMs: 1 } }), undefined);
  equal(openSince({ failsafe: { ...failsafe, key: 'alone', aliveForMs: 1 } }), NOW - 9000);
});

test('a living primary holds everybody back, for however long', () => {
  const memory = { ...freshMemory, openSince: NOW - 60_000 };
  equal(decided({ memory, peers: [aPeer({ role: 'primary' })] }), 'wait: primary-still-alive');
});

/** A leader whose PostgreSQL lives without being of use: who may take over does, and never while nobody could. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { decide, freshMemory, type Observation } from '../../../src/ha/index.ts';
import { aCluster, aLocal, anObservation, aPeer, NOW } from '../../support/observations.ts';

const mine = { is: 'mine', deadline: NOW + 4000 } as const;
const hung = aLocal({ role: 'primary', streaming: false, upstream: undefined, unanswered: 3 });
const leading = { local: hung, lock: mine, cluster: aCluster({ leader: undefined }) };

const decided = (changes: Partial<Observation>): string => {
  const { action, because } = decide(anObservation({ ...leading, ...changes }));
  return `${action.do}: ${because}`;
};

test('a leader whose PostgreSQL answers no question is stopped once somebody can take over', () => {
  equal(decided({}), 'ask-peers: positions-unknown');
  equal(decided({ peers: [aPeer()] }), 'demote: postgres-hangs');
  const neverAnswered = { ...hung, role: 'unknown' } as const;
  equal(decided({ local: neverAnswered, peers: [aPeer()] }), 'demote: postgres-hangs');
});

test('it keeps the key while nobody could take over', () => {
  const kept = 'wait: postgres-useless-no-candidate';
  equal(decided({ peers: [] }), kept);
  equal(decided({ peers: [aPeer({ lsn: 1 })] }), kept);
  equal(decided({ peers: [aPeer({ isNofailover: true })] }), kept);
  equal(decided({ peers: [aPeer({ isRunning: false })] }), kept);
  const promised = { leader: 'alpha', voters: ['gamma'], quorum: 1 };
  equal(decided({ peers: [aPeer()], cluster: aCluster({ leader: undefined, promised }) }), kept);
});

test('it is left alone in a pause, while it answers some questions, and where it is not our leader', () => {
  const isPaused = aCluster({ leader: undefined, isPaused: true });
  equal(decided({ peers: [aPeer()], cluster: isPaused }), 'lead: lease-held');
  equal(decided({ peers: [aPeer()], local: { ...hung, unanswered: 2 } }), 'lead: lease-held');
  equal(
    decided({ peers: [aPeer()], local: { ...hung, role: 'standby' }, lock: { is: 'other', leader: 'beta' } }),
    'follow: upstream-changed',
  );
  const byPledges = { ...mine, isFailsafe: true };
  equal(decided({ peers: [aPeer()], lock: byPledges }), 'lead: failsafe-lease');
});

test('what is stopped so gives the key away like a leader that died, and stands back', () => {
  const dead = { ...hung, process: 'stopped', unanswered: 0 } as const;
  equal(decided({ local: dead, peers: [aPeer()] }), 'release: postgres-died-candidate-ready');
  equal(decided({ local: dead, peers: [] }), 'start-primary: postgres-died-no-candidate');
});

const since = (ms: number): Observation['memory'] => ({ ...freshMemory, startingSince: NOW - ms });

test('a primary that does not come to the end of its start makes room as well, after its own patience', () => {
  const starting = aLocal({ role: 'primary', process: 'starting', streaming: false });
  const at = (ms: number, peers: Observation['peers']): string =>
    decided({ local: starting, memory: since(ms), peers });
  deepEqual(
    [at(299_000, [aPeer()]), at(300_000, [aPeer()]), at(300_000, [])],
    ['wait: server-changing-state', 'demote: start-takes-too-long', 'wait: postgres-useless-no-candidate'],
  );
  const first = decide(anObservation({ ...leading, local: starting })).memory;
  equal(first.startingSince, NOW);
  equal(decide(anObservation({ ...leading, memory: first })).memory.startingSince, undefined);
});

const uncertainFor = (ms: number): Observation['memory'] => ({ ...freshMemory, uncertainSince: NOW - ms });

test('a server that may have been told to become a primary is not released as the standby that it was', () => {
  const uncertain = { ...hung, role: 'unknown', unanswered: 0 } as const;
  equal(decided({ local: uncertain, memory: uncertainFor(4999) }), 'wait: server-changing-state');
  equal(decided({ local: uncertain, memory: uncertainFor(5000) }), 'demote: promotion-not-seen');
  equal(decided({ local: uncertain, lock: { is: 'other', leader: 'beta' } }), 'demote: leader-is-another');
  const first = decide(anObservation({ ...leading, local: uncertain })).memory;
  equal(first.uncertainSince, NOW);
  const known = { ...uncertain, role: 'primary' } as const;
  equal(decide(anObservation({ ...leading, local: known, memory: first })).memory.uncertainSince, undefined);
});

/** What is decided while the cluster is paused, and what an operator's orders come to. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decide, freshMemory, type Lock, type Observation, type Order } from '../../../src/ha/index.ts';
import { aCluster, aLeader, aLocal, anObservation, aPeer, NOW } from '../../support/observations.ts';

const mine = { is: 'mine', deadline: NOW + 4000 } as const;
const none = { is: 'none' } as const;
const paused = aCluster({ isPaused: true });
const leaderless = aCluster({ isPaused: true, leader: undefined });
const primary = aLocal({ role: 'primary', streaming: false, upstream: undefined });
const stoppedPrimary = aLocal({ role: 'primary', process: 'stopped', streaming: false });
const stoppedStandby = aLocal({ process: 'stopped', streaming: false });
const byUs = { ...freshMemory, isStoppedByUs: true };

const decided = (changes: Partial<Observation>): string => {
  const { action, because } = decide(anObservation(changes));
  return `${action.do}: ${because}`;
};

test('in a pause a server that was stopped by hand stays stopped, and gives the key away', () => {
  equal(decided({ cluster: leaderless, local: stoppedPrimary, lock: mine }), 'release: stopped-by-hand');
  equal(
    decided({ cluster: leaderless, local: stoppedPrimary, lock: { is: 'named' } }),
    'release: stopped-by-hand',
  );
  equal(decided({ cluster: paused, local: stoppedStandby }), 'wait: paused');
  equal(decided({ cluster: leaderless, local: stoppedStandby, lock: none, peers: [] }), 'wait: paused');
});

test('in a pause nobody is elected, and a primary made by hand takes the free key', () => {
  equal(decided({ cluster: leaderless, lock: none, peers: [] }), 'wait: paused');
  const promoted = { ...primary, timeline: 4 };
  equal(
    decided({ cluster: leaderless, local: promoted, lock: none }),
    'acquire-leader: primary-without-leader-key',
  );
});

test('in a pause a primary goes on under its lease, and not a moment without one', () => {
  equal(decided({ cluster: leaderless, local: primary, lock: mine }), 'lead: lease-held');
  const ending = { is: 'mine', deadline: NOW + 500 } as const;
  equal(decided({ cluster: leaderless, local: primary, lock: ending }), 'demote: lease-running-out');
  equal(decided({ cluster: paused, local: primary }), 'demote: leader-is-another');
});

test('what the agent itself stopped in a pause comes back, as what it was or as a standby', () => {
  const stopped = { memory: byUs, local: stoppedPrimary };
  equal(decided({ ...stopped, cluster: leaderless, lock: none }), 'acquire-leader: stopped-by-us');
  equal(decided({ ...stopped, cluster: leaderless, lock: mine }), 'start-primary: stopped-by-us');
  const ending = { is: 'mine', deadline: NOW + 900 } as const;
  equal(decided({ ...stopped, cluster: leaderless, lock: ending }), 'wait: lease-too-short');
  equal(decided({ ...stopped, cluster: paused }), 'start-standby: leader-known');
  const newer = { ...leaderless, newestTimeline: 9 };
  equal(decided({ ...stopped, cluster: newer, lock: none }), 'wait: paused');
  // Promoted to it, and ended before anybody heard of it.
  const taken = { ...leaderless, takenTimeline: 9 };
  equal(decided({ ...stopped, cluster: taken, lock: none }), 'wait: paused');
  // Somebody else was promoted to, and may have acknowledged what is not here.
  const theirs = { ...leaderless, promised: { leader: 'beta', voters: [], quorum: 0 } };
  equal(decided({ ...stopped, cluster: theirs, lock: none }), 'wait: paused');
  equal(decided({ ...stopped, cluster: theirs, lock: mine }), 'release: paused');
  equal(
    decided({ ...stopped, cluster: leaderless, lock: none, memory: { ...byUs, standBackUntil: NOW + 1 } }),
    'wait: paused',
  );
});

test('a demotion is remembered as ours until the server runs again', () => {
  const demoted = decide(anObservation({ cluster: paused, local: primary }));
  equal(demoted.action.do, 'demote');
  ok(demoted.memory.isStoppedByUs);
  const still = { memory: demoted.memory, local: stoppedStandby };
  ok(decide(anObservation({ ...still, job: 'demote' })).memory.isStoppedByUs);
  ok(decide(anObservation({ ...still, cluster: leaderless, lock: none })).memory.isStoppedByUs);
  equal(decide(anObservation({ memory: demoted.memory })).memory.isStoppedByUs, false);
});

const asked = (request: { candidate: string | undefined; dueInMs: number }) =>
  decided({
    local: primary,
    lock: mine,
    cluster: { ...leaderless, request: { leader: 'alpha', ...request } },
    peers: [aPeer()],
  });

test('in a pause a change of leader needs a candidate and no time', () => {
  equal(asked({ candidate: undefined, dueInMs: 0 }), 'clear-request: candidate-needed-in-pause');
  equal(asked({ candidate: 'beta', dueInMs: 0 }), 'hand-over: switchover-requested');
  equal(asked({ candidate: 'beta', dueInMs: -20 }), 'lead: paused');
  equal(asked({ candidate: 'beta', dueInMs: 5000 }), 'lead: paused');
});

test('in a pause the named candidate takes the key and is promoted; any other standby that holds it gives it back', () => {
  const request = { leader: 'beta', candidate: 'alpha', dueInMs: 0 };
  equal(
    decided({ cluster: { ...leaderless, request }, lock: none, peers: [] }),
    'acquire-leader: requested-candidate',
  );
  equal(decided({ cluster: { ...leaderless, request }, lock: mine }), 'promote: leader-key-won');
  equal(decided({ cluster: leaderless, lock: mine }), 'release: paused');
});

test('in a pause a standby follows another leader by a setting, and is not rewound', () => {
  const lock: Lock = { is: 'other', leader: 'gamma' };
  equal(decided({ cluster: paused, lock }), 'follow: upstream-changed');
  const cluster = { ...paused, leader: aLeader({ divergence: 'diverged' }) };
  equal(decided({ cluster, local: aLocal({ streaming: false }) }), 'wait: paused');
  const cutOff = { ...freshMemory, notStreamingSince: NOW - 60_000 };
  equal(decided({ cluster: paused, local: aLocal({ streaming: false }), memory: cutOff }), 'wait: paused');
});

test('in a pause nothing is made, cloned or thrown away unless it was begun on request', () => {
  const empty = aLocal({ data: 'empty', process: 'stopped', role: 'unknown', systemId: undefined });
  equal(decided({ cluster: paused, local: empty }), 'wait: paused');
  equal(decided({ cluster: paused, local: empty, memory: byUs }), 'clone: empty-data-directory');
  equal(decided({ cluster: leaderless, local: empty, lock: mine }), 'release: leader-without-data');
});

test('in a pause nothing is started, stopped or elected in any state, but by invariant 1 or on request', () => {
  const spontaneous = new Set([
    'start-standby',
    'promote',
    'rejoin',
    'clone',
    'bootstrap',
    'hand-over',
    'discard-data',
  ]);
  const locks: readonly Lock[] = [
    mine,
    none,
    { is: 'named' },
    { is: 'lost' },
    { is: 'other', leader: 'beta' },
  ];
  let seen = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...locks),
      fc.constantFrom('stopped', 'starting', 'running', 'stopping'),
      fc.constantFrom('primary', 'standby', 'unknown'),
      fc.constantFrom('whole', 'empty', 'half-made'),
      fc.boolean(),
      (lock, process, role, data, streaming) => {
        const local = aLocal({ process: data === 'whole' ? process : 'stopped', role, data, streaming });
        const cluster = lock.is === 'other' ? paused : leaderless;
        const { action } = decide(anObservation({ lock, local, cluster, peers: [] }));
        seen += 1;
        ok(!spontaneous.has(action.do), `${action.do} with ${JSON.stringify({ lock, local })}`);
      },
    ),
  );
  ok(seen > 50);
});

const ordered = (order: Order, changes: Partial<Observation>) =>
  decide(anObservation({ order, ...changes })).action;

test('a restart is of what the server is: a primary under its lease, a standby of whom it follows', () => {
  deepEqual(ordered('restart', {}), { do: 'restart', as: 'standby', upstream: 'beta' });
  deepEqual(ordered('restart', { local: primary, lock: mine, cluster: leaderless }), {
    do: 'restart',
    as: 'primary',
    upstream: undefined,
  });
  equal(ordered('restart', { local: primary }).do, 'demote', 'not without the key');
  const byHand = { local: stoppedPrimary, cluster: leaderless };
  equal(ordered('restart', { ...byHand, lock: none }).do, 'acquire-leader');
  equal(ordered('restart', { ...byHand, lock: mine }).do, 'restart');
  equal(ordered('restart', { local: aLocal({ process: 'stopping' }) }).do, 'wait');
});

test('a primary’s restart is given up when the lease is, a standby’s is not its business', () => {
  const job = 'restart' as const;
  const over = { is: 'mine', deadline: NOW + 100 } as const;
  equal(decided({ job, local: primary, lock: mine }), 'wait: job-running');
  equal(decided({ job, local: primary, lock: over }), 'demote: job-obsolete');
  equal(decided({ job, local: stoppedPrimary, lock: { is: 'lost' } }), 'cancel-job: job-obsolete');
  equal(decided({ job, local: stoppedStandby }), 'wait: job-running');
});

test('data is thrown away on request only beside a usable leader, and never a primary’s', () => {
  deepEqual(ordered('reinit', {}), { do: 'reinit', from: 'beta' });
  equal(ordered('reinit', { cluster: aCluster({ leader: aLeader({ isUsable: false }) }) }).do, 'wait');
  equal(
    ordered('reinit', { local: primary, lock: mine, cluster: aCluster({ leader: undefined }) }).do,
    'lead',
  );
});

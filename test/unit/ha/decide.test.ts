/** Facts about single decisions, beyond the table of coarse states. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decide, explain, freshMemory, type Observation, REASONS } from '../../../src/ha/index.ts';
import { aCluster, aLeader, aLocal, anObservation, aPeer, NOW } from '../../support/observations.ts';

const mine = { is: 'mine', deadline: NOW + 4000 } as const;
const none = { is: 'none' } as const;
const leaderless = aCluster({ leader: undefined });
const running = aLocal({ role: 'primary', streaming: false });
const dead = aLocal({ role: 'primary', process: 'stopped', crashed: true, streaming: false });

const decided = (changes: Partial<Observation>): string => {
  const { action, because } = decide(anObservation(changes));
  return `${action.do}: ${because}`;
};

const underLeader = (leader: Partial<Parameters<typeof aLeader>[0]>) =>
  decided({ local: dead, cluster: aCluster({ leader: aLeader(leader) }) });

const leaderAsked = (candidate: string | undefined, more: Partial<Observation> = {}) =>
  decided({
    local: running,
    lock: mine,
    cluster: { ...leaderless, request: { leader: 'alpha', candidate, dueInMs: 0 } },
    ...more,
  });

const askedOfLeader = (request: { leader: string; candidate: string; dueInMs: number }) =>
  decided({ local: running, lock: mine, cluster: { ...leaderless, request } });

const askedWhileFree = (candidate: string, more: Partial<Observation> = {}) =>
  decided({
    lock: none,
    cluster: { ...leaderless, request: { leader: 'gamma', candidate, dueInMs: 0 } },
    peers: [],
    ...more,
  });

const unknownFor = (ms: number): Observation['lock'] => ({ is: 'unknown', deadline: NOW + ms });

test('a data directory of another cluster is refused', () => {
  equal(decided({ local: aLocal({ systemId: '9' }) }), 'refuse: system-id-mismatch');
});

test('a writable server of another cluster is stopped before it is refused', () => {
  equal(decided({ local: { ...running, systemId: '9' } }), 'demote: leader-is-another');
});

test('a writable server of another cluster takes no free key', () => {
  equal(
    decided({ local: { ...running, systemId: '9' }, lock: none, cluster: leaderless }),
    'refuse: system-id-mismatch',
  );
});

test('an empty member makes the cluster only while there is none', () => {
  const local = aLocal({ data: 'empty', process: 'stopped', role: 'unknown', systemId: undefined });
  equal(
    decided({ local, lock: none, cluster: { ...leaderless, systemId: undefined } }),
    'bootstrap: no-cluster-yet',
  );
  equal(decided({ local, lock: none, cluster: { ...leaderless, systemId: '' } }), 'wait: cluster-being-made');
  equal(
    decided({
      local,
      lock: { is: 'unknown', deadline: undefined },
      cluster: { ...leaderless, systemId: undefined },
    }),
    'wait: store-unreachable-empty',
  );
});

test('a member whose own claim is in the store, though its answer was lost, goes on making the cluster', () => {
  const local = aLocal({ data: 'empty', process: 'stopped', role: 'unknown', systemId: undefined });
  const cluster = { ...leaderless, systemId: '' };
  equal(decided({ local, lock: none, cluster }), 'wait: cluster-being-made');
  equal(
    decided({ local, lock: none, cluster: { ...cluster, isClaimOurs: true } }),
    'bootstrap: no-cluster-yet',
  );
});

test('a store without a cluster is looked at for a while before one is made', () => {
  const local = aLocal({ data: 'empty', process: 'stopped', role: 'unknown', systemId: undefined });
  const cluster = { ...leaderless, systemId: undefined };
  const empty = { local, lock: none, cluster, limits: { ...anObservation().limits, bootstrapGraceMs: 3000 } };
  equal(decided(empty), 'wait: looking-for-a-cluster');
  const { memory } = decide(anObservation(empty));
  const later = (ms: number, more: Partial<Observation> = {}): string =>
    decided({ ...empty, memory, now: NOW + ms, ...more });
  equal(later(2999), 'wait: looking-for-a-cluster');
  equal(later(3000), 'bootstrap: no-cluster-yet');
  // A claim of somebody else that ended: the time begins anew.
  const claimed = decide(anObservation({ ...empty, memory, cluster: { ...cluster, systemId: '' } })).memory;
  equal(later(3000, { memory: claimed }), 'wait: looking-for-a-cluster');
});

test('no cluster is made while there are traces of one, but for a claim that is ours already', () => {
  const local = aLocal({ data: 'empty', process: 'stopped', role: 'unknown', systemId: undefined });
  const cluster = { ...leaderless, systemId: undefined, hasTraces: true };
  equal(decided({ local, lock: none, cluster }), 'wait: cluster-is-elsewhere');
  const claimed = { ...cluster, systemId: '', isClaimOurs: true };
  equal(decided({ local, lock: none, cluster: claimed }), 'bootstrap: no-cluster-yet');
});

test('a nofailover member does not make the cluster', () => {
  const local = aLocal({ data: 'empty', process: 'stopped', role: 'unknown', systemId: undefined });
  const self = { name: 'alpha', isNofailover: true, priority: 1, isSameCity: false };
  equal(
    decided({ local, self, lock: none, cluster: { ...leaderless, systemId: undefined } }),
    'wait: tagged-nofailover',
  );
});

test('nothing is cloned from a leader that is not a running primary', () => {
  const local = aLocal({ data: 'empty', process: 'stopped', role: 'unknown' });
  equal(
    decided({ local, cluster: aCluster({ leader: aLeader({ isUsable: false }) }) }),
    'wait: leader-not-ready',
  );
});

test('whoever won initialize starts as the first primary, under the leader key only', () => {
  const cluster = { ...leaderless, systemId: '' };
  equal(
    decided({ local: dead, lock: none, cluster, isBootstrapping: true }),
    'acquire-leader: cluster-made-here',
  );
  equal(
    decided({ local: dead, lock: mine, cluster, isBootstrapping: true }),
    'start-primary: cluster-made-here',
  );
});

test('what was made for a new cluster is thrown away when another member may make it, and only then', () => {
  const made = { local: dead, isBootstrapping: true };
  equal(
    decided({ ...made, lock: none, cluster: { ...leaderless, systemId: undefined } }),
    'discard-data: claim-lost',
  );
  equal(
    decided({ ...made, cluster: aCluster({ systemId: '7000000000000000002' }) }),
    'discard-data: claim-lost',
  );
  equal(
    decided({ ...made, lock: unknownFor(0), cluster: { ...leaderless, systemId: undefined } }),
    'wait: store-unreachable-empty',
  );
  equal(decided({ ...made, lock: none, cluster: leaderless }), 'start-standby: leader-unknown');
});

test('nobody runs for leader while a cluster is being made', () => {
  equal(
    decided({ lock: none, cluster: { ...leaderless, systemId: '' }, peers: [] }),
    'wait: cluster-being-made',
  );
});

test('a shutdown that hangs is made to end, once it has had its time', () => {
  const stopping = aLocal({ process: 'stopping', role: 'primary' });
  const decideAt = (now: number, memory = freshMemory): ReturnType<typeof decide> =>
    decide(anObservation({ now, local: stopping, lock: { is: 'mine', deadline: now + 4000 }, memory }));
  const first = decideAt(NOW);
  equal(first.because, 'server-changing-state');
  equal(decideAt(NOW + 4999, first.memory).because, 'server-changing-state');
  equal(decideAt(NOW + 5000, first.memory).because, 'shutdown-hangs');
  const ofOurs = decide(anObservation({ local: stopping, job: 'demote' }));
  equal(ofOurs.memory.stoppingSince, undefined, 'a job of ours sees to it itself');
});

test('a primary that cannot see the store goes on while its lease lives, then steps down', () => {
  equal(decided({ local: running, lock: unknownFor(601) }), 'wait: store-unreachable-lease-alive');
  equal(decided({ local: running, lock: unknownFor(600) }), 'demote: lease-running-out');
});

test('an old primary does not lead again where a newer timeline exists', () => {
  equal(
    decided({ local: { ...running, timeline: 2 }, lock: none, cluster: leaderless }),
    'demote: timeline-outdated',
  );
});

test('PostgreSQL that died under the key: a fit candidate gets it, and this member stands back', () => {
  const decision = decide(anObservation({ local: dead, lock: mine, cluster: leaderless, peers: [aPeer()] }));
  deepEqual(decision, {
    action: { do: 'release' },
    because: 'postgres-died-candidate-ready',
    memory: { ...freshMemory, standBackUntil: NOW + 10_000 },
  });
  const later = { local: dead, lock: none, cluster: leaderless, memory: decision.memory };
  equal(decided({ ...later, now: NOW + 9_999 }), 'wait: standing-back');
  equal(decided({ ...later, now: NOW + 10_000 }), 'start-standby: leader-unknown');
});

test('PostgreSQL that died under the key is started in place when nobody can take over', () => {
  for (const peer of [
    aPeer({ isRunning: false }),
    aPeer({ timeline: 2 }),
    aPeer({ lsn: 499 }),
    aPeer({ isNofailover: true }),
  ]) {
    equal(
      decided({ local: dead, lock: mine, cluster: leaderless, peers: [peer] }),
      'start-primary: postgres-died-no-candidate',
    );
  }
});

test('a start that fails is backed off from, but a candidate that appears gets the key at once', () => {
  const waiting = { local: dead, lock: mine, cluster: leaderless, retryAt: NOW + 1 };
  equal(decided({ ...waiting, peers: [] }), 'wait: backing-off');
  equal(decided({ ...waiting, peers: [aPeer()] }), 'release: postgres-died-candidate-ready');
});

test('a former primary is rewound only after its leader has told that it diverged, and has checkpointed', () => {
  equal(underLeader({ divergence: 'none' }), 'start-standby: leader-known');
  equal(underLeader({ divergence: 'diverged' }), 'rejoin: diverged');
  equal(underLeader({ divergence: 'unknown' }), 'wait: history-unclear');
  equal(underLeader({ divergence: 'diverged', hasCheckpointed: false }), 'wait: leader-checkpoint-pending');
  equal(underLeader({ isUsable: false }), 'wait: leader-not-ready');
});

test('a standby that diverged, or cannot stream for long, is rebuilt; one that is late is left alone', () => {
  const local = aLocal({ streaming: false });
  equal(
    decided({ local, cluster: aCluster({ leader: aLeader({ divergence: 'diverged' }) }) }),
    'rejoin: diverged',
  );
  const memory = { ...freshMemory, notStreamingSince: NOW - 19_999 };
  equal(decided({ local, memory }), 'wait: following');
  equal(decided({ local, memory, now: NOW + 1 }), 'rejoin: not-streaming');
  equal(decided({ local: aLocal(), memory, now: NOW + 1 }), 'wait: following');
});

test('a standby that replays WAL of its own is not rebuilt for being slow', () => {
  const local = aLocal({ streaming: false });
  const since = { ...freshMemory, notStreamingSince: NOW - 60_000, notStreamingLsn: 999 };
  const decision = decide(anObservation({ local, memory: since }));
  deepEqual([decision.action.do, decision.memory.notStreamingSince], ['wait', NOW]);
  const stuck = { ...since, notStreamingLsn: 1000 };
  equal(decided({ local, memory: stuck }), 'rejoin: not-streaming');
});

test('a standby that starts and never becomes consistent is looked after too', () => {
  const local = aLocal({ process: 'starting', streaming: false });
  equal(
    decided({ local, cluster: aCluster({ leader: aLeader({ divergence: 'diverged' }) }) }),
    'rejoin: diverged',
  );
  equal(decided({ local: { ...local, upstream: 'gamma' } }), 'follow: upstream-changed');
});

test('a standby follows a new leader', () => {
  deepEqual(decide(anObservation({ local: aLocal({ upstream: 'gamma' }) })).action, {
    do: 'follow',
    upstream: 'beta',
  });
});

test('a promotion is not begun with a lease that is about to end', () => {
  equal(decided({ lock: { is: 'mine', deadline: NOW + 900 } }), 'wait: lease-too-short');
  equal(decided({ lock: { is: 'mine', deadline: NOW + 901 } }), 'promote: leader-key-won');
});

test('a primary is not started with a lease that is about to end, whatever it died of', () => {
  for (const [state, started] of [
    [{ cluster: leaderless, peers: [] }, 'start-primary: postgres-died-no-candidate'],
    [{ isBootstrapping: true }, 'start-primary: cluster-made-here'],
  ] as const) {
    const stopped = { ...state, local: dead };
    equal(decided({ ...stopped, lock: { is: 'mine', deadline: NOW + 900 } }), 'wait: lease-too-short');
    equal(decided({ ...stopped, lock: { is: 'mine', deadline: NOW + 901 } }), started);
  }
});

test('a promotion that was begun is not demoted in the same breath, whatever the time to step down', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 600 }), (leftMs, stepDownMs) => {
      const limits = { ...anObservation().limits, stepDownMs };
      const lock = { is: 'mine', deadline: NOW + leftMs } as const;
      if (decided({ lock, limits }) !== 'promote: leader-key-won') return;
      equal(decided({ lock, limits, job: 'promote', now: NOW + stepDownMs / 4 }), 'wait: job-running');
    }),
  );
});

test('a directory that could not be emptied is not tried again at once, over and over', () => {
  const local = aLocal({ data: 'half-made', process: 'stopped', role: 'unknown' });
  equal(decided({ local }), 'discard-data: data-directory-half-made');
  equal(decided({ local, retryAt: NOW + 1 }), 'wait: backing-off');
});

test('a hand-over that failed does not interrupt the clients again at once', () => {
  const cluster = { ...leaderless, request: { leader: 'alpha', candidate: 'beta', dueInMs: 0 } };
  const asked = { local: running, lock: mine, cluster, peers: [aPeer()] };
  equal(decided(asked), 'hand-over: switchover-requested');
  equal(decided({ ...asked, retryAt: NOW + 1 }), 'lead: backing-off');
});

test('a standby that won the key but could not be promoted gives it back and lets others go first', () => {
  const decision = decide(anObservation({ lock: mine, retryAt: NOW + 1 }));
  deepEqual(
    [decision.action.do, decision.because, decision.memory.standBackUntil],
    ['release', 'promotion-failed', NOW + 10_000],
  );
});

test('a standby that won the key and hears only then of a newer timeline gives it back', () => {
  const cluster = { ...leaderless, newestTimeline: 4 };
  equal(decided({ lock: mine, cluster }), 'release: behind-timeline');
});

test('under a promise only a voter that has seen the others leads, or who promised', () => {
  const promised = { leader: 'omega', voters: ['alpha', 'beta'], quorum: 1 };
  const asking = (changes: object, peers = [aPeer()]): string =>
    decided({ lock: none, cluster: { ...leaderless, promised: { ...promised, ...changes } }, peers });
  equal(asking({}), 'acquire-leader: best-candidate');
  equal(asking({}, []), 'wait: voters-unseen');
  equal(asking({}, [aPeer({ lsn: 1001 })]), 'wait: voter-has-more');
  equal(asking({ voters: ['beta', 'gamma'] }), 'wait: not-a-voter');
  equal(asking({ leader: 'alpha', quorum: 2 }, []), 'acquire-leader: best-candidate');
  const old = aLocal({ role: 'primary' });
  equal(
    decided({ lock: none, local: old, cluster: { ...leaderless, promised } }),
    'demote: timeline-outdated',
  );
});

test('a job owns PostgreSQL; only the loss of the lease that it rests on interrupts it', () => {
  const job = 'promote';
  equal(decided({ job, lock: mine }), 'wait: job-running');
  equal(decided({ job, lock: none }), 'demote: job-obsolete');
  equal(decided({ job: 'start-primary', lock: none, local: dead }), 'cancel-job: job-obsolete');
  equal(decided({ job: 'clone', lock: none }), 'wait: job-running');
  equal(decided({ job: 'hand-over', lock: none, local: dead }), 'wait: job-running');
});

test('a switchover is carried out only to a candidate that is fit', () => {
  equal(leaderAsked('beta'), 'ask-peers: positions-unknown');
  equal(leaderAsked('beta', { peers: [aPeer()] }), 'hand-over: switchover-requested');
  equal(leaderAsked('beta', { peers: [aPeer({ lsn: 499 })] }), 'clear-request: candidate-not-healthy');
  equal(leaderAsked('gamma', { peers: [aPeer()] }), 'clear-request: candidate-not-healthy');
  equal(leaderAsked(undefined, { peers: [aPeer()] }), 'hand-over: switchover-requested');
  equal(leaderAsked(undefined, { peers: [] }), 'clear-request: no-candidate');
  equal(leaderAsked('alpha'), 'clear-request: request-done');
});

test('a request for another leader, or one whose time is long past, is dropped; one for later is kept', () => {
  equal(
    askedOfLeader({ leader: 'gamma', candidate: 'beta', dueInMs: 0 }),
    'clear-request: request-names-another-leader',
  );
  equal(askedOfLeader({ leader: 'alpha', candidate: 'beta', dueInMs: 1 }), 'lead: switchover-scheduled');
  equal(
    askedOfLeader({ leader: 'alpha', candidate: 'beta', dueInMs: -30_001 }),
    'clear-request: switchover-overdue',
  );
});

test('the key is free after a hand-over: who was asked takes it, the others let it go first, for a while', () => {
  equal(askedWhileFree('alpha'), 'acquire-leader: requested-candidate');
  equal(askedWhileFree('beta'), 'wait: candidate-goes-first');
  equal(
    askedWhileFree('beta', { memory: { ...freshMemory, openSince: NOW - 2000 } }),
    'acquire-leader: best-candidate',
  );
});

test('a candidate that was asked for and could not be promoted lets others go first for a while', () => {
  equal(askedWhileFree('alpha', { retryAt: NOW + 1 }), 'wait: backing-off');
  equal(askedWhileFree('alpha', { retryAt: NOW }), 'acquire-leader: requested-candidate');
});

test('a requested candidate that lacks WAL does not jump the queue', () => {
  const cluster = { ...leaderless, request: { leader: 'gamma', candidate: 'alpha', dueInMs: 0 } };
  equal(decided({ lock: none, cluster, local: aLocal({ lsn: 400 }), peers: [] }), 'wait: lag-too-great');
});

test('every reason has a sentence', () => {
  for (const [reason, sentence] of Object.entries(REASONS)) ok(sentence.length > 15, reason);
  equal(explain('following'), 'following the leader');
});

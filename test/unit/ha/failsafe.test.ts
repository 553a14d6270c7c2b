/** Failsafe as values: whom a leader asks, what it may count on, what a member pledges, and what a pledge forbids. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Asked,
  type Asker,
  decide,
  deadlineOf,
  type FailsafeFacts,
  type FailsafeList,
  haveAllBeenAsked,
  isCoveredByPledges,
  isListSettled,
  keyEnded,
  keyLost,
  keySeen,
  keyTaken,
  type LeaseState,
  leaseExtended,
  leaseGone,
  listConfirmed,
  listSent,
  lockOf,
  membersPledged,
  noLease,
  noLists,
  type Observation,
  parseFailsafe,
  pledgedByAll,
  primaryGone,
  renderFailsafe,
  whomToAsk,
  whyNoPledge,
} from '../../../src/ha/index.ts';
import { aCluster, aLocal, anObservation, NOW } from '../../support/observations.ts';

const marginMs = 1000;
const ttlMs = 5000;
const listOf = (...names: string[]): FailsafeList =>
  new Map(names.map((name) => [name, `http://${name}:8008/patroni`]));
const namesOf = (lists: typeof noLists) => whomToAsk(lists, 'alpha')?.map(({ name }) => name);

test('the key is Patroni’s; what no leader has written says nothing', () => {
  const text = '{"beta":"http://b:8008/patroni","alpha":"http://a:8008/patroni"}';
  const list = parseFailsafe(text);
  deepEqual(
    [...(list ?? [])],
    [
      ['beta', 'http://b:8008/patroni'],
      ['alpha', 'http://a:8008/patroni'],
    ],
  );
  equal(
    renderFailsafe(list ?? new Map()),
    '{"alpha":"http://a:8008/patroni","beta":"http://b:8008/patroni"}',
  );
  for (const garbage of [undefined, '', 'no JSON', '[]', '{}', '"alpha"', 'null'])
    equal(parseFailsafe(garbage), undefined);
  deepEqual([...(parseFailsafe('{"alpha":null}') ?? [])], [['alpha', '']]);
});

test('nobody is asked before a list was confirmed, then the others of each list that may stand', () => {
  const first = listOf('alpha', 'beta');
  const longer = listOf('alpha', 'beta', 'gamma');
  equal(namesOf(noLists), undefined);
  equal(namesOf(listSent(noLists, first)), undefined, 'a write without an answer is no list of ours');
  const confirmed = listConfirmed(first, 7);
  deepEqual(namesOf(confirmed), ['beta']);
  deepEqual(namesOf(listSent(confirmed, longer)), ['beta', 'gamma'], 'both may stand');
  deepEqual(namesOf(listSent(listConfirmed(longer, 8), first)), ['beta', 'gamma']);
  deepEqual(namesOf(listConfirmed(listOf('alpha'), 9)), [], 'alone there is nobody to ask');
  const moved = new Map([...first, ['beta', 'http://elsewhere:8008/patroni']]);
  equal(whomToAsk(listSent(confirmed, moved), 'alpha')?.length, 2, 'at both addresses');
  ok(isListSettled(confirmed, listOf('beta', 'alpha')));
  ok(!isListSettled(listSent(confirmed, first), first));
  ok(!isListSettled(confirmed, longer));
});

test('a round counts only when all that would be asked now were asked', () => {
  const asked = whomToAsk(listConfirmed(listOf('alpha', 'beta'), 7), 'alpha') ?? [];
  ok(haveAllBeenAsked(asked, asked));
  ok(haveAllBeenAsked(asked, []));
  ok(!haveAllBeenAsked(asked, undefined));
  ok(!haveAllBeenAsked(asked, whomToAsk(listConfirmed(listOf('beta', 'gamma'), 7), 'alpha')));
});

test('all have to pledge; one refusal or silence is none, and the shortest pledge counts', () => {
  equal(pledgedByAll([], ttlMs), 5000);
  equal(pledgedByAll([5000, 5000], ttlMs), 5000);
  equal(pledgedByAll([30_000, 5000], ttlMs), 5000);
  equal(pledgedByAll([30_000, 2000], ttlMs), 2000);
  equal(pledgedByAll([5000, undefined], ttlMs), undefined);
  equal(pledgedByAll([undefined], ttlMs), undefined);
});

/** Leads since revision 3 by a keep-alive that was sent at 10,000. */
const leading = keyTaken(leaseExtended(noLease, { lease: '7', sentAt: 10_000, ttlMs }), 3);
const at = (now: number) => ({ now, marginMs });
const pledgedAt = (state: LeaseState, sentAt: number, now: number, forMs = ttlMs): LeaseState =>
  membersPledged(state, { sentAt, ttlMs: forMs }, at(now));
const nobody = { revision: 9, leader: undefined, leaderModRevision: undefined };
const beta = { revision: 9, leader: 'beta', leaderModRevision: 9 };

test('pledges move the deadline to their sending plus their length less the margin, never back', () => {
  equal(deadlineOf(leading, marginMs), 14_000);
  const covered = pledgedAt(leading, 12_000, 12_900);
  equal(deadlineOf(covered, marginMs), 16_000, 'not from when it was answered');
  ok(isCoveredByPledges(covered, marginMs));
  equal(pledgedAt(covered, 11_500, 13_000), covered);
  equal(deadlineOf(pledgedAt(covered, 12_500, 13_000, 1500), marginMs), 16_000);
  const confirmed = leaseExtended(covered, { lease: '7', sentAt: 13_000, ttlMs });
  ok(!isCoveredByPledges(confirmed, marginMs), 'the lease is the longer one again');
});

test('pledges revive no belief that has ended, and give none to who does not lead', () => {
  equal(pledgedAt(leading, 13_500, 14_000), leading);
  equal(pledgedAt(noLease, 10_000, 10_100), noLease);
  equal(pledgedAt(keyLost(leading), 10_000, 10_100).pledged, undefined);
});

test('property: whatever is late, the leader stops counting before any member is free', () => {
  fc.assert(
    fc.property(
      fc.nat(1000),
      fc.array(
        fc.record({
          thereMs: fc.nat(900),
          backMs: fc.nat(900),
          forMs: fc.integer({ min: 1000, max: 9000 }),
        }),
      ),
      (afterMs, members) => {
        const sentAt = 10_000 + afterMs;
        const forMs = pledgedByAll(
          members.map(({ forMs: each }) => each),
          ttlMs,
        );
        ok(forMs !== undefined);
        const heardAt = sentAt + Math.max(0, ...members.map(({ thereMs, backMs }) => thereMs + backMs));
        const state = pledgedAt(leading, sentAt, heardAt, forMs);
        if (!isCoveredByPledges(state, marginMs)) return;
        for (const { thereMs, forMs: each } of members)
          ok(deadlineOf(state, marginMs) <= sentAt + thereMs + each - marginMs);
      },
    ),
  );
});

test('a key that ends while pledges cover its holder is to be retaken in the same reign; else it is lost', () => {
  const covered = pledgedAt(leading, 12_000, 12_100);
  for (const ended of [
    leaseGone(covered, at(15_000)),
    keyEnded(covered, at(15_000)),
    keySeen(covered, nobody, 'alpha', at(15_000)),
  ]) {
    equal(ended.isToRetake, true);
    equal(deadlineOf(ended, marginMs), 16_000, 'the lease counts no more');
    const again = leaseExtended(ended, { lease: '8', sentAt: 15_000, ttlMs });
    equal(deadlineOf(again, marginMs), 16_000, 'nor does a new one, on which there is no key');
    const lock = lockOf(again, nobody, { name: 'alpha', ...at(15_100), isFresh: true });
    deepEqual(lock, { is: 'mine', deadline: 16_000, isFailsafe: true });
    const retaken = keyTaken(again, 20);
    equal(retaken.reign, 3);
    equal(deadlineOf(retaken, marginMs), 19_000);
    equal(primaryGone(again).heldSince, undefined, 'without a primary it is not taken anew');
    deepEqual(lockOf(again, nobody, { name: 'alpha', ...at(16_000), isFresh: true }), {
      is: 'unknown',
      deadline: 16_000,
    });
  }
  ok(leaseGone(covered, at(16_000)).isLost, 'the pledges are over');
  ok(leaseGone(leading, at(12_000)).isLost, 'there were none');
  ok(keySeen(covered, beta, 'alpha', at(13_000)).isLost, 'another has it');
  equal(keySeen(covered, { ...nobody, revision: 2 }, 'alpha', at(13_000)).isToRetake, false, 'an older view');
});

const asker: Asker = { name: 'beta', apiUrl: 'http://beta:8008/patroni', systemId: '7' };
const asked: Asked = {
  name: 'alpha',
  mode: 'on',
  systemId: '7',
  isPrimary: false,
  isHolder: false,
  isRacing: false,
  leader: 'beta',
  list: listOf('alpha', 'beta'),
};

const answer = (changes: Partial<Asked>, who: Partial<Asker> = {}): string => {
  const refused = whyNoPledge({ ...asker, ...who }, { ...asked, ...changes });
  return refused === undefined ? 'pledged' : `${refused.status} ${refused.text}`;
};

test('a member pledges unless it leads, may come to, follows another, or is of another cluster', () => {
  equal(answer({}), 'pledged');
  equal(answer({ leader: undefined }), 'pledged', 'its key has ended, or nothing was heard');
  equal(
    answer({ mode: 'unknown', leader: undefined, list: undefined }),
    'pledged',
    'an agent that just began',
  );
  equal(answer({ mode: 'off' }), '502 failsafe_mode is off');
  equal(answer({ isPrimary: true }), '500 Running as a leader');
  equal(answer({ isHolder: true }), '500 Holding the leader key');
  equal(answer({ isRacing: true }), '500 Racing for the leader key');
  equal(answer({ leader: 'gamma' }), '500 Following another leader');
  equal(answer({}, { name: 'alpha' }), '500 Holding the leader key');
  equal(answer({}, { systemId: '8' }), '500 A leader of another cluster');
  equal(answer({ systemId: undefined }), '500 A leader of another cluster');
  // Patroni does not say which cluster it is: it has to be the listed one.
  equal(answer({}, { systemId: undefined }), 'pledged');
  equal(
    answer({}, { systemId: undefined, apiUrl: 'http://x:8008/patroni' }),
    '500 A leader of another cluster',
  );
  equal(answer({ list: undefined }, { systemId: undefined }), '500 A leader of another cluster');
});

const free = { lock: { is: 'none' }, cluster: aCluster({ leader: undefined }), peers: [] } as const;
const facts = (changes: Partial<FailsafeFacts>): FailsafeFacts => ({
  key: 'listed',
  revision: 5,
  boundForMs: 0,
  aliveForMs: 60_000,
  ...changes,
});
const decided = (changes: Partial<Observation>): string => {
  const { action, because } = decide(anObservation(changes));
  return `${action.do}: ${because}`;
};

test('a standby races only where the key is absent or lists it, and says by which revision it decided', () => {
  deepEqual(decide(anObservation({ ...free, failsafe: facts({}) })).action, {
    do: 'acquire-leader',
    syncRevision: 0,
    failsafeRevision: 5,
  });
  equal(
    decided({ ...free, failsafe: facts({ key: 'absent', revision: 0 }) }),
    'acquire-leader: best-candidate',
  );
  equal(decided({ ...free, failsafe: facts({ key: 'unlisted' }) }), 'wait: not-in-failsafe');
});

test('a pledge is kept by whoever would take the key, and one that was won is given back', () => {
  const failsafe = facts({ boundForMs: 1 });
  equal(decided({ ...free, failsafe }), 'wait: pledged-to-leader');
  const request = { leader: 'beta', candidate: 'alpha', dueInMs: 0 };
  equal(
    decided({ ...free, cluster: { ...free.cluster, request }, failsafe }),
    'wait: pledged-to-leader',
    'also by who was asked to lead',
  );
  equal(decided({ ...free, lock: { is: 'named' }, failsafe }), 'release: pledged-to-leader');
  const mine = { is: 'mine', deadline: NOW + 4000 } as const;
  equal(decided({ ...free, lock: mine, failsafe }), 'release: pledged-to-leader');
  const byHand = aLocal({ role: 'primary', streaming: false });
  equal(decided({ ...free, local: byHand, failsafe }), 'demote: pledged-to-leader');
  const paused = { ...free.cluster, isPaused: true };
  equal(decided({ ...free, local: byHand, cluster: paused, failsafe }), 'demote: pledged-to-leader');
});

test('an agent that has just begun does not race where it may have pledged before', () => {
  const young = { aliveForMs: 4999 };
  equal(decided({ ...free, failsafe: facts(young) }), 'wait: pledges-forgotten');
  equal(decided({ ...free, failsafe: facts({ aliveForMs: 5000 }) }), 'acquire-leader: best-candidate');
  equal(decided({ ...free, failsafe: facts({ ...young, key: 'absent' }) }), 'acquire-leader: best-candidate');
  equal(
    decided({ ...free, failsafe: facts({ ...young, key: 'alone' }) }),
    'acquire-leader: best-candidate',
    'nobody else could have asked',
  );
  equal(decided({ ...free, lock: { is: 'named' }, failsafe: facts(young) }), 'release: pledges-forgotten');
  const primary = aLocal({ role: 'primary', streaming: false });
  equal(
    decided({ local: primary, lock: { is: 'named' }, cluster: free.cluster, failsafe: facts(young) }),
    'acquire-leader: key-names-us',
    'one that leads has pledged nothing',
  );
});

test('by pledges alone a primary leads on: no hand-over, no restart, and it steps down in time', () => {
  const local = aLocal({ role: 'primary', streaming: false });
  const lock = { is: 'mine', deadline: NOW + 4000, isFailsafe: true } as const;
  const request = { leader: 'alpha', candidate: 'beta', dueInMs: 0 };
  const cluster = aCluster({ leader: undefined, request });
  equal(decided({ local, lock, cluster }), 'lead: failsafe-lease');
  equal(decided({ local, lock, cluster, order: 'restart' }), 'lead: failsafe-lease');
  equal(decided({ local, lock, cluster: { ...cluster, isPaused: true } }), 'lead: failsafe-lease');
  equal(decided({ local, lock: { ...lock, deadline: NOW + 500 }, cluster }), 'demote: lease-running-out');
  const promised = { leader: 'alpha', voters: ['beta'], quorum: 1 };
  equal(decided({ local, lock, cluster: { ...cluster, promised } }), 'lead: failsafe-lease', 'with a quorum');
});

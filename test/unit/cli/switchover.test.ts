/** What a switchover refuses before it does anything, and how its progress is read from the views. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  followSwitchover,
  planSwitchover,
  type SwitchoverProgress,
  type SwitchoverWish,
} from '../../../src/cli/switchover-plan.ts';
import { aView, threeMembers, type ViewOptions } from '../../support/a-view.ts';

function refusal(wish: SwitchoverWish, options: ViewOptions = {}): string {
  const plan = planSwitchover(aView(options), wish);
  return plan.outcome === 'refused' ? plan.because : `possible: ${plan.leader} to ${plan.candidate ?? 'any'}`;
}

test('a wish that can be carried out names the leader it is addressed to', () => {
  assert.equal(refusal({}), 'possible: db-sib-01 to any');
  assert.equal(refusal({ leader: 'db-sib-01', candidate: 'db-sib-03' }), 'possible: db-sib-01 to db-sib-03');
});

test('a wish that cannot be carried out is refused with its reason', () => {
  assert.equal(refusal({ leader: 'db-sib-03' }), 'the leader is db-sib-01, not db-sib-03');
  assert.equal(refusal({ candidate: 'db-sib-01' }), 'db-sib-01 is the leader already');
  assert.equal(refusal({ candidate: 'db-sib-02' }), 'there is no member db-sib-02');
  assert.equal(refusal({ candidate: 'db-fsn-01' }), 'db-fsn-01 has the tag nofailover');
  assert.equal(
    refusal({}, { leader: undefined }),
    'there is no primary to hand over: no member holds the leader key',
  );
  assert.equal(
    refusal({}, { failover: { leader: 'db-sib-01' } }),
    'another change of leader is already requested',
  );
  assert.equal(
    refusal({}, { config: { pause: true } }),
    'the cluster is in maintenance mode: name a --candidate',
  );
});

test('without any member that could take over, all reasons are told', () => {
  const alone = { 'db-sib-01': threeMembers['db-sib-01'] ?? {} };
  assert.equal(refusal({}, { members: alone }), 'there is no other member');
  const members = { ...threeMembers, 'db-sib-03': { state: 'starting' as const }, odd: '{' };
  assert.equal(
    refusal({}, { members }),
    'no member can take over: db-fsn-01 has the tag nofailover; db-sib-03 is not running (starting)',
  );
  assert.equal(refusal({ candidate: 'odd' }, { members }), 'the entry of odd cannot be read');
});

const start: SwitchoverProgress = {
  oldLeader: 'db-sib-01',
  candidate: 'db-sib-03',
  oldTerm: 10,
  requestedAtRevision: 100,
  stage: 'requested',
};

const requested = { leader: 'db-sib-01', member: 'db-sib-03' };
const promoted = { ...threeMembers, 'db-sib-03': { role: 'primary' as const, timeline: 3 } };

/** Feeds views one by one; collects the news and the end. */
function story(progress: SwitchoverProgress, ...views: readonly ViewOptions[]): readonly string[] {
  const told: string[] = [];
  let now = progress;
  for (const [index, options] of views.entries()) {
    const step = followSwitchover(now, aView({ revision: 100 + index, ...options }));
    if (step.outcome === 'failed') return [...told, `failed: ${step.because}`];
    told.push(...step.news);
    if (step.outcome === 'done') return [...told, `done: ${step.leader} on ${step.timeline}`];
    now = step.progress;
  }
  return told;
}

test('a switchover is done when the candidate is a running primary', () => {
  const taken = { leader: 'db-sib-03', term: 120 };
  const told = story(
    start,
    { failover: requested },
    { failover: requested, leader: undefined },
    { failover: requested, leader: undefined },
    { failover: requested, ...taken },
    { ...taken },
    { ...taken, members: promoted },
  );
  assert.deepEqual(told, [
    'db-sib-01 has stopped and released the leader key',
    'db-sib-03 has taken the leader key',
    'db-sib-03 is a running primary on timeline 3',
    'done: db-sib-03 on 3',
  ]);
});

test('changes that came in one view are all told', () => {
  assert.deepEqual(story(start, { leader: 'db-sib-03', term: 120, members: promoted }), [
    'db-sib-03 has taken the leader key',
    'db-sib-03 is a running primary on timeline 3',
    'done: db-sib-03 on 3',
  ]);
});

test('a view from before the request says nothing', () => {
  assert.deepEqual(story(start, { revision: 99 }), []);
});

test('a request that the leader resets was refused', () => {
  assert.deepEqual(story(start, { failover: requested }, {}), [
    'failed: db-sib-01 refused the request; it remains the leader',
  ]);
});

test('an old leader that takes the key again has not handed over', () => {
  assert.deepEqual(story(start, { leader: undefined }, { term: 130 }), [
    'db-sib-01 has stopped and released the leader key',
    'failed: db-sib-01 took the leader key again',
  ]);
});

test('another member than the one asked for is a failure; without a wish anyone will do', () => {
  const taken = { leader: 'db-fsn-01', term: 120 };
  assert.deepEqual(story(start, taken), ['failed: db-fsn-01 became leader instead of db-sib-03']);
  assert.deepEqual(story({ ...start, candidate: undefined }, taken), ['db-fsn-01 has taken the leader key']);
});

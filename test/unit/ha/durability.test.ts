/** Who may lead, what is waited for, and that no order of changes and deaths leaves a moment in which something could be lost. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  type DurabilityMode,
  NOTHING_PROMISED,
  NOTHING_REQUIRED,
  nextSyncStep,
  onlyLeader,
  type Promised,
  parsePromised,
  parseRequirement,
  type Requirement,
  renderPromised,
  renderRequirement,
  safeQuorum,
  type SyncStandby,
  wantedRequirement,
  whyPromiseForbids,
} from '../../../src/ha/index.ts';
import { aPeer } from '../../support/observations.ts';

const self = { name: 'alpha', isNofailover: false, priority: 1, isSameCity: false, timeline: 3, lsn: 1000 };
const promised: Promised = { leader: 'omega', voters: ['alpha', 'beta', 'gamma'], quorum: 2 };
const beta = aPeer({ name: 'beta' });
const gamma = aPeer({ name: 'gamma' });

for (const [what, peers, by, expected] of [
  ['enough voters, none with more', [beta, gamma], promised, undefined],
  ['nothing is promised', [], NOTHING_PROMISED, undefined],
  ['the promise is its own', [], { ...promised, leader: 'alpha' }, undefined],
  ['no voter', [beta, gamma], { ...promised, voters: ['beta', 'gamma'] }, 'not-a-voter'],
  ['one voter too few', [beta], promised, 'voters-unseen'],
  ['somebody else does not count', [beta, aPeer({ name: 'delta' })], promised, 'voters-unseen'],
  ['one that does not run', [beta, { ...gamma, isRunning: false }], promised, 'voters-unseen'],
  ['one that does not know where it is', [beta, { ...gamma, lsn: undefined }], promised, 'voters-unseen'],
  ['one that is no standby', [beta, { ...gamma, role: 'unknown' }], promised, 'voters-unseen'],
  ['more WAL elsewhere', [beta, { ...gamma, lsn: 1001 }], promised, 'voter-has-more'],
  ['a newer timeline elsewhere', [beta, { ...gamma, timeline: 4, lsn: 900 }], promised, 'voter-has-more'],
  ['nobody may', [beta, gamma], onlyLeader('omega', promised.voters), 'voters-unseen'],
] as const)
  test(`a candidate: ${what}`, () => assert.equal(whyPromiseForbids(self, peers, by), expected));

const QUORUM: DurabilityMode = { is: 'quorum', acks: 1, isStrict: false };
const STRICT: DurabilityMode = { is: 'quorum', acks: 1, isStrict: true };
const PATIENCE = { oneMs: 2000, allMs: 5000 };
const there = (name: string): SyncStandby => ({ name, isStreaming: true, goneForMs: 0 });
const gone = (name: string, goneForMs: number): SyncStandby => ({ name, isStreaming: false, goneForMs });
const any = (acks: number, ...names: string[]): Requirement => ({ names, acks });

for (const [what, mode, standbys, required, expected] of [
  ['all that stream', QUORUM, [there('b'), there('a')], NOTHING_REQUIRED, any(1, 'a', 'b')],
  ['one that has just gone', QUORUM, [there('a'), gone('b', 1999)], any(1, 'a', 'b'), any(1, 'a', 'b')],
  ['not one that is gone', QUORUM, [there('a'), gone('b', 2000)], any(1, 'a', 'b'), any(1, 'a')],
  ['nor one that never was', QUORUM, [there('a'), gone('b', 0)], any(1, 'a'), any(1, 'a')],
  ['the last one, for a while', QUORUM, [gone('a', 4999)], any(1, 'a'), any(1, 'a')],
  ['then nobody', QUORUM, [gone('a', 5000)], any(1, 'a'), NOTHING_REQUIRED],
  ['strictly: the last one for ever', STRICT, [gone('a', 1e9)], any(1, 'a'), any(1, 'a')],
  ['strictly: nobody that there is', STRICT, [], NOTHING_REQUIRED, any(1, 'no member')],
  ['strictly: the first that comes', STRICT, [there('a')], any(1, 'no member'), any(1, 'a')],
  ['two of two', { ...QUORUM, acks: 2 }, [there('a'), there('b')], NOTHING_REQUIRED, any(2, 'a', 'b')],
  ['fewer where there are fewer', { ...QUORUM, acks: 2 }, [there('a')], NOTHING_REQUIRED, any(1, 'a')],
  ['strictly: not fewer', { ...STRICT, acks: 2 }, [there('a')], any(2, 'a', 'b'), any(2, 'a', 'b')],
  ['asynchronous: nobody', { is: 'asynchronous' }, [there('a')], any(1, 'a'), NOTHING_REQUIRED],
] as const)
  test(`required: ${what}`, () =>
    assert.deepEqual(wantedRequirement(mode, standbys, required, PATIENCE), expected));

/**
 * A leader in a world that does as it likes: standbys come and go, a reload takes its time, confirmations come or do not.
 * `inEffect` is all that some part of the server may still go by; of what was acknowledged under each, something could be
 * lost as soon as the key allows an election that need not see it.
 */
test('at every moment the key is right for whatever may be in effect', () => {
  const wishes = fc.record({
    names: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 4 }),
    acks: fc.integer({ min: 1, max: 2 }),
  });
  const event = fc.oneof(
    { weight: 2, arbitrary: fc.record({ is: fc.constant('wish' as const), wish: wishes }) },
    { weight: 5, arbitrary: fc.constant({ is: 'step' as const }) },
    { weight: 2, arbitrary: fc.constant({ is: 'confirm' as const }) },
    { weight: 1, arbitrary: fc.constant({ is: 'new leader' as const }) },
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let leader = 'l1';
      let published: Promised = NOTHING_PROMISED;
      let required = NOTHING_REQUIRED;
      let wanted = NOTHING_REQUIRED;
      let isConfirmed = false;
      let inEffect: Requirement[] = [required];
      const check = (): void => {
        if (published.leader !== leader) return;
        for (const one of inEffect)
          assert.ok(
            published.quorum >= safeQuorum(published.voters, one),
            `${JSON.stringify(published)} with ${JSON.stringify(one)}`,
          );
      };
      for (const happens of events) {
        if (happens.is === 'wish') {
          const { names, acks } = happens.wish;
          wanted = { names, acks: Math.min(acks, names.length) };
        } else if (happens.is === 'confirm') {
          inEffect = [required];
          isConfirmed = true;
        } else if (happens.is === 'new leader') {
          // As before a promotion: nobody else may lead, and a new server has one setting from its start.
          leader = leader === 'l1' ? 'l2' : 'l1';
          required = wanted;
          inEffect = [required];
          isConfirmed = false;
          published = onlyLeader(leader, required.names);
        } else {
          const step = nextSyncStep({ self: leader, published, required, isConfirmed, wanted });
          if (step.do === 'publish') published = step.promised;
          if (step.do === 'require') {
            required = step.requirement;
            inEffect.push(required);
            isConfirmed = false;
          }
        }
        check();
      }
    }),
    { numRuns: 3000 },
  );
});

test('left in peace, it arrives: the wanted is required, and the key says so with the least quorum', () => {
  const wanted = any(1, 'a', 'b');
  let published = NOTHING_PROMISED;
  let required = NOTHING_REQUIRED;
  const steps: string[] = [];
  for (let n = 0; n < 6; n += 1) {
    const step = nextSyncStep({ self: 'l', published, required, isConfirmed: n > 2, wanted });
    steps.push(step.do);
    if (step.do === 'publish') published = step.promised;
    if (step.do === 'require') required = step.requirement;
  }
  assert.deepEqual(steps, ['publish', 'require', 'await-standbys', 'publish', 'nothing', 'nothing']);
  assert.deepEqual(published, { leader: 'l', voters: ['a', 'b'], quorum: 1 });
});

test('the setting and the key are read as they were written; what is not ours promises nothing', () => {
  const requirement = any(2, 'a "quoted" one', 'b,c');
  assert.equal(renderRequirement(requirement), 'ANY 2 ("a ""quoted"" one","b,c")');
  assert.deepEqual(parseRequirement(renderRequirement(requirement)), requirement);
  for (const text of ['', '*', 'ANY 1 (*)', 'FIRST 1 ("a")', 'ANY 1 (a, b)', 'ANY 1 ("a") or so'])
    assert.deepEqual(parseRequirement(text), NOTHING_REQUIRED, text);
  assert.equal(renderPromised(promised), '{"leader":"omega","quorum":2,"sync_standby":"alpha,beta,gamma"}');
  assert.deepEqual(parsePromised(renderPromised(promised)), promised);
  assert.deepEqual(parsePromised('{"leader":"a","sync_standby":"c,b"}'), {
    leader: 'a',
    voters: ['b', 'c'],
    quorum: 0,
  });
  for (const text of [undefined, '', '{}', '[]', '{"leader":null,"sync_standby":null}'])
    assert.deepEqual(parsePromised(text), NOTHING_PROMISED, text);
});

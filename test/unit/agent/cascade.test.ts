/** From whom a standby with the tag `replicatefrom` streams. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { cascading, standbyToFollow } from '../../../src/agent/cascade.ts';
import type { Member } from '../../../src/topology/index.ts';
import { parseMember } from '../../../src/topology/index.ts';

const standby = { state: 'running', role: 'replica', timeline: 2, replication_state: 'streaming' };
const leader = { state: 'running', role: 'primary', timeline: 2 };
const from = (name: unknown): object => ({ tags: { replicatefrom: name } });

function membersOf(all: Readonly<Record<string, object>>): ReadonlyMap<string, Member> {
  return new Map(
    Object.entries(all).flatMap(([name, json]) => {
      const value = JSON.stringify({ conn_url: `postgres://${name}:5432/postgres`, ...json });
      const parsed = parseMember(name, {
        key: name,
        value,
        modRevision: 1,
        createRevision: 1,
        lease: undefined,
      });
      return parsed.kind === 'member' ? [[name, parsed.member] as const] : [];
    }),
  );
}

/** Whom `alpha`, told to stream from `from`, streams from beside the leader `beta`. */
function followed(others: Readonly<Record<string, object>>, of: unknown = 'gamma'): string | undefined {
  const members = membersOf({ alpha: { ...standby, ...from(of) }, beta: leader, ...others });
  return standbyToFollow({ name: 'alpha', tags: { replicatefrom: of } }, { members, leader: 'beta' });
}

test('the standby that the tag names is followed', () => {
  equal(followed({ gamma: standby }), 'gamma');
  equal(
    followed({ gamma: { ...standby, replication_state: undefined } }),
    'gamma',
    'older Patroni does not say it',
  );
  equal(followed({ gamma: { ...standby, ...from('delta') }, delta: standby }), 'gamma', 'a chain');
});

test('the leader is, where that standby is gone, unfit or no standby', () => {
  equal(followed({}), undefined);
  equal(followed({ gamma: standby }, 'beta'), undefined, 'it leads');
  equal(followed({ gamma: standby }, 7), undefined);
  equal(followed({ gamma: standby }, ''), undefined);
  const unfit = [
    { ...standby, state: 'starting' },
    { ...standby, role: 'uninitialized' },
    { ...standby, role: 'primary' },
    { ...standby, replication_state: 'in archive recovery' },
    { ...standby, timeline: 1 },
    { ...standby, timeline: undefined },
  ];
  for (const gamma of unfit) equal(followed({ gamma }), undefined, JSON.stringify(gamma));
});

test('members that name each other in a ring all follow the leader', () => {
  equal(followed({ gamma: { ...standby, ...from('alpha') } }), undefined);
  equal(
    followed({ gamma: { ...standby, ...from('delta') }, delta: { ...standby, ...from('alpha') } }),
    undefined,
  );
  equal(
    followed({ gamma: { ...standby, ...from('delta') }, delta: { ...standby, ...from('gamma') } }),
    undefined,
  );
  equal(followed({}, 'alpha'), undefined, 'oneself');
});

test('without a leader whose timeline is known nobody is followed through another', () => {
  const members = membersOf({ gamma: standby, beta: { ...leader, timeline: undefined } });
  const self = { name: 'alpha', tags: { replicatefrom: 'gamma' } };
  equal(standbyToFollow(self, { members, leader: 'beta' }), undefined);
  equal(standbyToFollow(self, { members, leader: undefined }), undefined);
});

test('who is told to stream from others than the leader, and from whom', () => {
  const members = membersOf({
    alpha: { ...standby, ...from('gamma') },
    beta: leader,
    gamma: { ...standby, ...from('gamma') },
  });
  deepEqual([...cascading(members.values())], [['alpha', 'gamma']]);
});

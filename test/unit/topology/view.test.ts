/** The view of a cluster: what each key says, and that changes and snapshots tell the same. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { KeyValue, WatchEvent } from '../../../src/dcs/index.ts';
import {
  applyChanges,
  applySnapshot,
  type ClusterView,
  emptyView,
  leaderChange,
  primaryOf,
  renderMember,
  sourceOf,
} from '../../../src/topology/index.ts';
import {
  aLayout,
  aMember,
  anEntry,
  aPrimary,
  aView,
  clusterEntries,
  threeDatacenters,
} from '../../support/members.ts';

const optime = (keys: Record<string, string>): number | undefined => aView({ keys }).optime;

const failover = (value: string) => aView({ keys: { failover: value } }).failover;

const config = (value: string) => aView({ keys: { config: value } }).config;

const put = (key: string, value: string, revision: number): WatchEvent => ({
  type: 'put',
  entry: anEntry(key, value, { modRevision: revision, createRevision: revision }),
});

const term = (leader: string | undefined, createRevision: number): ClusterView => ({
  ...emptyView,
  leader,
  leaderCreateRevision: leader === undefined ? undefined : createRevision,
});

const reason = (view: ClusterView): string => {
  const primary = primaryOf(view);
  return primary.kind === 'primary' ? primary.member.name : primary.because;
};

describe('a view tells', () => {
  test('nothing before anything was heard', () => {
    assert.deepEqual(aView({ revision: 3 }), { ...emptyView, revision: 3 });
  });

  test('the leader with its term, and none for an empty key', () => {
    const entries = [anEntry(aLayout.leader, 'db1', { createRevision: 5, modRevision: 8, lease: '77' })];
    const view = applySnapshot(emptyView, { revision: 9, entries }, aLayout);
    assert.deepEqual(
      [view.leader, view.leaderCreateRevision, view.leaderModRevision, view.leaderLease],
      ['db1', 5, 8, '77'],
    );
    assert.equal(aView({ leader: '' }).leader, undefined);
  });

  test('members by name, and the unreadable apart with the reason', () => {
    const view = threeDatacenters({ members: { broken: '{', 'a/b': '{}' } });
    assert.deepEqual([...view.members.keys()], ['db1', 'db2', 'db3']);
    assert.deepEqual([...view.unreadable], [['broken', 'not-json']]);
  });

  test('the system id: none, being made, made', () => {
    assert.deepEqual(
      [aView({}), aView({ keys: { initialize: '' } }), aView({ keys: { initialize: '7331' } })].map(
        (v) => v.systemId,
      ),
      [undefined, '', '7331'],
    );
  });

  test('the write position from status, from the older key where status is missing or garbage', () => {
    assert.equal(optime({ status: '{"optime":100,"slots":{"a":1}}' }), 100);
    assert.equal(optime({ status: '{"optime":100}', 'optime/leader': '90' }), 100);
    assert.equal(optime({ 'optime/leader': '90' }), 90);
    assert.equal(optime({ status: '{', 'optime/leader': '90' }), 90);
    assert.equal(optime({ status: '{"optime":"x"}', 'optime/leader': 'x' }), undefined);
  });

  test('a request to fail over, and none once Patroni has reset it', () => {
    assert.deepEqual(failover('{"leader":"db1","member":"db2","scheduled_at":"2030-01-01T00:00:00+00:00"}'), {
      leader: 'db1',
      candidate: 'db2',
      scheduledAt: '2030-01-01T00:00:00+00:00',
      modRevision: 1,
    });
    assert.deepEqual(
      ['{}', '', '[]', '{"leader":""}', '{"scheduled_at":"x"}'].map(failover),
      Array(5).fill(undefined),
    );
  });

  test('history, without the lines that are none', () => {
    const history =
      '[[1,100,"no recovery target specified","2030-01-01T00:00:00+00:00","db2"],[2,200,"x"],["3",1,"x"],7]';
    assert.deepEqual(aView({ keys: { history } }).history, [
      {
        timeline: 1,
        lsn: 100,
        reason: 'no recovery target specified',
        at: '2030-01-01T00:00:00+00:00',
        newLeader: 'db2',
      },
      { timeline: 2, lsn: 200, reason: 'x', at: undefined, newLeader: undefined },
    ]);
  });

  test('the configuration if it is an object', () => {
    assert.deepEqual(config('{"ttl":30,"unknown":[1]}'), {
      value: { ttl: 30, unknown: [1] },
      modRevision: 1,
    });
    assert.deepEqual(['[]', 'null', '{'].map(config), Array(3).fill(undefined));
  });

  test('the newest timeline that history or any member speaks of', () => {
    assert.equal(emptyView.newestTimeline, 0);
    assert.equal(aView({ keys: { history: '[]' } }).newestTimeline, 0);
    assert.equal(aView({ keys: { history: '[[4,100,"x"]]' } }).newestTimeline, 5);
    const members = { db1: aPrimary({ name: 'db1', timeline: 7 }) };
    assert.equal(aView({ members, keys: { history: '[[4,100,"x"]]' } }).newestTimeline, 7);
  });
});

describe('a view moves on', () => {
  test('never back: what is older changes nothing', () => {
    const view = threeDatacenters({ revision: 10 });
    assert.equal(applySnapshot(view, { revision: 9, entries: [] }, aLayout), view);
    assert.equal(
      applyChanges(view, { revision: 10, events: [put(aLayout.leader, 'db2', 10)] }, aLayout),
      view,
    );
  });

  test('without other clusters’ keys', () => {
    const view = applyChanges(
      threeDatacenters(),
      { revision: 2, events: [put('/service/demo2/leader', 'x', 2)] },
      aLayout,
    );
    assert.deepEqual({ ...view, revision: 1 }, threeDatacenters());
  });

  test('keeping the members that did not change, as the same objects', () => {
    const before = threeDatacenters();
    const db2 = put(aLayout.member('db2'), renderMember(aMember({ name: 'db2', state: 'stopped' })), 2);
    const after = applyChanges(before, { revision: 2, events: [db2] }, aLayout);
    assert.equal(after.members.get('db1'), before.members.get('db1'));
    assert.equal(after.members.get('db2')?.state, 'stopped');
  });

  test('and tells a change of leader: new holder, new term of the same, none', () => {
    assert.equal(leaderChange(term('db1', 5), term('db1', 5)), undefined);
    assert.equal(leaderChange(term(undefined, 0), term(undefined, 0)), undefined);
    assert.deepEqual(leaderChange(term('db1', 5), term('db1', 9)), { from: 'db1', to: 'db1' });
    assert.deepEqual(leaderChange(term('db1', 5), term('db2', 5)), { from: 'db1', to: 'db2' });
    assert.deepEqual(leaderChange(term('db1', 5), term(undefined, 0)), { from: 'db1', to: undefined });
  });

  test('changes folded one by one give the view of the snapshot', () => {
    const names = [
      'leader',
      'status',
      'optime/leader',
      'history',
      'failover',
      'config',
      'initialize',
      'sync',
    ];
    const key = fc
      .constantFrom(...names, 'members/db1', 'members/db2', 'members/x/y')
      .map((name) => aLayout.prefix + name);
    const value = fc.oneof(
      fc.constantFrom('', '{', '{}', 'db1', 'db2', '42', '{"optime":5}', '[[3,5,"x"]]', '{"leader":"db1"}'),
      fc
        .constantFrom('db1', 'db2')
        .chain((name) =>
          fc
            .record({ timeline: fc.integer({ min: 1, max: 9 }) })
            .map((more) => renderMember(aMember({ name, ...more }))),
        ),
    );
    const write = fc.record({
      key: fc.oneof(key, fc.constant('/service/other/leader')),
      value: fc.option(value),
    });
    const revisions = fc.array(
      fc.uniqueArray(write, { selector: (w) => w.key, minLength: 1, maxLength: 4 }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(revisions, fc.nat(30), (changes, startAt) => {
        const store = new Map<string, KeyValue>();
        let folded = emptyView;
        for (const [index, writes] of changes.entries()) {
          const revision = index + 1;
          const events = writes.map(({ key: at, value: text }): WatchEvent => {
            if (text === null) {
              store.delete(at);
              return { type: 'delete', key: at, modRevision: revision };
            }
            const createRevision = store.get(at)?.createRevision ?? revision;
            const entry = anEntry(at, text, { createRevision, modRevision: revision });
            store.set(at, entry);
            return { type: 'put', entry };
          });
          const snapshot = { revision, entries: [...store.values()] };
          const next =
            index < startAt
              ? applySnapshot(folded, snapshot, aLayout)
              : applyChanges(folded, { revision, events }, aLayout);
          assert.deepEqual(next, applySnapshot(emptyView, snapshot, aLayout));
          assert.ok(next.revision > folded.revision);
          folded = next;
        }
      }),
    );
  });
});

describe('the primary is', () => {
  test('the running leader that says so itself, in either spelling', () => {
    assert.equal(reason(threeDatacenters()), 'db1');
    assert.equal(
      reason(threeDatacenters({ members: { db1: aMember({ name: 'db1', role: 'master' }) } })),
      'db1',
    );
  });

  test('nobody, with the reason', () => {
    assert.equal(reason(aView({})), 'no-leader');
    assert.equal(reason(threeDatacenters({ leader: 'db9' })), 'leader-unknown-member');
    assert.equal(reason(threeDatacenters({ members: { db1: '{' } })), 'leader-unreadable');
    assert.equal(
      reason(threeDatacenters({ members: { db1: aPrimary({ name: 'db1', state: 'stopping' }) } })),
      'leader-not-running',
    );
    assert.equal(
      reason(threeDatacenters({ members: { db2: aMember({ name: 'db2', timeline: 2 }) } })),
      'leader-on-old-timeline',
    );
    const closed = threeDatacenters({ members: { db1: aPrimary({ name: 'db1', closed_to_clients: true }) } });
    assert.equal(reason(closed), 'leader-closed-to-clients');
    assert.equal(sourceOf(closed).kind, 'primary', 'but other members are let in');
  });

  test('not yet the winner of an election while its own JSON still says standby', () => {
    for (const role of ['replica', 'promoted', 'standby_leader', 'demoted'] as const) {
      assert.equal(
        reason(threeDatacenters({ members: { db1: aMember({ name: 'db1', role }) } })),
        'leader-is-standby',
      );
    }
  });

  test('known without a timeline, as long as it is the leader', () => {
    const { timeline: _, ...member } = aPrimary({ name: 'db1' });
    assert.equal(reason(aView({ leader: 'db1', members: { db1: member } })), 'db1');
    assert.equal(clusterEntries({ leader: 'db1' }).length, 1);
  });
});

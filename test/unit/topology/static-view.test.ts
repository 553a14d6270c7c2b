/** Who leads a cluster of listed servers, judged from what each says of itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  judgeCluster,
  type NodeAnswer,
  primaryOf,
  readCandidates,
  type StaticCluster,
  unknownCluster,
} from '../../../src/topology/index.ts';

const FRESH_MS = 5000;
const NOW = 100_000;
const nodes = ['a', 'b', 'c'].map((name, index) => ({
  name,
  host: `10.0.0.${index + 1}`,
  port: 5432,
  datacenter: `dc${index + 1}`,
  tags: {},
}));

type Told = NodeAnswer & { readonly kind: 'told' };

const told = (changes: Partial<Told> = {}): Told => ({
  kind: 'told',
  askedAt: NOW,
  isInRecovery: true,
  timeline: 3,
  lsn: 1000,
  replayLsn: 1000,
  isStreaming: true,
  systemId: '7',
  ...changes,
});
const primary = (changes: Partial<Told> = {}): Told =>
  told({ isInRecovery: false, isStreaming: false, replayLsn: undefined, ...changes });

function judge(
  answers: Readonly<Record<string, NodeAnswer>>,
  {
    before = unknownCluster,
    now = NOW,
    of = nodes,
  }: Partial<{ before: StaticCluster; now: number; of: typeof nodes }> = {},
): StaticCluster {
  return judgeCluster(before, {
    nodes: of,
    answers: new Map(Object.entries(answers)),
    now,
    freshMs: FRESH_MS,
  });
}

/** Who may be written to, or why nobody; and the judgement. */
function verdict(cluster: StaticCluster): string {
  const found = primaryOf(cluster.view);
  return `${found.kind === 'primary' ? found.member.name : `nobody (${found.because})`}: ${cluster.because}`;
}

const healthy = { a: primary(), b: told(), c: told() };

test('the one server that is no standby leads, and all three serve reads', () => {
  const cluster = judge(healthy);
  assert.equal(verdict(cluster), 'a: one-primary');
  const policy = { localDatacenter: 'dc1', weights: { local: 10, remote: 1 }, addresses: {} };
  const shares = (memberWeights?: Readonly<Record<string, number>>) =>
    readCandidates(cluster.view, { ...policy, ...(memberWeights && { memberWeights }) }).map(
      ({ weight, because }) => `${weight} ${because}`,
    );
  assert.deepEqual(shares(), ['10 local', '1 remote', '1 remote']);
  assert.deepEqual(shares({ b: 7, c: 0 }), ['10 local', '7 remote', '0 weight-zero']);
});

test('nobody is written to before anybody has answered, or while all are standbys', () => {
  assert.equal(verdict(judge({})), 'nobody (no-node-answers): nobody-answered');
  assert.equal(verdict(judge({ a: told(), b: told() })), 'nobody (no-node-is-primary): no-primary');
});

test('a leader that is silent for longer than an answer is good for is not written to, whatever else is known', () => {
  const before = judge(healthy);
  const later = NOW + FRESH_MS;
  const others = { b: told({ askedAt: later }), c: told({ askedAt: later }) };
  assert.equal(verdict(judge({ ...healthy, ...others }, { before, now: later })), 'a: one-primary');
  const silent = judge({ ...healthy, ...others }, { before, now: later + 1 });
  assert.equal(verdict(silent), 'nobody (leader-not-running): leader-silent');
  assert.equal(silent.view.members.get('a')?.state, 'silent');
});

test('a promoted standby leads from its first answer on, though the old primary still answers: its timeline is newer', () => {
  const before = judge(healthy);
  const after = judge({ ...healthy, b: primary({ timeline: 4 }) }, { before });
  assert.equal(verdict(after), 'b: newest-timeline');
  assert.equal(after.view.members.get('a')?.state, 'superseded');
  assert.notEqual(after.view.leaderCreateRevision, before.view.leaderCreateRevision);
});

test('an old primary that comes back alone is refused, for its timeline has ended', () => {
  const promoted = judge({ a: primary(), b: primary({ timeline: 4 }), c: told() });
  const later = NOW + FRESH_MS + 1;
  const answers = {
    a: primary({ askedAt: later }),
    b: primary({ timeline: 4 }),
    c: told({ askedAt: later }),
  };
  assert.equal(
    verdict(judge(answers, { before: promoted, now: later })),
    'nobody (leader-on-old-timeline): old-timeline',
  );
  // A router that was not there is told by a standby of the new primary.
  assert.equal(
    verdict(judge({ a: primary(), c: told({ timeline: 4 }) })),
    'nobody (leader-on-old-timeline): old-timeline',
  );
});

test('two primaries on one timeline are not written to until one of them is gone', () => {
  const split = judge({ a: told(), b: primary({ timeline: 4 }), c: primary({ timeline: 4 }) });
  assert.equal(verdict(split), 'nobody (two-nodes-are-primary): two-primaries');
  assert.deepEqual(
    [...split.view.members.values()].map(({ state }) => state),
    ['running', 'disputed', 'disputed'],
  );
  const later = NOW + FRESH_MS + 1;
  const answers = { b: primary({ timeline: 4, askedAt: later }), c: primary({ timeline: 4 }) };
  assert.equal(verdict(judge(answers, { before: split, now: later })), 'b: one-primary');
});

test('a term goes on while leader and timeline are the same, and ends when the leader is promoted anew', () => {
  const first = judge(healthy);
  const second = judge({ ...healthy, a: primary({ lsn: 2000 }) }, { before: first });
  assert.ok(second.view.revision > first.view.revision);
  assert.equal(second.view.leaderCreateRevision, first.view.leaderCreateRevision);
  assert.equal(second.view.optime, 2000);
  const third = judge({ ...healthy, a: primary({ timeline: 5 }) }, { before: second });
  assert.notEqual(third.view.leaderCreateRevision, first.view.leaderCreateRevision);
  assert.equal(third.view.newestTimeline, 5);
});

test('a server of another cluster is shown and never used, though it were a primary on a newer timeline', () => {
  const cluster = judge({ ...healthy, c: primary({ systemId: '8', timeline: 99 }) });
  assert.equal(verdict(cluster), 'a: one-primary');
  assert.deepEqual([...cluster.view.unreadable], [['c', 'of-another-cluster']]);
  assert.equal(cluster.view.newestTimeline, 3);
});

test('one server that cannot be asked leads while it answers at all; of several such nobody does', () => {
  const alive = { kind: 'alive', askedAt: NOW } as const;
  const of = nodes.slice(0, 1);
  const one = judge({ a: alive }, { of });
  assert.equal(verdict(one), 'a: only-node');
  assert.equal(
    verdict(judge({ a: alive }, { of, before: one, now: NOW + FRESH_MS + 1 })),
    'nobody (leader-not-running): leader-silent',
  );
  assert.equal(verdict(judge({ a: alive, b: alive })), 'nobody (no-node-is-primary): no-primary');
});

test('a standby without its primary is known to be cut off', () => {
  const cluster = judge({ ...healthy, c: told({ isStreaming: false }) });
  const states = [...cluster.view.members.values()].map(({ replicationState }) => replicationState);
  assert.deepEqual(states, [undefined, 'streaming', 'in archive recovery']);
});

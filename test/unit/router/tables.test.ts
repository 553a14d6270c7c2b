/** The small deciders of the router, each as a table. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { systemClock } from '../../../src/base/index.ts';
import { ClientEar } from '../../../src/router/client-ear.ts';
import { HoldRoom } from '../../../src/router/hold.ts';
import { membersToAsk } from '../../../src/router/lookups.ts';
import { type LossFacts, type Verdict, whenServerLost } from '../../../src/router/lost.ts';
import { Patience } from '../../../src/router/patience.ts';
import { Pipeline, REQUEST } from '../../../src/router/pipeline.ts';
import { readProbe } from '../../../src/router/probe.ts';
import { intentOf, stricter } from '../../../src/router/route.ts';
import { ClusterWorld } from '../../../src/router/world.ts';
import type { Classifier } from '../../../src/sql/index.ts';
import { type ClusterView, emptyView, type Member } from '../../../src/topology/index.ts';
import { BACKEND } from '../../../src/wire/index.ts';
import { aClassifier } from '../../support/router-session.ts';
import { aRow } from '../../support/test-server.ts';

const facts = (changes: Partial<LossFacts>): LossFacts => ({
  status: 'I',
  ends: undefined,
  writes: false,
  answered: false,
  failed: false,
  copyUnfinished: false,
  begins: false,
  hasNothingToCommit: false,
  repeatable: true,
  ...changes,
});

describe('when a server is lost', () => {
  const table: [string, Partial<LossFacts>, Verdict][] = [
    ['a read without an answer is run again', {}, 'again'],
    ['a read of which the client saw a part fails', { answered: true }, 'failed'],
    ['a read that was tried often enough fails', { repeatable: false }, 'failed'],
    ['a write is in doubt', { writes: true }, 'in-doubt'],
    ['a write is in doubt even if the client saw a part', { writes: true, answered: true }, 'in-doubt'],
    [
      'a COPY whose end was not sent did nothing',
      { writes: true, answered: true, copyUnfinished: true },
      'failed',
    ],
    ['an error was already told', { failed: true, writes: true, answered: true }, 'over'],
    ['a transaction is lost', { status: 'T' }, 'transaction-lost'],
    [
      'a transaction is lost with a failed statement too',
      { status: 'T', failed: true, ends: 'commit' },
      'transaction-lost',
    ],
    ['a COMMIT is in doubt', { status: 'T', ends: 'commit' }, 'in-doubt'],
    [
      'at a standby there is nothing to commit',
      { status: 'T', ends: 'commit', hasNothingToCommit: true },
      'failed-at-end',
    ],
    [
      'but behind the COMMIT there may be',
      { status: 'T', ends: 'commit', hasNothingToCommit: true, writes: true },
      'in-doubt',
    ],
    ['a ROLLBACK happened', { status: 'T', ends: 'rollback' }, 'rolled-back'],
    ['a failed transaction is lost', { status: 'E' }, 'transaction-lost'],
    ['a COMMIT of a failed transaction is a rollback', { status: 'E', ends: 'commit' }, 'rolled-back'],
    [
      'unless it was skipped',
      { status: 'E', ends: 'commit', writes: true, failed: true },
      'transaction-lost',
    ],
  ];
  for (const [fact, changes, verdict] of table) {
    test(fact, () => assert.equal(whenServerLost(facts(changes)), verdict));
  }
});

describe('the pipeline', () => {
  const {
    ParseComplete,
    BindComplete,
    CommandComplete,
    ErrorResponse,
    ReadyForQuery,
    RowDescription,
    DataRow,
  } = BACKEND;

  test('knows whose each reply is', () => {
    const pipeline = new Pipeline();
    pipeline.expect(REQUEST.query, 'swallow');
    pipeline.expect(REQUEST.parse, 'swallow');
    pipeline.expect(REQUEST.bind, 'forward');
    pipeline.expect(REQUEST.execute, 'forward');
    pipeline.expect(REQUEST.sync, 'forward');
    const tags = [
      RowDescription,
      DataRow,
      CommandComplete,
      ReadyForQuery,
      ParseComplete,
      BindComplete,
      DataRow,
      CommandComplete,
      ReadyForQuery,
    ];
    assert.deepEqual(
      tags.map((tag) => pipeline.reply(tag)),
      ['swallow', 'swallow', 'swallow', 'swallow', 'swallow', 'forward', 'forward', 'forward', 'forward'],
    );
    assert.equal(pipeline.isEmpty, true);
  });

  test('an error strikes out the rest of its batch only, and belongs to the client if the batch does', () => {
    const pipeline = new Pipeline();
    pipeline.expect(REQUEST.parse, 'swallow');
    pipeline.expect(REQUEST.bind, 'forward');
    pipeline.expect(REQUEST.sync, 'forward');
    pipeline.expect(REQUEST.query, 'forward');
    assert.equal(pipeline.reply(ErrorResponse), 'forward');
    assert.equal(pipeline.reply(ReadyForQuery), 'forward');
    assert.equal(pipeline.reply(ReadyForQuery), 'forward');
    assert.equal(pipeline.isEmpty, true);
  });

  test('after an error, what is sent before the Sync gets no reply', () => {
    const pipeline = new Pipeline();
    pipeline.expect(REQUEST.parse, 'forward');
    assert.equal(pipeline.reply(ErrorResponse), 'forward');
    pipeline.expect(REQUEST.bind, 'forward');
    pipeline.expect(REQUEST.sync, 'forward');
    assert.equal(pipeline.reply(ReadyForQuery), 'forward');
    assert.equal(pipeline.isEmpty, true);
  });

  test('a reply that nobody asked for is unexpected', () => {
    const pipeline = new Pipeline();
    assert.equal(pipeline.reply(CommandComplete), 'unexpected');
    pipeline.expect(REQUEST.sync, 'forward');
    assert.equal(pipeline.reply(ParseComplete), 'unexpected');
  });
});

describe('what a statement needs', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });
  const table: [string, string, boolean, boolean, 'commit' | 'rollback' | undefined][] = [
    ['SELECT 1', 'read', false, false, undefined],
    ['INSERT INTO t VALUES (1)', 'primary', true, false, undefined],
    ['BEGIN', 'primary', false, false, undefined],
    ['BEGIN READ ONLY', 'read', false, false, undefined],
    ['START TRANSACTION READ ONLY', 'read', false, false, undefined],
    ['BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY', 'primary', false, false, undefined],
    ['SET TRANSACTION ISOLATION LEVEL SERIALIZABLE', 'primary', false, false, undefined],
    ["SET transaction_isolation = 'serializable'", 'primary', false, false, undefined],
    ['SET TRANSACTION ISOLATION LEVEL REPEATABLE READ', 'read', false, false, undefined],
    [
      'SET TRANSACTION READ ONLY; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT 1',
      'primary',
      false,
      false,
      undefined,
    ],
    ['COMMIT', 'anywhere', false, false, 'commit'],
    ['ROLLBACK', 'anywhere', false, false, 'rollback'],
    ['SET search_path = a', 'anywhere', false, false, undefined],
    ['LISTEN x', 'primary', true, true, undefined],
    ['', 'anywhere', false, false, undefined],
    ['this is no SQL', 'primary', true, false, undefined],
    ['UPDATE t SET a = 1; COMMIT', 'primary', true, false, 'commit'],
  ];
  for (const [sql, need, writes, pins, ends] of table) {
    test(`${sql === '' ? '(nothing)' : sql} -> ${need}`, () => {
      assert.deepEqual(intentOf(classifier.classify(sql)), { need, writes, pins, ends });
    });
  }
  test('of two needs the stricter counts', () => {
    assert.deepEqual([stricter('read', 'anywhere'), stricter('read', 'primary')], ['read', 'primary']);
  });
});

describe('a probe', () => {
  const term = { member: 'n1', newestTimeline: 3 };
  const table: [string, Buffer | undefined, string][] = [
    ['of a standby', aRow(undefined), 'primary-in-recovery'],
    ['of an older timeline', aRow('000000020000000000000001'), 'primary-on-old-timeline'],
    ['of the newest timeline', aRow('000000030000000000000001'), 'proven'],
    ['of a timeline that the store does not know yet', aRow('0000000A0000000000000001'), 'proven'],
    ['that says nonsense', aRow('zzz'), 'primary-not-proven'],
    ['without an answer', undefined, 'primary-not-proven'],
  ];
  for (const [what, row, said] of table)
    test(`${what}: ${said}`, () => assert.equal(readProbe(row, term), said));
});

test('when there is a primary again, those who wait for it are told first, the first come first', () => {
  const told: string[] = [];
  const aSession = (name: string) => ({ tick: () => undefined, worldChanged: () => told.push(name) });
  const [idle, late, early] = ['idle', 'late', 'early'].map(aSession);
  assert(idle !== undefined && late !== undefined && early !== undefined);
  const room = new HoldRoom(systemClock, () => 10);
  room.enter(early);
  room.enter(late);
  room.worldChanged([idle, late, early], 0);
  room.leave(early);
  room.leave(late);
  assert.deepEqual(told, ['early', 'late', 'idle']);
});

test('a notice that has to wait is the same when it is told, whatever was read meanwhile', () => {
  const heard: string[] = [];
  const ear = new ClientEar({ toClient: (bytes) => heard.push(bytes.toString()) });
  const readBuffer = Buffer.from('notice');
  ear.tell(readBuffer, false);
  readBuffer.fill('x');
  ear.tellLater();
  assert.deepEqual(heard, ['notice']);
});

test('patience: notice once after 5 s, retries further and further apart, an end', () => {
  const patience = new Patience(() => 30_000);
  assert.equal(patience.hold('no-leader', 0), true);
  assert.equal(patience.hold('no-leader', 10), false);
  assert.deepEqual(
    [20, 200, 5000, 5001, 29_999, 30_000].map((now) => patience.due(now)),
    ['nothing', 'retry', 'notice', 'retry', 'retry', 'give-up'],
  );
});

const member = (name: string, datacenter: string, changes: Partial<Member> = {}): Member => ({
  name,
  host: '127.0.0.1',
  port: 5432,
  apiUrl: '',
  state: 'running',
  role: name === 'a' ? 'primary' : 'replica',
  datacenter,
  timeline: 1,
  lsn: 0,
  replayLsn: 0,
  replicationState: name === 'a' ? undefined : 'streaming',
  hasCheckpointed: true,
  isClosed: false,
  isPaused: false,
  needsRestart: false,
  scheduledRestart: undefined,
  tags: { datacenter },
  ...changes,
});

const shares = (world: ClusterWorld, count: number) => {
  const seen: Record<string, number> = {};
  for (let n = 0; n < count; n += 1) {
    const name = world.reader(new Set()) ?? 'none';
    seen[name] = (seen[name] ?? 0) + 1;
  }
  return seen;
};

const view = (changes: Partial<ClusterView> = {}): ClusterView => ({
  ...emptyView,
  revision: 1,
  leader: 'a',
  leaderCreateRevision: 5,
  newestTimeline: 1,
  members: new Map(
    [member('a', 'dc1'), member('b', 'dc2'), member('c', 'dc3')].map((one) => [one.name, one]),
  ),
  ...changes,
});

const aWorld = (): ClusterWorld => {
  const policy = { localDatacenter: 'dc2', weights: { local: 10, remote: 1 }, addresses: {} };
  const world = new ClusterWorld({ policy, ttlMs: 5000 });
  world.setView(view());
  world.setContact(0);
  return world;
};

/** The leader was restarted, and lets no clients in yet. */
const closedA = (): ClusterView => {
  const all = [member('a', 'dc1', { isClosed: true }), member('b', 'dc2'), member('c', 'dc3')];
  return view({ members: new Map(all.map((one) => [one.name, one])) });
};

describe('the world', () => {
  test('spreads reads 10 to 1 to 1 exactly', () => {
    assert.deepEqual(shares(aWorld(), 120), { b: 100, a: 10, c: 10 });
  });

  test('gives the share of an unreachable node to the others', () => {
    const world = aWorld();
    world.setReachable('b', false);
    assert.deepEqual(shares(world, 120), { a: 60, c: 60 });
    world.setReachable('b', true);
    assert.deepEqual(shares(world, 120), { b: 100, a: 10, c: 10 });
  });

  test('has a primary only as long as etcd has proved the view within the life of a lease', () => {
    const world = aWorld();
    const [fresh, stale] = [world.primary(5000), world.primary(5001)];
    assert.equal(fresh.kind, 'primary');
    assert.deepEqual(stale, { kind: 'none', because: 'dcs-contact-stale' });
  });

  test('sends nobody to a primary that is closed to clients', () => {
    const world = aWorld();
    world.setView(closedA());
    assert.deepEqual(world.primary(0), { kind: 'none', because: 'leader-closed-to-clients' });
    assert.deepEqual(shares(world, 11), { b: 10, c: 1 });
    assert.deepEqual(
      membersToAsk(world).map(({ name }) => name),
      ['b', 'c'],
    );
  });

  test('takes a refusal by pg_hba.conf for a server that is not there yet, until the store proves that it is open', () => {
    const world = aWorld();
    const fields = { severity: 'FATAL', code: '28000', message: 'pg_hba.conf rejects connection' };
    const refused = { kind: 'refused', fields } as const;
    const isPassing = (name: string, now: number): boolean =>
      world.refused(name, refused, now).kind === 'unreachable';
    world.setContact(1000);
    assert.equal(isPassing('a', 1100), true, 'it may have been closed since');
    world.setContact(1050);
    assert.equal(isPassing('a', 1300), true, 'the view is older than the refusal');
    world.setContact(1200);
    assert.equal(isPassing('a', 1400), false, 'the view is newer, and says nothing of it');
    assert.equal(isPassing('a', 20_000), true, 'long after, it is another refusal');
    world.setView(closedA());
    world.setContact(30_000);
    assert.equal(isPassing('a', 20_001), true, 'it says so');
    const other = { kind: 'refused', fields: { ...fields, code: '28P01' } } as const;
    assert.equal(world.refused('a', other, 20_002), other, 'a wrong password is one');
  });

  test('with failsafe_mode has the primary that it knew for as long as etcd is silent', () => {
    const world = aWorld();
    world.setView(view({ config: { value: { failsafe_mode: true }, modRevision: 1 } }));
    assert.equal(world.primary(60_000).kind, 'primary');
    world.setView(view({ revision: 2, config: { value: { failsafe_mode: false }, modRevision: 2 } }));
    assert.equal(world.primary(60_000).kind, 'none');
  });

  test('begins a new term with each new holder and each new timeline, and only then', () => {
    const world = aWorld();
    const term = () => {
      const primary = world.primary(0);
      return primary.kind === 'primary' ? primary.term : undefined;
    };
    const first = term();
    world.setView(view({ revision: 2 }));
    assert.equal(term(), first);
    world.setView(view({ revision: 3, leaderCreateRevision: 9 }));
    const second = term();
    assert.notEqual(second, first);
    world.setView(view({ revision: 4, leaderCreateRevision: 9, newestTimeline: 1 }));
    assert.equal(term(), second);
  });
});

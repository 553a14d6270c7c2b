/** Where a session reads, by what it has seen: which servers are passed over, waited for, and taken at last. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { NodePosition } from '../../../src/routing/index.ts';
import type { Classifier } from '../../../src/sql/index.ts';
import { Query } from '../../../src/wire/index.ts';
import { aClassifier, SessionStage } from '../../support/router-session.ts';

/** What happened to one statement, without the bytes. */
const take = (stage: SessionStage) => stage.take().filter((line) => /^(await|read|counted|hold)/.test(line));

const told = (stage: SessionStage, member: string, over: Partial<NodePosition> = {}) => {
  stage.now += 1;
  stage.book.told(member, {
    askedAt: stage.now,
    connectedAt: 0,
    isPrimary: member === 'n1',
    timeline: 1,
    lsn: 100,
    boundLsn: over.lsn ?? 100,
    // For a standby a transaction has not ended yet, so that only the WAL tells what it has.
    xmin: member === 'n1' ? 10 : 9,
    xmax: 10,
    ...over,
  });
  stage.session.at(stage.now);
  stage.session.placeAgain();
  stage.settle();
};
const run = (stage: SessionStage, text: string) => {
  stage.now += 1;
  stage.send(Query(text));
  return take(stage);
};
const WRITE = 'INSERT INTO t VALUES (1)';

describe('a session that reads what it has written', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });

  /** n1 leads; reads go to n2, if it is fit. */
  const begun = (options: ConstructorParameters<typeof SessionStage>[1] = {}) => {
    const stage = new SessionStage(classifier, { consistency: 'session', ...options }).started();
    stage.book.viewChanged('n1', () => true);
    return stage;
  };
  test('waits for the standby of its choice, which had all before, to be asked', () => {
    const stage = begun();
    told(stage, 'n1');
    told(stage, 'n2');
    assert.deepEqual(run(stage, 'SELECT 1'), ['counted read at n2']);
    run(stage, WRITE);
    assert.deepEqual(run(stage, 'SELECT 1'), ['await n2 n1']);
    told(stage, 'n1', { lsn: 200 });
    assert.deepEqual(take(stage), ['await n2 n1']);
    told(stage, 'n2', { lsn: 200 });
    assert.deepEqual(take(stage), ['counted read at n2', 'read waited']);
    assert.deepEqual(run(stage, 'SELECT 1'), ['counted read at n2']);
  });

  test('goes elsewhere at once where that is far behind', () => {
    const stage = begun();
    told(stage, 'n1', { lsn: 200 });
    stage.now += 1000;
    told(stage, 'n2', { lsn: 100 });
    run(stage, WRITE);
    assert.deepEqual(run(stage, 'SELECT 1'), ['counted read at n1', 'read elsewhere']);
    told(stage, 'n1', { lsn: 300 });
    told(stage, 'n3', { lsn: 300 });
    run(stage, '/* matriarch: node=n3, consistency=eventual */ SELECT 1');
    told(stage, 'n3', { lsn: 300 });
    assert.deepEqual(run(stage, '/* matriarch: node=n3 */ SELECT 1'), ['counted read at n3']);
  });

  test('goes to the primary when the wait is over', () => {
    const stage = begun();
    told(stage, 'n1');
    told(stage, 'n2');
    run(stage, 'SELECT 1');
    told(stage, 'n2', { xmax: 11 });
    stage.world.readers = ['n1'];
    stage.world.members = ['n1'];
    assert.deepEqual(run(stage, 'SELECT 1'), ['await n1 n2']);
    stage.now += 200;
    stage.session.at(stage.now);
    stage.session.placeAgain();
    stage.settle();
    assert.deepEqual(take(stage), ['counted read at n1', 'read not-proven']);
    assert.deepEqual(run(stage, 'SELECT 1'), ['counted read at n1']);
  });

  /** It has seen at n2 what n1 still waits with. */
  const begunAhead = () => {
    const stage = begun();
    told(stage, 'n1');
    told(stage, 'n2');
    run(stage, 'SELECT 1');
    told(stage, 'n2', { xmax: 11 });
    take(stage);
    return stage;
  };

  for (const hint of ['primary', 'consistency=strong'])
    test(`waits for the primary to show what a standby has shown: ${hint}`, () => {
      const stage = begunAhead();
      const strict = `/* matriarch: ${hint} */ SELECT 1`;
      assert.deepEqual(run(stage, strict), ['await n1 n2']);
      told(stage, 'n1', { xmin: 11, xmax: 11 });
      assert.deepEqual(take(stage), ['counted write at n1', 'read waited']);
      assert.deepEqual(run(stage, strict), ['counted write at n1']);
      assert.deepEqual(run(stage, WRITE), ['counted write at n1']);
    });

  test('does not keep a transaction waiting that may write', () => {
    const stage = begunAhead();
    run(stage, 'BEGIN');
    assert.deepEqual(run(stage, 'SELECT 1'), ['counted write at n1']);
  });

  test('does not wait for a primary that nobody can ask', () => {
    const stage = begun();
    run(stage, 'SELECT 1');
    assert.deepEqual(run(stage, '/* matriarch: primary */ SELECT 1'), ['counted write at n1']);
  });

  test('goes on at a standby that has received far more than it shows, and elsewhere for nothing', () => {
    const stage = begun();
    told(stage, 'n1');
    told(stage, 'n2');
    run(stage, 'SELECT 1');
    told(stage, 'n2', { lsn: 100, boundLsn: 900 });
    assert.deepEqual(run(stage, 'SELECT 1'), ['counted read at n2']);
    told(stage, 'n2', { lsn: 100, boundLsn: 900 });
    told(stage, 'n3', { lsn: 100, boundLsn: 900 });
    const elsewhere = run(stage, '/* matriarch: node=n3 */ SELECT 1');
    assert.notDeepEqual(elsewhere, ['counted read at n3']);
    told(stage, 'n3', { lsn: 900, boundLsn: 900 });
    assert.deepEqual(take(stage), ['counted read at n3', 'read waited']);
  });

  test('is held where nobody is fit and there is no primary', () => {
    const stage = begun();
    told(stage, 'n1');
    run(stage, WRITE);
    stage.world.none = 'no-leader';
    stage.world.members = ['n2', 'n3'];
    stage.book.viewChanged(undefined, () => true);
    told(stage, 'n2');
    run(stage, 'SELECT 1');
    stage.now += 200;
    stage.session.at(stage.now);
    stage.session.placeAgain();
    assert.deepEqual(take(stage).slice(-1), ['hold no-server-in-step']);
    stage.world.none = undefined;
    stage.world.term = { member: 'n3', newestTimeline: 2 };
    stage.timelines = { n3: 2 };
    stage.book.viewChanged('n3', () => true);
    told(stage, 'n3', { isPrimary: true, timeline: 2 });
    assert.deepEqual(take(stage).slice(-2), ['counted read at n3', 'read elsewhere']);
  });

  test('does not take what is known of a standby for a connection that is newer', () => {
    const stage = begun();
    told(stage, 'n1');
    told(stage, 'n2');
    run(stage, 'SELECT 1');
    stage.free.length = 0;
    stage.now += 5;
    assert.deepEqual(run(stage, 'SELECT 1'), ['await n2 n1']);
    told(stage, 'n2');
    assert.deepEqual(take(stage), ['counted read at n2', 'read waited']);
  });

  test('reads anywhere where that is wished, and that counts for nothing', () => {
    const stage = begun();
    run(stage, WRITE);
    assert.deepEqual(run(stage, '/* matriarch: consistency=eventual */ SELECT 1'), ['counted read at n2']);
    assert.deepEqual(run(stage, 'SELECT 1'), ['counted read at n1', 'read elsewhere']);
  });

  test('of a READ ONLY transaction, by its BEGIN', () => {
    const stage = begun();
    run(stage, WRITE);
    run(stage, '/* matriarch: consistency=eventual */ BEGIN READ ONLY');
    assert.deepEqual(run(stage, 'SELECT 1'), ['counted read at n2']);
    run(stage, 'COMMIT');
    run(stage, '/* matriarch: consistency=strong */ BEGIN READ ONLY');
    assert.deepEqual(run(stage, 'SELECT 1'), ['counted write at n1']);
  });

  test('by a setting, for all that follows; strong is the primary', () => {
    const stage = begun({ consistency: 'eventual' });
    run(stage, "SET matriarch.consistency = 'strong'");
    assert.deepEqual(run(stage, 'SELECT 1'), ['counted write at n1']);
    assert.deepEqual(run(stage, '/* matriarch: consistency=session */ SELECT 1'), [
      'counted read at n1',
      'read elsewhere',
    ]);
  });

  test('sees what others have written where that is shared', () => {
    const stage = begun({ consistency: 'shared' });
    run(stage, 'SELECT 1');
    told(stage, 'n1');
    told(stage, 'n2');
    stage.book.noteWrite(stage.written, 'n1', stage.now);
    assert.deepEqual(run(stage, 'SELECT 1'), ['await n2 n1']);
    // What is written later is for later reads.
    stage.now += 1;
    stage.book.noteWrite(stage.written, 'n1', stage.now + 10);
    told(stage, 'n1', { lsn: 100 });
    assert.deepEqual(take(stage), ['counted read at n2', 'read waited']);
  });

  test('must not be further behind than its bound, and without a primary waits', () => {
    const stage = begun({ consistency: 'eventual' });
    run(stage, 'SELECT 1');
    stage.now = 10_000;
    told(stage, 'n1', { lsn: 100 });
    told(stage, 'n2', { lsn: 100 });
    stage.now += 800;
    const bounded = '/* matriarch: max_staleness=1s */ SELECT 1';
    assert.deepEqual(run(stage, bounded), ['counted read at n2']);
    stage.now += 800;
    assert.deepEqual(run(stage, bounded).slice(-1), ['await n2 n1']);
    told(stage, 'n2', { lsn: 100 });
    stage.now += 200;
    stage.session.at(stage.now);
    stage.session.placeAgain();
    stage.settle();
    assert.deepEqual(take(stage).slice(-2), ['counted read at n1', 'read elsewhere']);
  });
});

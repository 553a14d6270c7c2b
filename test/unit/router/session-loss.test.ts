/** What a client hears when a server is lost under it, or when the router fails its statement. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Classifier } from '../../../src/sql/index.ts';
import { CopyFail, Flush, Query, Sync } from '../../../src/wire/index.ts';
import { aClassifier, again, extended, SessionStage } from '../../support/router-session.ts';

/** Into a transaction with a row in it; then the cluster loses its leader. */
function inTransaction(stage: SessionStage): SessionStage {
  stage.send(Query('BEGIN'), Query('INSERT INTO t VALUES (1)'));
  stage.changeWorld((world) => {
    world.none = 'no-leader';
  });
  stage.take();
  return stage;
}

function isRolledBack(stage: SessionStage): void {
  assert.deepEqual(stage.send(Query('COMMIT')).take(), ['client > ROLLBACK', 'client > Ready I']);
  assert.throws(() => stage.server('n1'), /no connection/);
}

describe('when a server is lost', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });
  const begun = () => new SessionStage(classifier).started();

  test('a batch that is open for writing ends when the router does not know the primary any more', () => {
    const stage = begun();
    stage.send(...extended('INSERT INTO t VALUES (1)').slice(0, -1), Flush()).take();
    stage.world.none = 'dcs-contact-stale';
    const heard = stage.send(...extended('INSERT INTO t VALUES (2)')).take();
    assert.deepEqual(heard, ['client > ERROR 08007', 'client > Ready I']);
  });

  /** After `earlier`, the server `name` answers no more. */
  const silent = (name: string, ...earlier: Buffer[]) => {
    const stage = begun();
    for (const message of earlier) stage.send(message);
    stage.server(name).isSilent = true;
    return stage;
  };

  test('idle, it forgets it', () => {
    const stage = begun().send(Query('SELECT 1'));
    stage.take();
    assert.deepEqual(stage.lose('n2').take(), []);
    assert.equal(stage.send(Query('SELECT 1')).take().at(-1), 'client > Ready I');
  });

  test('in a read, it reads elsewhere', () => {
    const stage = silent('n2', Query('SELECT 1'));
    stage.send(Query('SELECT 2')).take();
    assert.deepEqual(stage.lose('n2').take(), [
      'counted read at n1',
      'n1 < SELECT 2',
      'client > row 2',
      'client > SELECT 1',
      'client > Ready I',
    ]);
  });

  test('in a write, it is in doubt, once', () => {
    const stage = silent('n1', Query('INSERT INTO t VALUES (1)'));
    stage.send(Query('INSERT INTO t VALUES (2)')).take();
    assert.deepEqual(stage.lose('n1').take(), ['client > ERROR 08007', 'client > Ready I']);
    assert.equal(stage.send(Query('INSERT INTO t VALUES (3)')).take().at(-2), 'client > INSERT 0 3');
  });

  test('in a write that was prepared in SQL, it is in doubt too', () => {
    const stage = silent('n1', Query('PREPARE p AS INSERT INTO t VALUES (1)'));
    stage.send(...again('p')).take();
    assert.deepEqual(stage.lose('n1').take(), ['client > ERROR 08007', 'client > Ready I']);
  });

  test('in a read that its BEGIN went with, both are said elsewhere', () => {
    const stage = silent('n1', Query('INSERT INTO t VALUES (1)'));
    stage.send(Query('BEGIN'), Query('SELECT 2')).take();
    const lines = ['n1 < BEGIN', 'n1 < SELECT 2', 'client > row 2', 'client > SELECT 1', 'client > Ready T'];
    assert.deepEqual(stage.lose('n1').take().slice(-5), lines);
  });

  test('in a write that its BEGIN went with, the transaction is lost, not in doubt', () => {
    const stage = silent('n1', Query('INSERT INTO t VALUES (1)'));
    stage.send(Query('BEGIN'), Query('INSERT INTO t VALUES (2)')).take();
    assert.deepEqual(stage.lose('n1').take(), ['client > ERROR 57P01', 'client > Ready E']);
    assert.deepEqual(stage.send(Query('ROLLBACK')).take(), ['client > ROLLBACK', 'client > Ready I']);
  });

  test('at COMMIT, it is in doubt; at ROLLBACK, it is rolled back', () => {
    for (const [end, heard] of [
      ['COMMIT', ['client > ERROR 08007', 'client > Ready I']],
      ['ROLLBACK', ['client > ROLLBACK', 'client > Ready I']],
    ] as const) {
      const stage = silent('n1', Query('BEGIN'), Query('SELECT 0'));
      stage.send(Query(end)).take();
      assert.deepEqual(stage.lose('n1').take(), heard);
    }
  });

  test('in a transaction, between two parts of a batch, it is told with the next message and not before', () => {
    const stage = begun().send(Query('BEGIN'), Query('INSERT INTO t VALUES (1)'));
    stage.send(...extended('INSERT INTO t VALUES (2)').slice(0, -1), Flush()).take();
    assert.deepEqual(stage.lose('n1').take(), []);
    const [, bind, execute] = extended('INSERT INTO t VALUES (2)');
    assert.deepEqual(stage.send(bind ?? assert.fail(), execute ?? assert.fail()).take(), [
      'client > ERROR 57P01',
    ]);
    assert.deepEqual(stage.send(Sync()).take(), ['client > Ready E']);
    isRolledBack(stage);
  });

  test('between two parts of a batch outside of a transaction, or the first behind its BEGIN, likewise', () => {
    for (const [first, code, status] of [
      ['INSERT INTO t VALUES (2)', '08007', 'I'],
      ['SELECT 2', '08006', 'I'],
      ['BEGIN', '57P01', 'E'],
    ] as const) {
      const stage = begun();
      if (first === 'BEGIN') stage.send(Query('BEGIN'));
      stage
        .send(...extended(first === 'BEGIN' ? 'INSERT INTO t VALUES (2)' : first).slice(0, -1), Flush())
        .take();
      assert.deepEqual(stage.lose('n1').take(), [], first);
      const [, bind] = extended('SELECT 3');
      const heard = stage.send(bind ?? assert.fail()).take();
      assert.deepEqual(heard, [`client > ERROR ${code}`], first);
      assert.deepEqual(stage.send(Sync()).take(), [`client > Ready ${status}`], first);
    }
  });

  test('at COMMIT of what was begun READ ONLY, it fails at a standby, and is in doubt at a primary, whoever leads by then', () => {
    for (const [member, heard] of [
      ['n2', ['client > ERROR 08006', 'client > Ready I']],
      ['n1', ['client > ERROR 08007', 'client > Ready I']],
    ] as const) {
      const stage = new SessionStage(classifier).started();
      stage.world.readers = [member];
      stage.send(Query('BEGIN READ ONLY'), Query('SELECT 0')).take();
      stage.server(member).isSilent = true;
      stage.send(Query('COMMIT')).take();
      stage.world.none = 'no-leader';
      assert.deepEqual(stage.lose(member).take(), heard);
    }
  });

  test('in a transaction, the client is in a failed one until it ends it, in either protocol', () => {
    const stage = silent('n1', Query('BEGIN'), Query('SELECT 0'));
    stage.send(Query('INSERT INTO t VALUES (1)')).take();
    assert.deepEqual(stage.lose('n1').take(), ['client > ERROR 57P01', 'client > Ready E']);
    assert.deepEqual(stage.send(Query('SELECT 1')).take(), ['client > ERROR 25P02', 'client > Ready E']);
    assert.deepEqual(stage.send(...extended('SELECT 1')).take(), [
      'client > ERROR 25P02',
      'client > Ready E',
    ]);
    assert.deepEqual(stage.send(...extended('ROLLBACK')).take(), [
      'client > 1',
      'client > 2',
      'client > n',
      'client > ROLLBACK',
      'client > Ready I',
    ]);
    assert.equal(stage.send(Query('INSERT INTO t VALUES (2)')).take().at(-2), 'client > INSERT 0 2');
  });

  test('in a transaction of which a batch is being gathered, nothing of the batch is run', () => {
    const batch = extended('INSERT INTO t VALUES (2)');
    for (let heard = 1; heard < batch.length; heard += 1) {
      const stage = begun().send(Query('BEGIN'), Query('INSERT INTO t VALUES (1)'));
      stage.send(...batch.slice(0, heard)).take();
      assert.deepEqual(stage.lose('n1').take(), ['client > ERROR 57P01'], `after ${heard} messages`);
      assert.deepEqual(stage.send(...batch.slice(heard)).take(), ['client > Ready E']);
      isRolledBack(stage);
    }
  });

  test('by a change of leader, in a transaction of which a batch is being gathered, nothing of the batch is run', () => {
    const stage = begun().send(Query('BEGIN'), Query('INSERT INTO t VALUES (1)'));
    const batch = extended('INSERT INTO t VALUES (2)');
    stage.send(...batch.slice(0, -1)).take();
    stage.changeWorld((world) => {
      world.term = { member: 'n2', newestTimeline: 2 };
    });
    assert.deepEqual(stage.take(), ['client > ERROR 57P01']);
    assert.deepEqual(stage.send(...batch.slice(-1)).take(), ['client > Ready E']);
  });

  test('with the state of a session, a COPY whose data comes with it is refused as a whole', () => {
    const [data, done] = [Buffer.from('d\0\0\0\x061\n', 'latin1'), Buffer.from('c\0\0\0\x04', 'latin1')];
    for (const end of [done, CopyFail('no')]) {
      const stage = begun().send(Query('CREATE TEMP TABLE tt (a int)'));
      stage.take();
      stage.lose('n1').take();
      stage.send(...extended('COPY t FROM STDIN').slice(0, -1), data, end, Sync());
      assert.deepEqual(stage.take(), ['client > ERROR 08006', 'client > Ready I']);
      assert.equal(stage.send(Query('INSERT INTO t VALUES (2)')).take().at(-1), 'client > Ready I');
    }
  });

  test('at ROLLBACK AND CHAIN, it is told that there is no new transaction', () => {
    const sent = silent('n1', Query('BEGIN'), Query('SELECT 0'));
    sent.send(Query('ROLLBACK AND CHAIN')).take();
    assert.deepEqual(sent.lose('n1').take(), ['client > ERROR 08006', 'client > Ready I']);
    const idle = begun().send(Query('BEGIN'), Query('SELECT 0')).lose('n1');
    idle.take();
    assert.deepEqual(idle.send(Query('ROLLBACK AND CHAIN')).take(), [
      'client > ERROR 57P01',
      'client > Ready I',
    ]);
  });

  test('idle in a transaction, a COMMIT is told that it is lost', () => {
    const stage = begun().send(Query('BEGIN'), Query('SELECT 0')).lose('n1');
    stage.take();
    assert.deepEqual(stage.send(Query('COMMIT')).take(), ['client > ERROR 57P01', 'client > Ready I']);
  });

  test('by a change of leader, its write is cut and in doubt, and the next goes to the new leader', () => {
    const stage = silent('n1', Query('INSERT INTO t VALUES (1)'));
    stage.timelines = { n2: 2 };
    stage.send(Query('INSERT INTO t VALUES (2)')).take();
    stage.changeWorld((world) => {
      world.term = { member: 'n2', newestTimeline: 2 };
    });
    assert.deepEqual(stage.take(), ['client > ERROR 08007', 'client > Ready I']);
    assert.deepEqual(stage.send(Query('INSERT INTO t VALUES (3)')).take().slice(0, 2), [
      'n2 < (probe)',
      'counted write at n2',
    ]);
  });

  for (const [what, earlier, texts] of [
    ['a ROLLBACK, in a batch', ['BEGIN', 'SELECT 0'], ['ROLLBACK', 'INSERT INTO t VALUES (1)']],
    [
      'the end of a failed transaction, in a batch',
      ['BEGIN', 'SELECT fail'],
      ['ROLLBACK', 'INSERT INTO t VALUES (1)'],
    ],
    ['a COMMIT that another transaction follows', ['BEGIN', 'SELECT 0'], ['COMMIT', 'BEGIN', 'ROLLBACK']],
  ] as const) {
    test(`what was written behind ${what}, is in doubt`, () => {
      const stage = silent('n1', ...['INSERT INTO t VALUES (0)', ...earlier].map((text) => Query(text)));
      stage.send(...texts.flatMap((text) => extended(text).slice(0, -1)), Sync()).take();
      assert.deepEqual(stage.lose('n1').take(), ['client > ERROR 08007', 'client > Ready I']);
    });
  }

  test('what one text writes behind the end of a failed transaction is in doubt', () => {
    const stage = silent('n1', Query('INSERT INTO t VALUES (0)'), Query('BEGIN'), Query('SELECT fail'));
    stage.send(Query('ROLLBACK; INSERT INTO t VALUES (1)')).take();
    assert.deepEqual(stage.lose('n1').take(), ['client > ERROR 08007', 'client > Ready I']);
  });

  test('a client that waits for notifications hears at once that none will come, by the end of its connection', () => {
    const stage = begun().send(Query('LISTEN news'));
    stage.take();
    assert.deepEqual(stage.lose('n1').take(), ['client > FATAL 08006', 'client ended']);
    const interrupted = begun().send(Query('LISTEN news'), Query('BEGIN'), Query('SELECT 0'));
    interrupted.take();
    assert.deepEqual(interrupted.lose('n1').take(), []);
  });

  test('a malformed message that had to wait ends the client, not the server connection', () => {
    const stage = begun().send(Query('SELECT 1'));
    stage.server('n2').isSilent = true;
    stage.send(Query('SELECT 2'), Buffer.from([0x42, 0, 0, 0, 5, 0])).take();
    stage.lose('n2');
    assert.deepEqual(stage.take().slice(-3), ['client > Ready I', 'client > FATAL 08P01', 'client ended']);
  });
});

describe('when the router refuses a statement of an open transaction, the client cannot commit the rest:', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });
  const begun = () => new SessionStage(classifier).started();

  test('canceled while it waits', () => {
    const stage = inTransaction(begun()).send(Query('INSERT INTO t VALUES (2)'));
    stage.session.cancel(1, () => undefined);
    assert.deepEqual(stage.take(), [
      'hold no-leader',
      'client > ERROR 57014',
      'unhold gave-up',
      'client > Ready E',
    ]);
    isRolledBack(stage);
  });

  test('no room to wait', () => {
    const stage = inTransaction(begun());
    stage.hasRoomToHold = false;
    assert.deepEqual(stage.send(...extended('INSERT INTO t VALUES (2)')).take(), [
      'hold no-leader',
      'client > ERROR 57P03',
      'client > Ready E',
    ]);
    isRolledBack(stage);
  });
});

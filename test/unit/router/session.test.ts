/** A session's conversations, whole: what goes to which server, and what the client hears. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Classifier } from '../../../src/sql/index.ts';
import { Bind, Close, Describe, Execute, Parse, Query, Sync } from '../../../src/wire/index.ts';
import { aClassifier, SessionStage } from '../../support/router-session.ts';

const named = (name: string, sql: string) => Parse({ name, sql, parameterTypes: [] });
const bind = (statement: string) => Bind({ portal: '', statement });
/** A statement of the extended protocol, as a driver sends it. */
const extended = (sql: string, name = '') => [
  named(name, sql),
  bind(name),
  Describe('portal', ''),
  Execute('', 0),
  Sync(),
];
const again = (name: string) => [bind(name), Execute('', 0), Sync()];

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

describe('a session', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });
  const begun = () => new SessionStage(classifier).started();
  /** After `earlier`, the server `name` answers no more. */
  const silent = (name: string, ...earlier: Buffer[]) => {
    const stage = begun();
    for (const message of earlier) stage.send(message);
    stage.server(name).isSilent = true;
    return stage;
  };

  test('begins with the parameters of its first server, as one that can write', () => {
    const stage = new SessionStage(classifier);
    stage.session.start(0);
    stage.settle();
    assert.deepEqual(stage.take(), [
      'client > server_version=15.0',
      'client > in_hot_standby=off',
      'client > K',
      'client > Ready I',
    ]);
  });

  test('sends a read to the chosen node and a write to the primary, which proves itself first, once', () => {
    const stage = begun();
    assert.deepEqual(stage.send(Query('SELECT 1')).take(), [
      'counted read at n2',
      'n2 < SELECT 1',
      'client > row 1',
      'client > SELECT 1',
      'client > Ready I',
    ]);
    assert.deepEqual(stage.send(Query('INSERT INTO t VALUES (2)')).take(), [
      'n1 < (probe)',
      'counted write at n1',
      'n1 < INSERT INTO t VALUES (2)',
      'client > INSERT 0 2',
      'client > Ready I',
    ]);
    assert.deepEqual(stage.send(Query('INSERT INTO t VALUES (3)')).take().slice(0, 2), [
      'counted write at n1',
      'n1 < INSERT INTO t VALUES (3)',
    ]);
  });

  test('tells of each statement what it is taken for, and why', () => {
    const stage = begun().send(Query('SELECT 1'), ...extended('INSERT INTO t VALUES (1)'), ...again('other'));
    assert.deepEqual(stage.routed, ['read only-reads', 'write changes-data', 'write statement-unknown']);
  });

  test('asks for a new proof in a new term, also of the same server', () => {
    const stage = begun();
    stage.send(Query('INSERT INTO t VALUES (1)')).take();
    stage.changeWorld((world) => {
      world.term = { member: 'n1', newestTimeline: 1 };
    });
    assert.equal(stage.send(Query('INSERT INTO t VALUES (2)')).take()[0], 'n1 < (probe)');
  });

  for (const [what, timeline, newest, because] of [
    ['is still a standby', undefined, 1, 'primary-in-recovery'],
    ['is on an older timeline', 1, 2, 'primary-on-old-timeline'],
  ] as const) {
    test(`never writes to a leader that ${what}`, () => {
      const stage = new SessionStage(classifier);
      stage.timelines = timeline === undefined ? {} : { n1: timeline };
      stage.world.term = { member: 'n1', newestTimeline: newest };
      stage.started();
      assert.deepEqual(stage.send(Query('INSERT INTO t VALUES (1)')).take(), [
        'n1 < (probe)',
        `hold ${because}`,
      ]);
      assert.deepEqual(stage.after(60).take(), ['n1 < (probe)']);
      stage.server('n1').timeline = 2;
      assert.deepEqual(stage.after(200).take(), [
        'n1 < (probe)',
        'unhold went-on',
        'counted write at n1',
        'n1 < INSERT INTO t VALUES (1)',
        'client > INSERT 0 1',
        'client > Ready I',
      ]);
    });
  }

  test('holds a write while there is no leader, tells it after 5 s, gives up after 30 s, and stays', () => {
    const stage = begun().changeWorld((world) => {
      world.none = 'no-leader';
    });
    assert.deepEqual(stage.send(Query('INSERT INTO t VALUES (1)')).take(), ['hold no-leader']);
    assert.deepEqual(stage.after(5000).take(), ['client > N']);
    assert.deepEqual(stage.after(25_000).take(), [
      'client > ERROR 57P03',
      'unhold gave-up',
      'client > Ready I',
    ]);
    assert.equal(stage.send(Query('SELECT 1')).take().at(-1), 'client > Ready I');
  });

  test('refuses at once when too many are held', () => {
    const stage = begun().changeWorld((world) => {
      world.none = 'no-leader';
    });
    stage.hasRoomToHold = false;
    assert.deepEqual(stage.send(Query('INSERT INTO t VALUES (1)')).take(), [
      'hold no-leader',
      'client > ERROR 57P03',
      'client > Ready I',
    ]);
  });

  test('brings a prepared statement to each node that lacks it, and the client does not notice', () => {
    const stage = begun();
    stage.world.readers = ['n1', 'n2'];
    stage.send(...extended('SELECT 5', 's'));
    stage.take();
    assert.deepEqual(stage.send(...again('s')).take(), [
      'counted read at n1',
      'n1 < Parse s: SELECT 5',
      'n1 < Execute SELECT 5',
      'client > 2',
      'client > row 5',
      'client > SELECT 1',
      'client > Ready I',
    ]);
    assert.deepEqual(
      stage
        .send(...again('s'))
        .take()
        .slice(0, 2),
      ['counted read at n2', 'n2 < Execute SELECT 5'],
    );
  });

  test('a client may prepare more statements than are kept: it stays with the server that has them', () => {
    const stage = new SessionStage(classifier, { statementsMax: 1, bytesMax: 1000 }).started();
    stage.world.readers = ['n2', 'n3'];
    for (const name of ['a', 'b', 'c']) stage.send(named(name, `SELECT ${name.charCodeAt(0)}`), Sync());
    stage.take();
    const heard = ['a', 'b', 'c', 'a'].flatMap((name) =>
      stage
        .send(...again(name))
        .take()
        .filter((line) => /row|ERROR|counted/.test(line)),
    );
    assert.deepEqual(heard, [
      'counted read at n1',
      'client > row 97',
      'counted write at n1',
      'client > row 98',
      'counted write at n1',
      'client > row 99',
      'counted read at n1',
      'client > row 97',
    ]);
    assert.equal(
      stage
        .lose('n1')
        .send(...again('b'))
        .take()[0],
      'client > ERROR 08006',
    );
  });

  test('a statement that was closed and parsed anew is the new one on every node', () => {
    const stage = begun();
    stage.world.readers = ['n1', 'n2'];
    stage.send(...extended('SELECT 5', 's')).send(...again('s'));
    stage
      .send(Close('statement', 's'), Sync())
      .send(...extended('SELECT 6', 's'))
      .send(...again('s'))
      .take();
    const rows = [0, 1, 2].flatMap(() =>
      stage
        .send(...again('s'))
        .take()
        .filter((line) => line.includes('row')),
    );
    assert.deepEqual(rows, ['client > row 6', 'client > row 6', 'client > row 6']);
  });

  test('a statement that did not parse is not known afterwards', () => {
    const stage = begun();
    stage.world.readers = ['n1', 'n2'];
    stage.send(named('s', 'SELECT unparsable'), Sync()).take();
    for (const _ of [1, 2]) {
      const heard = stage
        .send(...again('s'))
        .take()
        .filter((line) => line.startsWith('client'));
      assert.deepEqual(heard, ['client > ERROR 26000', 'client > Ready I']);
    }
  });

  test('a batch goes to one node: one write in it makes all of it a write', () => {
    const stage = begun();
    const batch = [...extended('SELECT 1').slice(0, 4), ...extended('INSERT INTO t VALUES (2)')];
    assert.deepEqual(
      stage
        .send(...batch)
        .take()
        .filter((line) => line.includes('<')),
      [
        'n1 < (probe)',
        'n1 < Parse : SELECT 1',
        'n1 < Execute SELECT 1',
        'n1 < Parse : INSERT INTO t VALUES (2)',
        'n1 < Execute INSERT INTO t VALUES (2)',
      ],
    );
  });

  test('a setting is replayed on another node before its next use, and awaited', () => {
    const stage = begun();
    stage.send(Query("SET search_path = 'a'")).take();
    assert.deepEqual(stage.send(Query('SELECT 1')).take(), [
      "n2 < SET search_path = 'a'",
      'counted read at n2',
      'n2 < SELECT 1',
      'client > row 1',
      'client > SELECT 1',
      'client > Ready I',
    ]);
  });

  test('what leaves state behind keeps the session at the primary', () => {
    const stage = begun();
    stage.send(Query('CREATE TEMP TABLE x (v int)')).take();
    assert.deepEqual(stage.send(Query('SELECT 1')).take().slice(0, 2), [
      'counted read at n1',
      'n1 < SELECT 1',
    ]);
    assert.deepEqual(stage.lose('n1').send(Query('SELECT 1')).take(), [
      'client > ERROR 08006',
      'client > Ready I',
    ]);
    assert.deepEqual(stage.send(Query('SELECT 1')).take()[0], 'counted read at n2');
  });

  describe('a setting that PostgreSQL took back is not made on another node:', () => {
    for (const [what, texts] of [
      ['COMMIT of a failed transaction', ['BEGIN', "SET search_path = 'a'", 'SELECT fail', 'COMMIT']],
      ['ROLLBACK', ['BEGIN', "SET search_path = 'a'", 'ROLLBACK']],
      ['one text that rolls back', ["BEGIN; SET search_path = 'a'; ROLLBACK"]],
    ] as const) {
      test(what, () => {
        const stage = begun();
        stage.world.readers = ['n2', 'n3'];
        for (const text of texts) stage.send(Query(text));
        stage.take();
        assert.doesNotMatch(stage.send(Query('SELECT 1'), Query('SELECT 2')).take().join(), /< SET/);
      });
    }
  });

  test('a setting that COMMIT AND CHAIN made lasting is made on other nodes, whatever follows', () => {
    const stage = begun();
    for (const text of ['BEGIN', "SET search_path = 'a'", 'COMMIT AND CHAIN', 'ROLLBACK'])
      stage.send(Query(text));
    stage.take();
    assert.equal(stage.send(Query('SELECT 1')).take()[0], "n2 < SET search_path = 'a'");
  });

  test('past the bound of what is replayed, a setting is made on the primary, and the session stays there', () => {
    const stage = begun();
    for (let index = 0; index < 64; index += 1) stage.send(Query(`SET my.setting_${index} = 1`));
    stage.take();
    const served = ['SET my.other = 1', 'SELECT 1', 'INSERT INTO t VALUES (1)']
      .flatMap((text) => stage.send(Query(text)).take())
      .filter((line) => /< (?!SET my.setting)/.test(line));
    assert.deepEqual(served, [
      'n1 < (probe)',
      'n1 < SET my.other = 1',
      'n1 < SELECT 1',
      'n1 < INSERT INTO t VALUES (1)',
    ]);
  });

  for (const [what, texts] of [
    ['a prepared statement', ['BEGIN READ ONLY', 'PREPARE p AS SELECT 1', 'COMMIT']],
    ['a setting that may not hold', ['BEGIN READ ONLY', 'SAVEPOINT s', 'SET my.x = 1', 'COMMIT']],
  ] as const) {
    test(`${what} made on a standby is never looked for elsewhere, nor written without`, () => {
      const stage = begun();
      stage.world.readers = ['n3', 'n2'];
      for (const text of texts) stage.send(Query(text));
      stage.take();
      const heard = ['SELECT 1', 'SELECT 2', 'INSERT INTO t VALUES (1)', 'DISCARD ALL'].flatMap((text) =>
        stage
          .send(Query(text))
          .take()
          .filter((line) => /<|ERROR/.test(line)),
      );
      assert.deepEqual(heard, ['n2 < SELECT 1', 'n2 < SELECT 2', 'client > ERROR 25006', 'n2 < DISCARD ALL']);
      assert.equal(stage.send(Query('INSERT INTO t VALUES (1)')).take().at(-2), 'client > INSERT 0 1');
      stage.send(Query('BEGIN READ ONLY'), Query('PREPARE p AS SELECT 1'), Query('COMMIT')).take();
      stage.lose('n2').lose('n3');
      assert.equal(stage.send(Query('SELECT 1')).take()[0], 'client > ERROR 08006');
    });
  }

  test('the loss of an old primary does not cost the state that is on the new one', () => {
    const stage = begun().send(Query('INSERT INTO t VALUES (1)'));
    stage.timelines = { n2: 2 };
    stage.changeWorld((world) => {
      world.term = { member: 'n2', newestTimeline: 2 };
    });
    stage.send(Query('CREATE TEMP TABLE x (v int)')).take();
    assert.deepEqual(stage.lose('n1').send(Query('SELECT 1')).take().slice(0, 2), [
      'counted read at n2',
      'n2 < SELECT 1',
    ]);
  });

  test('a READ ONLY transaction stays on the node where it began', () => {
    const stage = begun();
    stage.world.readers = ['n2', 'n3'];
    stage.send(Query('BEGIN READ ONLY')).take();
    const served = ['SELECT 1', 'SELECT 2', 'COMMIT'].map((text) => stage.send(Query(text)).take()[1]);
    assert.deepEqual(served, ['n3 < SELECT 1', 'n3 < SELECT 2', 'n3 < COMMIT']);
  });

  test('a read that a standby refuses as a write is run on the primary', () => {
    const stage = begun();
    assert.deepEqual(stage.send(...extended('SELECT refused_by_standby, 1')).take(), [
      'counted read at n2',
      'n2 < Parse : SELECT refused_by_standby, 1',
      'n2 < Execute SELECT refused_by_standby, 1',
      'n1 < (probe)',
      'counted write at n1',
      'n1 < Parse : SELECT refused_by_standby, 1',
      'n1 < Execute SELECT refused_by_standby, 1',
      'client > 1',
      'client > 2',
      'client > n',
      'client > row 1',
      'client > SELECT 1',
      'client > Ready I',
    ]);
  });

  describe('when a server is lost', () => {
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

    test('at BEGIN, which changed nothing, it begins elsewhere', () => {
      const stage = silent('n1', Query('INSERT INTO t VALUES (1)'));
      stage.send(Query('BEGIN')).take();
      assert.deepEqual(stage.lose('n1').take().slice(-2), ['client > BEGIN', 'client > Ready T']);
    });

    test('at COMMIT, it is in doubt; at ROLLBACK, it is rolled back', () => {
      for (const [end, heard] of [
        ['COMMIT', ['client > ERROR 08007', 'client > Ready I']],
        ['ROLLBACK', ['client > ROLLBACK', 'client > Ready I']],
      ] as const) {
        const stage = silent('n1', Query('BEGIN'));
        stage.send(Query(end)).take();
        assert.deepEqual(stage.lose('n1').take(), heard);
      }
    });

    test('in a transaction, the client is in a failed one until it ends it, in either protocol', () => {
      const stage = silent('n1', Query('BEGIN'));
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

    test('idle in a transaction, a COMMIT is told that it is lost', () => {
      const stage = begun().send(Query('BEGIN')).lose('n1');
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
  });

  test('a client that asks to cancel while it is held is told so', () => {
    const stage = begun().changeWorld((world) => {
      world.none = 'no-leader';
    });
    stage.send(Query('INSERT INTO t VALUES (1)')).take();
    assert.equal(stage.session.cancel(1), undefined);
    assert.deepEqual(
      stage.take().filter((line) => line.startsWith('client')),
      ['client > ERROR 57014', 'client > Ready I'],
    );
  });

  describe('when the router refuses a statement of an open transaction, the client cannot commit the rest:', () => {
    test('canceled while it waits', () => {
      const stage = inTransaction(begun()).send(Query('INSERT INTO t VALUES (2)'));
      stage.session.cancel(1);
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

  test('a malformed message that had to wait ends the client, not the server connection', () => {
    const stage = begun().send(Query('SELECT 1'));
    stage.server('n2').isSilent = true;
    stage.send(Query('SELECT 2'), Buffer.from([0x42, 0, 0, 0, 5, 0])).take();
    stage.lose('n2');
    assert.deepEqual(stage.take().slice(-3), ['client > Ready I', 'client > FATAL 08P01', 'client ended']);
  });

  test('Terminate ends it', () => {
    const stage = begun();
    stage.send(Buffer.from([0x58, 0, 0, 0, 4]));
    assert.deepEqual({ ended: stage.isEnded, servers: stage.servers.size }, { ended: true, servers: 0 });
  });
});

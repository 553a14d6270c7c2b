/** A session's conversations, whole: what goes to which server, and what the client hears. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Classifier } from '../../../src/sql/index.ts';
import { Close, Flush, Query, Sync } from '../../../src/wire/index.ts';
import { aClassifier, again, extended, named, SessionStage } from '../../support/router-session.ts';

/** It asks for a read at n2, which lends nothing any more; n3 has room. */
function crowdedAtN2(stage: SessionStage, text: string): SessionStage {
  stage.free.length = 0;
  stage.session.receive(Query(text), stage.now);
  stage.world.congested = new Map([['n2', 'n3']]);
  stage.session.crowded(stage.now);
  stage.settle();
  return stage;
}

describe('a session', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });
  const begun = () => new SessionStage(classifier).started();

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

  test('reads elsewhere while the chosen node has no room, if there is room', () => {
    const stage = begun();
    stage.world.congested = new Map([['n2', 'n3']]);
    assert.equal(stage.send(Query('SELECT 1')).take()[0], 'counted read at n3');
    stage.world.congested = new Map([
      ['n2', 'n3'],
      ['n3', 'n2'],
    ]);
    assert.equal(stage.send(Query('SELECT 1')).take()[0], 'counted read at n2');
    stage.world.congested = new Map([['n2', 'n3']]);
    const wished = stage.send(Query('/* matriarch: node=n2 */ SELECT 1')).take();
    assert.equal(wished[0], 'counted read at n2');
  });

  test('a read that waits where nothing is lent any more leaves for a node that has room', () => {
    assert.equal(crowdedAtN2(begun(), 'SELECT 1').take()[0], 'counted read at n3');
    assert.equal(crowdedAtN2(begun(), '/* matriarch: node=n2 */ SELECT 1').take()[0], 'counted read at n2');
    const write = crowdedAtN2(begun(), 'INSERT INTO t VALUES (2)').take();
    assert.ok(write.includes('counted write at n1'), write.join(' | '));
  });

  test('brings a prepared statement to each node that lacks it, and the client does not notice', () => {
    const stage = begun();
    stage.world.readers = ['n1', 'n2'];
    stage.send(...extended('SELECT 5', 's'));
    stage.take();
    assert.deepEqual(stage.send(...again('s')).take(), [
      'counted read at n1',
      'n1 < Parse m1: SELECT 5',
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
    const stage = new SessionStage(classifier, {
      preparedLimits: { statementsMax: 1, bytesMax: 1000 },
    }).started();
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

  test('a portal’s Close is not taken for the answer to a Parse that the server skips', () => {
    const stage = begun();
    stage.send(Close('portal', 'p'), named('s', 'SELECT unparsable'), named('t', 'SELECT 1'), Sync()).take();
    assert.deepEqual(
      stage
        .send(...again('t'))
        .take()
        .slice(-2),
      ['client > ERROR 26000', 'client > Ready I'],
    );
  });

  test('after an error everything up to the Sync is read over, in the session too', () => {
    const stage = begun();
    stage.send(...again('nothing').slice(0, 1), Flush()).take();
    stage.send(named('late', 'SELECT 1'), Sync()).take();
    assert.deepEqual(
      stage
        .send(...again('late'))
        .take()
        .slice(-2),
      ['client > ERROR 26000', 'client > Ready I'],
    );
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

  test('a READ ONLY transaction stays on the node where it began', () => {
    const stage = begun();
    stage.world.readers = ['n2', 'n3'];
    stage.send(Query('BEGIN READ ONLY')).take();
    const served = ['SELECT 1', 'SELECT 2', 'COMMIT'].map((text) =>
      stage
        .send(Query(text))
        .take()
        .filter((line) => line.startsWith('n')),
    );
    assert.deepEqual(served, [['n3 < BEGIN READ ONLY', 'n3 < SELECT 1'], ['n3 < SELECT 2'], ['n3 < COMMIT']]);
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

  test('what a standby refused behind another result is told to the client, and goes to the primary from then on', () => {
    const stage = begun();
    const batch = [
      ...extended('SELECT 0').slice(0, -1),
      ...extended('SELECT refused_by_standby, 2').slice(0, -1),
      Sync(),
    ];
    const served = () =>
      stage
        .send(...batch)
        .take()
        .filter((line) => /Execute|ERROR/.test(line));
    assert.deepEqual(served(), [
      'n2 < Execute SELECT 0',
      'n2 < Execute SELECT refused_by_standby, 2',
      'client > ERROR 25006',
    ]);
    assert.deepEqual(served(), ['n1 < Execute SELECT 0', 'n1 < Execute SELECT refused_by_standby, 2']);
    const innocent = stage.send(...extended('SELECT 0')).take();
    assert.ok(innocent.includes('n2 < Execute SELECT 0'), innocent.join());
  });

  test('a client that asks to cancel while it is held is told so', () => {
    const stage = begun().changeWorld((world) => {
      world.none = 'no-leader';
    });
    stage.send(Query('INSERT INTO t VALUES (1)')).take();
    assert.equal(
      stage.session.cancel(1, () => undefined),
      undefined,
    );
    assert.deepEqual(
      stage.take().filter((line) => line.startsWith('client')),
      ['client > ERROR 57014', 'client > Ready I'],
    );
  });

  test('a cancel of nothing is over at once, one that waits for our own statement when its client goes', () => {
    const stage = begun();
    let over = 0;
    const ended = (): void => {
      over += 1;
    };
    stage.session.cancel(1, ended);
    assert.equal(over, 1);
    stage.send(Query('INSERT INTO t VALUES (0)'), Query('BEGIN'));
    // It is at the BEGIN that was kept for it.
    stage.server('n1').isSilent = true;
    stage.send(Query('INSERT INTO t VALUES (1)')).take();
    stage.session.cancel(1, ended);
    assert.equal(over, 1);
    assert.deepEqual(stage.take(), []);
    stage.session.end();
    assert.equal(over, 2);
  });

  test('Terminate ends it; its connections are for others', () => {
    const stage = begun();
    stage.send(Query('INSERT INTO t VALUES (1)'), Buffer.from([0x58, 0, 0, 0, 4]));
    assert.deepEqual(
      {
        ended: stage.isEnded,
        links: [...stage.session.links].length,
        free: stage.free.map((link) => link.member),
      },
      { ended: true, links: 0, free: ['n1'] },
    );
  });

  test('Terminate within a transaction ends that too: its connection is nobody’s', () => {
    const stage = begun();
    stage.send(Query('BEGIN'), Query('SELECT 0'), Buffer.from([0x58, 0, 0, 0, 4]));
    assert.deepEqual({ ended: stage.isEnded, servers: stage.servers.size }, { ended: true, servers: 0 });
  });

  test('a cancel reaches a server that prepares the statement anew for it', () => {
    const stage = begun();
    stage.world.readers = ['n2', 'n3'];
    stage.send(Query('SELECT 1'), Query('SELECT 2')).send(...extended('SELECT 3', 's'));
    for (const name of ['n2', 'n3']) stage.server(name).isSilent = true;
    assert.match(
      stage
        .send(...again('s'))
        .take()
        .join(),
      /Parse m/,
    );
    stage.session.cancel(1, () => undefined);
    assert.match(stage.take().join(), /^cancel at n[23]$/);
  });
});

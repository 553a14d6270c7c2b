/** Wishes of a session, refusals of standbys, and transactions whose first statement decides. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { startUpOf } from '../../../src/router/start-up.ts';
import type { Classification, Classifier } from '../../../src/sql/index.ts';
import { Query } from '../../../src/wire/index.ts';
import { aClassifier, extended, SessionStage } from '../../support/router-session.ts';

const LOGIN = { user: 'app', database: 'app', credential: 'none', minor: 0 } as const;

const at = (stage: SessionStage, text: string) =>
  stage
    .send(Query(text))
    .take()
    .find((line) => line.startsWith('counted'))
    ?.split(' ')
    .at(-1);

const sent = (stage: SessionStage, text: string) =>
  stage
    .send(Query(text))
    .take()
    .filter((line) => line.includes('<') && !line.includes('(probe)'));

describe('where a statement is wished to run', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });
  const begun = (options: ConstructorParameters<typeof SessionStage>[1] = {}) =>
    new SessionStage(classifier, options).started();

  test('is said in its comment, by a setting, or by a rule, the nearest first', () => {
    const stage = begun({ rules: [{ database: ['app'], route: 'primary' }] });
    assert.equal(at(stage, 'SELECT 1'), 'n1');
    assert.equal(at(stage, '/* matriarch: node=n3 */ SELECT 1'), 'n3');
    stage.send(Query("SET matriarch.route = 'node=n2'")).take();
    assert.equal(at(stage, 'SELECT 1'), 'n2');
    assert.equal(at(stage, '/* other */ -- more\n /* matriarch: node=n3 */ SELECT 2'), 'n3');
    stage.send(Query('RESET matriarch.route'));
    assert.equal(at(stage, 'SELECT 1'), 'n1');
  });

  test('of a prepared statement is said once', () => {
    const stage = begun();
    const lines = stage.send(...extended('/* matriarch: primary */ SELECT 1', 's')).take();
    assert.ok(lines.includes('counted write at n1'));
  });

  test('never moves a write', () => {
    assert.equal(at(begun(), '/* matriarch: node=n3 */ INSERT INTO t VALUES (1)'), 'n1');
    assert.equal(at(begun(), '/* matriarch: node=n3 */ SELECT nextval(1)'), 'n1');
  });

  test('by a digest', () => {
    const stage = begun({ rules: [{ digest: 'SELECT ?, ?', route: 'primary' }] });
    assert.deepEqual(
      [at(stage, 'SELECT 5'), at(stage, 'SELECT 5,  6'), at(stage, 'SELECT 5, 6')],
      ['n2', 'n1', 'n1'],
    );
    assert.ok(
      stage
        .send(...extended('SELECT 7, 8'))
        .take()
        .includes('counted write at n1'),
    );
  });

  test('holds for the whole READ ONLY transaction that says so in its BEGIN', () => {
    const stage = begun();
    stage.send(Query('/* matriarch: node=n3 */ BEGIN READ ONLY')).take();
    assert.deepEqual([at(stage, 'SELECT 1'), at(stage, 'SELECT 2')], ['n3', 'n3']);
    stage.send(Query('COMMIT'), Query('/* matriarch: primary */ BEGIN READ ONLY')).take();
    assert.equal(at(stage, 'SELECT 1'), 'n1');
  });

  test('that is not understood, or names nobody, is told once and is as none', () => {
    const stage = begun();
    const notices = (text: string) =>
      stage
        .send(Query(text))
        .take()
        .filter((line) => line.includes('> N')).length;
    const texts = ['/* matriarch: nonsense */ SELECT 1', '/* matriarch: node=n9 */ SELECT 1'];
    assert.deepEqual([...texts, ...texts].map(notices), [1, 1, 0, 0]);
  });

  test('is said at the start in options, which make no pool of their own', () => {
    const parameters = new Map([
      ['options', '-c matriarch.route=node=n3 -c work_mem=1MB --matriarch.max-staleness=1s'],
    ]);
    const { variant, settings } = startUpOf({ ...LOGIN, parameters });
    assert.deepEqual(
      [variant, [...settings.own]],
      [
        'options=-c work_mem=1MB',
        [
          ['matriarch.route', 'node=n3'],
          ['matriarch.max_staleness', '1s'],
        ],
      ],
    );
    const stage = begun({ settings });
    stage.book.viewChanged('n1', () => true);
    const position = { askedAt: 0, connectedAt: 0, timeline: 1, lsn: 1, boundLsn: 1, xmin: 1, xmax: 1 };
    for (const member of ['n1', 'n3']) stage.book.told(member, { ...position, isPrimary: member === 'n1' });
    assert.equal(at(stage, 'SELECT 1'), 'n3');
  });
});

describe('a read that a standby refuses', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });

  test('is run on the primary, and goes there at once the next time', () => {
    const stage = new SessionStage(classifier).started();
    const first = stage.send(Query('SELECT refused_by_standby, 1')).take();
    const second = stage.send(Query('SELECT refused_by_standby, 2')).take();
    assert.deepEqual(
      [first, second].map((lines) => lines.filter((line) => line.startsWith('counted'))),
      [['counted read at n2', 'counted write at n1'], ['counted write at n1']],
    );
    assert.deepEqual(stage.rescued, ['refused-as-write']);
  });

  test('is remembered whatever its names turn out to be the next time, under another search_path say', () => {
    const stage = new SessionStage(classifier, { resolve: anew }).started();
    const heard = [1, 2].map((id) => stage.send(Query(`SELECT refused_by_standby, ${id}`)).take());
    assert.deepEqual(heard.map(counted), [['read at n2', 'write at n1'], ['write at n1']]);
  });

  test('for asking what only a primary can say is run there, and what was refused so goes there at once', () => {
    const stage = new SessionStage(classifier).started();
    const heard = [1, 2].map((id) => stage.send(Query(`SELECT wal_position, ${id}`)).take());
    assert.deepEqual(heard.map(counted), [['read at n2', 'write at n1'], ['write at n1']]);
    assert.equal(heard[0]?.includes('client > row 1'), true);
  });

  describe('since the session’s transactions are serializable', () => {
    test('is run on the primary, as all its later reads are, and nobody else’s', () => {
      const stage = refusedForIsolation(classifier);
      const texts = ['SELECT v FROM t WHERE id = 7', 'SELECT 2', 'SELECT v FROM t WHERE id = 8'];
      assert.deepEqual(
        texts.map((text) => counted(stage.send(Query(text)).take())),
        [['read at n2', 'write at n1'], ['write at n1'], ['write at n1']],
      );
      assert.deepEqual([stage.refused.size, stage.rescued], [0, ['serializable']]);
    });

    test('goes to a standby again while the session has another isolation', () => {
      const stage = refusedForIsolation(classifier);
      stage.send(Query('SELECT 1')).take();
      stage.send(Query("SET default_transaction_isolation = 'repeatable read'")).take();
      stage.server('n2').isSerializable = false;
      assert.deepEqual(counted(stage.send(Query('SELECT 1')).take()), ['read at n2']);
      stage.send(Query('RESET default_transaction_isolation')).take();
      assert.deepEqual(counted(stage.send(Query('SELECT 1')).take()), ['write at n1']);
    });

    test('has its READ ONLY transactions with it, whatever they begin with', () => {
      const stage = refusedForIsolation(classifier);
      stage.send(Query('SELECT 1')).take();
      for (const [begin, first, member] of [
        ['BEGIN READ ONLY', 'SAVEPOINT s', 'write at n1'],
        ['BEGIN READ ONLY', 'SET LOCAL work_mem = 100', 'write at n1'],
        ['BEGIN READ ONLY', 'SELECT 3', 'write at n1'],
        ['BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', 'SAVEPOINT s', 'read at n2'],
      ] as const) {
        stage.send(Query(begin));
        assert.deepEqual(counted(stage.send(Query(first)).take()), [member], first);
        stage.send(Query('ROLLBACK')).take();
      }
    });

    test('in a transaction that began with a savepoint fails once', () => {
      const stage = refusedForIsolation(classifier);
      const texts = ['BEGIN READ ONLY', 'SAVEPOINT s', 'SELECT 1', 'ROLLBACK'];
      const errors = () =>
        texts.flatMap((text) => stage.send(Query(text)).take()).filter((line) => line.includes('ERROR'));
      assert.deepEqual([errors(), errors()], [['client > ERROR 0A000'], []]);
    });

    for (const parameter of [
      ['default_transaction_isolation', 'serializable'],
      ['options', '-c work_mem=1 -c default_transaction_isolation=serializable'],
      ['options', '--default-transaction-isolation=serializable'],
    ] as const) {
      test(`is not tried there if it began with ${parameter.join(' ')}`, () => {
        const { isSerializable } = startUpOf({ ...LOGIN, parameters: new Map([parameter]) });
        const stage = new SessionStage(classifier, { isSerializable }).started();
        assert.deepEqual(counted(stage.send(Query('SELECT 1')).take()), ['write at n1']);
      });
    }
  });
});

// router.first_statement_decides
describe('a transaction whose first statement decides', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });
  const begun = () => new SessionStage(classifier, { firstStatementDecides: true }).started();

  test('is READ ONLY on a balanced node if that is a read', () => {
    const stage = begun();
    stage.send(Query('BEGIN')).take();
    assert.deepEqual(sent(stage, 'SELECT 1'), ['n2 < BEGIN\n;SET TRANSACTION READ ONLY', 'n2 < SELECT 1']);
  });

  for (const [begin, first] of [
    ['BEGIN', 'INSERT INTO t VALUES (1)'],
    ['BEGIN', 'SAVEPOINT s'],
    ['BEGIN READ WRITE', 'SELECT 1'],
    ['BEGIN ISOLATION LEVEL SERIALIZABLE', 'SELECT 1'],
  ] as const) {
    test(`is as ever after ${begin} and ${first}`, () => {
      const stage = begun();
      stage.send(Query(begin)).take();
      assert.deepEqual(sent(stage, first), [`n1 < ${begin}`, `n1 < ${first}`]);
    });
  }
});

describe('a client that wants to know', () => {
  test('has each of its decisions noted with what led to it, from the setting on and until it is off', async () => {
    const stage = new SessionStage(await aClassifier(), {
      rules: [{ digest: 'SELECT ?, ?', route: 'primary' }],
    });
    stage.started();
    const decided = (...texts: string[]) => {
      for (const text of texts) stage.send(Query(text));
      return stage.decided.splice(0);
    };
    assert.deepEqual(decided('SELECT 1', "SET matriarch.explain = 'on'"), []);
    assert.deepEqual(
      decided('SELECT 1', '/* matriarch: node=n3 */ SELECT 1', 'SELECT 1, 2', 'SELECT random()'),
      [
        'read by its-class, by-weight at n2',
        'read by its-class, as-wished at n3',
        'primary by wished, needs-primary at n1',
        'primary by its-class, needs-primary at n1',
      ],
    );
    assert.deepEqual(decided('BEGIN', 'SELECT 1', 'SELECT 2', 'COMMIT'), [
      'primary by its-transaction, needs-primary at n1',
      'read by its-class, in-transaction at n1',
      'anywhere by its-class, in-transaction at n1',
    ]);
    assert.deepEqual(decided('LISTEN c', 'SELECT 1'), [
      'primary by its-class, needs-primary at n1',
      'read by its-class, state-is-there at n1',
    ]);
    decided('RESET matriarch.explain');
    assert.deepEqual(decided('SELECT 1'), []);
  });
});

describe('a statement that SQL prepares', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });
  const begun = (options: ConstructorParameters<typeof SessionStage>[1] = {}) =>
    new SessionStage(classifier, options).started();

  test('runs where what is in it runs, is brought to where it is executed, and left nowhere', () => {
    const stage = begun();
    assert.deepEqual(sent(stage, 'PREPARE p AS SELECT 1'), ['n2 < PREPARE p AS SELECT 1', 'n2 < Close p']);
    assert.equal(stage.session.pin, undefined);
    stage.world.readers = ['n3'];
    assert.deepEqual(sent(stage, 'EXECUTE p'), ['n3 < Parse p:  SELECT 1', 'n3 < EXECUTE p', 'n3 < Close p']);
    assert.equal(at(stage, 'EXECUTE p(random())'), 'n1');
    assert.equal(at(stage, 'PREPARE w AS DELETE FROM t'), 'n1');
    assert.equal(at(stage, 'EXECUTE w'), 'n1');
    assert.equal(stage.session.pin, undefined);
    assert.deepEqual(sent(stage, 'DEALLOCATE p'), []);
    assert.deepEqual(sent(stage, 'EXECUTE p'), ['n1 < EXECUTE p']);
  });

  test('is known to EXPLAIN and CREATE TABLE AS too', () => {
    const stage = begun();
    stage.send(Query('PREPARE p AS SELECT 1')).take();
    for (const text of ['EXPLAIN EXECUTE p', 'EXPLAIN ANALYZE EXECUTE p', 'CREATE TABLE x AS EXECUTE p']) {
      assert.deepEqual(sent(stage, text), ['n1 < Parse p:  SELECT 1', `n1 < ${text}`, 'n1 < Close p']);
    }
  });

  test('under a name that is taken is for the server to refuse', () => {
    const stage = begun();
    stage.send(Query('PREPARE p AS SELECT 1')).take();
    for (const [text, member] of [
      ['PREPARE p AS SELECT 2', 'n2'],
      ['LISTEN x; PREPARE p AS SELECT 2', 'n1'],
    ] as const) {
      assert.deepEqual(sent(stage, text).slice(0, 2), [`${member} < Parse p: `, `${member} < ${text}`]);
    }
  });

  test('with types of parameters, or among others, is at one connection only', () => {
    for (const text of ['PREPARE p(int) AS SELECT $1', 'PREPARE p AS SELECT 1; SELECT 2']) {
      const stage = begun();
      assert.equal(at(stage, text), 'n1');
      assert.deepEqual(stage.session.pin?.because, ['prepares-statement']);
    }
  });

  test('and runs code that nobody looked into, is asked about what that has left', () => {
    const stage = begun({ auditsCode: true });
    stage.send(Query('PREPARE p AS SELECT unknown_function(1)')).take();
    stage.server('n1').audited = 'creates-temporary';
    stage.send(Query('EXECUTE p')).take();
    assert.deepEqual(stage.session.pin?.because, ['creates-temporary']);
  });
});

/** Which members it was sent to, and as what. */
function counted(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => line.startsWith('counted ')).map((line) => line.slice('counted '.length));
}

/** A standby is there, where the session's transactions are serializable. */
function refusedForIsolation(classifier: Classifier): SessionStage {
  const stage = new SessionStage(classifier).started();
  stage.send(Query('SELECT 1')).take();
  stage.server('n2').isSerializable = true;
  return stage;
}

/** Another object at each look. */
function anew(found: Classification): Classification {
  return { ...found, origin: found };
}

/** What a session has made on a server: settings, temporary tables and the like, and where it is found again. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { NO_SETTINGS, settingsAfter } from '../../../src/router/settings.ts';
import type { Classifier } from '../../../src/sql/index.ts';
import { Bind, Execute, Parse, Query, Sync } from '../../../src/wire/index.ts';
import { aClassifier, extended, SessionStage } from '../../support/router-session.ts';

describe('the state of a session:', () => {
  let classifier: Classifier;
  before(async () => {
    classifier = await aClassifier();
  });
  const begun = () => new SessionStage(classifier).started();

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

  test('a date reads the same after another client had the connection, whose DateStyle was set in two parts', () => {
    for (const [first, second, both] of [
      ["SET datestyle = 'SQL, DMY'", "SET datestyle = 'ISO'", 'ISO, DMY'],
      ['SET datestyle = DMY', 'SET datestyle = SQL', 'SQL, DMY'],
      ['SET datestyle = German', 'SET datestyle = MDY', 'German, MDY'],
      [
        "SELECT set_config('datestyle', 'SQL, DMY', false)",
        "SELECT set_config('DateStyle', 'ISO', false)",
        'ISO, DMY',
      ],
    ] as const) {
      const stage = begun();
      stage.world.readers = ['n3'];
      stage.send(Query(first), Query(second));
      stage.world.readers = ['n2'];
      stage.take();
      assert.equal(stage.send(Query('SELECT 1')).take()[0], `n2 < SET datestyle TO E'${both}'`);
    }
  });

  test('statements that run each other, or thousands that run one another, do not exhaust the router', () => {
    begun().send(statement(0, 1), statement(1, 0), uses('s0'), uses('s1'));
    const chain = Array.from({ length: 4000 }, (_, index) => statement(index, index + 1));
    assert.deepEqual(
      begun()
        .send(...chain, uses('s0'))
        .take(),
      [],
    );
  });

  describe('what a server is found to have after code that nobody looked into:', () => {
    const path = ['search_path', 'a', false] as const;
    const memory = ['work_mem', '100', false] as const;
    const custom = "SELECT pg_catalog.set_config(E'app.x', E'2', false)";
    test('a setting that it made, and one that it changed, follow the session', () => {
      const stage = afterCode(
        classifier,
        [path, ['work_mem', '5120', false], ['TimeZone', "O'Hara\\", false]],
        'app',
      );
      assert.deepEqual(next(stage), [
        `n2 < SET search_path = 'a'; ${custom}; ${[
          "E'work_mem', E'5120'",
          "E'timezone', E'O''Hara\\\\'",
          "E'role', E'app'",
        ]
          .map((pair) => `SELECT pg_catalog.set_config(${pair}, false)`)
          .join('; ')}`,
      ]);
      assert.equal(stage.session.pin, undefined);
    });

    test('what it has reset is not made on another connection', () => {
      assert.deepEqual(next(afterCode(classifier, [memory])), [`n2 < SET work_mem = 100; ${custom}`]);
    });

    test('what cannot be set on another connection keeps the session, until it is gone', () => {
      for (const [setting, because] of [
        [['log_statement', 'all', true], 'setting-not-carried'],
        [['client_encoding', 'SJIS', false], 'setting-changes-grammar'],
        [['default_transaction_isolation', 'serializable', false], 'setting-needs-primary'],
      ] as const) {
        const stage = afterCode(classifier, [path, memory, setting]);
        assert.deepEqual(stage.session.pin, { member: 'n1', because: [because] });
        const server = stage.server('n1');
        server.auditedSettings = [JSON.stringify([path, memory]), 'none', undefined, '2'];
        stage.send(Query('RESET log_statement'));
        assert.equal(stage.session.pin, undefined);
      }
    });
  });

  test('a setting that may have been taken back with a savepoint is asked for', () => {
    const stage = begun();
    stage.send(Query('BEGIN'), Query('SAVEPOINT s'), Query("SET app.x = '1'"), Query('SET work_mem = 100'));
    const server = stage.server('n1');
    server.audited = '';
    server.auditedSettings = [JSON.stringify([['work_mem', '100', false]]), 'none', undefined, undefined];
    stage.send(Query('RELEASE s'), Query('COMMIT')).take();
    assert.equal(stage.session.pin, undefined);
    assert.equal(
      stage.send(Query('SELECT 1')).take()[0],
      "n2 < SELECT pg_catalog.set_config(E'work_mem', E'100', false)",
    );
  });

  describe('what a role was needed for keeps the session once that is left:', () => {
    const all = ['log_statement', 'all', true] as const;
    for (const [what, texts] of [
      ['RESET ROLE', ['SET ROLE r2', "SET log_statement = 'all'", 'RESET ROLE']],
      ['another role', ['SET ROLE r2', "SET log_statement = 'all'", 'SET ROLE r3']],
      ['one text', ["SET ROLE r2; SET log_statement = 'all'; RESET ROLE"]],
      ['one transaction', ['BEGIN', 'SET ROLE r2', "SET log_statement = 'all'", 'RESET ROLE', 'COMMIT']],
      ['SET LOCAL ROLE', ['BEGIN', 'SET LOCAL ROLE r2', "SET log_statement = 'all'", 'COMMIT']],
      ['session mode', ['SET ROLE r2', "SET log_statement = 'all'", 'RESET ROLE']],
    ] as const) {
      test(what, () => {
        const isSessionMode = what === 'session mode';
        const stage = new SessionStage(classifier, { isSessionMode }).started();
        stage.world.readers = ['n1'];
        stage.send(Query('INSERT INTO t VALUES (0)'));
        for (const text of texts.slice(0, -1)) stage.send(Query(text));
        const server = stage.server('n1');
        server.audited = '';
        const role = what === 'another role' ? 'r3' : 'none';
        server.auditedSettings = [JSON.stringify([all]), role, undefined];
        stage.send(Query(texts.at(-1) ?? ''));
        assert.deepEqual(stage.session.pin, { member: 'n1', because: ['setting-not-carried'] });
        stage.take();
        assert.deepEqual(
          stage
            .send(Query('SELECT 1'))
            .take()
            .filter((line) => line.includes('<')),
          ['n1 < SELECT 1'],
        );
        server.auditedSettings = [undefined, 'none', undefined];
        const end = isSessionMode ? 'DISCARD ALL' : 'RESET ALL';
        assert.equal(stage.send(Query(end)).session.pin, undefined);
      });
    }

    test('but not what everybody may set', () => {
      const stage = begun();
      for (const text of ['SET ROLE r2', 'SET work_mem = 100', 'RESET ROLE']) stage.send(Query(text));
      assert.equal(stage.session.pin, undefined);
      assert.doesNotMatch(stage.take().join(), /audit/);
    });
  });

  test('what another client has left and the server does not take back fails no statement of this one', () => {
    const stage = begun().send(Query('INSERT INTO t VALUES (0)'));
    const [left] = stage.free;
    assert.ok(left !== undefined);
    const changes = [{ name: 'log.fail', value: 'all' }];
    left.settings = settingsAfter(NO_SETTINGS, { text: 'SET', changes, clears: 'nothing' }, NO_SETTINGS);
    stage.take();
    assert.deepEqual(stage.send(Query('INSERT INTO t VALUES (1)')).take(), [
      'n1 < RESET "log"."fail"',
      'n1 < (probe)',
      'counted write at n1',
      'n1 < INSERT INTO t VALUES (1)',
      'client > INSERT 0 1',
      'client > Ready I',
    ]);
    assert.equal(left.isSoiled, true);
  });

  test('a LOAD that failed pins nobody', () => {
    assert.equal(begun().send(Query("LOAD 'fail'")).session.pin, undefined);
    assert.deepEqual(begun().send(Query("LOAD 'x'")).session.pin?.because, ['loads-library']);
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

  describe('a table that search_path makes temporary keeps the session where it is:', () => {
    const path = 'SET search_path = pg_temp';
    for (const [what, texts] of [
      ['in statements of their own', [path, 'CREATE TABLE q (v int)']],
      ['in one text', [`${path}; CREATE TABLE q (v int); INSERT INTO q VALUES (7)`]],
      ['as the answer of a query', ["SET search_path = nowhere, 'pg_temp'", 'SELECT 7 AS v INTO q']],
      ['a type', ["SELECT set_config('search_path', 'pg_temp', false)", 'CREATE TYPE q AS (v int)']],
      ['in one transaction', ['BEGIN', path, 'CREATE VIEW q AS SELECT 1', 'COMMIT']],
      ['SET LOCAL', ['BEGIN', 'SET LOCAL search_path = pg_temp', 'CREATE TABLE q (v int)', 'COMMIT']],
      ['SET LOCAL in one text', ['BEGIN; SET LOCAL search_path = pg_temp; CREATE TABLE q (v int); COMMIT']],
      ['session mode', [path, 'CREATE SEQUENCE q']],
    ] as const) {
      test(what, () => {
        const stage = new SessionStage(classifier, { isSessionMode: what === 'session mode' }).started();
        stage.world.readers = ['n1'];
        stage.send(Query('INSERT INTO t VALUES (0)'));
        const server = stage.server('n1');
        const search = JSON.stringify([['search_path', 'pg_temp', false]]);
        server.audited = 'creates-temporary';
        server.auditedSettings = [search, 'none', undefined];
        for (const text of texts) stage.send(Query(text));
        assert.deepEqual(stage.session.pin, { member: 'n1', because: ['creates-temporary'] });
      });
    }

    test('and one whose question is cut off is asked again: at once, then behind each statement', () => {
      const stage = begun();
      stage.world.readers = ['n1'];
      stage.send(Query('INSERT INTO t VALUES (0)'));
      const server = stage.server('n1');
      server.audited = '';
      server.auditedSettings = [undefined, 'none', undefined];
      server.auditsCutOff = 1;
      stage.send(Query(`${path}; CREATE TABLE q (v int)`));
      assert.equal(stage.session.pin, undefined);
      server.auditsCutOff = 4;
      stage.send(Query(`${path}; CREATE TABLE q (v int)`));
      assert.deepEqual(stage.session.pin, { member: 'n1', because: ['state-not-told'] });
      stage.send(Query('SELECT 7'));
      assert.deepEqual(stage.session.pin, { member: 'n1', because: ['state-not-told'] });
      stage.send(Query('SELECT 7'));
      assert.equal(stage.session.pin, undefined);
    });

    test('but none is asked after where it is not in the path', () => {
      const stage = begun();
      for (const text of ['SET search_path = a, public', 'CREATE TABLE q (v int)']) stage.send(Query(text));
      assert.doesNotMatch(stage.take().join(), /audit/);
      assert.equal(stage.session.pin, undefined);
    });
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
    ['a prepared statement', ['BEGIN READ ONLY', 'SELECT 0', 'PREPARE p(int) AS SELECT $1', 'COMMIT']],
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
      stage
        .send(
          Query('BEGIN READ ONLY'),
          Query('SELECT 0'),
          Query('PREPARE p(int) AS SELECT $1'),
          Query('COMMIT'),
        )
        .take();
      stage.lose('n2').lose('n3');
      assert.equal(stage.send(Query('SELECT 1')).take()[0], 'client > ERROR 08006');
    });
  }

  test('a statement that was prepared before the first temporary table is looked up anew behind it, once', () => {
    const stage = begun();
    const parse = Parse({ name: 's', sql: 'UPDATE t SET a = 1', parameterTypes: [] });
    const run = [Bind({ portal: '', statement: 's' }), Execute('', 0), Sync()];
    const parsed = (...messages: Buffer[]): readonly string[] => {
      stage.send(...messages);
      return stage.take().filter((line) => line.startsWith('n1 < Parse'));
    };
    assert.deepEqual(parsed(parse, ...run), ['n1 < Parse m1: UPDATE t SET a = 1']);
    parsed(Query('CREATE TEMP TABLE t (a int)'));
    assert.deepEqual(parsed(...run), ['n1 < Parse m2: UPDATE t SET a = 1']);
    parsed(Query('CREATE TEMP TABLE u (a int)'));
    assert.deepEqual(parsed(...run), []);
  });

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

  test('what a failed transaction refuses pins nothing, what is done behind its end does', () => {
    const lock = 'SELECT pg_advisory_lock(1)';
    const failing = [Query('BEGIN'), Query('fail')];
    assert.equal(begun().send(...failing, Query(lock)).session.pin, undefined);
    const stage = begun().send(...failing);
    stage.server('n1').audited = 'holds-session-lock';
    stage.send(...extended('ROLLBACK').slice(0, -1), ...extended(lock));
    assert.deepEqual(stage.session.pin, { member: 'n1', because: ['holds-session-lock'] });
  });

  test('an audit of one connection that ends late does not free what was made on another meanwhile', () => {
    const stage = new SessionStage(classifier, { auditsCode: true }).started();
    stage.send(Query('BEGIN READ ONLY'), Query('SELECT 0'), Query('SELECT unknown_function(1)'));
    const [standby] = stage.session.links;
    assert.equal(standby?.member, 'n2');
    stage.server('n2').audited = '';
    stage.session.receive(Query('COMMIT'), 0);
    stage.deliver(standby);
    stage.session.receive(Query('CREATE TEMP TABLE x (v int)'), 0);
    const others = () => [...stage.servers.keys()].filter((link) => link !== standby);
    stage.open();
    stage.server('n1').audited = 'creates-temporary';
    while (stage.open() || others().some((link) => stage.deliver(link)));
    stage.settle();
    assert.deepEqual(stage.session.pin, { member: 'n1', because: ['creates-temporary'] });
  });
});

function statement(index: number, next: number): Buffer {
  return Parse({ name: `s${index}`, sql: `EXECUTE s${next}`, parameterTypes: [] });
}

function uses(name: string): Buffer {
  return Bind({ portal: '', statement: name, parameters: [], resultFormats: [] });
}

type Found = readonly (readonly [string, string, boolean])[];

/** A session that has SET three things, after code of which the server tells what it has left. */
function afterCode(classifier: Classifier, settings: Found, role = 'none'): SessionStage {
  const stage = new SessionStage(classifier, { auditsCode: true }).started();
  stage.send(Query("SET search_path = 'a'"), Query('SET work_mem = 100'), Query("SET app.x = '1'"));
  const server = stage.send(Query('INSERT INTO t VALUES (0)')).server('n1');
  server.audited = '';
  server.auditedSettings = [JSON.stringify(settings), role, undefined, '2'];
  stage.send(Query('SELECT unknown_function(1)')).take();
  return stage;
}

/** What is set on the connection of the next read. */
const next = (stage: SessionStage) =>
  stage
    .send(Query('SELECT 1'))
    .take()
    .filter((line) => line.includes('set_config') || line.includes('SET '));

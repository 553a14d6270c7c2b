/** What a classification carries besides its kind: settings to replay, transaction options, several statements. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Classification, loadClassifier, type SettingStatement } from '../../../src/sql/index.ts';

const classifier = await loadClassifier();

describe('a change of settings', () => {
  const rows: readonly (readonly [sql: string, expected: readonly SettingStatement[]])[] = [
    [
      'SET search_path = a, "B"',
      [aSetting('SET search_path = a, "B"', { name: 'search_path', value: 'a, "B"' })],
    ],
    ['SET work_mem TO DEFAULT;', [aSetting('SET work_mem TO DEFAULT', { name: 'work_mem' })]],
    ['set "TimeZone" = \'UTC\'', [aSetting('set "TimeZone" = \'UTC\'', { name: 'timezone', value: 'UTC' })]],
    [
      "SET TIME ZONE INTERVAL '2' HOUR",
      [aSetting("SET TIME ZONE INTERVAL '2' HOUR", { name: 'timezone', value: '2' })],
    ],
    ['SET TIME ZONE LOCAL', [aSetting('SET TIME ZONE LOCAL', { name: 'timezone' })]],
    ['SET a.b = 1.5', [aSetting('SET a.b = 1.5', { name: 'a.b', value: '1.5' })]],
    ['SET ROLE reader', [aSetting('SET ROLE reader', { name: 'role', value: 'reader' })]],
    ['RESET ROLE', [aSetting('RESET ROLE', { name: 'role' })]],
    [
      'SET SESSION AUTHORIZATION DEFAULT',
      [aSetting('SET SESSION AUTHORIZATION DEFAULT', { name: 'session_authorization' })],
    ],
    [
      'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL REPEATABLE READ',
      [
        aSetting(
          'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL REPEATABLE READ',
          { name: 'default_transaction_read_only', value: '1' },
          { name: 'default_transaction_isolation', value: 'repeatable read' },
        ),
      ],
    ],
    ['RESET ALL', [{ text: 'RESET ALL', changes: [], clears: 'settings' }]],
    ['DISCARD ALL', [{ text: 'DISCARD ALL', changes: [], clears: 'everything' }]],
    ['SELECT 1', []],
    ['SET LOCAL work_mem = 64', []],
  ];
  for (const [sql, expected] of rows) {
    it(`of ${JSON.stringify(sql)} can be replayed word by word`, () => {
      assert.deepEqual(classifier.classify(sql).settings, expected);
    });
  }

  it('among several statements is cut out of the text, whatever stands before it', () => {
    const answer = classifier.classify("SELECT 'é漢🐘' ; SET a.b = 'ß🐘' ; /* c */ SELECT 2; RESET ALL");
    assert.deepEqual(answer, {
      kind: 'write',
      because: 'several-with-setting',
      settings: [
        aSetting("SET a.b = 'ß🐘'", { name: 'a.b', value: 'ß🐘' }),
        { text: 'RESET ALL', changes: [], clears: 'settings' },
      ],
      among: [
        { kind: 'read', because: 'only-reads' },
        { kind: 'set', because: 'sets-setting', detail: 'a.b' },
        { kind: 'read', because: 'only-reads' },
        { kind: 'set', because: 'resets-all' },
      ],
      controlsTransaction: false,
      endsTransaction: false,
    } satisfies Classification);
  });

  it('is reported also when the whole is a write or binds the session', () => {
    const answer = classifier.classify('LISTEN ch; SET a.b = 1');
    assert.equal(answer.kind, 'session');
    assert.deepEqual(answer.settings, [aSetting('SET a.b = 1', { name: 'a.b', value: '1' })]);
  });
});

describe('transaction options', () => {
  const none = { access: 'default', isolation: 'default', deferrable: false } as const;
  const rows = [
    ['BEGIN', none],
    ['START TRANSACTION READ WRITE', { ...none, access: 'read-write' }],
    ['BEGIN READ ONLY', { ...none, access: 'read-only' }],
    ['BEGIN READ ONLY, READ WRITE', { ...none, access: 'read-write' }],
    [
      'BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE',
      { access: 'read-only', isolation: 'serializable', deferrable: true },
    ],
    ['SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED', { ...none, isolation: 'read-uncommitted' }],
    ['SET TRANSACTION READ ONLY, NOT DEFERRABLE', { ...none, access: 'read-only' }],
    ['SET transaction_read_only = yes', { ...none, access: 'read-only' }],
    ['SET LOCAL transaction_read_only TO off', { ...none, access: 'read-write' }],
    ["SET transaction_isolation = 'Repeatable Read'", { ...none, isolation: 'repeatable-read' }],
    ['SET TRANSACTION READ ONLY; SELECT 1', { ...none, access: 'read-only' }],
  ] as const;
  for (const [sql, expected] of rows) {
    it(`of ${JSON.stringify(sql)} are read`, () => {
      const answer = classifier.classify(sql);
      assert.ok(answer.kind === 'begin' || answer.kind === 'read');
      assert.deepEqual(answer.transaction, expected);
    });
  }

  it('are absent from a plain read', () => {
    const answer = classifier.classify('SELECT 1');
    assert.ok(answer.kind === 'read');
    assert.equal(answer.transaction, undefined);
  });
});

describe('the end of a transaction', () => {
  const rows = [
    ['COMMIT', { outcome: 'commit', chain: false }],
    ['COMMIT AND CHAIN', { outcome: 'commit', chain: true }],
    ['ABORT', { outcome: 'rollback', chain: false }],
    ["PREPARE TRANSACTION 'g'", { outcome: 'prepare', chain: false }],
  ] as const;
  for (const [sql, expected] of rows) {
    it(`by ${sql} tells its outcome`, () => {
      const answer = classifier.classify(sql);
      assert.ok(answer.kind === 'end');
      assert.deepEqual({ outcome: answer.outcome, chain: answer.chain }, expected);
    });
  }
});

describe('several statements in one text', () => {
  it('tell of a BEGIN or COMMIT among them', () => {
    const facts = [
      'SELECT 1',
      'SELECT 1;; SELECT 2;',
      'SELECT 1; COMMIT',
      'BEGIN',
      'SAVEPOINT a; SELECT 1',
    ].map((sql) => {
      const { controlsTransaction } = classifier.classify(sql);
      return [sql, controlsTransaction];
    });
    assert.deepEqual(facts, [
      ['SELECT 1', false],
      ['SELECT 1;; SELECT 2;', false],
      ['SELECT 1; COMMIT', true],
      ['BEGIN', false],
      ['SAVEPOINT a; SELECT 1', false],
    ]);
  });
});

describe('the detail of a reason', () => {
  it('names the function, setting, relation or statement', () => {
    const details = [
      "SELECT pg_catalog.nextval('s')",
      'SHOW data_directory',
      'SELECT * FROM pg_locks',
      'PREPARE p AS SELECT 1',
      'CREATE TEMP TABLE t (i int)',
      'SELECT 1',
    ].map((sql) => classifier.classify(sql).detail);
    assert.deepEqual(details, ['pg_catalog.nextval', 'data_directory', 'pg_locks', 'p', 't', undefined]);
  });
});

function aSetting(text: string, ...changes: SettingStatement['changes']): SettingStatement {
  return { text, changes, clears: 'nothing' };
}

describe('a text of several statements tells which of them speak of prepared ones', () => {
  it('by name and place, and whether they forget them', () => {
    assert.deepEqual(classifier.classify('SELECT 1; EXECUTE a; DEALLOCATE b; DEALLOCATE ALL').speaksOf, [
      { at: 1, name: 'a', isForgotten: false },
      { at: 2, name: 'b', isForgotten: true },
      { at: 3, isForgotten: true },
    ]);
    assert.equal(classifier.classify('SELECT 1; SELECT 2').speaksOf, undefined);
  });

  it('and which it prepares', () => {
    assert.deepEqual(classifier.classify('LISTEN x; PREPARE a AS SELECT 1; PREPARE b AS SELECT 2').makes, [
      'a',
      'b',
    ]);
    assert.equal(classifier.classify('PREPARE a AS SELECT 1').makes, undefined);
  });
});

/** Which texts share a digest, which never do, and that an answer by digest is always the one the text itself would get. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { Digester } from '../../../src/sql/digest.ts';
import { type Classifier, loadClassifier } from '../../../src/sql/index.ts';

const digester = new Digester(16 * 1024);

function keyOf(sql: string): string | undefined {
  const bytes = Buffer.from(sql);
  return digester.sharedKey(bytes, 0, bytes.length);
}

describe('texts share a digest', () => {
  const pairs: readonly (readonly [one: string, other: string])[] = [
    ['SELECT a FROM t WHERE i = 1', 'SELECT a FROM t WHERE i = 234567'],
    ['SELECT 1.5, 2.', 'SELECT 10.25, 99999999999'],
    ["SELECT 'a'", "SELECT 'it''s -- /* $$ \" ; é漢🐘'"],
    ["SELECT ''", "SELECT ''''"],
    ['SELECT  a\n\tFROM\r\nt', 'SELECT a FROM t'],
    ['SELECT a[1:2], -3::int', 'SELECT a[7:8], -0::int'],
    ['SELECT $1, \'a\', t1, "1"', 'SELECT $1, \'b\', t1, "1"'],
    ["SELECT a -- 'x'\n, 1", "SELECT a -- 'x'\n, 2"],
    ['/* a /* b */ 1 */ SELECT 1', '/* a /* b */ 1 */ SELECT 2'],
    ["SELECT 'a'::text, date '2020-01-01'", "SELECT 'b'::text, date '2021-01-01'"],
    ["INSERT INTO t VALUES (1, 'a'); SELECT 1", "INSERT INTO t VALUES (2, 'b'); SELECT 2"],
  ];
  for (const [one, other] of pairs) {
    it(`${JSON.stringify(one)} and ${JSON.stringify(other)}`, () => {
      assert.notEqual(keyOf(one), undefined);
      assert.equal(keyOf(one), keyOf(other));
    });
  }
});

describe('texts never share a digest', () => {
  const pairs: readonly (readonly [one: string, other: string])[] = [
    ['SELECT 1', 'SELECT 1.0'],
    ['SELECT 2147483647', 'SELECT 2147483648'],
    ['SELECT 1', "SELECT '1'"],
    ['SELECT $1', 'SELECT $2'],
    ['SELECT t1', 'SELECT t2'],
    ['SELECT "1"', 'SELECT "2"'],
    ['SELECT a -- 1', 'SELECT a -- 2'],
    ['/* matriarch: primary */ SELECT 1', '/* matriarch: standby */ SELECT 1'],
    ['/* matriarch: primary */ SELECT 1', ' SELECT 1'],
    ['SELECT a --\n, 1', 'SELECT a --, 1'],
    ['SELECT 1 < = 2', 'SELECT 1 <= 2'],
    ['SELECT 1 +-- 2\n3', 'SELECT 1 +- 2\n3'],
    ['SELECT 1 */* 2 */ 3', 'SELECT 1 */* 3 */ 3'],
    ["SELECT '--', 1", 'SELECT --, 1'],
    ['SELECT "a--", 1', 'SELECT "a", 1'],
  ];
  for (const [one, other] of pairs) {
    it(`${JSON.stringify(one)} and ${JSON.stringify(other)}`, () => {
      assert.notEqual(keyOf(one), undefined);
      assert.notEqual(keyOf(one), keyOf(other));
    });
  }
});

describe('a text that is not safely shared has no digest', () => {
  const texts = [
    "SELECT E'a'",
    "SELECT e'\\''",
    "SELECT U&'!0061' UESCAPE '!'",
    'SELECT U&"d!0061" UESCAPE \'!\'',
    "SELECT B'1', X'1f', N'a'",
    "SELECT date'2020-01-01'",
    "SELECT 'a\\b'",
    "SELECT 'a'\n'b'",
    "SELECT 'a' -- c\n'b'",
    "SELECT 'a' /* c */ 'b'",
    'SELECT $$a$$',
    'SELECT $a$b$a$',
    'SELECT $1a',
    'SELECT 1_000, 0x1f, 1e5',
    'SELECT .5',
    'SELECT 1..5',
    'SELECT 1.5.2',
    'SELECT 1a',
    'SELECT a::float(24)',
    'SELECT a::FLOAT (99)',
    "SELECT 'a",
    'SELECT "a',
    '/* a /* b */ SELECT 1',
    "SELECT '\0'",
    "SELECT '\u0001'",
    'SELECT 1\u0001',
    'SELECT\v1',
    "SELECT '\uFFFD'",
  ];
  for (const sql of texts) {
    it(JSON.stringify(sql), () => assert.equal(keyOf(sql), undefined));
  }

  it('for bytes that are not UTF-8', () => {
    const bytes = Buffer.from("SELECT '\xe9'", 'latin1');
    assert.equal(digester.sharedKey(bytes, 0, bytes.length), undefined);
  });
});

describe('a digest', () => {
  it('can be shown, with a mark for each literal', async () => {
    const classifier = await loadClassifier();
    const digests = ["SELECT 'é', é\nFROM t  WHERE i IN (1, 2.5)", 'SELECT $$a$$', 'x'.repeat(20_000)].map(
      (sql) => classifier.digest(Buffer.from(sql)),
    );
    assert.deepEqual(digests, ['SELECT ?, é FROM t WHERE i IN (?, ?)', undefined, undefined]);
  });

  it('is taken of the text alone, wherever it stands in a message', () => {
    const bytes = Buffer.from("Q....SELECT 1\0'");
    assert.equal(digester.sharedKey(bytes, 5, 13), keyOf('SELECT 2'));
    assert.equal(digester.sharedKey(Buffer.from("SELECT 'a'"), 0, 9), undefined);
  });

  it('never equals the key of a text by itself', () => {
    fc.assert(
      fc.property(fc.uint8Array({ max: 8, maxLength: 6 }), (array) => {
        const bytes = Buffer.concat([Buffer.from('SELECT 1'), array]);
        return digester.ownKey(bytes, 0, bytes.length) !== keyOf('SELECT 1');
      }),
    );
  });
});

describe('an answer by digest is the one of the text itself', () => {
  let caching: Classifier;
  /** Nothing fits into its cache. */
  let exact: Classifier;
  before(async () => {
    caching = await loadClassifier();
    exact = await loadClassifier({ cacheBytesMax: 1 });
  });

  function isSame(sql: string): boolean {
    const bytes = Buffer.from(`Q....${sql}\0`);
    assert.deepEqual(
      caching.classifyBytes(bytes, 5, bytes.length - 1),
      exact.classify(sql),
      JSON.stringify(sql),
    );
    return true;
  }

  it('when a literal is what decides', () => {
    const texts = [
      "SELECT current_setting('search_path')",
      "SELECT current_setting('data_directory')",
      "SELECT set_config('a.b', 'c', 't'::bool)",
      "SELECT set_config('a.b', 'c', 'true')",
      "SELECT pg_create_physical_replication_slot('a', false, false)",
      "SELECT ('timezone').current_setting",
      "SELECT set_config('a.b', 'c', 'false')",
      'EXPLAIN (ANALYZE 0) SELECT 1',
      'EXPLAIN (ANALYZE 1) SELECT 1',
      "EXPLAIN (ANALYZE 'off') SELECT 1",
      "EXPLAIN (ANALYZE 'on') SELECT 1",
      "SET client_encoding = 'UTF8'",
      "SET client_encoding = 'SJIS'",
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'a'",
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'pg_temp'",
      "LOAD 'a'",
      "LOAD 'b'",
      "COPY t TO 'a'",
      "COPY t TO ''",
      'SELECT a::float(24)',
      'SELECT a::float(99)',
      'FETCH 1 FROM c',
      'FETCH 9999999999 FROM c',
      `SELECT '${'x'.repeat(3_000)}'`,
      `SELECT '${'+'.repeat(3_000)}'`,
      `SELECT '${'x'.repeat(17_000)}'`,
    ];
    for (const sql of [...texts, ...texts]) isSame(sql);
  });

  it('whatever the values of literals of one kind', () => {
    const [integer, text] = [fc.constantFrom(...INTEGERS), fc.constantFrom(...STRINGS)];
    const holes = fc.array(fc.tuple(integer, text), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom(...TEMPLATES), holes, holes, (template, some, others) => {
        const [one, other] = [filled(template, some), filled(template, others)];
        return isSame(one) && isSame(other);
      }),
      { numRuns: 1_500 },
    );
    assert.ok(caching.stats().digestHits > 500, 'texts shared answers');
  });

  it('however a text is mangled, and the grammar takes all of one digest or none', () => {
    const hitsBefore = caching.stats().digestHits;
    const isTaken = new Map<string, boolean>();
    let compared = 0;
    const cut = fc.record({ at: fc.nat(1_000), drop: fc.nat(1), put: fc.constantFrom(...NASTY) });
    const base = fc.constantFrom(...TEMPLATES).map((template) => filled(template, [[1, "'a'"]]));
    fc.assert(
      fc.property(base, fc.array(cut, { minLength: 1, maxLength: 3 }), (sql, cuts) => {
        const text = cuts.reduce(mangled, sql);
        const key = keyOf(text);
        const taken = exact.classify(text).because !== 'not-parsed';
        const expected = key === undefined ? undefined : isTaken.get(key);
        if (expected === undefined && key !== undefined) isTaken.set(key, taken);
        if (expected !== undefined) compared += 1;
        return isSame(text) && (expected ?? taken) === taken;
      }),
      { numRuns: 5_000 },
    );
    assert.ok(compared > 300, `${compared} texts had the digest of another`);
    assert.ok(caching.stats().digestHits - hitsBefore > 100, 'texts shared answers');
  });
});

type Hole = readonly [integer: number | string, text: string];

function filled(template: string, holes: readonly Hole[]): string {
  let next = 0;
  return template.replace(/#|@/g, (mark) => {
    const hole = holes[next++ % holes.length] ?? [0, "''"];
    return String(mark === '#' ? hole[0] : hole[1]);
  });
}

/** Cuts at or just before a literal if the text has one: that is where a scanner errs. */
function mangled(sql: string, { at, drop, put }: { at: number; drop: number; put: string }): string {
  const literals = [...sql.matchAll(/'|\d/g)].flatMap(({ index }) => [index, index + 1]);
  const start = literals[at % literals.length] ?? at % (sql.length + 1);
  return sql.slice(0, start) + put + sql.slice(start + drop);
}

const INTEGERS = [
  0,
  1,
  7,
  53,
  54,
  99,
  2_147_483_647,
  '2147483648',
  '00000000000001',
  '99999999999999999999',
  '1.5',
  '1.',
];
const STRINGS = [
  "''",
  "'a'",
  "'true'",
  "'off'",
  "'search_path'",
  "'data_directory'",
  "'pg_temp'",
  "'serializable'",
  "'it''s'",
  "'-- /* '",
  "'$$'",
  "'nextval(''s'')'",
  "'\"'",
  "'é漢🐘'",
  "'a\nb'",
  "'utf8'",
  "'\\'",
  "'x;DELETE FROM t'",
];
/** `#` is a number, `@` a string. */
const TEMPLATES = [
  'SELECT @\n@',
  'SELECT @ @',
  'SELECT E@, U&@, date@',
  'SELECT $a$ # $a$, $1 # @',
  'SELECT * FROM t WHERE i = # AND s = @ LIMIT #',
  'UPDATE t SET s = @, i = i + # WHERE i = #',
  'INSERT INTO t VALUES (#, @), (#, @)',
  'DELETE FROM t WHERE s LIKE @ ESCAPE @',
  'SELECT current_setting(@), #',
  'SELECT set_config(@, @, @)',
  'SELECT set_config(@, @, @::bool)',
  'SELECT pg_advisory_lock(#), @',
  'SELECT nextval(@)',
  'SELECT f(#, @)',
  'CALL p(#, @)',
  'EXECUTE p (#, @)',
  'SET work_mem = #',
  'SET client_encoding = @',
  'SET LOCAL a.b = @',
  'SET default_transaction_isolation = @',
  'SET transaction_read_only = @',
  'EXPLAIN (ANALYZE #) SELECT @',
  'EXPLAIN (ANALYZE @) SELECT #',
  'SELECT a::float(#), b::varchar(#), c::numeric(#, #)',
  'SELECT @::interval, interval(#) @, interval @ second (#)',
  'SELECT U&"d!0061t!0061" UESCAPE @',
  'CREATE FUNCTION f() RETURNS int LANGUAGE sql AS @',
  'COPY t TO @',
  'COPY (SELECT #) TO STDOUT WITH (FORMAT @)',
  'LOAD @',
  'FETCH # FROM c',
  'PREPARE p AS SELECT #',
  'SHOW search_path',
  'BEGIN; SELECT #; COMMIT',
  'SELECT #; SET a.b = @',
  'SELECT a[#], a[#:#] FROM t TABLESAMPLE system (#) REPEATABLE (#)',
  'SELECT * FROM json_table(@, @ COLUMNS (a int PATH @)) AS j',
  'SELECT * FROM xmltable(@ PASSING x COLUMNS b int PATH @) AS y',
  'SELECT /* @ */ # -- @\n, "@" FROM pg_temp.t',
  'SELECT sum(a) OVER (ORDER BY b ROWS # PRECEDING) FROM t FETCH FIRST # ROWS ONLY',
];
const NASTY = [
  "'",
  "''",
  '"',
  '\\',
  '$',
  '$$',
  '$1',
  '--',
  '/*',
  '*/',
  '\n',
  ' ',
  '\t',
  '\v',
  '\0',
  '\u0001',
  '\u0003',
  ';',
  '&',
  'U&',
  'E',
  'x',
  '_',
  '.',
  '0',
  '9',
  '1.5',
  '0x',
  'é',
  '漢',
  '\uFFFD',
  '(',
  ')',
  '-',
  '/',
  '*',
  ',',
  '::',
  '@',
  '?',
  '',
];

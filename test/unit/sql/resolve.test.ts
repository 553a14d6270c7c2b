/** What statements are by the definitions of their database. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  CatalogFacts,
  loadClassifier,
  originOf,
  Resolvers,
  type SearchPath,
  unresolved,
} from '../../../src/sql/index.ts';
import { aCatalog, SOME_ROWS } from '../../support/a-catalog.ts';

const classifier = await loadClassifier();
const PUBLIC: SearchPath = ['pg_catalog', 'public'];
const resolvers = new Resolvers(aCatalog());

function resolved(sql: string, path: SearchPath = PUBLIC, by = resolvers): string {
  const { kind, because, detail = '' } = by.under(path).resolve(classifier.classify(sql));
  return `${kind} ${because} ${detail}`.trim();
}

function facts(fact: string, rows: readonly (readonly [sql: string, is: string])[], path = PUBLIC): void {
  it(fact, () => {
    for (const [sql, is] of rows) assert.equal(resolved(sql, path), is, sql);
  });
}

describe('a write that may leave something in its session', () => {
  const rows = {
    ...SOME_ROWS,
    relations: [
      ...SOME_ROWS.relations,
      ...['triggered', 'parent', 'child', 'defaulting'].map((name, index) => ({
        key: `r10${index}`,
        schema: 'public',
        name,
        kind: 'r',
        isUnlogged: false,
        locksRows: false,
      })),
    ],
    edges: [...SOME_ROWS.edges, ['w100', 'f2'], ['w101', 'w102'], ['w102', 'f8'], ['ddl', 'f8']] as const,
    leaveState: ['w103'],
  };
  const by = new Resolvers(new CatalogFacts(rows));
  const isUnseen = (sql: string): boolean =>
    by.under(PUBLIC).resolve(classifier.classify(sql)).runsUnseen === true;

  it('is known by what its tables run, and what its text calls', () => {
    for (const sql of [
      'INSERT INTO triggered VALUES (1)',
      'INSERT INTO public.triggered VALUES (1)',
      'WITH w AS (DELETE FROM parent RETURNING 1) SELECT * FROM w',
      'UPDATE parent SET a = 1',
      'COPY defaulting FROM STDIN',
      'INSERT INTO t SELECT writing(1)',
      'INSERT INTO t SELECT nobody(1)',
      'EXPLAIN ANALYZE SELECT coded(1)',
      "UPDATE pg_settings SET setting = '1'",
      "SELECT query_to_xml('SELECT 1', true, true, '')",
      'ALTER TABLE t ADD a int',
      'SELECT 1; INSERT INTO triggered VALUES (1)',
      // Which of its relations a statement writes to is not looked at.
      'INSERT INTO t SELECT * FROM triggered',
    ])
      assert.equal(isUnseen(sql), true, sql);
  });

  it('is as cheap as any where nothing of that is there', () => {
    for (const sql of [
      'INSERT INTO t VALUES (1)',
      "INSERT INTO t VALUES (nextval('s'), now(), random())",
      'UPDATE t SET a = harmless(a)',
      'INSERT INTO new_and_unknown VALUES (1)',
      'SELECT pg_advisory_xact_lock(1)',
    ])
      assert.equal(isUnseen(sql), false, sql);
  });

  it('may be any while nothing is known', () => {
    assert.equal(unresolved(classifier.classify('INSERT INTO t VALUES (1)')).runsUnseen, true);
  });
});

describe('a statement is resolved against its database', () => {
  facts('functions are what they are declared', [
    ['SELECT harmless(1)', 'read only-reads'],
    ['SELECT public.harmless(1)', 'read only-reads'],
    ['SELECT writing(1)', 'write function-volatile public.writing'],
    ['SELECT coded(1)', 'read function-trusted'],
    ['SELECT summing(1)', 'write function-volatile public.writing'],
    ['SELECT nobody(1)', 'write function-not-known nobody'],
    ['SELECT other.harmless(1)', 'write function-not-known other.harmless'],
    ['SELECT nextval(1)', 'write function-volatile nextval'],
    ['EXPLAIN SELECT harmless(1)', 'read explains-a-read'],
    ['EXPLAIN SELECT writing(1)', 'write function-volatile public.writing'],
    ['COPY (SELECT harmless(1)) TO STDOUT', 'read copies-out'],
    ['SELECT 1; SELECT harmless(1)', 'read only-reads'],
    ['SELECT harmless(1); SELECT writing(1)', 'write function-volatile public.writing'],
    ['INSERT INTO t VALUES (harmless(1))', 'write changes-data'],
    ['SELECT harmless(1) FROM t FOR UPDATE', 'write locks-rows'],
  ]);
  facts('overloads that take as many arguments count, with defaults and variadic ones', [
    ['SELECT either(1)', 'read only-reads'],
    ['SELECT either(1, 2)', 'write function-volatile public.either'],
    ['SELECT either(1, 2, 3)', 'write function-not-known either'],
    ['SELECT many(1, 2, 3, 4)', 'write function-volatile public.many'],
    ['SELECT several(1), several(1, 2), several(1, 2, 3)', 'read only-reads'],
    ['SELECT several()', 'write function-not-known several'],
  ]);
  facts('a function of a row can be spoken of like a column', [
    ['SELECT t.of_row FROM t', 'write function-volatile public.of_row'],
    ['SELECT (t).of_row FROM t', 'write function-volatile public.of_row'],
    ['SELECT t.total FROM t', 'read only-reads'],
    ['SELECT t.writing FROM t', 'read only-reads'],
    // A cast may make a bigint of the row.
    ['SELECT t.pg_advisory_lock FROM t', 'session holds-session-lock pg_advisory_lock'],
  ]);
  facts('a function of one argument, or a cast, can be spoken of like an attribute of it', [
    ['SELECT (1).writing', 'write function-volatile public.writing'],
    ["SELECT ('x'::text).lucky", 'write function-volatile public.writing'],
    ['SELECT (1).harmless', 'read only-reads'],
    ['SELECT (1).several, (1).either', 'read only-reads'],
    ['SELECT ((t).nothing).writing FROM t', 'write function-volatile public.writing'],
    ['SELECT n.writing FROM generate_series(1, 2) AS n', 'write function-volatile public.writing'],
    ['SELECT (1).nextval', 'write function-volatile nextval'],
    [
      'SELECT n.pg_advisory_lock FROM generate_series(1, 2) AS n',
      'session holds-session-lock pg_advisory_lock',
    ],
    ["SELECT ('port').current_setting", 'write setting-of-server port'],
    ["SELECT ('timezone').current_setting", 'read only-reads'],
  ]);
  facts('relations are followed through views, children and policies', [
    ['SELECT * FROM t', 'read only-reads'],
    ['COPY t TO STDOUT', 'read copies-out'],
    ['TABLE unlogged', 'write relation-unlogged public.unlogged'],
    ['COPY unlogged TO STDOUT', 'write relation-unlogged public.unlogged'],
    ['SELECT * FROM far', 'write relation-foreign public.far'],
    ['SELECT * FROM seq', 'write relation-sequence public.seq'],
    ['SELECT * FROM over_t', 'read only-reads'],
    ['SELECT * FROM over_over', 'write relation-unlogged public.unlogged'],
    ['SELECT * FROM over_activity', 'write relation-of-server pg_stat_activity'],
    ['SELECT * FROM numbering', 'write function-volatile nextval'],
    ['SELECT * FROM locking, unlogged', 'session holds-session-lock pg_advisory_lock'],
    ['SELECT * FROM parent', 'write relation-unlogged side.child'],
    ['SELECT * FROM guarded', 'write function-volatile public.writing'],
    ['SELECT * FROM nothing', 'write relation-not-known nothing'],
    ['WITH nothing AS (SELECT 1) SELECT * FROM nothing', 'read only-reads'],
    ['WITH nothing AS (SELECT 1) SELECT * FROM public.nothing', 'write relation-not-known public.nothing'],
    ['SELECT * FROM pg_class', 'read only-reads'],
  ]);
  facts('operators, casts and checks count where there is something of their types', [
    ['SELECT 1 <!> 2', 'write function-volatile public.writing'],
    ['SELECT 1 ~~~ 2', 'write operator-not-known ~~~'],
    ['SELECT 1 = 2 FROM t', 'read only-reads'],
    ['SELECT 1 IN (2) FROM pairs', 'write function-volatile public.writing'],
    ['SELECT p FROM pairs', 'read only-reads'],
    ['SELECT 1 FROM t JOIN pairs USING (a)', 'write function-volatile public.writing'],
    ['SELECT CASE p WHEN 1 THEN 2 END FROM pairs', 'write function-volatile public.writing'],
    ['SELECT p::text FROM pairs', 'write function-volatile public.writing'],
    ['SELECT text(p) FROM pairs', 'write function-volatile public.writing'],
    ['SELECT 1::text FROM t', 'read only-reads'],
    ['SELECT 5::lucky', 'write function-volatile public.writing'],
    ['SELECT lucky(5)', 'write function-volatile public.writing'],
    ['SELECT 5::unlucky', 'write type-not-known unlucky'],
  ]);

  facts('an operator counts for what has no type of its own, unless one that is built in is preferred', [
    ["SELECT 'a' <+> $1", 'write function-volatile public.writing'],
    ["SELECT 'a' - 1", 'write function-volatile public.writing'],
    ["SELECT 'a' = 'b'", 'read only-reads'],
    ["SELECT 'a' OPERATOR(public.=) 'b'", 'write function-volatile public.writing'],
    ["SELECT 'a' OPERATOR(pg_catalog.=) 'b'", 'read only-reads'],
    // PostgreSQL has it of one operand.
    ["SELECT 'a' @ 'b'", 'write function-volatile public.writing'],
  ]);
  facts('what is syntax to our grammar alone can be a function of an older server', [
    ["SELECT json_query('{}', '$.a')", 'write function-volatile public.json_query'],
    ["SELECT json_value('{}', '$.a')", 'write function-volatile public.json_query'],
    ["SELECT json_scalar(1), json_array(1), json('1')", 'read only-reads'],
    ["SELECT json_object('{a,1}')", 'read only-reads'],
  ]);
  facts(
    'so can what our grammar takes for PostgreSQL’s own function',
    [
      ["SELECT json_object('{a,1}')", 'write function-volatile side.json_object'],
      ["SELECT json_object('a': 1)", 'write function-volatile side.json_object'],
    ],
    ['pg_catalog', 'side'],
  );

  it('the types of parameters count like those that are named', () => {
    const typed = (sql: string, types: readonly number[]): string =>
      resolvers.under(PUBLIC).resolve(classifier.classify(sql), types).because;
    assert.equal(typed('SELECT $1', [2]), 'function-volatile', 'a check of its domain');
    assert.equal(typed('SELECT $1 = $1', [1]), 'function-volatile', 'an operator');
    assert.equal(typed('SELECT $1::text', [1]), 'function-volatile', 'a cast');
    assert.equal(typed('SELECT $1', [1]), 'only-reads');
    assert.equal(unresolved(classifier.classify('SELECT $1'), [1]).because, 'catalog-not-read');
  });

  it('what was looked up knows what it was before, whatever decided about it', () => {
    const found = classifier.classify('SELECT coded(1)');
    const [one, other] = [resolvers.under(PUBLIC).resolve(found), resolvers.under('any').resolve(found, [1])];
    assert.notEqual(one, other);
    assert.deepEqual([originOf(one), originOf(other), originOf(found)], [found, found, found]);
  });

  it('the search_path decides which of its namesakes a name is', () => {
    assert.equal(
      resolved('SELECT * FROM t', ['pg_catalog', 'side', 'public']),
      'write relation-unlogged side.t',
    );
    assert.equal(resolved('SELECT * FROM t', ['pg_catalog', 'public', 'side']), 'read only-reads');
    // For whom it is closed, the next schema has the table.
    assert.equal(resolved('SELECT * FROM t', ['closed', 'public']), 'write relation-unlogged closed.t');
    assert.equal(resolved('SELECT * FROM t', ['nowhere']), 'write relation-not-known t');
    assert.equal(resolved('SELECT * FROM t', 'any'), 'write relation-unlogged side.t');
    assert.equal(resolved('SELECT harmless(1)', ['public', 'side']), 'write function-volatile side.harmless');
    assert.equal(resolved("SELECT lower('a')", PUBLIC), 'read only-reads');
    assert.equal(resolved("SELECT lower('a')", ['public', 'side']), 'write function-volatile side.lower');
    assert.equal(resolved("SELECT pg_catalog.lower('a')", 'any'), 'read only-reads');
  });

  it('an operator class of a built-in type that calls what is volatile makes all statements writes', () => {
    const all = new Resolvers(aCatalog({ edges: [['d', 'f2']] }));
    assert.equal(resolved('SELECT * FROM t', PUBLIC, all), 'write function-volatile public.writing');
    assert.equal(resolved('SELECT 1', PUBLIC, all), 'read only-reads');
  });

  it('an answer is found once, keeps its hint, and is the same object for what stays what it was', () => {
    const resolver = resolvers.under(PUBLIC);
    const hinted = classifier.classify('/* matriarch: local */ SELECT harmless(1)');
    assert.equal(resolver.resolve(hinted).hint, 'local');
    assert.equal(resolver.resolve(hinted), resolver.resolve(hinted));
    const read = classifier.classify('SELECT * FROM t');
    assert.equal(resolver.resolve(read), read);
    assert.equal(resolvers.under([...PUBLIC]), resolver);
  });

  it('what refers to a catalogue that was not read is for the primary', () => {
    assert.equal(unresolved(classifier.classify('SELECT * FROM t')).because, 'catalog-not-read');
    assert.equal(unresolved(classifier.classify('SELECT 1')).because, 'only-reads');
  });
});

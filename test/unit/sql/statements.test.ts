/** The table of statements: what kind each is, and why. Each reason of the closed set is reached by some test here. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Classification, loadClassifier, SQL_REASONS, type SqlReason } from '../../../src/sql/index.ts';

const classifier = await loadClassifier();

type Row = readonly [sql: string, kind: Classification['kind'], because: SqlReason];

const reached = new Set<string>();

function facts(fact: string, rows: readonly Row[]): void {
  describe(fact, () => {
    for (const [sql, kind, because] of rows) {
      it(`${JSON.stringify(sql)} is ${kind}: ${because}`, () => {
        const answer = classifier.classify(sql);
        assert.deepEqual({ kind: answer.kind, because: answer.because }, { kind, because });
        reached.add(answer.because);
      });
    }
  });
}

facts('what only reads may run on a standby', [
  ['SELECT 1', 'read', 'only-reads'],
  ['(SELECT 1)', 'read', 'only-reads'],
  ['  \n\t SELECT 1', 'read', 'only-reads'],
  ['/* from the ORM */ SELECT 1 -- and more', 'read', 'only-reads'],
  ['SELECT 1;', 'read', 'only-reads'],
  [`SELECT v FROM t WHERE id IN (${'1,'.repeat(2_400)}1)`, 'read', 'only-reads'],
  [`SELECT '${'{"a":1},'.repeat(2_000)}'`, 'read', 'only-reads'],
  ['SELECT * FROM accounts WHERE id = $1', 'read', 'only-reads'],
  ['TABLE accounts', 'read', 'only-reads'],
  ['VALUES (1), (2)', 'read', 'only-reads'],
  ['WITH s AS (SELECT 1) SELECT * FROM s', 'read', 'only-reads'],
  [
    'WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT sum(i) FROM n',
    'read',
    'only-reads',
  ],
  ['SELECT 1 UNION SELECT 2 EXCEPT SELECT 3', 'read', 'only-reads'],
  ['SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b LIMIT 3 OFFSET 1', 'read', 'only-reads'],
  ['SELECT a, rank() OVER (PARTITION BY b ORDER BY c) FROM t WINDOW w AS (ORDER BY a)', 'read', 'only-reads'],
  [
    'SELECT count(*) FILTER (WHERE a > 1), percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM t',
    'read',
    'only-reads',
  ],
  [
    'SELECT a, b, sum(c) FROM t GROUP BY GROUPING SETS ((a), (b), ()) HAVING grouping(a) = 0',
    'read',
    'only-reads',
  ],
  ['SELECT CASE WHEN a IS NULL THEN b ELSE coalesce(c, greatest(d, 1)) END FROM t', 'read', 'only-reads'],
  [
    'SELECT * FROM a LEFT JOIN b USING (id), LATERAL (SELECT * FROM c WHERE c.id = a.id) AS d',
    'read',
    'only-reads',
  ],
  ['SELECT * FROM generate_series(1, 3) WITH ORDINALITY AS g(i, n)', 'read', 'only-reads'],
  ["SELECT * FROM json_to_record('{}') AS r(a int, b text)", 'read', 'only-reads'],
  ['SELECT (ARRAY[1, 2])[1], ROW(1, 2), (t).a FROM t', 'read', 'only-reads'],
  ['SELECT EXISTS (SELECT 1 FROM t), a IN (SELECT b FROM u), a = ANY ($1) FROM t', 'read', 'only-reads'],
  ['SELECT now(), current_timestamp, current_user, session_user', 'read', 'only-reads'],
  [
    "SELECT extract(epoch FROM now()), substring('abc' FROM 2), position('b' IN 'abc'), trim(' x ')",
    'read',
    'only-reads',
  ],
  [
    "SELECT now() AT TIME ZONE 'UTC', 'a' LIKE 'b' ESCAPE '!', 'a' SIMILAR TO 'b', (now(), now()) OVERLAPS (now(), now())",
    'read',
    'only-reads',
  ],
  [
    "SELECT overlay('abc' PLACING 'x' FROM 1), 'a' COLLATE \"C\", x'1f', 1.5, TRUE, NULL",
    'read',
    'only-reads',
  ],
  ['SELECT pg_catalog.lower($1), LOWER($2), array_cat(a, b) FROM t', 'read', 'only-reads'],
  [
    'SELECT xmlelement(name a, xmlattributes(b AS c)), xmlserialize(CONTENT d AS text) FROM t',
    'read',
    'only-reads',
  ],
  [
    "SELECT json_object('a': 1), json_array(1, 2), '{}' IS JSON, json_value('{}', '$.a')",
    'read',
    'only-reads',
  ],
  ["SELECT * FROM xmltable('/a' PASSING x COLUMNS b int PATH 'b') AS y", 'read', 'only-reads'],
  ["SELECT * FROM json_table('[]', '$[*]' COLUMNS (a int PATH '$.a')) AS j", 'read', 'only-reads'],
  ['SELECT * FROM t TABLESAMPLE system (10) REPEATABLE (1)', 'read', 'only-reads'],
  ['SELECT last_value FROM orders_id_seq', 'read', 'only-reads'],
  ["SELECT 'orders'::regclass::oid", 'read', 'only-reads'],
  ["SELECT 'nextval(''s'')', \"nextval\" FROM t -- nextval('s')", 'read', 'only-reads'],
  ['SELECT relname FROM pg_class', 'read', 'only-reads'],
  ['SELECT * FROM information_schema.columns', 'read', 'only-reads'],
  ['SELECT * FROM pg_settings', 'read', 'only-reads'],
  ["SELECT current_setting('search_path'), current_setting('app.tenant', true)", 'read', 'only-reads'],
  ['SELECT txid_current_if_assigned(), txid_current_snapshot()', 'read', 'only-reads'],
  ['COPY accounts TO STDOUT', 'read', 'copies-out'],
  ['COPY (SELECT * FROM accounts) TO STDOUT WITH (FORMAT csv)', 'read', 'copies-out'],
  ['EXPLAIN SELECT 1', 'read', 'explains-a-read'],
  ['EXPLAIN (ANALYZE off, COSTS) SELECT 1', 'read', 'explains-a-read'],
  ['EXPLAIN (ANALYZE 0, FORMAT json) SELECT 1', 'read', 'explains-a-read'],
  ['SHOW search_path', 'read', 'shows-setting'],
  ['SHOW TIME ZONE', 'read', 'shows-setting'],
  ['SHOW app.tenant', 'read', 'shows-setting'],
  ['DISCARD PLANS', 'read', 'discards-plans'],
]);

facts('what belongs to an open transaction follows it', [
  ['SAVEPOINT a', 'read', 'savepoint'],
  ['RELEASE SAVEPOINT a', 'read', 'savepoint'],
  ['ROLLBACK TO SAVEPOINT a', 'read', 'savepoint'],
  ['ROLLBACK TO a', 'read', 'savepoint'],
  ['SET TRANSACTION READ ONLY', 'read', 'set-transaction'],
  ['SET transaction_read_only = on', 'read', 'set-transaction'],
  ['SET LOCAL statement_timeout = 100', 'read', 'transaction-local'],
  ['SET LOCAL ROLE reader', 'read', 'transaction-local'],
  ['SET CONSTRAINTS ALL DEFERRED', 'read', 'transaction-local'],
  ["SET TRANSACTION SNAPSHOT '00000003-0000001B-1'", 'write', 'imports-snapshot'],
]);

facts('transactions begin and end', [
  ['BEGIN', 'begin', 'begins-transaction'],
  ['BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY', 'begin', 'begins-transaction'],
  ['START TRANSACTION READ WRITE', 'begin', 'begins-transaction'],
  ['COMMIT', 'end', 'ends-transaction'],
  ['END', 'end', 'ends-transaction'],
  ['ROLLBACK', 'end', 'ends-transaction'],
  ['ABORT', 'end', 'ends-transaction'],
  ["PREPARE TRANSACTION 'g1'", 'end', 'ends-transaction'],
  ["COMMIT PREPARED 'g1'", 'write', 'two-phase'],
  ["ROLLBACK PREPARED 'g1'", 'write', 'two-phase'],
]);

facts('what changes data or definitions goes to the primary', [
  ['INSERT INTO t VALUES (1)', 'write', 'changes-data'],
  ['UPDATE t SET a = 2', 'write', 'changes-data'],
  ['DELETE FROM t', 'write', 'changes-data'],
  ['MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE', 'write', 'changes-data'],
  ['TRUNCATE t', 'write', 'changes-data'],
  ['REFRESH MATERIALIZED VIEW m', 'write', 'maintains'],
  ['CREATE TABLE t (i int)', 'write', 'changes-schema'],
  ['CREATE UNLOGGED TABLE t (i int)', 'write', 'changes-schema'],
  ['CREATE TABLE t AS SELECT 1', 'write', 'changes-schema'],
  ['CREATE INDEX CONCURRENTLY ON t (a)', 'write', 'changes-schema'],
  ['CREATE VIEW v AS SELECT 1', 'write', 'changes-schema'],
  ["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", 'write', 'changes-schema'],
  ['ALTER TABLE t ADD COLUMN j int', 'write', 'changes-schema'],
  ['ALTER TABLE t RENAME TO u', 'write', 'changes-schema'],
  ["ALTER ROLE app SET work_mem = '64MB'", 'write', 'changes-schema'],
  ['ALTER SYSTEM SET work_mem = 1', 'write', 'changes-schema'],
  ['DROP TABLE t, u', 'write', 'changes-schema'],
  ['DROP FUNCTION pg_temp.f', 'write', 'changes-schema'],
  ['GRANT SELECT ON t TO app', 'write', 'changes-schema'],
  ["COMMENT ON TABLE t IS 'x'", 'write', 'changes-schema'],
  ['CREATE EXTENSION pgcrypto', 'write', 'changes-schema'],
  ["SECURITY LABEL ON TABLE t IS 'x'", 'write', 'changes-schema'],
  ['REASSIGN OWNED BY a TO b', 'write', 'changes-schema'],
  ['LOCK TABLE t IN ACCESS SHARE MODE', 'write', 'locks-table'],
  ["NOTIFY ch, 'x'", 'write', 'notifies'],
  ['UNLISTEN *', 'write', 'notifies'],
  ['CALL pr(1)', 'write', 'runs-code'],
  ['DO $$ BEGIN END $$', 'write', 'runs-code'],
  ['VACUUM t', 'write', 'maintains'],
  ['ANALYZE t', 'write', 'maintains'],
  ['REINDEX TABLE t', 'write', 'maintains'],
  ['CLUSTER t', 'write', 'maintains'],
  ['CHECKPOINT', 'write', 'maintains'],
  ['COPY t FROM STDIN', 'write', 'copies-in'],
  ["COPY t TO '/tmp/x'", 'write', 'copies-to-server'],
  ["COPY t TO PROGRAM 'gzip'", 'write', 'copies-to-server'],
  ['COPY (INSERT INTO t VALUES (1) RETURNING i) TO STDOUT', 'write', 'changes-data'],
  ['DECLARE c CURSOR FOR SELECT 1', 'write', 'uses-cursor'],
  ['FETCH 1 FROM c', 'write', 'uses-cursor'],
  ['MOVE 1 FROM c', 'write', 'uses-cursor'],
  ['CLOSE c', 'write', 'uses-cursor'],
  ['EXECUTE p (1)', 'write', 'executes-prepared'],
  ['DISCARD SEQUENCES', 'write', 'discards-state'],
  ['DISCARD TEMP', 'write', 'discards-state'],
]);

facts('a SELECT that does more than read goes to the primary', [
  ['SELECT * FROM t FOR UPDATE', 'write', 'locks-rows'],
  ['SELECT * FROM t FOR NO KEY UPDATE SKIP LOCKED', 'write', 'locks-rows'],
  ['SELECT * FROM t FOR SHARE', 'write', 'locks-rows'],
  ['SELECT * FROM t FOR KEY SHARE', 'write', 'locks-rows'],
  ['SELECT * FROM (SELECT * FROM t FOR UPDATE) AS q', 'write', 'locks-rows'],
  ['WITH q AS (SELECT * FROM t FOR UPDATE) SELECT * FROM q', 'write', 'locks-rows'],
  ['SELECT * INTO u FROM t', 'write', 'selects-into'],
  ['SELECT 1 INTO u UNION SELECT 2', 'write', 'selects-into'],
  ['WITH r AS (INSERT INTO t VALUES (1) RETURNING i) SELECT i FROM r', 'write', 'changes-data-in-cte'],
  ['WITH r AS (DELETE FROM t RETURNING i) SELECT 1', 'write', 'changes-data-in-cte'],
  [
    'WITH a AS (WITH b AS (UPDATE t SET i = 1 RETURNING i) SELECT * FROM b) SELECT * FROM a',
    'write',
    'changes-data-in-cte',
  ],
  [
    'SELECT * FROM (WITH m AS (MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE RETURNING 1) SELECT 1) q',
    'write',
    'changes-data-in-cte',
  ],
  ["SELECT nextval('s')", 'write', 'function-volatile'],
  ["SELECT setval('s', 1)", 'write', 'function-volatile'],
  ["SELECT currval('s'), lastval()", 'write', 'function-volatile'],
  ["WITH t AS (SELECT nextval('s')) SELECT * FROM t", 'write', 'function-volatile'],
  [
    "SELECT * FROM t WHERE a = (SELECT b FROM u ORDER BY pg_catalog.nextval('s') LIMIT 1)",
    'write',
    'function-volatile',
  ],
  ["COPY (SELECT nextval('s')) TO STDOUT", 'write', 'function-volatile'],
  ["VALUES (nextval('s'))", 'write', 'function-volatile'],
  ["SELECT * FROM nextval('s')", 'write', 'function-volatile'],
  ['SELECT pg_sleep(1)', 'write', 'function-volatile'],
  ['SELECT random(), clock_timestamp(), gen_random_uuid()', 'write', 'function-volatile'],
  ['SELECT pg_is_in_recovery()', 'write', 'function-volatile'],
  ['SELECT pg_current_wal_lsn()', 'write', 'function-volatile'],
  ['SELECT pg_switch_wal()', 'write', 'function-volatile'],
  ['SELECT pg_terminate_backend(1)', 'write', 'function-volatile'],
  ['SELECT pg_reload_conf()', 'write', 'function-volatile'],
  ["SELECT pg_notify('ch', 'x')", 'write', 'function-volatile'],
  ['SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock(2)', 'write', 'function-volatile'],
  ['SELECT pg_advisory_unlock(1), pg_advisory_unlock_all()', 'write', 'function-volatile'],
  ["SELECT lo_create(0), lo_unlink(1), lo_import('/x')", 'write', 'function-volatile'],
  ["SELECT set_config('app.tenant', '7', true)", 'write', 'function-volatile'],
  ["SELECT query_to_xml('DELETE FROM t', true, false, '')", 'write', 'function-volatile'],
  ['SELECT txid_current()', 'write', 'function-primary-only'],
  ['SELECT pg_current_xact_id()', 'write', 'function-primary-only'],
  ["SELECT pg_replication_origin_oid('o')", 'write', 'function-primary-only'],
  ["SELECT pg_walfile_name('0/0')", 'write', 'function-primary-only'],
  ['SELECT * FROM pg_stat_get_wal_senders()', 'write', 'function-primary-only'],
  ['SELECT f(1)', 'write', 'function-not-known'],
  ['SELECT public.lower(1)', 'write', 'function-not-known'],
  ['SELECT a.b.lower(1)', 'write', 'function-not-known'],
  ['SELECT "LOWER"(1)', 'write', 'function-not-known'],
  ['SELECT constructor(), __proto__(), "toString"()', 'write', 'function-not-known'],
  ['SELECT * FROM t TABLESAMPLE mine (1)', 'write', 'function-not-known'],
  ['SELECT * FROM pg_locks', 'write', 'relation-of-server'],
  ['SELECT * FROM pg_catalog.pg_stat_replication', 'write', 'relation-of-server'],
  ['COPY pg_stat_activity TO STDOUT', 'write', 'relation-of-server'],
  ['SHOW transaction_read_only', 'write', 'setting-of-server'],
  ['SHOW in_hot_standby', 'write', 'setting-of-server'],
  ['SHOW data_directory', 'write', 'setting-of-server'],
  ['SHOW ALL', 'write', 'setting-of-server'],
  ["SELECT current_setting('transaction_read_only')", 'write', 'setting-of-server'],
  ['SELECT current_setting(a) FROM t', 'write', 'setting-of-server'],
  ['EXPLAIN INSERT INTO t VALUES (1)', 'write', 'explains-a-write'],
  ["EXPLAIN SELECT nextval('s')", 'write', 'explains-a-write'],
  ['EXPLAIN EXECUTE p', 'write', 'explains-a-write'],
  ['EXPLAIN CREATE TEMP TABLE x AS SELECT 1', 'write', 'explains-a-write'],
  ['EXPLAIN ANALYZE SELECT 1', 'write', 'explain-analyze'],
  ['EXPLAIN ANALYZE INSERT INTO t VALUES (1)', 'write', 'explain-analyze'],
  ['EXPLAIN (VERBOSE, ANALYZE) DELETE FROM t', 'write', 'explain-analyze'],
  ['EXPLAIN (ANALYZE true) SELECT 1', 'write', 'explain-analyze'],
  ['EXPLAIN (ANALYZE 1) SELECT 1', 'write', 'explain-analyze'],
  ['EXPLAIN (ANALYZE off, ANALYZE on) SELECT 1', 'write', 'explain-analyze'],
]);

facts('what leaves state on one connection binds the session', [
  ['CREATE TEMP TABLE t (i int)', 'session', 'creates-temporary'],
  ['CREATE TEMPORARY TABLE t AS SELECT 1', 'session', 'creates-temporary'],
  ['CREATE TEMP VIEW v AS SELECT 1', 'session', 'creates-temporary'],
  ['CREATE TEMP SEQUENCE s', 'session', 'creates-temporary'],
  ['SELECT * INTO TEMP u FROM t', 'session', 'creates-temporary'],
  ['EXPLAIN ANALYZE CREATE TEMP TABLE x AS SELECT 1', 'session', 'creates-temporary'],
  ['CREATE TABLE pg_temp.t (i int)', 'session', 'uses-temporary'],
  ["CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", 'session', 'uses-temporary'],
  ['CREATE TYPE pg_temp.pair AS (a int, b int)', 'session', 'uses-temporary'],
  ['SELECT * FROM pg_temp.t', 'session', 'uses-temporary'],
  ['SELECT * FROM pg_temp_3.t', 'session', 'uses-temporary'],
  ['SELECT pg_temp.f()', 'session', 'uses-temporary'],
  ['LISTEN ch', 'session', 'listens'],
  ['PREPARE p AS SELECT 1', 'session', 'prepares-statement'],
  ['PREPARE p (int) AS UPDATE t SET i = $1', 'session', 'prepares-statement'],
  ['DEALLOCATE p', 'read', 'forgets-statement'],
  ['DEALLOCATE ALL', 'read', 'forgets-statement'],
  ['DEALLOCATE ALL; SELECT 1', 'write', 'several-with-forgetting'],
  ['DECLARE c CURSOR WITH HOLD FOR SELECT 1', 'session', 'holds-cursor'],
  ["LOAD 'auto_explain'", 'session', 'loads-library'],
  ['SELECT pg_advisory_lock(1)', 'session', 'holds-session-lock'],
  ['SELECT pg_try_advisory_lock_shared(1, 2)', 'session', 'holds-session-lock'],
  ['UPDATE t SET i = 1 WHERE pg_try_advisory_lock(i)', 'session', 'holds-session-lock'],
  ["SELECT nextval('s'), f(1), pg_advisory_lock(1)", 'session', 'holds-session-lock'],
  ['SELECT setseed(0.5)', 'session', 'seeds-random'],
  ["SELECT pg_backup_start('x', true)", 'session', 'ends-with-connection'],
  [
    "SELECT pg_create_logical_replication_slot('s', 'p', temporary => true)",
    'session',
    'ends-with-connection',
  ],
  ["SELECT pg_create_logical_replication_slot('s', 'p', false)", 'write', 'function-volatile'],
  ['SET seed = 0.5', 'session', 'seeds-random'],
  ["SELECT set_config($1, 'a', false)", 'session', 'function-sets-setting'],
  ["SELECT set_config('client_encoding', $1, false)", 'session', 'function-sets-setting'],
  ["SELECT pg_replication_origin_session_setup('a')", 'session', 'function-sets-setting'],
  ["SELECT set_config('standard_conforming_strings', 'off', false)", 'session', 'setting-changes-grammar'],
  ['SET standard_conforming_strings = off', 'session', 'setting-changes-grammar'],
  ["SET NAMES 'SJIS'", 'session', 'setting-changes-grammar'],
  ["SET default_transaction_isolation = 'Serializable'", 'session', 'setting-needs-primary'],
  [
    'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE',
    'session',
    'setting-needs-primary',
  ],
]);

facts('settings whose values only the server can tell are asked for', [
  ["SELECT set_config('search_path', 'a', 'f'::bool)", 'write', 'function-sets-setting'],
  ["SELECT set_config('search_path', 'a'::name, false)", 'write', 'function-sets-setting'],
  ["SELECT set_config('search_path', NULL, false)", 'write', 'function-sets-setting'],
  ["SELECT set_config('search_path', $1, false)", 'write', 'function-sets-setting'],
  ["SELECT set_config('a.b', 'a', false), 1", 'write', 'function-sets-setting'],
  ["SELECT set_config('a.b', 'a', false) LIMIT 0", 'write', 'function-sets-setting'],
  ["SELECT set_config('a.b', 'a', false) WHERE false", 'write', 'function-sets-setting'],
  ["SELECT set_config('transaction_read_only', 'off', false)", 'write', 'function-sets-setting'],
  ["SELECT set_config('search_path', 'a', b) FROM t", 'write', 'function-sets-setting'],
]);

facts('settings that can be replayed are sets', [
  ['SET search_path = a, b', 'set', 'sets-setting'],
  ['SET SESSION statement_timeout TO 100', 'set', 'sets-setting'],
  ["SET TIME ZONE 'UTC'", 'set', 'sets-setting'],
  ["SET NAMES 'UTF8'", 'set', 'sets-setting'],
  ['SET standard_conforming_strings = on', 'set', 'sets-setting'],
  ['SET ROLE reader', 'set', 'sets-setting'],
  ['SET SESSION AUTHORIZATION app', 'set', 'sets-setting'],
  ['SET default_transaction_read_only = on', 'set', 'sets-setting'],
  ['SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY', 'set', 'sets-setting'],
  ['RESET search_path', 'set', 'sets-setting'],
  ["SELECT set_config('search_path', 'a, b', false)", 'set', 'sets-setting'],
  ["SELECT pg_catalog.set_config('Role', 'reader', false) AS who", 'set', 'sets-setting'],
  ['RESET ROLE', 'set', 'sets-setting'],
  ['RESET ALL', 'set', 'resets-all'],
  ['DISCARD ALL', 'set', 'discards-all'],
]);

facts('of several statements the strictest decides', [
  ['SELECT 1; SELECT 2', 'read', 'only-reads'],
  ['SELECT 1; INSERT INTO t VALUES (1)', 'write', 'changes-data'],
  ['INSERT INTO t VALUES (1); LISTEN ch; SELECT 1', 'session', 'listens'],
  ['SELECT 1; PREPARE p AS SELECT 2', 'session', 'prepares-statement'],
  ['BEGIN; SELECT 1', 'write', 'several-with-transaction'],
  ['BEGIN; SELECT 1; ROLLBACK', 'write', 'several-with-transaction'],
  ['BEGIN; INSERT INTO t VALUES (1); COMMIT', 'write', 'changes-data'],
  ['SET a.b = 1; SET a.c = 2', 'set', 'sets-setting'],
  ['SET a.b = 1; SELECT 1', 'write', 'several-with-setting'],
  ['SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL', 'write', 'function-volatile'],
  ['SAVEPOINT a; SELECT 1', 'read', 'savepoint'],
]);

facts('a text without a statement is empty', [
  ['', 'empty', 'no-statement'],
  [' \n\t', 'empty', 'no-statement'],
  [';', 'empty', 'no-statement'],
  [' ;; ; ', 'empty', 'no-statement'],
  ['-- nothing', 'empty', 'no-statement'],
  ['/* nothing /* nested */ */', 'empty', 'no-statement'],
]);

facts('what cannot be read goes to the primary, which says why', [
  ['aaa', 'write', 'not-parsed'],
  ['SELECT 1; aaa', 'write', 'not-parsed'],
  ["SELECT 'x", 'write', 'not-parsed'],
  ['/* never closed', 'write', 'not-parsed'],
  ['SELECT 1\0; DELETE FROM t', 'write', 'not-parsed'],
  ['SELECT \uFFFD', 'write', 'not-utf8'],
  [`SELECT '${'x'.repeat(16 * 1024)}'`, 'write', 'too-long'],
  [`SELECT ${'1+'.repeat(2_100)}1`, 'write', 'too-dense'],
  [`SELECT ${'a,'.repeat(2_600)}a`, 'write', 'too-dense'],
  [`SELECT a${'::a'.repeat(1_700)}`, 'write', 'too-dense'],
  [`SELECT $$x$$, ${'a,'.repeat(2_600)}a`, 'write', 'too-dense'],
]);

describe('the reasons', () => {
  /** Reached elsewhere, or only by a grammar newer than these tables. */
  const elsewhere: readonly SqlReason[] = [
    'grammar-not-ready',
    'statement-not-known',
    'node-not-known',
    // By what the database defines: resolve.test.ts.
    'function-trusted',
    'relation-unlogged',
    'relation-foreign',
    'relation-sequence',
    'relation-not-known',
    'type-not-known',
    'operator-not-known',
    'catalog-not-read',
  ];

  it('are each reached by a statement', () => {
    const missing = Object.keys(SQL_REASONS).filter((reason) => !reached.has(reason));
    assert.deepEqual(missing.sort(), [...elsewhere].sort());
  });
});

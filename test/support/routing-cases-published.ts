/**
 * The cases by which pgpool-II's own tests and manual, and reports of its users, tell where a statement must run, by the
 * names under which they are known, as conversations with our stand. What is said of a place is what an application
 * needs: inside a transaction that is not READ ONLY the primary is right for reads too, whatever is published.
 */
import { aCase, type RoutingCase } from './routing-steps.ts';

export const PUBLISHED_SETUP: readonly string[] = [
  'CREATE TABLE t1 (i int); CREATE TABLE t2 (i int); CREATE TABLE t3 (i int); CREATE TABLE tf (i int)',
  'CREATE TABLE tab (a int); CREATE TABLE pt (i int); CREATE TABLE ct (a text); CREATE TABLE foo (x serial)',
  'CREATE TABLE u (id int UNIQUE); INSERT INTO u VALUES (1); CREATE TABLE test_tbl (id int, name text)',
  'CREATE TABLE shadowed (i int); INSERT INTO shadowed VALUES (1); INSERT INTO tab VALUES (1)',
  'CREATE UNLOGGED TABLE ul (i int); CREATE VIEW vul AS SELECT * FROM ul',
  "CREATE SEQUENCE sq; CREATE VIEW vv AS SELECT nextval('sq') AS n",
  "CREATE FUNCTION f1(int) RETURNS int LANGUAGE sql AS 'SELECT $1'",
  "CREATE FUNCTION f2(int) RETURNS int LANGUAGE sql AS 'SELECT $1'",
  "CREATE FUNCTION f3(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT $1'",
  "CREATE FUNCTION listed(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT $1'",
  'CREATE PROCEDURE pr() LANGUAGE sql AS $$ SELECT 1 $$',
  "CREATE SCHEMA a; CREATE FUNCTION a.g() RETURNS int LANGUAGE sql AS 'SELECT 1'",
  "CREATE FUNCTION g() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'",
  'CREATE SCHEMA s2; CREATE TABLE z (i int); CREATE UNLOGGED TABLE s2.z (i int)',
];

/** Of the router; databases come before roles there, application names before databases. */
export const PUBLISHED_RULES: readonly string[] = [
  '{ application_name: [psql], route: primary }',
  '{ application_name: [reader], route: replica }',
  '{ database: [postgres], route: primary }',
  '{ database: ["mydb*"], route: "node=n3" }',
  '{ database: [test3], route: replica }',
  '{ database: [test], route: "node=n2" }',
  '{ user: [user1], route: primary }',
  '{ user: [user2], route: "node=n2" }',
  '{ user: [user3], route: replica }',
  '{ user: [user4], route: primary }',
  '{ user: ["user*"], route: "node=n3" }',
];

export const PUBLISHED_ROLES = ['user1', 'user2', 'user3', 'user4', 'user6'] as const;
export const PUBLISHED_DATABASES = ['mydb6', 'test', 'test3'] as const;

const BY_POSITION =
  'a standby that has replayed the write may serve the read: the session knows the position of its writes, and waits for no time to pass';
const A_COMMENT = 'a comment is a hint only if it is addressed to us (`/* matriarch: primary */`)';
const CATALOGUE = 'any other SELECT is balanced; a session sees its own DDL by its consistency level';

const rule = (text: string): Partial<RoutingCase> => ({ setting: `rule ${text}` });

export const PUBLISHED_CASES: readonly RoutingCase[] = [
  aCase('autocommit-plain-select', 's SELECT * FROM t1'),
  aCase('write-function-list', 'p SELECT f1(1) ;; p SELECT public.f2(1)', { setting: 'their volatility' }),
  aCase('volatile-functions-by-catalog', 'p SELECT f1(1) ;; p SELECT public.f2(1)'),
  aCase(
    'prepare-volatile-follows-primary',
    'p PREPARE p1 AS SELECT f1(1) ;; p EXECUTE p1 ;; -/p DEALLOCATE p1',
  ),
  aCase(
    'prepare-inside-clean-transaction',
    '- BEGIN ;; p/s PREPARE p3 AS SELECT 1 ;; p/s EXECUTE p3 ;; -/s DEALLOCATE p3 ;; - END',
  ),
  aCase(
    'multi-statement-tx-savepoint-prepare',
    'p BEGIN; SELECT 1 ;; p SAVEPOINT a ;; p PREPARE foo AS SELECT 2 ;; p EXECUTE foo ;; -/p DEALLOCATE foo ;; p ROLLBACK TO a ;; p END',
  ),
  aCase(
    'multi-statement-tx-with-insert',
    'p BEGIN; INSERT INTO t1 VALUES (1) ;; p SAVEPOINT a ;; p PREPARE foo AS SELECT 2 ;; p EXECUTE foo ;; -/p DEALLOCATE foo ;; p ROLLBACK TO a ;; p END',
  ),
  aCase('multi-statement-begin-rollback-closes-tx', 'p BEGIN; SELECT 1; ROLLBACK ;; s SELECT 1'),
  aCase('roles-swapped-node-ids-irrelevant', 's SELECT 1 ;; p BEGIN; SELECT 1 ;; p END', {
    router: 'swapped',
  }),
  aCase(
    'temp-table-shadows-dropped-table',
    'p CREATE TABLE t12 (i int) ;; p SELECT pg_sleep(0) ;; s SELECT * FROM t12 ;; p DROP TABLE t12 ;; p CREATE TEMP TABLE t12 (i int) ;; p SELECT * FROM t12',
  ),
  aCase('pg_sleep-is-volatile', 'p SELECT pg_sleep(0)'),
  aCase('redirect-user-to-primary', "p SELECT 'x'", { as: { user: 'user1' }, ...rule('by user') }),
  aCase('redirect-user-to-node', "s SELECT 'x'", { as: { user: 'user2' }, ...rule('by user') }),
  aCase('redirect-user-to-any-standby', "s SELECT 'x'", { as: { user: 'user3' }, ...rule('by user') }),
  aCase('redirect-user-regex', "s SELECT 'x'", { as: { user: 'user6' }, ...rule('by user, with `*`') }),
  aCase('redirect-database-to-primary', "p SELECT 'x'", {
    as: { database: 'postgres' },
    ...rule('by database'),
  }),
  aCase('redirect-database-regex-to-node', "s SELECT 'x'", {
    as: { database: 'mydb6' },
    ...rule('by database, with `*`'),
  }),
  aCase('redirect-database-primary-ratio-zero', "s SELECT 'x'", {
    as: { database: 'test3' },
    ...rule('`route: replica`'),
  }),
  aCase('redirect-database-beats-user', "s SELECT 'x'", {
    as: { user: 'user4', database: 'test' },
    setting: 'order of the rules',
  }),
  aCase('redirect-appname-beats-database', "p SELECT 'x'", {
    as: { application: 'psql', database: 'mydb6' },
    setting: 'order of the rules',
  }),
  aCase('redirect-appname-primary-ratio-zero', "s SELECT 'x'", {
    as: { application: 'reader' },
    ...rule('`route: replica`'),
  }),
  aCase(
    'leading-comment-disables-lb',
    "s SELECT 'a' ;; s/p /* comment */SELECT 'b' ;; s/p /*NO LOAD BALANCE*/SELECT 'c'",
    {
      differs: A_COMMENT,
    },
  ),
  aCase(
    'temp-table-visible-catalog',
    'p CREATE TEMP TABLE shadowed (i int) ;; p#0 SELECT * FROM shadowed ;; p DROP TABLE shadowed ;; -#1 SELECT * FROM shadowed',
  ),
  aCase(
    'temp-table-in-transaction',
    '- BEGIN ;; p CREATE TEMP TABLE shadowed (i int) ;; p#0 SELECT * FROM shadowed ;; p DROP TABLE shadowed ;; p#1 SELECT * FROM shadowed ;; - END',
  ),
  aCase(
    'temp-table-aborted-transaction',
    '- BEGIN ;; p CREATE TEMP TABLE shadowed (i int) ;; p#0 SELECT * FROM shadowed ;; !p aaa ;; - ABORT ;; -#1 SELECT * FROM shadowed',
  ),
  aCase(
    'temp-table-multi-drop',
    'p CREATE TEMP TABLE shadowed (i int) ;; p CREATE TEMP TABLE t2 (i int) ;; p#0 SELECT * FROM shadowed ;; p DROP TABLE shadowed, t2 ;; -#1 SELECT * FROM shadowed',
  ),
  aCase(
    'dml-adaptive-tables',
    '- BEGIN ;; p/s SELECT i FROM t2 ;; p INSERT INTO t1 VALUES (1) ;; p SELECT i FROM t1 ;; p/s SELECT i FROM t3 ;; p SELECT i FROM t2 ;; - COMMIT',
  ),
  aCase(
    'dml-adaptive-function',
    '- BEGIN ;; p/s SELECT i FROM tf ;; p SELECT f1(190) ;; p SELECT i FROM tf ;; p/s SELECT i FROM t1 ;; p/s SELECT i FROM t3 ;; - COMMIT',
  ),
  aCase(
    'dml-adaptive-extended-update',
    '-@as BEGIN ;; -@parse:S1 SELECT * FROM tab ;; -@parse:S0 SELECT 1 ;; p@as UPDATE tab SET a = 2 ;; p@run:S1 ;; p/s@run:S0 ;; -@as COMMIT',
  ),
  aCase(
    'dml-adaptive-extended-delete',
    '-@as BEGIN ;; -@parse:S1 SELECT * FROM tab ;; -@parse:S0 SELECT 1 ;; p@as DELETE FROM tab WHERE a > 9 ;; p@run:S1 ;; p/s@run:S0 ;; -@as COMMIT',
  ),
  aCase(
    'dlbow-transaction-extended',
    '-@as BEGIN ;; -@parse:S1 SELECT 1 ;; p@as INSERT INTO pt VALUES (1) ;; p@run:S1 ;; p@as SELECT 2 ;; -@as COMMIT ;; s@as SELECT 3 ;; -@as BEGIN ;; -@run:S1 ;; p/s@as SELECT 4 ;; -@as COMMIT',
  ),
  aCase(
    'dlbow-off-extended',
    '-@as BEGIN ;; -@parse:S1 SELECT 1 ;; p@as INSERT INTO pt VALUES (1) ;; p/s@run:S1 ;; p/s@as SELECT 2 ;; -@as COMMIT ;; s@as SELECT 3 ;; -@as BEGIN ;; p/s@run:S1 ;; p/s@as SELECT 4 ;; -@as COMMIT',
  ),
  aCase(
    'dlbow-off-write-function-extended',
    '-@as BEGIN ;; -@parse:S1 SELECT 1 ;; p@as SELECT f1(1) ;; p/s@run:S1 ;; p/s@as SELECT 2 ;; -@as COMMIT ;; s@as SELECT 3 ;; -@as BEGIN ;; p/s@run:S1 ;; p/s@as SELECT 4 ;; -@as COMMIT',
  ),
  aCase(
    'dlbow-trans_transaction-write-function-extended',
    '-@as BEGIN ;; -@parse:S1 SELECT 1 ;; p@as SELECT f1(1) ;; p@run:S1 ;; p@as SELECT 2 ;; -@as COMMIT ;; s@as SELECT 3 ;; -@as BEGIN ;; p@run:S1 ;; p@as SELECT 4 ;; -@as COMMIT',
  ),
  aCase(
    'read-only-function-in-tx-keeps-lb-extended',
    '-@as BEGIN ;; -@parse:S1 SELECT 1 ;; p/s@as SELECT listed(1) ;; p/s@run:S1 ;; p/s@as SELECT 2 ;; -@as COMMIT ;; s@as SELECT 3',
    { setting: 'a function declared STABLE' },
  ),
  aCase(
    'dlbow-always-SET-counts-as-write',
    '-@as BEGIN ;; -@parse:S1 SELECT 1 ;; -@as SET debug_print_parse = off ;; -@run:S1 ;; -@as COMMIT ;; -@as SELECT 3',
  ),
  aCase(
    'dlbow-transaction-simple',
    '- BEGIN ;; p/s SELECT 1 ;; p INSERT INTO pt VALUES (1) ;; p SELECT 2 ;; - COMMIT ;; s SELECT 3 ;; - BEGIN ;; p/s SELECT 4 ;; - COMMIT',
  ),
  aCase(
    'dlbow-trans_transaction-simple',
    '- BEGIN ;; p/s SELECT 1 ;; p INSERT INTO pt VALUES (1) ;; p SELECT 2 ;; - COMMIT ;; s SELECT 3 ;; - BEGIN ;; p SELECT 4 ;; - COMMIT',
  ),
  aCase(
    'write-function-simple',
    '- BEGIN ;; p/s SELECT 1 ;; p SELECT f1(1) ;; p SELECT 2 ;; - COMMIT ;; s SELECT 3 ;; - BEGIN ;; p/s SELECT 4 ;; - COMMIT',
    { setting: 'its volatility' },
  ),
  aCase(
    'parse-before-bind',
    '-@as:S1 BEGIN ;; -@parse:S2 SELECT 1 ;; p@as:S1 INSERT INTO pt VALUES (1) ;; p@run:S2 ;; -@as:S1 COMMIT',
  ),
  aCase(
    'parse-before-bind-same-name',
    '-@as:S1 BEGIN ;; -@parse:S1 SELECT 1 ;; p@as:S2 INSERT INTO pt VALUES (1) ;; p@run:S1 ;; -@as:S1 COMMIT',
  ),
  aCase(
    'statement-level-lb-in-transaction',
    '-@as:S0 BEGIN ;; -@as:S1 SELECT 1 ;; -@as:S2 SELECT 2 ;; -@as:S3 COMMIT',
  ),
  aCase(
    'extended-error-then-select-no-hang',
    '!-/p@pipe SELECT 1/0;& SELECT * FROM pg_tables ;; s@as SELECT 1',
    {
      differs:
        'the server skips the second statement up to the Sync, so nobody sees where it would run; that the client goes on is tried',
    },
  ),
  aCase('cte-insert', 'p WITH r AS (INSERT INTO foo VALUES (default) RETURNING x) SELECT x FROM r'),
  aCase('cte-nextval', "p WITH t AS (SELECT nextval('foo_x_seq')) SELECT * FROM t"),
  aCase('cte-read-only', 's WITH s AS (SELECT 1) SELECT * FROM s'),
  aCase('execute-inherits-select', 's PREPARE test1 AS SELECT 1 ;; s EXECUTE test1 ;; -/s DEALLOCATE test1'),
  aCase(
    'execute-inherits-update',
    'p PREPARE test2 AS UPDATE test_tbl SET id = 2 ;; p EXECUTE test2 ;; -/p DEALLOCATE test2',
  ),
  aCase('deallocate-all-everywhere', 's PREPARE a AS SELECT 1 ;; - DEALLOCATE ALL ;; !- EXECUTE a'),
  aCase(
    'deallocate-after-multi-statement-prepare',
    'p SELECT 1; PREPARE test3 AS SELECT 2 ;; p DEALLOCATE test3',
  ),
  aCase(
    'multi-statement-prepare-then-bind',
    'p PREPARE a(int8) AS SELECT $1; PREPARE b(int8) AS SELECT $1 ;; p#1@run:a=1 ;; p#1@run:b=2',
  ),
  aCase('cursor-declare-describe', '- BEGIN ;; p DECLARE c CURSOR FOR SELECT 3 ;; -@portal:c ;; - END'),
  aCase(
    'aborted-subtransaction-recovers',
    '- BEGIN ;; - SAVEPOINT s1 ;; !p aaa ;; - ROLLBACK TO s1 ;; -#1 SELECT 1 ;; - END',
  ),
  aCase(
    'empty-query-in-aborted-transaction',
    "- BEGIN ;; - SAVEPOINT sp1 ;; !p INSERT INTO u VALUES (1) ;; - ; ;; - ROLLBACK TO SAVEPOINT sp1 ;; p SELECT 'recovered' ;; - ROLLBACK",
  ),
  aCase('copy-from-stdin', 'p@copy COPY ct FROM STDIN'),
  aCase('write-follows-real-primary-node1', 'p CREATE TABLE t60 (i int) ;; p DROP TABLE t60', {
    router: 'swapped',
  }),
  aCase('global-staleness-insert', 'p INSERT INTO t1 VALUES (1) ;; -/p SELECT * FROM t1', {
    differs: BY_POSITION,
  }),
  aCase('global-staleness-clean-table', 's SELECT * FROM t2'),
  aCase('global-staleness-update', 'p UPDATE t2 SET i = 999 WHERE i = 0 ;; -/p SELECT * FROM t2', {
    differs: BY_POSITION,
  }),
  aCase(
    'global-staleness-rollback-not-marked',
    '- BEGIN ;; p INSERT INTO t3 VALUES (1) ;; - ROLLBACK ;; s SELECT * FROM t3',
  ),
  aCase(
    'global-staleness-commit-marked',
    '- BEGIN ;; p INSERT INTO t3 VALUES (1) ;; - COMMIT ;; -/p SELECT * FROM t3',
    {
      differs: BY_POSITION,
    },
  ),
  aCase('global-staleness-cold-start', '-/p SELECT * FROM t1', {
    router: 'fresh',
    differs: 'a router that was started just now knows the positions of the nodes: no time has to pass',
  }),
  aCase(
    'select-for-update',
    'p SELECT * FROM t1 FOR UPDATE ;; p SELECT * FROM t1 FOR SHARE ;; p SELECT * FROM t1 FOR NO KEY UPDATE ;; p SELECT * FROM t1 FOR KEY SHARE ;; p SELECT * FROM (SELECT * FROM t1 FOR UPDATE) q',
  ),
  aCase(
    'select-into-and-ctas',
    'p SELECT * INTO t9 FROM t1 ;; p CREATE TABLE t10 AS SELECT * FROM t1 ;; p DROP TABLE t9, t10',
  ),
  aCase('information-schema', 's/p SELECT * FROM information_schema.tables LIMIT 1', { differs: CATALOGUE }),
  aCase('regclass-literal', "p CREATE TEMP TABLE rt (i int) ;; p SELECT 'rt'::regclass::oid"),
  aCase('unlogged-table', 'p SELECT * FROM ul'),
  aCase('view-over-unlogged-table', 'p SELECT * FROM vul'),
  aCase('view-calling-volatile-function', 'p SELECT * FROM vv'),
  aCase('copy-query-with-write-function', "p COPY (SELECT nextval('sq')) TO STDOUT"),
  aCase('copy-to-file', "!p COPY t1 TO '/tmp/x'"),
  aCase(
    'set-is-session-state',
    "- SET search_path = public ;; -#1 SELECT current_setting('search_path') ;; - RESET search_path",
  ),
  aCase('values-table-paren-whitespace', 's TABLE t1 ;; s (SELECT 1) ;; s    \n SELECT 1 ;; s VALUES (1)'),
  aCase('listen-notify', "p LISTEN ch ;; p NOTIFY ch, 'x' ;; p UNLISTEN ch"),
  aCase(
    'lock-table',
    '- BEGIN ;; p LOCK TABLE t1 IN ACCESS EXCLUSIVE MODE ;; p LOCK TABLE t1 IN ROW EXCLUSIVE MODE ;; - COMMIT',
  ),
  aCase(
    'cursor-fetch-close',
    '- BEGIN ;; p DECLARE c CURSOR FOR SELECT * FROM t1 ;; p FETCH 1 FROM c ;; p CLOSE c ;; - COMMIT',
  ),
  aCase(
    'ddl-dml-maintenance',
    "p CREATE TABLE t81 (i int) ;; p INSERT INTO t81 VALUES (1) ;; p UPDATE t81 SET i = 2 ;; p DELETE FROM t81 ;; p TRUNCATE t81 ;; p VACUUM t81 ;; p ANALYZE t81 ;; p COMMENT ON TABLE t81 IS 'x' ;; p ALTER TABLE t81 ADD j int ;; p DROP TABLE t81",
  ),
  aCase('call-and-do', 'p CALL pr() ;; p DO $$ BEGIN END $$'),
  aCase(
    'two-phase-commit',
    "- BEGIN ;; p INSERT INTO t1 VALUES (1) ;; !p PREPARE TRANSACTION 'g1' ;; !p COMMIT PREPARED 'g1' ;; s SELECT 1",
    { setting: 'the stand allows no prepared transactions: both are refused, by the primary' },
  ),
  aCase('serializable-begin', '- BEGIN ISOLATION LEVEL SERIALIZABLE ;; p SELECT 1 ;; - COMMIT'),
  aCase(
    'serializable-begin-when-node0-is-standby',
    '- BEGIN ISOLATION LEVEL SERIALIZABLE ;; p SELECT 1 ;; - COMMIT',
    { router: 'swapped' },
  ),
  aCase(
    'serializable-default-autocommit',
    "- SET default_transaction_isolation = 'serializable' ;; p SELECT 1",
  ),
  aCase('begin-read-only', '- BEGIN READ ONLY ;; s SELECT 1 ;; - COMMIT'),
  aCase(
    'repeatable-read-one-snapshot',
    '- BEGIN ISOLATION LEVEL REPEATABLE READ ;; p SELECT count(*) FROM t1 ;; p INSERT INTO t1 VALUES (1) ;; p SELECT count(*) FROM t1 ;; - COMMIT',
  ),
  aCase(
    'rollback-to-savepoint-keeps-write-flag',
    '- BEGIN ;; p INSERT INTO t1 VALUES (1) ;; - SAVEPOINT s ;; - ROLLBACK TO SAVEPOINT s ;; p SELECT * FROM t1 ;; - COMMIT',
  ),
  aCase(
    'rollback-to-savepoint-keeps-serializable',
    '- BEGIN ISOLATION LEVEL SERIALIZABLE ;; - SAVEPOINT s ;; - ROLLBACK TO s ;; p SELECT 1 ;; - COMMIT',
  ),
  aCase(
    'execute-read-only-then-select-in-tx',
    '- BEGIN ;; p/s PREPARE r AS SELECT 1 ;; p/s EXECUTE r ;; - SELECT 2 ;; - COMMIT',
  ),
  aCase(
    'read-your-writes-autocommit',
    'p DELETE FROM t1 WHERE i = 42 ;; p INSERT INTO t1 VALUES (42) ;; -#1 SELECT * FROM t1 WHERE i = 42',
  ),
  aCase(
    'read-your-writes-after-commit',
    'p DELETE FROM t1 WHERE i = 43 ;; - BEGIN ;; p INSERT INTO t1 VALUES (43) ;; - COMMIT ;; -#1 SELECT * FROM t1 WHERE i = 43',
  ),
  aCase('delay-threshold-time', 'p SELECT * FROM t1 LIMIT 1', {
    router: 'all-late',
    setting: 'replay is paused at all standbys, `max_lag: 1s`',
  }),
  aCase('prefer-lower-delay-standby', 's SELECT * FROM t1 LIMIT 1', {
    router: 'one-late',
    setting: 'replay is paused at one standby, `max_lag: 1s`',
  }),
  aCase('role-and-wal-introspection', 'p SELECT pg_is_in_recovery() ;; p SELECT pg_current_wal_lsn()'),
  aCase('large-objects', 'p SELECT lo_create(0)'),
  aCase('search-path-changes-table', 's SELECT * FROM z ;; - SET search_path = s2 ;; p SELECT * FROM z'),
  aCase('multi-statement-read-only', 's SELECT 1; SELECT 2'),
  aCase('insert-inside-multi-statement', 'p SELECT 1; INSERT INTO t1 VALUES (1)'),
  aCase('read-only-function-list-overrides-volatility', 's SELECT listed(1) ;; s SELECT public.listed(1)', {
    setting: 'functions declared STABLE',
  }),
  aCase(
    'prepare-stable-follows-standby',
    's PREPARE p2 AS SELECT f3(1) ;; s EXECUTE p2 ;; -/s DEALLOCATE p2',
  ),
  aCase('same-function-name-in-two-schemas', 's SELECT g() ;; p SELECT a.g()'),
  aCase(
    'function-volatility-changed-at-runtime',
    "p CREATE OR REPLACE FUNCTION h() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1' ;; s SELECT h() ;; p CREATE OR REPLACE FUNCTION h() RETURNS int LANGUAGE sql AS $$ SELECT nextval('sq')::int $$ ;; p SELECT h()",
  ),
];

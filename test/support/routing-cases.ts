/**
 * Conversations and where each of their statements must run: `p` the primary, `s` a standby must be eligible, `-` no matter.
 * One line a case: steps parted by ` ;; `, each with its letter first. `!` before the letter: an error is wanted. The tables
 * and functions are those of SETUP. A text with several statements is played in the simple protocol only.
 */
export const SETUP: readonly string[] = [
  'CREATE TABLE t (id int PRIMARY KEY, v text)',
  'CREATE TABLE other (id int)',
  'CREATE UNLOGGED TABLE unlogged (id int)',
  'CREATE VIEW over_table AS SELECT * FROM t',
  'CREATE VIEW over_unlogged AS SELECT * FROM unlogged',
  'CREATE SEQUENCE seq',
  "CREATE VIEW over_nextval AS SELECT nextval('seq') AS n",
  "CREATE FUNCTION volatile_one(int) RETURNS int LANGUAGE sql AS 'SELECT $1'",
  'CREATE PROCEDURE proc() LANGUAGE sql AS $$ SELECT 1 $$',
  'CREATE SCHEMA side',
  'CREATE UNLOGGED TABLE side.t (id int)',
];

const READS = [
  'SELECT 1',
  'SELECT * FROM t',
  '(SELECT 1)',
  '  \n SELECT 1',
  'TABLE t',
  'VALUES (1), (2)',
  'WITH a AS (SELECT 1) SELECT * FROM a',
  'WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r',
  'SELECT count(*), max(id) FROM t GROUP BY v HAVING count(*) > 1 ORDER BY 1 LIMIT 1',
  'SELECT * FROM t JOIN other USING (id)',
  'SELECT (SELECT 1), EXISTS (SELECT FROM t), ARRAY(SELECT id FROM t)',
  'SELECT row_number() OVER (ORDER BY id) FROM t',
  'SELECT 1 UNION SELECT 2 EXCEPT SELECT 3 INTERSECT SELECT 4',
  "SELECT now(), current_user, upper('a'), length('b')",
  "SELECT '1'::int, CAST('2' AS numeric)",
  "SELECT CASE WHEN true THEN coalesce(NULL, 'x') END",
  "SELECT jsonb_build_object('a', 1) -> 'a'",
  'SELECT * FROM generate_series(1, 3) AS g',
  'SELECT DISTINCT ON (id) * FROM t ORDER BY id',
  'SELECT * FROM t TABLESAMPLE SYSTEM (10)',
  'SELECT * FROM over_table',
  'COPY (SELECT 1) TO STDOUT',
  'COPY t TO STDOUT',
  'EXPLAIN SELECT * FROM t',
  'EXPLAIN (COSTS OFF) SELECT 1',
  'SHOW search_path',
  'SHOW timezone',
  "SELECT current_setting('search_path')",
  '/* said by a framework */ SELECT 1',
  '-- a line\nSELECT 1',
  '/*NO LOAD BALANCE*/ SELECT 1',
  '/* matriarch: replica */ SELECT 1',
];
const WRITES = [
  "INSERT INTO t VALUES (1, 'a') ON CONFLICT DO NOTHING",
  "UPDATE t SET v = 'b' WHERE id = 1",
  'DELETE FROM t WHERE id = 1',
  'MERGE INTO other USING t ON other.id = t.id WHEN MATCHED THEN DELETE',
  'TRUNCATE other',
  'WITH i AS (INSERT INTO other VALUES (1) RETURNING id) SELECT * FROM i',
  'WITH d AS (DELETE FROM other RETURNING id) SELECT count(*) FROM d',
  "WITH n AS (SELECT nextval('seq')) SELECT * FROM n",
  'SELECT * FROM t FOR UPDATE',
  'SELECT * FROM t FOR NO KEY UPDATE',
  'SELECT * FROM t FOR SHARE',
  'SELECT * FROM t FOR KEY SHARE',
  'SELECT * FROM (SELECT * FROM t FOR UPDATE) q',
  'CREATE TABLE made AS SELECT 1 AS a;;DROP TABLE made',
  'SELECT 1 AS a INTO made;;DROP TABLE made',
  "SELECT nextval('seq')",
  "SELECT setval('seq', 5)",
  'SELECT volatile_one(1)',
  'SELECT public.volatile_one(1)',
  'SELECT pg_sleep(0)',
  'SELECT random()',
  'SELECT lo_create(0)',
  'SELECT pg_is_in_recovery()',
  'SELECT pg_current_wal_lsn()',
  'SELECT txid_current()',
  'SELECT pg_advisory_xact_lock(1)',
  "SELECT set_config('work_mem', '4MB', true)",
  'SELECT * FROM pg_stat_activity',
  'SELECT * FROM unlogged',
  'SELECT * FROM over_unlogged',
  'SELECT * FROM over_nextval',
  'SELECT * FROM side.t',
  "COPY (SELECT nextval('seq')) TO STDOUT",
  'EXPLAIN ANALYZE SELECT 1',
  'EXPLAIN INSERT INTO other VALUES (1)',
  'VACUUM other',
  'ANALYZE other',
  "COMMENT ON TABLE other IS 'x'",
  'GRANT SELECT ON other TO PUBLIC',
  'CREATE INDEX i ON other (id);;DROP INDEX i',
  'ALTER TABLE other ADD j int;;ALTER TABLE other DROP j',
  'CALL proc()',
  'DO $$ BEGIN END $$',
  "NOTIFY ch, 'x'",
  'LISTEN ch;;UNLISTEN ch',
  'CREATE TEMP TABLE tmp (id int);;SELECT * FROM tmp;;DROP TABLE tmp',
  '/* matriarch: replica */ DELETE FROM other',
  '/* matriarch: node=n2 */ SELECT * FROM t FOR UPDATE',
  '/* matriarch: primary */ SELECT 1',
  '/* matriarch: node=n1 */ SELECT 1',
  'SHOW max_connections',
];
const CONVERSATIONS = [
  '- BEGIN ;; p SELECT 1 ;; p DELETE FROM other ;; - COMMIT ;; s SELECT 2',
  '- BEGIN READ ONLY ;; s SELECT 1 ;; s SELECT * FROM t ;; - COMMIT',
  '- START TRANSACTION READ ONLY ;; s SELECT 1 ;; - ROLLBACK',
  '- BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY ;; s SELECT 1 ;; s SELECT 2 ;; - COMMIT',
  '- BEGIN ISOLATION LEVEL REPEATABLE READ ;; p SELECT 1 ;; p SELECT 2 ;; - COMMIT',
  '- BEGIN ISOLATION LEVEL SERIALIZABLE ;; p SELECT 1 ;; - COMMIT',
  '- BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE ;; p SELECT 1 ;; - COMMIT',
  '- BEGIN ;; - SET TRANSACTION READ ONLY ;; s SELECT 1 ;; - COMMIT',
  '- BEGIN READ ONLY ;; - SET TRANSACTION READ WRITE ;; p SELECT 1 ;; - COMMIT',
  '- BEGIN ;; - SET TRANSACTION ISOLATION LEVEL SERIALIZABLE ;; p SELECT 1 ;; - COMMIT',
  '- SET default_transaction_read_only = on ;; - BEGIN ;; s SELECT 1 ;; - COMMIT',
  '- SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY ;; - BEGIN ;; s SELECT 1 ;; - COMMIT',
  '- SET default_transaction_read_only = on ;; - BEGIN READ WRITE ;; p SELECT 1 ;; - COMMIT',
  '- BEGIN READ ONLY ;; - COMMIT AND CHAIN ;; s SELECT 1 ;; - COMMIT',
  '- BEGIN READ ONLY ;; s SELECT 1 ;; - COMMIT AND CHAIN ;; s SELECT 2 ;; - COMMIT',
  '- BEGIN READ ONLY ;; - SAVEPOINT a ;; s SELECT 1 ;; - ROLLBACK TO a ;; s SELECT 2 ;; - COMMIT',
  '- BEGIN ;; - SAVEPOINT a ;; p DELETE FROM other ;; - ROLLBACK TO SAVEPOINT a ;; p SELECT 1 ;; - COMMIT',
  '- BEGIN ;; p DELETE FROM other ;; - SAVEPOINT a ;; - ROLLBACK TO a ;; p SELECT * FROM other ;; - COMMIT',
  '- BEGIN ;; - SAVEPOINT a ;; !p aaa ;; - ROLLBACK TO a ;; p SELECT 1 ;; - END',
  '- BEGIN ;; p CREATE TEMP TABLE x (i int) ;; p SELECT * FROM x ;; p DROP TABLE x ;; - END',
  '- BEGIN ;; p DECLARE c CURSOR FOR SELECT 3 ;; p FETCH 1 FROM c ;; p CLOSE c ;; - COMMIT',
  '- BEGIN ;; p LOCK TABLE other IN ACCESS EXCLUSIVE MODE ;; - COMMIT',
  '- BEGIN ;; - SET LOCAL work_mem = 4096 ;; p SELECT 1 ;; - COMMIT',
  '- BEGIN ;; - COMMIT ;; s SELECT 1',
  '- /* matriarch: primary */ BEGIN READ ONLY ;; p SELECT 1 ;; - COMMIT',
  '- SET search_path = side, public ;; p SELECT * FROM t ;; - RESET search_path ;; s SELECT * FROM t',
  "- SET matriarch.route = 'primary' ;; p SELECT 1 ;; - RESET matriarch.route ;; s SELECT 1",
  '- SET work_mem = 4096 ;; s SELECT 1',
  'p BEGIN; SELECT 1 ;; p SAVEPOINT a ;; p ROLLBACK TO a ;; p END',
  'p BEGIN; SELECT 1; ROLLBACK ;; s SELECT 1',
  's SELECT 1; SELECT 2',
  'p SELECT 1; DELETE FROM other',
  'p PREPARE a AS SELECT volatile_one(1) ;; p EXECUTE a ;; p DEALLOCATE a',
  'p PREPARE a AS DELETE FROM other ;; p EXECUTE a ;; p DEALLOCATE a',
];

export interface RoutingStep {
  readonly sql: string;
  readonly where: 'primary' | 'standby' | 'any';
  readonly isError: boolean;
}

const WHERE = { p: 'primary', s: 'standby', '-': 'any' } as const;

function stepOf(text: string): RoutingStep {
  const isError = text.startsWith('!');
  const [letter = '', ...rest] = (isError ? text.slice(1) : text).split(' ');
  const where = letter === 'p' || letter === 's' || letter === '-' ? WHERE[letter] : undefined;
  if (where === undefined) throw new Error(`no letter before ${text}`);
  return { sql: rest.join(' '), where, isError };
}

const all = (where: RoutingStep['where'], texts: readonly string[]): readonly (readonly RoutingStep[])[] =>
  texts.map((text) => text.split(';;').map((sql) => ({ sql, where, isError: false })));

/** Each case is a conversation of its own. */
export const ROUTING_CASES: readonly (readonly RoutingStep[])[] = [
  ...all('standby', READS),
  ...all('primary', WRITES),
  ...CONVERSATIONS.map((text) => text.split(' ;; ').map(stepOf)),
];

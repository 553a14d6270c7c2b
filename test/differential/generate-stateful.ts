/** Random conversations of well-behaved clients that leave as much state at their server as they can. */
import fc from 'fast-check';
import { asks, bind, type Conversation, execute, parse, type Step, sync, waits } from './steps.ts';

const STATEMENTS = [
  "SET work_mem = '7MB'",
  "SET work_mem = '17MB'",
  'RESET work_mem',
  'SHOW work_mem',
  "SET app.x = 'mine'",
  "SELECT set_config('app.x', 'other', false)",
  "SELECT coalesce(current_setting('app.x', true), '')",
  "SET TimeZone = 'Europe/Bucharest'",
  "SELECT timestamptz '2020-01-02 03:04:05+00'",
  "SET DateStyle = 'German'",
  'RESET ALL',
  'SHOW search_path',
  "SELECT set_config('search_path', current_setting('search_path') || ', public', false)",
  'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE',
  'SHOW transaction_isolation',
  'CREATE TEMP TABLE tt (a int)',
  'CREATE TEMP TABLE t (hidden text)',
  'INSERT INTO tt VALUES (1)',
  'SELECT count(*) FROM tt',
  'DROP TABLE tt',
  'DISCARD TEMP',
  'DISCARD ALL',
  'PREPARE p AS SELECT 1',
  "PREPARE p AS SELECT 'another'",
  'EXECUTE p',
  'DEALLOCATE p',
  'DEALLOCATE ALL',
  'DECLARE h CURSOR WITH HOLD FOR SELECT id FROM t ORDER BY id',
  'FETCH 2 FROM h',
  'CLOSE h',
  'SELECT pg_advisory_lock(1)',
  'SELECT pg_try_advisory_lock(2)',
  'SELECT pg_advisory_unlock(1)',
  'SELECT pg_advisory_unlock_all()',
  "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
  'LISTEN ch',
  "NOTIFY ch, 'x'",
  'UNLISTEN *',
  'SELECT * FROM pg_listening_channels()',
  'SELECT count(*) FROM t',
  'INSERT INTO t VALUES (6, NULL) ON CONFLICT DO NOTHING',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'SELECT 1/0',
];

/** What stands first in a text of several, and says why the text runs where it does. */
const FIRST = [
  "NOTIFY ch, 'y'",
  'UNLISTEN *',
  'INSERT INTO t VALUES (7, NULL) ON CONFLICT DO NOTHING',
  'SELECT count(*) FROM t',
  'DISCARD TEMP',
  'LISTEN ch',
  'SHOW work_mem',
];

/** What leaves state behind it; nobody looks into the code of some. */
const BEHIND = [
  'DO $$ BEGIN CREATE TEMP TABLE tt (a int); END $$',
  "DO $$ BEGIN PERFORM set_config('work_mem', '27MB', false); END $$",
  'DO $$ BEGIN PERFORM pg_advisory_lock(2); END $$',
  'CREATE TEMP TABLE tt (a int)',
  'SELECT pg_advisory_lock(1)',
  'LISTEN ch',
];

const PREPARED = [
  'SELECT 1',
  "SELECT 'two', 2",
  'SELECT count(*) FROM t',
  "SELECT current_setting('work_mem')",
];

const name = fc.constantFrom('', 's1', 's2');

const part: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...STATEMENTS).map((sql) => asks(sql)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...FIRST), fc.constantFrom(...BEHIND))
      .map(([first, behind]) => asks(`${first}; ${behind}`)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(name, fc.constantFrom(...PREPARED))
      .map(
        ([as, sql]) => [{ kind: 'close', what: 'statement', name: as }, parse(as, sql), sync, waits] as const,
      ),
  },
  { weight: 2, arbitrary: name.map((as) => [bind('', as), execute(), sync, waits]) },
  {
    weight: 1,
    arbitrary: name.map((as) => [{ kind: 'describe', what: 'statement', name: as }, sync, waits] as const),
  },
);

export function statefulConversations(): fc.Arbitrary<Conversation> {
  return fc
    .array(part, { minLength: 4, maxLength: 16, size: 'max' })
    .map((parts) => ({ startup: {}, steps: parts.flat() }));
}

/**
 * Random conversations. Made of parts that stand alone (a statement, a batch, a COPY …), so that fast-check can leave
 * parts out while it looks for the smallest conversation that shows a difference. Every part ends waited for. No part
 * depends on time, chance or numbers that a server gives to its objects.
 */
import fc from 'fast-check';
import {
  asks,
  bind,
  type Conversation,
  copyDone,
  execute,
  flush,
  parse,
  type Step,
  sync,
  waits,
} from './steps.ts';

const READS = [
  'SELECT 1',
  'SELECT',
  'SELECT count(*) FROM t',
  'SELECT * FROM t ORDER BY id',
  'SELECT FROM t',
  'TABLE empty',
  "VALUES (1, 'a'), (2, NULL)",
  'SELECT i FROM generate_series(1, 7) i',
  "SELECT repeat('x', 70000)",
  'SELECT v FROM t WHERE id = 2 FOR UPDATE',
  'SELECT 1/0',
  'SELECT 1/(id - 3) FROM t ORDER BY id',
  'SELECT * FROM nowhere',
  'SELEC',
  '',
  ';',
  '/* nothing */',
  'EXPLAIN (COSTS off) SELECT 1',
  "SELECT nextval('q')",
  'SELECT count(*) FROM tt',
];

const WRITES = [
  "INSERT INTO t VALUES (6, 'six')",
  "INSERT INTO t VALUES (1, 'double')",
  "INSERT INTO t VALUES (7, 'seven') ON CONFLICT DO NOTHING RETURNING *",
  "UPDATE t SET v = v || '!' WHERE id < 3 RETURNING id, v",
  'DELETE FROM t WHERE id = 4',
  'WITH w AS (DELETE FROM t WHERE id = 5 RETURNING *) SELECT count(*) FROM w',
  'INSERT INTO d VALUES (1)',
  'TRUNCATE t',
  'CREATE TABLE u (a int)',
  'DROP TABLE u',
  'DROP TABLE IF EXISTS u',
  'ALTER TABLE t ADD COLUMN w int',
  'ALTER TABLE t DROP COLUMN w',
  'CREATE TEMP TABLE tt (a int)',
  'INSERT INTO tt VALUES (1)',
  'DROP TABLE tt',
  "DO $$ BEGIN RAISE NOTICE 'noted'; END $$",
  "DO $$ BEGIN INSERT INTO t VALUES (8); RAISE EXCEPTION 'undone'; END $$",
];

const TRANSACTIONS = [
  'BEGIN',
  'BEGIN',
  'COMMIT',
  'COMMIT',
  'ROLLBACK',
  'END',
  'BEGIN READ ONLY',
  'BEGIN ISOLATION LEVEL REPEATABLE READ',
  'SET TRANSACTION READ ONLY',
  'SAVEPOINT a',
  'ROLLBACK TO a',
  'RELEASE a',
  'COMMIT AND CHAIN',
  'ROLLBACK AND CHAIN',
];

const SETTINGS = [
  "SET work_mem = '7MB'",
  "SET LOCAL work_mem = '8MB'",
  'RESET work_mem',
  'SHOW work_mem',
  "SET TimeZone = 'Europe/Bucharest'",
  "SET DateStyle = 'German'",
  "SELECT timestamptz '2020-01-02 03:04:05+00', current_setting('work_mem')",
  "SET app.x = 'mine'",
  "SELECT coalesce(current_setting('app.x', true), '')",
  "SELECT set_config('work_mem', '9MB', false)",
  "SELECT set_config('work_mem', '10MB', true)",
  "SET application_name = 'me'",
  'SHOW application_name',
  'SET search_path = public, s',
  'SHOW search_path',
  'RESET ALL',
  'DISCARD ALL',
  "SET work_mem = 'much'",
  'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE',
  'SHOW transaction_isolation',
  "SET default_transaction_read_only = 'on'",
  "SET default_transaction_read_only = 'off'",
  "SET client_min_messages = 'debug1'; RESET client_min_messages",
];

const SESSION = [
  'PREPARE p AS SELECT 1',
  'EXECUTE p',
  'DEALLOCATE p',
  'DEALLOCATE ALL',
  'DEALLOCATE s1',
  'EXECUTE s1',
  'DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id',
  'DECLARE h CURSOR WITH HOLD FOR SELECT id FROM t ORDER BY id',
  'FETCH 2 FROM c',
  'FETCH 2 FROM h',
  'CLOSE h',
  'CLOSE ALL',
  'LISTEN ch',
  "NOTIFY ch, 'x'",
  'UNLISTEN *',
  'SELECT pg_advisory_lock(1)',
  'SELECT pg_advisory_unlock(1)',
  'SELECT pg_advisory_xact_lock(2)',
];

const statement: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...READS) },
  { weight: 4, arbitrary: fc.constantFrom(...WRITES) },
  { weight: 4, arbitrary: fc.constantFrom(...TRANSACTIONS) },
  { weight: 4, arbitrary: fc.constantFrom(...SETTINGS) },
  { weight: 2, arbitrary: fc.constantFrom(...SESSION) },
);

/** Statements with parameters and values for them, right and wrong. */
const PARAMETERIZED = [
  { sql: 'SELECT $1::int + 1', values: ['41'] },
  { sql: 'SELECT v FROM t WHERE id = $1', values: ['2'] },
  { sql: 'SELECT v FROM t WHERE id = $1', values: ['x'] },
  { sql: 'INSERT INTO t VALUES ($1, $2) RETURNING *', values: ['9', undefined] },
  { sql: 'SELECT $1::text', values: [] },
  { sql: 'SELECT id FROM t WHERE id >= $1 ORDER BY id', values: ['1'] },
] as const;

const statementName = fc.constantFrom('', 's1', 's2');
const portalName = fc.constantFrom('', 'p1');
const what = fc.constantFrom('statement' as const, 'portal' as const);

const named = (kind: 'describe' | 'close'): fc.Arbitrary<Step> =>
  fc
    .record({ what, statement: statementName, portal: portalName })
    .map(({ what: of, statement: s, portal }) => ({ kind, what: of, name: of === 'statement' ? s : portal }));

/** One message of a batch. */
const message: fc.Arbitrary<readonly Step[]> = fc.oneof(
  fc.tuple(statementName, statement).map(([name, sql]) => [parse(name, sql)]),
  fc.tuple(portalName, statementName).map(([portal, name]) => [bind(portal, name)]),
  fc.tuple(portalName, fc.constantFrom(0, 0, 1, 2)).map(([portal, maxRows]) => [execute(portal, maxRows)]),
  named('describe').map((step) => [step]),
  named('close').map((step) => [step]),
);

/** A statement prepared, described and run, as drivers do. */
const prepared: fc.Arbitrary<readonly Step[]> = fc
  .record({
    name: statementName,
    portal: portalName,
    work: fc.oneof(
      statement.map((sql) => ({ sql, values: [] as readonly (string | undefined)[] })),
      fc.constantFrom(...PARAMETERIZED),
    ),
    format: fc.constantFrom(0 as const, 1 as const),
    maxRows: fc.constantFrom(0, 0, 1, 3),
    isDescribed: fc.boolean(),
    isClosedFirst: fc.boolean(),
  })
  .map(({ name, portal, work, format, maxRows, isDescribed, isClosedFirst }) => [
    ...(isClosedFirst ? [{ kind: 'close', what: 'statement', name } as const] : []),
    parse(name, work.sql),
    ...(isDescribed ? [{ kind: 'describe', what: 'statement', name } as const] : []),
    { kind: 'bind', portal, statement: name, values: work.values, format } as const,
    ...(isDescribed ? [{ kind: 'describe', what: 'portal', name: portal } as const] : []),
    execute(portal, maxRows),
    // When others see what a suspended write has written is a documented difference; from the next Parse on they do.
    ...(maxRows > 0 && work.sql.includes('RETURNING') ? [parse('', 'SELECT 1')] : []),
  ]);

/** Run again what may have been prepared before. */
const again: fc.Arbitrary<readonly Step[]> = fc
  .tuple(statementName, portalName)
  .map(([name, portal]) => [bind(portal, name), execute(portal)]);

const batch: fc.Arbitrary<readonly Step[]> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: prepared },
      { weight: 2, arbitrary: again },
      { weight: 2, arbitrary: message },
      { weight: 1, arbitrary: fc.constant([sync]) },
      { weight: 1, arbitrary: fc.constant([flush, waits]) },
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((parts) => [...parts.flat(), sync, waits]);

const simple: fc.Arbitrary<readonly Step[]> = statement.map((sql) => asks(sql));
const several: fc.Arbitrary<readonly Step[]> = fc
  .array(statement, { minLength: 2, maxLength: 3 })
  .map((texts) => asks(texts.join('; ')));
/** Simple queries sent ahead of their answers. */
const pipelined: fc.Arbitrary<readonly Step[]> = fc
  .array(statement, { minLength: 2, maxLength: 4 })
  .map((texts) => [...texts.map((sql) => ({ kind: 'query', sql }) as const), waits]);

const copyIn: fc.Arbitrary<readonly Step[]> = fc
  .record({
    table: fc.constantFrom('t', 't', 'nowhere'),
    lines: fc.array(fc.constantFrom('60\ta\n', '61\t\\N\n', '1\tdouble\n', 'bad\n', '62'), { maxLength: 3 }),
    end: fc.constantFrom<Step>(copyDone, copyDone, { kind: 'copyFail', reason: 'enough' }),
    late: fc.constantFrom<readonly Step[]>(
      [],
      [],
      [{ kind: 'copyData', text: '63\tlate\n' }],
      [copyDone],
      [{ kind: 'copyData', text: 'late' }, copyDone, { kind: 'copyFail', reason: 'late' }],
    ),
    isExtended: fc.boolean(),
    isAwaited: fc.boolean(),
  })
  .map(({ table, lines, end, late, isExtended, isAwaited }) => {
    const sql = `COPY ${table} FROM STDIN`;
    const start: readonly Step[] = isExtended
      ? [parse('', sql), bind('', ''), execute(), flush]
      : [{ kind: 'query', sql }];
    const data = lines.map((text) => ({ kind: 'copyData', text }) as const);
    return [
      ...start,
      ...(isAwaited ? [waits] : []),
      ...data,
      end,
      ...late,
      ...(isExtended ? [sync] : []),
      waits,
    ];
  });

const copyOut: fc.Arbitrary<readonly Step[]> = fc
  .constantFrom(
    'COPY t TO STDOUT',
    'COPY (SELECT 1/(id - 2) FROM t ORDER BY id) TO STDOUT',
    'COPY empty TO STDOUT',
  )
  .map((sql) => asks(sql));

const call: fc.Arbitrary<readonly Step[]> = fc
  .constantFrom(['1', '2'], ['x', '1'])
  .map((values) => [{ kind: 'call', functionOid: 177, values }, waits]);

const cancelled: fc.Arbitrary<readonly Step[]> = fc.constantFrom<readonly Step[]>(
  [
    { kind: 'query', sql: "DO $$ BEGIN RAISE WARNING 'runs'; PERFORM pg_sleep(60); END $$" },
    { kind: 'cancelAtNotice' },
  ],
  [waits, { kind: 'cancelIdle' }],
);

const part: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 80, arbitrary: simple },
  { weight: 20, arbitrary: several },
  { weight: 20, arbitrary: pipelined },
  { weight: 70, arbitrary: batch },
  { weight: 20, arbitrary: copyIn },
  { weight: 10, arbitrary: copyOut },
  { weight: 10, arbitrary: call },
  { weight: 2, arbitrary: cancelled },
);

const startup = fc.constantFrom<Conversation['startup']>(
  {},
  {},
  { application_name: 'someone' },
  { options: '-c work_mem=6MB' },
  { TimeZone: 'UTC', DateStyle: 'ISO, DMY' },
);

/** `parts`: how many at most. */
export function conversations(parts = 12): fc.Arbitrary<Conversation> {
  return fc
    .record({ startup, parts: fc.array(part, { minLength: 1, maxLength: parts, size: 'max' }) })
    .map(({ startup: parameters, parts: list }) => ({
      startup: parameters,
      steps: withoutChains('application_name' in parameters ? withoutNames(list.flat()) : list.flat()),
    }));
}

/** A RESET of the name that a client began with shows in the same text or batch, and nowhere else: documented. */
function withoutNames(steps: readonly Step[]): readonly Step[] {
  return steps.map((step) => {
    const isAlone = step.kind === 'query' && !step.sql.includes(';');
    if (!('sql' in step) || isAlone) return step;
    return { ...step, sql: step.sql.replaceAll('SHOW application_name', 'SHOW work_mem') };
  });
}

/** After an error a chained transaction can write though the first was READ ONLY, which a standby's cannot: documented. */
function withoutChains(steps: readonly Step[]): readonly Step[] {
  const isReadOnly = steps.some((step) => 'sql' in step && step.sql.includes('READ ONLY'));
  if (!isReadOnly) return steps;
  return steps.map((step) =>
    'sql' in step ? { ...step, sql: step.sql.replaceAll(' AND CHAIN', '') } : step,
  );
}

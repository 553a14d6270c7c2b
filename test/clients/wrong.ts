/** What the guests in JavaScript share: statements that go wrong, each in its way, and what to see of a failure. */
import pg from 'pg';

export const WRONG: readonly string[] = [
  'SELEC 1',
  'SELECT * FROM no_such_table',
  'SELECT no_such_column FROM item',
  'SELECT 1/0',
  "SELECT 'x'::int",
  "INSERT INTO item (id, name) VALUES (1, 'again')",
  'INSERT INTO item (id, name) VALUES (-1, NULL)',
  'INSERT INTO note (id, item_id) VALUES (-1, -1)',
  'SELECT no_such_function(1)',
  "DO $$ BEGIN RAISE EXCEPTION 'by hand' USING ERRCODE = 'MA001', DETAIL = 'a detail', HINT = 'a hint'; END $$",
];

export const TYPES = `SELECT 1::int2 AS i2, 2::int4 AS i4, 9007199254740993::int8 AS i8, 1.5::float8 AS f8, 12345.6789::numeric AS num,
  true AS yes, 'text äö€😀'::text AS txt, '\\x00ff10'::bytea AS bin, '2024-02-29'::date AS d,
  '2024-02-29 12:34:56.789+02'::timestamptz AS tstz, '{"a": [1, null]}'::jsonb AS js, '{1,2,NULL}'::int[] AS ints,
  'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS u, '1 day 02:03:04'::interval AS iv, NULL::text AS nothing`;

/** Waits for a failure; the fields that PostgreSQL sent, whatever the client wrapped them in. */
export async function refused(work: PromiseLike<unknown>): Promise<unknown> {
  try {
    await work;
    return 'not refused';
  } catch (cause) {
    return fieldsOf(cause);
  }
}

const FIELDS = ['severity', 'code', 'message', 'detail', 'hint', 'position', 'constraint', 'constraint_name'];

function fieldsOf(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  const inner =
    'original' in cause ? cause.original : 'driverError' in cause ? cause.driverError : cause.cause;
  if (inner instanceof Error) return [cause.name, fieldsOf(inner)];
  const seen = Object.entries(cause).filter(([name]) => FIELDS.includes(name));
  return [
    cause instanceof pg.DatabaseError ? 'database' : cause.name,
    cause.message,
    Object.fromEntries(seen),
  ];
}

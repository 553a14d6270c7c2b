/**
 * Simple queries among a batch of the extended protocol, without a Sync between. A server runs them in the batch's own
 * transaction, and reads over them too once something before them has failed. What a router puts between must change neither.
 */
import { asks, bind, copyDone, execute, flush, parse, runs, type Step, sync, waits } from './steps.ts';

const query = (sql: string): Step => ({ kind: 'query', sql });
const insert = (id: number): readonly Step[] => runs(`INSERT INTO t VALUES (${id})`);
const WRONG = parse('', 'SELEC');
const DIVIDES = 'SELECT 1 / (id - 1) FROM t';

/** Each batch, then what is in the table; and all is as before for the next. */
function inTurn(prepared: string, batches: readonly (readonly Step[])[]): readonly Step[] {
  return [
    parse('e1', prepared),
    sync,
    waits,
    ...batches.flatMap((batch) => [
      ...batch,
      sync,
      waits,
      ...asks('ROLLBACK'),
      ...asks('SELECT id FROM t WHERE id > 50 ORDER BY id'),
      ...asks('DELETE FROM t WHERE id > 50'),
    ]),
  ];
}

export const MIXED: Readonly<Record<string, readonly Step[]>> = {
  'queries behind what has failed are read over': inTurn('INSERT INTO t VALUES (88)', [
    [WRONG, query('EXECUTE e1'), query('INSERT INTO t VALUES (99)'), ...insert(98)],
    [...asks('BEGIN'), WRONG, query('EXECUTE e1'), query('ROLLBACK'), query('INSERT INTO t VALUES (99)')],
    [...runs('SELECT 1 / 0'), query('EXECUTE e1')],
    [WRONG, flush, waits, query('EXECUTE e1'), query('INSERT INTO t VALUES (99)')],
    [WRONG, flush, waits, query('BEGIN'), query('INSERT INTO t VALUES (99)')],
    [WRONG, query("SET work_mem = '79kB'"), query('DISCARD ALL'), query('LISTEN zz')],
    [WRONG, { kind: 'call', functionOid: 89, values: [] }, query('INSERT INTO t VALUES (99)')],
    [WRONG, query('COPY t FROM STDIN'), { kind: 'copyData', text: '80\tx\n' }, copyDone],
    [WRONG, query('DEALLOCATE e1'), query('INSERT INTO t VALUES (99)')],
    [WRONG, flush, waits, query('DEALLOCATE e1')],
    [query('EXECUTE e1'), query('SHOW work_mem'), query('SELECT count(*) FROM pg_listening_channels()')],
  ]),
  'queries that fail take what the batch has done with them': inTurn(DIVIDES, [
    [...insert(77), query('EXECUTE e1')],
    [...insert(77), query(DIVIDES)],
    [...insert(77), query('DEALLOCATE nosuch')],
    [...insert(77), query('EXECUTE e1; SELECT 1 / 0')],
    [...runs("SET work_mem = '77kB'"), query('EXECUTE e1')],
    [query('SHOW work_mem')],
    [...asks('PREPARE sp AS SELECT 1 / (id - 1) FROM t'), ...insert(77), query('EXECUTE sp')],
    [...insert(77), query("SET work_mem = '71kB'; SELECT 1 / 0")],
    [...insert(77), query('DEALLOCATE ALL; SELECT 1 / 0')],
    [query('EXECUTE e1')],
  ]),
  'queries that do not fail go on in the batch': inTurn('INSERT INTO t VALUES (88)', [
    [...runs('SELECT 1'), query('EXECUTE e1'), query('SELECT 2')],
    [...insert(77), query('BEGIN'), query('EXECUTE e1'), query('ROLLBACK')],
    [...runs('BEGIN'), ...insert(77), query('EXECUTE e1'), query('ROLLBACK')],
    [...runs('PREPARE pq AS SELECT 5'), query('EXECUTE pq')],
    [query('EXECUTE pq')],
    [...insert(77), flush, waits, query('EXECUTE e1')],
    [
      ...asks('BEGIN'),
      parse('', 'SELECT id FROM t ORDER BY id'),
      bind('p', ''),
      execute('p', 1),
      query('EXECUTE e1'),
      execute('p', 1),
    ],
    [
      ...asks('PREPARE sp(int) AS INSERT INTO t VALUES ($1)'),
      WRONG,
      query('EXECUTE sp(91)'),
      query('DEALLOCATE sp'),
    ],
    [query('EXECUTE sp(92)')],
    [...insert(77), query('DEALLOCATE e1'), ...insert(1)],
  ]),
};

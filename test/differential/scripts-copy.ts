/** COPY FROM STDIN in every order that a client may send it in: what belongs to the data is told from what comes behind. */
import { asks, bind, copyDone, execute, flush, parse, type Step, sync, waits } from './steps.ts';

const data = (text: string): Step => ({ kind: 'copyData', text });
const query = (sql: string): Step => ({ kind: 'query', sql });
const copyFail: Step = { kind: 'copyFail', reason: 'enough' };
const begins = [parse('', 'COPY t FROM STDIN'), bind('', ''), execute()];
const selects = [parse('', 'SELECT 1'), bind('', ''), execute()];
const looks = asks('SELECT id FROM t ORDER BY id');

const ORDERS: Readonly<Record<string, readonly Step[]>> = {
  'all of it at once': [...begins, data('140\ta\n141\t'), data('b\n'), copyDone, sync, waits],
  'all of it at once, and bad': [...begins, data('bad\n'), copyDone, sync, waits],
  'all of it at once, in a transaction': [
    ...asks('BEGIN'),
    ...begins,
    data('140\ta\n'),
    copyDone,
    sync,
    waits,
    ...asks('COMMIT'),
  ],
  'behind a write': [
    parse('', "INSERT INTO t VALUES (139, 'w')"),
    bind('', ''),
    execute(),
    ...begins,
    data('140\ta\n'),
    copyDone,
    sync,
    waits,
  ],
  'two in a batch': [
    ...begins,
    data('140\ta\n'),
    copyDone,
    bind('', ''),
    execute(),
    data('141\tb\n'),
    copyDone,
    sync,
    waits,
  ],
  'data before the client waits, the end after': [
    ...begins,
    flush,
    data('140\ta\n'),
    waits,
    copyDone,
    sync,
    waits,
  ],
  'two in one query': [
    query('COPY t FROM STDIN; COPY t FROM STDIN'),
    waits,
    data('140\ta\n'),
    copyDone,
    data('141\tb\n'),
    copyDone,
    waits,
  ],
  'two in one query, the second failed by the client': [
    query('COPY t FROM STDIN; COPY t FROM STDIN'),
    waits,
    data('140\ta\n'),
    copyDone,
    copyFail,
    waits,
  ],
  'a query behind CopyFail': [query('COPY t FROM STDIN'), waits, copyFail, query('SELECT 1'), waits],
  'a batch behind CopyFail': [query('COPY t FROM STDIN'), waits, copyFail, ...selects, sync, waits],
  'a batch behind CopyDone': [
    query('COPY t FROM STDIN'),
    waits,
    data('140\ta\n'),
    copyDone,
    ...selects,
    sync,
    waits,
  ],
  'a Sync behind CopyFail': [query('COPY t FROM STDIN'), waits, copyFail, sync, waits],
  'a batch behind CopyFail of a batch': [...begins, flush, waits, copyFail, sync, ...selects, sync, waits],
  'Sync before the data, among it and behind it': [
    ...begins,
    sync,
    waits,
    data('140\ta\n'),
    sync,
    copyDone,
    sync,
    waits,
  ],
  'Flush before the data, Sync among it and behind it': [
    ...begins,
    flush,
    waits,
    data('140\ta\n'),
    sync,
    copyDone,
    sync,
    waits,
  ],
  'two Syncs before the data': [...begins, sync, sync, waits, data('140\ta\n'), copyDone, sync, waits],
  'Sync among the data, all at once': [...begins, data('140\ta\n'), sync, copyDone, sync, waits],
  'Sync before the data, all at once': [...begins, sync, data('140\ta\n'), copyDone, sync, waits],
  'Sync among data that the client fails': [
    ...begins,
    flush,
    waits,
    data('140\ta\n'),
    sync,
    copyFail,
    sync,
    waits,
  ],
};

export const COPIES = Object.fromEntries(
  Object.entries(ORDERS).map(([name, steps]) => [`COPY FROM STDIN: ${name}`, [...steps, ...looks]]),
);

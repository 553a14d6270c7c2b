/**
 * A client that vanishes, without a goodbye, behind any message of a conversation: the next client of the only server
 * connection finds it as new.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { sql } from '../support/sql.ts';
import { aRouter, aStage } from '../support/router.ts';
import { WireClient, type WireLogin } from '../support/wire-client.ts';
import { difference } from './compare.ts';
import { play } from './player.ts';
import { freshTables } from './stage.ts';
import {
  asks,
  bind,
  copyDone,
  execute,
  flush,
  messageOf,
  parse,
  renderStep,
  type Step,
  sync,
  waits,
} from './steps.ts';

const CONVERSATIONS: readonly (readonly Step[])[] = [
  [
    ...asks("SET work_mem = '9MB'"),
    ...asks('PREPARE p AS SELECT 99'),
    ...asks('BEGIN'),
    ...asks('INSERT INTO t VALUES (50)'),
    ...asks('SELECT 1/0'),
  ],
  [...asks('CREATE TEMP TABLE t (hidden int)'), ...asks('LISTEN ch'), ...asks('SELECT pg_advisory_lock(1)')],
  [parse('', 'SELECT 1/0'), flush, waits, bind('', ''), flush, waits, execute(), flush, waits],
  [
    parse('s1', 'SELECT id FROM t'),
    bind('p1', 's1'),
    flush,
    waits,
    execute('p1', 1),
    flush,
    waits,
    sync,
    waits,
  ],
  [parse('', 'INSERT INTO t VALUES (51)'), bind('', ''), execute(), flush, waits],
  [...asks('COPY t FROM STDIN'), { kind: 'copyData', text: '52\tx\n' }, { kind: 'copyData', text: 'bad\n' }],
  [
    parse('', 'COPY t FROM STDIN'),
    bind('', ''),
    execute(),
    flush,
    waits,
    { kind: 'copyData', text: 'bad\n' },
    copyDone,
    waits,
  ],
  [{ kind: 'query', sql: "SELECT repeat('x', 3000000) FROM generate_series(1, 20)" }],
  [{ kind: 'query', sql: "DO $$ BEGIN RAISE NOTICE 'runs'; PERFORM pg_sleep(60); END $$" }],
];

/** What the next client asks; all of it is answered alike by a new connection. */
const PROBE: readonly Step[] = [
  ...asks('SELECT 42'),
  ...asks('SHOW work_mem'),
  ...asks('SELECT * FROM t ORDER BY id'),
  ...asks('EXECUTE p'),
  bind('', 's1'),
  execute(),
  sync,
  waits,
  ...asks('SELECT * FROM pg_listening_channels()'),
  ...asks("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
  ...asks('COMMIT'),
];

test('a client that vanishes anywhere leaves its server connection as new', {
  timeout: 120_000,
}, async (suite) => {
  const stage = await aStage(suite);
  await stage.remove('n2');
  await stage.remove('n3');
  const { n1 } = stage.nodes;
  const app = { user: 'app', password: 'app', database: 'app' };
  await sql(n1, freshTables('s'), app);
  const direct: WireLogin = { ...n1.address, ...app, parameters: { search_path: 's' } };
  const expected = await play({ startup: {}, steps: PROBE }, direct);
  for (const [index, steps] of CONVERSATIONS.entries()) {
    await suite.test(`conversation ${index + 1}: ${renderStep(steps[0] ?? sync)} …`, async (t) => {
      const router = await aRouter(t, stage, ['default_pool_size: 1']);
      const login = { ...direct, host: router.host, port: router.port };
      for (let length = 1; length <= steps.length; length += 1) {
        await sql(n1, `SET client_min_messages = 'error'; ${freshTables('s')}`, app);
        const client = await WireClient.connect(login);
        for (const step of steps.slice(0, length)) {
          const message = messageOf(step);
          if (message === undefined) assert.ok(await client.answered(), renderStep(step));
          else client.send([message]);
        }
        client.destroy();
        const told = `after ${length} steps`;
        const seen = await eventually(
          `the next client is served ${told}`,
          () => play({ startup: {}, steps: PROBE }, login),
          { holds: (lines) => lines.includes('DataRow "42"'), withinMs: 5000 },
        );
        const found = difference(expected, seen, 'the next client');
        if (found !== undefined) assert.fail(`${told}:\n${found}`);
      }
    });
  }
});

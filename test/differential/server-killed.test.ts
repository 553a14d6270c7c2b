/**
 * A server process that is killed between any two messages of a client's transaction: all of the transaction is there
 * afterwards or nothing of it, the client is answered to the end, and goes on.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pause } from '../../src/base/index.ts';
import { eventually } from '../support/eventually.ts';
import { aServer } from '../support/one-server.ts';
import { aRouter } from '../support/router.ts';
import { sql } from '../support/sql.ts';
import { WireClient } from '../support/wire-client.ts';
import { bind, copyDone, execute, flush, messageOf, parse, type Step, sync } from './steps.ts';

const query = (text: string): Step => ({ kind: 'query', sql: text });

/** Puts 1 to 5 into the table, by batches that end with a Sync, are parted by a Flush, and have COPY data in them. */
const TRANSACTION: readonly Step[] = [
  query('BEGIN'),
  parse('', 'INSERT INTO kept VALUES (1)'),
  bind('', ''),
  execute(),
  sync,
  parse('s1', 'INSERT INTO kept VALUES ($1)'),
  bind('', 's1', ['2']),
  execute(),
  flush,
  bind('', 's1', ['3']),
  execute(),
  sync,
  parse('', 'COPY kept FROM STDIN'),
  bind('', ''),
  execute(),
  { kind: 'copyData', text: '4\n' },
  copyDone,
  sync,
  query('INSERT INTO kept VALUES (5)'),
  query('COMMIT'),
];
const ALL = [1, 2, 3, 4, 5];
/** What a session has that no other connection can get. */
const PINNING = 'CREATE TEMP TABLE own (a int)';
/** For the router to hear of it: if it has not, that is another order of events, and as right. */
const HEARD_MS = 20;

for (const mode of ['transaction', 'session'] as const) {
  test(`${mode} mode: a server that is killed between two messages takes its transaction along, whole`, {
    timeout: 180_000,
  }, async (t) => {
    const stage = await aServer(t);
    const router = await aRouter(t, stage, [`pool_mode: ${mode}`, 'default_pool_size: 2']);
    const { host = '', port = 0 } = router.as();
    const server = stage.server;
    const login = { host, port, user: 'app', password: 'app', database: 'app' };
    const inApp = { user: 'app', password: 'app', database: 'app' };
    await sql(server, 'CREATE TABLE kept (id int)', inApp);
    const kill = async (): Promise<void> => {
      const ofApp = "FROM pg_stat_activity WHERE usename = 'app' AND pid <> pg_backend_pid()";
      await sql(server, `SELECT pg_terminate_backend(pid) ${ofApp}`);
      await eventually('its processes are gone', () => sql(server, `SELECT pid ${ofApp}`), {
        holds: (rows) => rows.length === 0,
        withinMs: 5000,
      });
      await pause(HEARD_MS);
    };
    for (const before of [[], [query(PINNING)]]) {
      for (let heard = 0; heard <= TRANSACTION.length; heard += 1) {
        const what = `${before.length === 0 ? '' : 'pinned, '}killed after ${heard} messages`;
        await sql(server, 'TRUNCATE kept', inApp);
        const client = await WireClient.connect(login);
        for (const step of [...before, ...TRANSACTION.slice(0, heard)]) {
          client.send([messageOf(step) ?? assert.fail()]);
          // A message that has an answer is answered before the next: what is in doubt is the last one alone.
          if (step.kind === 'query' || step.kind === 'sync') await client.answered();
        }
        await kill();
        for (const step of TRANSACTION.slice(heard)) {
          client.send([messageOf(step) ?? assert.fail()]);
          if (step.kind === 'query' || step.kind === 'sync')
            assert.ok(await client.answered(), `${what}: it is answered:\n${client.lines.join('\n')}`);
        }
        const isCommitted = client.lines.includes('CommandComplete COMMIT');
        const kept = (await sql(server, 'SELECT id FROM kept ORDER BY id', inApp)).map((row) => row['id']);
        const said = `${what}:\n${client.lines.join('\n')}`;
        assert.deepEqual(kept, isCommitted ? ALL : [], said);
        // Killed before its BEGIN or behind its COMMIT the transaction is not touched, but for what its session had.
        const isWhole = heard === TRANSACTION.length || (heard === 0 && before.length === 0);
        assert.ok(isCommitted || !isWhole, said);
        client.send([messageOf(query('ROLLBACK')) ?? assert.fail()]);
        assert.ok(await client.answered(), said);
        client.send([messageOf(query('SELECT 42')) ?? assert.fail()]);
        assert.ok(await client.answered(), said);
        const after = client.lines.slice(-4).join(' ');
        assert.ok(after.includes('DataRow "42"') || after.includes('08006'), `${said}\n${after}`);
        await client.end();
      }
    }
  });
}

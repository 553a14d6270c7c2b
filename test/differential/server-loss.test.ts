/**
 * A server connection that dies after the k-th message of the server, for every k of a conversation: the client is
 * answered to the end or told that the connection is closed, and the router keeps no connection for it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { sql } from '../support/sql.ts';
import { aRouter, aStage } from '../support/router.ts';
import { play, STUCK } from './player.ts';
import { asks, bind, copyDone, execute, parse, runs, type Step, sync, waits } from './steps.ts';

/** Every kind of answer; the marks tell the proxy where each conversation begins. */
const CONVERSATION: readonly Step[] = [
  ...asks("SELECT 'mark', i FROM generate_series(1, 3) i"),
  ...asks("INSERT INTO t VALUES (1, 'mark') ON CONFLICT DO NOTHING"),
  ...runs("SELECT 'mark' FROM t"),
  sync,
  ...runs("SELECT 'mark', 2"),
  sync,
  waits,
  ...asks("BEGIN; SELECT 'mark'"),
  parse('s1', 'SELECT id FROM t'),
  bind('p1', 's1'),
  execute('p1', 1),
  sync,
  waits,
  ...asks('SELECT 1/0'),
  ...asks('ROLLBACK'),
  ...asks('COPY t FROM STDIN'),
  { kind: 'copyData', text: '5\tx\n' },
  copyDone,
  waits,
  ...asks('COPY t TO STDOUT'),
  ...asks("SET work_mem = '9MB'"),
  ...asks('CREATE TEMP TABLE tt (a int)'),
  ...asks('SELECT * FROM tt'),
];

/** More than the server sends in the conversation; the loop ends where no cut is made. */
const MESSAGES_MAX = 200;
const ENOUGH_MESSAGES = 30;

for (const mode of ['transaction', 'session'] as const) {
  test(`${mode} mode: a server that dies at any message leaves no stuck client and no connection`, {
    timeout: 180_000,
  }, async (t) => {
    const stage = await aStage(t);
    const proxy = await startCuttingProxy(t, stage.nodes.n1.address);
    await stage.remove('n2');
    await stage.remove('n3');
    await stage.publish('n1', {
      role: 'primary',
      conn_url: `postgres://${proxy.host}:${proxy.port}/postgres`,
    });
    const router = await aRouter(t, stage, [
      `pool_mode: ${mode}`,
      'default_pool_size: 2',
      'hold_timeout: 5s',
      // The proxy counts messages, of which the answer to an SSLRequest is none.
      'server_tls_sslmode: disable',
    ]);
    const app = { user: 'app', password: 'app', database: 'app' };
    const login = { host: router.host, port: router.port, ...app };
    await sql(stage.nodes.n1, 'CREATE TABLE t (id int PRIMARY KEY, v text)', app);
    const busy = async (): Promise<readonly unknown[]> =>
      (
        await sql(
          stage.nodes.n1,
          "SELECT state, query FROM pg_stat_activity WHERE usename = 'app' AND state <> 'idle'",
        )
      ).map((row) => row['query']);
    let cuts = 0;
    for (let messages = 0; messages < MESSAGES_MAX; messages += 1) {
      await sql(stage.nodes.n1, 'TRUNCATE t', app);
      // Where the first word is the mark, the whole conversation is behind it.
      proxy.cutAfter('mark', messages);
      const lines = await play({ startup: {}, steps: CONVERSATION }, login);
      assert.ok(!lines.includes(STUCK), `cut after ${messages} messages:\n${lines.join('\n')}`);
      if (!proxy.hasCut()) break;
      cuts += 1;
      const told = lines.filter((line) => line.startsWith('ErrorResponse'));
      assert.ok(
        told.every((line) => line.includes('"code":"')),
        `an error without a code:\n${told.join('\n')}`,
      );
      const next = await play({ startup: {}, steps: asks('SELECT 42') }, login);
      assert.ok(
        next.includes('DataRow "42"'),
        `the next client, after ${messages} messages:\n${next.join('\n')}`,
      );
      await eventually(`nothing is left running (cut after ${messages})`, busy, {
        holds: (left) => left.length === 0,
        withinMs: 5000,
      });
      assert.ok(proxy.size <= 6, `${proxy.size} connections are open after ${cuts} cuts`);
    }
    t.diagnostic(`${cuts} cuts`);
    assert.ok(cuts >= ENOUGH_MESSAGES, `only ${cuts} cuts were made`);
  });
}

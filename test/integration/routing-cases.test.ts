/**
 * Where statements run, as the servers' own logs tell it: the cases that are published about pgpool-II, and our own, in
 * both protocols and prepared. docs/routing-cases.md is the table of them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/postgres.ts';
import { sql } from '../support/sql.ts';
import { aRouter, aStage, type NodeName, type RunningRouter } from '../support/router.ts';
import { ROUTING_CASES, SETUP, SETUP_OF_SUPERUSER } from '../support/routing-cases.ts';
import { MORE_CASES } from '../support/routing-cases-more.ts';
import {
  PUBLISHED_CASES,
  PUBLISHED_DATABASES,
  PUBLISHED_ROLES,
  PUBLISHED_RULES,
  PUBLISHED_SETUP,
} from '../support/routing-cases-published.ts';
import { MODES, modesOf, RoutingPlayer } from '../support/routing-play.ts';
import type { RouterKind } from '../support/routing-steps.ts';

const AS_APP = { user: 'app', password: 'app', database: 'app' };
/** Nothing but a reason brings a read to the primary. */
const WEIGHTS = 'weights: { local: 0, remote: 1 }';
const CASES = [...PUBLISHED_CASES, ...ROUTING_CASES, ...MORE_CASES];

test('statements run where they should', { timeout: 600_000 }, async (suite) => {
  const stage = await aStage(suite);
  const { n1, n2, n3 } = stage.nodes;
  // Settings of databases reach the standbys too.
  await sql(n1, "ALTER DATABASE app SET log_statement = 'all'");
  await sql(n1, "ALTER DATABASE postgres SET log_statement = 'all'");
  for (const role of PUBLISHED_ROLES) await sql(n1, `CREATE ROLE ${role} LOGIN PASSWORD 'app'`);
  for (const database of PUBLISHED_DATABASES) {
    await sql(n1, `CREATE DATABASE ${database}`);
    await sql(n1, `ALTER DATABASE ${database} SET log_statement = 'all'`);
  }
  const { username, password } = n1.settings.authentication.superuser;
  for (const text of SETUP_OF_SUPERUSER) await sql(n1, text, { user: username, password, database: 'app' });
  for (const text of [...SETUP, ...PUBLISHED_SETUP]) await sql(n1, text, AS_APP);
  await sql(n1, 'CREATE TABLE made_last ()', AS_APP);
  for (const node of ['n2', 'n3'] as const) {
    await until(`${node} has the tables`, async () => {
      await sql(stage.nodes[node], 'SELECT FROM made_last', AS_APP);
      return true;
    });
  }
  const rules = `rules: [${PUBLISHED_RULES.join(', ')}]`;
  const usual = await aRouter(suite, stage, [WEIGHTS, rules]);
  const player = new RoutingPlayer(stage.nodes);
  const play = async (
    kind: RouterKind,
    router: RunningRouter,
    { primary = 'n1', without }: { readonly primary?: string; readonly without?: string } = {},
  ): Promise<void> => {
    const wrong: string[] = [];
    const cases = CASES.filter((one) => one.router === kind);
    assert.ok(cases.length > 0);
    const login = { host: router.host, port: router.port, ...AS_APP };
    for (const mode of MODES) {
      const able = cases.filter((one) => modesOf(one).includes(mode));
      wrong.push(...(await player.play(able, primary, { login, mode, ...(without && { without }) })));
    }
    assert.deepEqual(wrong, []);
  };

  await suite.test('usually', async () => {
    await play('usual', usual);
  });
  await suite.test('at once when the router has been started', async (t) => {
    await play('fresh', await aRouter(t, stage, [WEIGHTS]));
  });
  await suite.test('where the first statement decides', async (t) => {
    await play('first-decides', await aRouter(t, stage, [WEIGHTS, 'first_statement_decides: true']));
  });
  await suite.test('while standbys are late', async (t) => {
    const router = await aRouter(t, stage, [WEIGHTS, 'max_lag: 1s', 'position_poll: 100ms']);
    const becomes = async (wanted: string, nodes: readonly NodeName[]): Promise<void> => {
      await until(`${nodes.join(' and ')}: ${wanted}`, async () => {
        const states = await router.states();
        return nodes.every((node) => states[node] === wanted);
      });
    };
    for (const late of [['n2'], ['n2', 'n3']] as const) {
      for (const node of late) await sql(stage.nodes[node], 'SELECT pg_wal_replay_pause()');
      await sql(n1, 'INSERT INTO t1 VALUES (0)', AS_APP);
      await becomes('out replay-paused 0', late);
      if (late.length === 1) await play('one-late', router, { without: 'n2' });
      else await play('all-late', router);
      for (const node of late) await sql(stage.nodes[node], 'SELECT pg_wal_replay_resume()');
      await becomes('in 1', late);
    }
  });
  await suite.test('after a failover', async () => {
    await n1.control.stop({ mode: 'immediate', deadlineMs: 5000 });
    assert.equal((await n2.control.promote({ stillAllowed: () => true })).outcome, 'promoted');
    await stage.remove('n1');
    await stage.publish('n2', { role: 'primary', timeline: 2 });
    await stage.setLeader('n2');
    // As its agent would: a standby that does not stream is not read from.
    await n2.control.ensureSlots({ ensure: ['n3'] });
    await n3.control.writeConfig({ as: 'standby', upstream: n2.address, slot: 'n3' });
    await n3.control.reload();
    await until('n3 is in', async () => (await usual.states())['n3'] === 'in 1');
    await play('swapped', usual, { primary: 'n2' });
  });
  assert.ok(player.said > CASES.length * 3, 'every case was played');
});

/**
 * `npm run fuzz -- --minutes 10 [--seed N]`: bytes that no client would send, in each phase of the protocol, against a
 * router in a process of its own. After each round a sane client must still be served at once; at the end the memory
 * must be what it was after the first fifth of the time, and no server may be left working.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { startMatriarch } from '../support/command.ts';
import { eventually } from '../support/eventually.ts';
import { freshLoopback } from '../support/loopback.ts';
import { sql } from '../support/sql.ts';
import { aStage, type Stage } from '../support/router.ts';
import { scratchFolder } from '../support/scratch.ts';
import type { WireLogin } from '../support/wire-client.ts';
import { type Attack, attacks, strike } from './attack.ts';
import { play } from './player.ts';
import { freshTables } from './stage.ts';
import { asks } from './steps.ts';

const ATTACKS_PER_ROUND = 40;
const AT_ONCE = 8;
/** What a heap may differ by between two moments of the same load. */
const GROWTH_KB_MAX = 64 * 1024;
const SANE_MS_MAX = 5000;

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' } },
});
const durationMs = Number(values.minutes) * 60_000;
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);

test(`${values.minutes} minutes of bad bytes, seed ${seed}`, { timeout: durationMs + 120_000 }, async (t) => {
  const stage = await aStage(t);
  const app = { user: 'app', password: 'app', database: 'app' };
  await sql(stage.nodes.n1, freshTables('s'), app);
  const router = await aRouterProcess(t, stage, durationMs + 120_000);
  const login: WireLogin = { host: router.host, port: 5432, ...app, parameters: { search_path: 's' } };
  const startedAt = performance.now();
  const passed = (): number => performance.now() - startedAt;
  let base: number | undefined;
  let round = 0;
  for (; passed() < durationMs; round += 1) {
    const list = fc.sample(attacks, { numRuns: ATTACKS_PER_ROUND, seed: seed + round });
    await inGroups(list, (attack) => strike(attack, login));
    assert.equal(
      router.exitCode(),
      null,
      `the router ended in round ${round} (seed ${seed + round}):\n${router.log()}`,
    );
    const askedAt = performance.now();
    const lines = await play({ startup: {}, steps: asks('SELECT 42') }, login);
    if (!lines.includes('DataRow "42"')) {
      const left = JSON.stringify(await busy(stage), undefined, 1);
      assert.fail(
        `a sane client in round ${round} (seed ${seed + round}):\n${lines.join('\n')}\nat the servers: ${left}`,
      );
    }
    assert.ok(performance.now() - askedAt < SANE_MS_MAX, `a sane client waited too long in round ${round}`);
    if (base === undefined && passed() > durationMs / 5) base = router.memoryKb();
  }
  const end = router.memoryKb();
  t.diagnostic(
    `${round} rounds, ${round * ATTACKS_PER_ROUND} attacks; memory ${base} kB, at the end ${end} kB`,
  );
  assert.ok(base !== undefined && end - base < GROWTH_KB_MAX, `memory grew from ${base} to ${end} kB`);
  await eventually('no server is left working', () => busy(stage), {
    holds: (left) => left.length === 0,
    withinMs: 10_000,
  });
});

/** What clients' server connections do, on all servers. */
async function busy(stage: Stage): Promise<readonly unknown[]> {
  const text = `SELECT query, state, wait_event, now() - state_change AS since FROM pg_stat_activity
    WHERE usename = 'app' AND state <> 'idle'`;
  return (await Promise.all(Object.values(stage.nodes).map((node) => sql(node, text)))).flat();
}

async function inGroups(list: readonly Attack[], work: (attack: Attack) => Promise<void>): Promise<void> {
  for (let from = 0; from < list.length; from += AT_ONCE)
    await Promise.all(list.slice(from, from + AT_ONCE).map(work));
}

/** `bin/matriarch router`, ready; its log is kept for when it ends. */
async function aRouterProcess(t: TestContext, stage: Stage, timeoutMs: number) {
  const folder = await scratchFolder(t);
  const host = freshLoopback();
  const path = join(folder, 'matriarch.yaml');
  await writeFile(
    path,
    [
      'scope: test',
      'name: app1',
      'datacenter: dc1',
      'log: { level: error }',
      `etcd: { endpoints: [${stage.etcdUrls.map((url) => `"${url}"`).join(', ')}] }`,
      'router:',
      `  listen: "${host}:5432"`,
      `  http_listen: "${host}:8009"`,
      '  default_pool_size: 5',
      '  client_login_timeout: 2s',
    ].join('\n'),
  );
  const { child, out } = startMatriarch(['router', '--config', path], { cwd: folder, timeoutMs });
  let log = '';
  child.stderr?.on('data', (chunk: Buffer | string) => (log = (log + String(chunk)).slice(-4000)));
  t.after(async () => {
    child.kill('SIGKILL');
  });
  await eventually(
    'the router is ready',
    async () =>
      await fetch(`http://${host}:8009/readyz`).then(
        (answer) => answer.status,
        () => `${log}${out()}`,
      ),
    { holds: (seen) => seen === 200, withinMs: 10_000 },
  );
  return {
    host,
    exitCode: () => child.exitCode,
    log: () => log,
    memoryKb: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]),
  };
}

/** The bench end to end, as small as it can be: that it runs, checks itself, and leaves nothing behind. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runProgram } from '../support/program.ts';
import { scratchFolder } from '../support/scratch.ts';
import { ROOT } from '../support/sources.ts';

const BENCH = join(ROOT, 'dist', 'bench', 'main.js');
const LIMIT_MS = 60_000;

/** PgBouncer and pgpool-II are not needed by the product, so a machine without them leaves them out here as well. */
const peers = [
  'direct',
  ...(existsSync('/usr/sbin/pgbouncer') ? ['pgbouncer'] : []),
  ...(existsSync('/usr/sbin/pgpool') ? ['pgpool'] : []),
  'matriarch',
];

/** Its folders, and the profile that it leaves on purpose, go with the test. */
async function bench(t: TestContext, ...args: readonly string[]) {
  const env = { TMPDIR: await scratchFolder(t) };
  return await runProgram(process.execPath, [BENCH, ...args], { env, timeoutMs: LIMIT_MS });
}

test('the smallest comparison runs each peer, loses no transaction, and every proxy has served its load', async (t) => {
  const smallest = ['--rounds', '1', '--window', '1s', '--clients', '2', '--scale', '1'];
  const run = await bench(t, ...smallest, '--protocols', 'prepared', '--peers', peers.join(','));
  assert.equal(run.code, 0, run.stderr);
  for (const peer of peers) {
    const row = new RegExp(`^\\| ${peer} +\\| +(\\d+) \\| +([\\d.]+) \\|`, 'm').exec(run.stdout);
    assert.ok(Number(row?.[1]) > 0 && Number(row?.[2]) > 0, `no figures of ${peer}:\n${run.stdout}`);
  }
  assert.match(run.stdout, /\d+ transactions, 0 failed, each counted by its proxy and by the server/);
});

test('idle clients are counted, and a profile names functions', async (t) => {
  const idle = await bench(t, '--idle', '50', '--peers', 'matriarch', '--window', '1s', '--scale', '1');
  assert.equal(idle.code, 0, idle.stderr);
  assert.match(idle.stdout, /^\| matriarch +\| +50 \|/m);
  const load = ['--protocols', 'simple', '--clients', '2', '--window', '1s', '--scale', '1'];
  const profiled = await bench(t, '--profile', ...load);
  assert.equal(profiled.code, 0, profiled.stderr);
  assert.match(profiled.stdout, /^ +[\d.]+ +[\d.]+ % {2}\S+/m);
});

test('a wrong option is refused with what there is', async (t) => {
  const run = await bench(t, '--peers', 'odyssey');
  assert.equal(run.code, 2);
  assert.match(
    run.stderr,
    /there is no odyssey; there are direct, pgbouncer, pgpool, pass-through, matriarch/,
  );
});

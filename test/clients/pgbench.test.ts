/** pgbench in its modes: no transaction fails, and the sums of TPC-B agree whichever way the transactions came. */
import { test } from 'node:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clientLab, type Place } from '../support/client-lab.ts';
import { type Guest, playGuest } from '../support/client-suite.ts';
import { runProgram } from '../support/program.ts';

/** What does not depend on how fast it was. */
async function bench(place: Place, args: readonly string[]): Promise<string> {
  const { host, port, user, password, database } = place;
  const connection = ['-h', host, '-p', String(port), '-U', user, database];
  const run = await runProgram(join(clientLab().binDir, 'pgbench'), ['-n', ...args, ...connection], {
    env: { PGPASSWORD: password },
    timeoutMs: 60_000,
  });
  const kept = /^(query mode|number of|transaction type|SQL script)/;
  return [`exit ${run.code}`, ...run.stdout.split('\n').filter((line) => kept.test(line)), run.stderr].join(
    '\n',
  );
}

/** Updates of accounts are in the history, and those of tellers in the branches, with simple-update as well. */
const SUMS = `BEGIN; SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history),
  (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(bbalance) FROM pgbench_branches); COMMIT`;

async function sums(place: Place): Promise<string> {
  const { host, port, user, password, database } = place;
  const args = ['-X', '-At', '-h', host, '-p', String(port), '-U', user, '-d', database, '-c', SUMS];
  return (await runProgram('psql', args, { env: { PGPASSWORD: password }, timeoutMs: 30_000 })).stdout;
}

const mode =
  (name: string): Guest<'pgbench'>['prepared'] =>
  async (place, say) => {
    // As many transactions each, not as long: the counts are compared.
    say(await bench(place, ['-M', name, '-S', '-c', '12', '-j', '2', '-t', '100']));
    say(await bench(place, ['-M', name, '-c', '12', '-j', '2', '-t', '10']));
    say(await sums(place));
  };

const PIPELINE = `\\set id random(1, 1000)
\\startpipeline
SELECT name FROM item WHERE id = :id;
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance WHERE aid = :id;
SELECT abalance FROM pgbench_accounts WHERE aid = :id;
END;
SELECT :id;
\\endpipeline
`;

const tests = playGuest('pgbench', {
  connect: async (place, say) => {
    say(await bench(place, ['-C', '-S', '-c', '4', '-t', '20']));
  },
  transactions: mode('simple'),
  parameters: mode('extended'),
  prepared: mode('prepared'),
  pool: async (place, say) => {
    say(await bench(place, ['-M', 'prepared', '-c', '24', '-j', '2', '-t', '20', '-b', 'simple-update']));
    say(await sums(place));
  },
  pipeline: async (place, say) => {
    const folder = await mkdtemp(join(tmpdir(), 'matriarch-pgbench-'));
    try {
      const path = join(folder, 'pipeline.sql');
      await writeFile(path, PIPELINE);
      for (const name of ['extended', 'prepared']) {
        const said = await bench(place, ['-M', name, '-f', path, '-c', '8', '-j', '2', '-t', '50']);
        say(said.replaceAll(folder, ''));
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
});

for (const [title, compare] of tests) test(title, compare);

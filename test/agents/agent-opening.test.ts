/**
 * What a restart makes of commits that wait for a standby: PostgreSQL shows them to everybody once it has recovered. The
 * agent lets nobody in before a standby has them (ha/opening.ts).
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import type { Host } from '../support/agents.ts';
import { aPairOfHosts, startInOrder } from '../support/asking-agents.ts';
import { eventually } from '../support/eventually.ts';

/** So long that the leader keeps its key, and goes on waiting for a standby that stands still. */
const TTL_MS = 120_000;
const STAYS_CLOSED_MS = 3000;
/** On a machine that has other work. */
const START_MS = 90_000;
const REJECTED = '28000';

test('a row whose commit waited for a standby is not seen on a primary that was restarted, until the standby has it', async (t) => {
  const { alpha, beta, watched } = await aPairOfHosts(t, TTL_MS);

  await watched(async () => {
    await startInOrder(alpha, beta, START_MS);
    await eventually(
      'commits wait for beta',
      async () =>
        await alpha.sql(`SELECT 1 FROM pg_stat_replication WHERE sync_state = 'quorum'`).catch(() => []),
      { holds: (rows) => rows.length > 0, withinMs: START_MS },
    );
    await alpha.sql('CREATE TABLE seen (id int)');
    deepEqual(await alpha.sql('SHOW restart_after_crash'), [{ restart_after_crash: 'off' }]);

    const ofBeta = await beta.pids();
    for (const pid of ofBeta) process.kill(pid, 'SIGSTOP');
    const writer = await alpha.connect();
    const inDoubt = writer.query('INSERT INTO seen VALUES (1)').then(
      () => 'answered',
      () => 'not answered',
    );
    await eventually(
      'the commit waits',
      async () => await alpha.sql(`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'`),
      { holds: (rows) => rows.length > 0, withinMs: 5000 },
    );
    deepEqual(await rowsAt(alpha), [], 'PostgreSQL hides it, while it waits');

    const postmaster = await alpha.postmasterPid();
    // 0 would be this process and its kin.
    ok(postmaster !== undefined && postmaster > 0, 'alpha runs');
    process.kill(postmaster, 'SIGKILL');
    equal(await inDoubt, 'not answered');
    await eventually('alpha is a primary again', async () => await rowsAt(alpha), {
      holds: (rows) => rows === REJECTED || Array.isArray(rows),
      withinMs: START_MS,
    });
    equal(await rowsAt(alpha), REJECTED);
    await eventually('it says why', () => patroniOf(alpha), {
      holds: (body) => body['role'] === 'primary' && body['closed_to_clients'] === true,
      withinMs: 5000,
    });
    const startedAt = systemClock.now();
    while (systemClock.now() - startedAt < STAYS_CLOSED_MS) equal(await rowsAt(alpha), REJECTED);
    equal((await alpha.rest('/primary')).status, 503);
    equal((await patroniOf(alpha))['closed_to_clients'], true);

    for (const pid of ofBeta) process.kill(pid, 'SIGCONT');
    const goneOnAt = systemClock.now();
    const shown = await eventually('alpha lets clients in', async () => await rowsAt(alpha), {
      holds: (rows) => rows !== REJECTED,
      withinMs: START_MS,
    });
    process.stdout.write(`# open ${Math.round(systemClock.now() - goneOnAt)} ms after its standby went on\n`);
    deepEqual(shown, [{ id: 1 }]);
    deepEqual(await rowsAt(beta), [{ id: 1 }], 'the standby has it by then');
    await eventually('it says so', () => patroniOf(alpha), {
      holds: (body) => !('closed_to_clients' in body),
      withinMs: 5000,
    });
    equal((await alpha.rest('/primary')).status, 200);

    // With its standby there, a restart in place costs little more than before.
    const restartAt = systemClock.now();
    equal((await alpha.ask('POST', '/restart', {})).status, 200);
    await eventually('alpha lets clients in again', async () => await rowsAt(alpha), {
      holds: (rows) => rows !== REJECTED && rows !== undefined,
      withinMs: START_MS,
    });
    process.stdout.write(`# a restart with a standby: ${Math.round(systemClock.now() - restartAt)} ms\n`);
    deepEqual(await alpha.fileText('pg_hba.conf').then((text) => text.includes('reject')), false);
  })();
});

/** The rows, or the SQLSTATE of a refusal; undefined while there is no server. */
async function rowsAt(host: Host): Promise<unknown> {
  try {
    return await host.sql('SELECT id FROM seen');
  } catch (cause) {
    return cause instanceof Error && 'code' in cause && cause.code === REJECTED ? REJECTED : undefined;
  }
}

async function patroniOf(host: Host): Promise<Readonly<Record<string, unknown>>> {
  return (await host.rest('/patroni').catch(() => undefined))?.body ?? {};
}

/** The number of the timeline that a promotion begins: one that nobody else has taken, and that everybody can follow. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { aPrimary, aStandby, startAs, until } from '../support/postgres.ts';
import { sql } from '../support/sql.ts';

test('a promotion begins the timeline that was taken for it, and old and new standbys follow it', async (t) => {
  const old = await aPrimary(t, 'old');
  const next = await aStandby(t, 'next', old);
  const third = await aStandby(t, 'third', old);
  const histories = async (): Promise<string[]> =>
    (await readdir(join(next.settings.data_dir, 'pg_wal')))
      .filter((name) => name.endsWith('.history'))
      .sort();

  // A promotion that was called off leaves marks, with which PostgreSQL would not start again.
  const called = await next.control.promote({ timeline: 4, stillAllowed: () => false });
  assert.deepEqual(called, { outcome: 'cancelled' });
  assert.deepEqual(await histories(), ['00000002.history', '00000003.history']);
  await next.control.stop({ mode: 'immediate', deadlineMs: 5000 });
  await startAs(next, 'standby', old);
  assert.deepEqual(await histories(), []);
  await until('it streams again', async () => (await next.control.status()).replicationState === 'streaming');

  // What it would write from here on, if only of its own accord, the third could have and the next one not.
  await old.control.stop({ mode: 'immediate', deadlineMs: 5000 });
  const promoted = await next.control.promote({ timeline: 4, stillAllowed: () => true });
  assert.equal(promoted.outcome, 'promoted');
  const status = await next.control.status();
  assert.equal(status.timeline, 4);
  const { history } = await old.control.timelineHistory(next.address);
  assert.deepEqual(
    history.map(({ timeline }) => timeline),
    [1],
  );
  await next.control.checkpoint();

  // One that stood on timeline 1 follows, is started again, and follows on.
  await sql(next, 'CREATE TABLE kept AS SELECT 1 AS a');
  await next.control.ensureSlots({ ensure: ['third', 'old'] });
  await third.control.writeConfig({ as: 'standby', upstream: next.address, slot: 'third' });
  await third.control.reload();
  const hasRow = async (member: typeof third): Promise<boolean> => {
    const [row] = await sql(member, "SELECT to_regclass('kept') IS NOT NULL AS is_there");
    return row?.['is_there'] === true;
  };
  await until('the third follows', async () => await hasRow(third));
  await third.control.stop({ mode: 'immediate', deadlineMs: 5000 });
  await startAs(third, 'standby', next);
  await until('it streams again', async () => (await third.control.status()).timeline === 4);

  const rewound = await old.control.rewind(next.address);
  assert.notEqual(rewound.outcome, 'failed', JSON.stringify(rewound));
  await startAs(old, 'standby', next);
  await until('the old one follows', async () => await hasRow(old));

  // The number is used up by then: the next promotion begins a later one.
  const again = await third.control.promote({ timeline: 3, stillAllowed: () => true });
  assert.equal(again.outcome, 'promoted');
  assert.equal((await third.control.status()).timeline, 5);
});

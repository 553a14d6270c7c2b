/** Two and three servers: cloned, streaming, promoted, diverged, rewound, and cloned afresh where a rewind fails. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { access, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { needsRewind, positionOf } from '../../src/postgres/index.ts';
import { aMember, aPrimary, aStandby, startAs, until } from '../support/postgres.ts';
import { sql } from '../support/sql.ts';

const run = promisify(execFile);

const readLock = (dataDir: string): { readonly pid: number } => ({
  pid: Number.parseInt(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8'), 10),
});

const RESTARTS_AT = 'SELECT redo_lsn::text AS at FROM pg_control_checkpoint()';
const count = async (member: Parameters<typeof sql>[0]): Promise<unknown> =>
  (await sql(member, 'SELECT count(*)::int AS n FROM kept'))[0]?.['n'];

test('a clone streams, is promoted on demand, and the diverged former primary is rewound', async (t) => {
  const old = await aPrimary(t, 'old');
  await sql(old, 'CREATE TABLE kept AS SELECT 1 AS a');
  const next = await aStandby(t, 'next', old);
  const status = await next.control.status();
  assert.equal(status.inRecovery, true);
  assert.equal(status.timeline, 1);
  await until('the row arrives', async () => (await count(next)) === 1);
  const seen = await old.control.status();
  assert.deepEqual(
    seen.standbys.map(({ applicationName, state }) => ({ applicationName, state })),
    [{ applicationName: 'next', state: 'streaming' }],
  );
  assert.deepEqual(
    seen.slots.map(({ name, active }) => ({ name, active })),
    [{ name: 'next', active: true }],
  );

  assert.deepEqual(await next.control.promote({ stillAllowed: () => false }), { outcome: 'cancelled' });
  // A trigger file that an agent left behind must not promote at the next signal.
  const trigger = join(next.settings.data_dir, 'promote');
  await assert.rejects(access(trigger), { code: 'ENOENT' });
  await writeFile(trigger, '');
  await next.control.writeConfig({ as: 'standby', upstream: old.address, slot: 'next' });
  await assert.rejects(access(trigger), { code: 'ENOENT' });
  assert.equal((await next.control.status()).inRecovery, true);
  const promoted = await next.control.promote({ stillAllowed: () => true });
  assert.equal(promoted.outcome, 'promoted');
  await sql(next, 'INSERT INTO kept VALUES (2)');
  assert.equal((await next.control.status()).timeline, 2);
  await sql(old, 'INSERT INTO kept SELECT generate_series(10, 99)');

  // The former primary is killed, so that the crash recovery before the rewind is part of the way.
  await old.control.stop({ mode: 'immediate', deadlineMs: 5000 });
  const leader = await old.control.timelineHistory(next.address);
  assert.equal(leader.timeline, 2);
  assert.equal(leader.inRecovery, false);
  assert.equal(leader.history.length, 1);
  const { control } = await old.control.inspect();
  assert.ok(control !== undefined);
  assert.deepEqual(needsRewind(positionOf(control), leader), { needed: true, because: 'not-shut-down' });
  const rewound = await old.control.rewind(next.address);
  assert.equal(rewound.outcome, 'done', JSON.stringify(rewound));
  await next.control.ensureSlots({ ensure: ['old'] });
  await startAs(old, 'standby', next);
  await until('the former primary follows', async () => {
    const now = await old.control.status();
    return now.replicationState === 'streaming' && now.timeline === 2;
  });
  await until('its own rows are gone', async () => (await count(old)) === 2);
  assert.equal((await next.control.status()).checkpointTimeline, 2);
});

test('neither a status that times out nor a lost connection makes a promotion fail', async (t) => {
  const old = await aPrimary(t, 'old');
  const next = await aStandby(t, 'next', old);
  await old.control.stop({ mode: 'fast', deadlineMs: 20_000 });
  const { postmaster } = await next.control.inspect();
  assert.ok(postmaster.kind === 'accepting');
  const { stdout } = await run('pgrep', ['-P', String(postmaster.pid), '-f', 'startup']);
  const startup = Number(stdout);
  // Stopped, so that the promotion stays under way while all that may come between comes.
  process.kill(startup, 'SIGSTOP');
  const promotion = next.control.promote({ stillAllowed: () => true });
  try {
    for (let round = 0; round < 5; round += 1) {
      // Nothing is read before the deadline has passed, however quick the server is.
      setImmediate(() => busyFor(10));
      await assert.rejects(next.control.status({ deadlineMs: 0 }), { code: 'postgres-unreachable' });
      assert.equal((await next.control.status()).inRecovery, true);
      await sql(
        next,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'matriarch agent'",
      );
    }
  } finally {
    process.kill(startup, 'SIGCONT');
  }
  assert.equal((await promotion).outcome, 'promoted', JSON.stringify(await promotion));
});

function busyFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('a promotion of a server that ends meanwhile has failed at once', async (t) => {
  const old = await aPrimary(t, 'old');
  const next = await aStandby(t, 'next', old);
  const stillAllowed = (): boolean => {
    const { pid } = readLock(next.settings.data_dir);
    process.kill(pid, 'SIGKILL');
    return true;
  };
  const promoted = await next.control.promote({ stillAllowed });
  assert.equal(promoted.outcome, 'failed', JSON.stringify(promoted));
});

test('a primary that shut down in order follows its successor without a rewind', async (t) => {
  const old = await aPrimary(t, 'old');
  const next = await aStandby(t, 'next', old);
  await old.control.stop({ mode: 'fast', deadlineMs: 20_000 });
  const { control } = await old.control.inspect();
  assert.ok(control?.state === 'shut down');
  await until('the shutdown checkpoint arrives', async () => {
    const { receiveLsn } = await next.control.status();
    return (receiveLsn ?? 0) > control.checkpointLsn;
  });
  assert.equal((await next.control.promote({ stillAllowed: () => true })).outcome, 'promoted');
  const leader = await old.control.timelineHistory(next.address);
  assert.deepEqual(needsRewind(positionOf(control), leader), { needed: false, because: 'before-the-switch' });
  assert.deepEqual(await old.control.rewind(next.address), { outcome: 'not-needed' });
  await next.control.ensureSlots({ ensure: ['old'] });
  await startAs(old, 'standby', next);
  await until('it follows', async () => (await old.control.status()).replicationState === 'streaming');
});

test('a rewind that cannot begin leaves the directory whole, and a fresh clone is always possible', async (t) => {
  const old = await aPrimary(t, 'old');
  const next = await aStandby(t, 'next', old);
  await old.control.stop({ mode: 'fast', deadlineMs: 20_000 });
  const refused = await old.control.rewind(next.address);
  assert.deepEqual(refused.outcome === 'failed' && refused.damaged, false, JSON.stringify(refused));
  assert.match(refused.outcome === 'failed' ? refused.because : '', /is not a primary/);
  assert.equal((await old.control.inspect()).data.kind, 'initialized');

  assert.equal((await next.control.promote({ stillAllowed: () => true })).outcome, 'promoted');
  const told = new AbortController();
  told.abort();
  const ended = await old.control.rewind(next.address, { signal: told.signal });
  assert.deepEqual(ended, { outcome: 'failed', because: 'was told to end', damaged: false });
  await sql(next, 'REVOKE EXECUTE ON FUNCTION pg_read_binary_file(text) FROM rewind_user');
  const broken = await old.control.rewind(next.address);
  assert.deepEqual(broken.outcome === 'failed' && broken.damaged, true, JSON.stringify(broken));
  assert.match(broken.outcome === 'failed' ? broken.because : '', /permission denied for function/);
  assert.deepEqual((await old.control.inspect()).data, { kind: 'partial', during: 'rewind' });
  await assert.rejects(startAs(old, 'standby', next), { code: 'postgres-data-dir' });

  const aside = await old.control.quarantine('Rewind failed!');
  assert.match(aside, /data\.\d{8}T\d{6}Z-rewind-failed-$/);
  assert.deepEqual((await old.control.inspect()).data, { kind: 'absent' });
  const progress: number[] = [];
  await old.control.basebackup(next.address, {
    slot: 'old',
    onProgress: ({ doneKb }) => progress.push(doneKb),
  });
  assert.ok(progress.length > 0);
  await startAs(old, 'standby', next);
  await until('it follows', async () => (await old.control.status()).timeline === 2);
});

test('commits do not wait for a member that is being copied, nor are they taken for safe there', async (t) => {
  const old = await aPrimary(t, 'old');
  const next = await aMember(t, 'next', { authentication: old.settings.authentication });
  await sql(old, "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (next)'");
  await sql(old, 'SELECT pg_reload_conf()');
  const copying = next.control.basebackup(old.address, { slot: 'next' }).then(() => 'copied');
  const asked = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'";
  const seen = new Set<unknown>();
  for (;;) {
    const answer = await Promise.race([copying, sql(old, asked)]);
    if (typeof answer === 'string') break;
    for (const row of answer) seen.add(row['sync_state']);
  }
  assert.deepEqual([...seen], ['async']);
});

test('a clone that fails or is ended leaves nothing', async (t) => {
  const old = await aPrimary(t, 'old');
  const { control, settings } = await aMember(t, 'next', {
    authentication: {
      ...old.settings.authentication,
      replication: { username: 'replicator', password: 'wrong' },
    },
  });
  await assert.rejects(control.basebackup(old.address), {
    code: 'postgres-clone-failed',
    message: /password authentication failed/,
  });
  assert.deepEqual((await control.inspect()).data, { kind: 'absent' });
  await assert.rejects(control.timelineHistory(old.address), { code: 'postgres-unreachable' });
  assert.deepEqual(await readdir(dirname(settings.data_dir)), ['data.pgpass']);
});

test('a killed standby that went too far is shut down cleanly before it is rewound', async (t) => {
  const old = await aPrimary(t, 'old');
  await sql(old, 'CREATE TABLE kept AS SELECT 1 AS a');
  const next = await aStandby(t, 'next', old);
  const third = await aStandby(t, 'third', old);
  // Started again it is consistent here, with much to replay before the fork, and is to replay that too before it is stopped.
  await sql(old, 'CHECKPOINT');
  await until('a restart point', async () => {
    await sql(third, 'CHECKPOINT');
    return (await sql(third, RESTARTS_AT))[0]?.['at'] === (await sql(old, RESTARTS_AT))[0]?.['at'];
  });
  await sql(old, 'CREATE TABLE before_the_fork AS SELECT generate_series(1, 300000)');
  await next.control.stop({ mode: 'fast', deadlineMs: 20_000 });
  await sql(old, 'INSERT INTO kept SELECT generate_series(10, 99)');
  await until('third is ahead', async () => (await count(third)) === 91);
  await sql(third, "ALTER SYSTEM SET recovery_min_apply_delay = '1h'");
  await old.control.stop({ mode: 'immediate', deadlineMs: 5000 });
  await startAs(next, 'standby');
  assert.equal((await next.control.promote({ stillAllowed: () => true })).outcome, 'promoted');

  const leader = await third.control.timelineHistory(next.address);
  const { replayLsn, timeline } = await third.control.status();
  assert.deepEqual(needsRewind({ timeline, lsn: replayLsn ?? 0, lsnIs: 'end' }, leader), {
    needed: true,
    because: 'past-the-switch',
  });
  await third.control.stop({ mode: 'immediate', deadlineMs: 5000 });
  assert.equal((await third.control.inspect()).control?.state, 'in archive recovery');
  const rewound = await third.control.rewind(next.address);
  assert.equal(rewound.outcome, 'done', JSON.stringify(rewound));
  await next.control.ensureSlots({ ensure: ['third'] });
  await startAs(third, 'standby', next);
  await until('it follows', async () => (await third.control.status()).timeline === 2);
  assert.equal(await count(third), 1);
});

test('behind a primary that was promoted short of the timeline that it followed, nobody is rewound in error', async (t) => {
  const old = await aPrimary(t, 'old');
  await sql(old, 'CREATE TABLE kept AS SELECT 1 AS a');
  const next = await aStandby(t, 'next', old);
  const late = await aStandby(t, 'late', old);
  await late.control.stop({ mode: 'fast', deadlineMs: 20_000 });
  await sql(old, 'INSERT INTO kept SELECT generate_series(10, 99)');
  await until('next is ahead', async () => (await count(next)) === 91);
  assert.equal((await next.control.promote({ stillAllowed: () => true })).outcome, 'promoted');
  // As far as the file, but not the WAL, has come to it.
  const file = join('pg_wal', '00000002.history');
  await writeFile(join(late.settings.data_dir, file), readFileSync(join(next.settings.data_dir, file)));
  await startAs(late, 'standby');
  assert.equal((await late.control.promote({ stillAllowed: () => true })).outcome, 'promoted');
  await sql(late, 'CHECKPOINT');
  assert.equal(await count(late), 1);

  const leader = await old.control.timelineHistory(late.address);
  const [first, second] = leader.history;
  assert.ok(first !== undefined && second !== undefined && second.lsn < first.lsn, JSON.stringify(leader));
  await old.control.stop({ mode: 'fast', deadlineMs: 20_000 });
  const { control } = await old.control.inspect();
  assert.ok(control !== undefined);
  assert.deepEqual(needsRewind(positionOf(control), leader), { needed: true, because: 'past-the-switch' });
  const refused = await old.control.rewind(late.address);
  assert.ok(refused.outcome === 'failed' && refused.damaged, JSON.stringify(refused));
  assert.match(refused.because, /does not say where the two parted/);
});

test('a standby whose new primary dies at once knows what timeline it is on', async (t) => {
  const old = await aPrimary(t, 'old');
  const next = await aStandby(t, 'next', old);
  const third = await aStandby(t, 'third', old);
  await old.control.stop({ mode: 'fast', deadlineMs: 20_000 });
  assert.equal((await next.control.promote({ stillAllowed: () => true })).outcome, 'promoted');
  await next.control.ensureSlots({ ensure: ['third'] });
  await third.control.writeConfig({ as: 'standby', upstream: next.address, slot: 'third' });
  await third.control.reload();
  await sql(next, 'CREATE TABLE kept AS SELECT 1 AS a');
  await until('it follows', async () => (await count(third).catch(() => 0)) === 1);
  await next.control.stop({ mode: 'immediate', deadlineMs: 5000 });
  await until('its receiver ends', async () => {
    const { replicationState } = await third.control.status();
    return replicationState === 'in archive recovery';
  });
  // pg_control is still of the old timeline: no restart point has been made.
  assert.equal((await third.control.status()).checkpointTimeline, 1);
  assert.equal((await third.control.status()).timeline, 2);
});

test('a directory that a copy takes the place of is there again when the copy fails, and goes when it is whole', async (t) => {
  const one = await aPrimary(t, 'one');
  const two = await aStandby(t, 'two', one);
  const { control } = two;
  const aside = `${two.settings.data_dir}.replaced`;
  const isSetAside = async (): Promise<boolean> => access(aside).then(yes, no);
  await assert.rejects(control.basebackup(one.address, { replaces: true }), { code: 'postgres-data-dir' });
  await control.stop({ mode: 'fast', deadlineMs: 20_000 });
  const nowhere = { ...one.address, port: 1 };
  await assert.rejects(control.basebackup(nowhere, { replaces: true }), { code: 'postgres-clone-failed' });
  assert.equal(await isSetAside(), false);
  await startAs(two, 'standby', one);
  assert.equal((await control.status({ deadlineMs: 10_000 })).inRecovery, true);
  await control.stop({ mode: 'fast', deadlineMs: 20_000 });

  const kept: Promise<boolean>[] = [];
  await control.basebackup(one.address, {
    slot: 'two',
    follows: one.address,
    replaces: true,
    onProgress: () => kept.push(isSetAside()),
  });
  assert.ok((await Promise.all(kept)).includes(true), 'it was kept while the copy arrived');
  assert.equal(await isSetAside(), false);
  await startAs(two, 'standby', one);
  await until('it streams', async () => (await control.status()).replicationState === 'streaming');
  assert.equal(await control.keepsWal(one.address, { slot: 'two', lsn: Number.MAX_SAFE_INTEGER }), true);
  assert.equal(await control.keepsWal(one.address, { slot: 'two', lsn: 0 }), false);
  assert.equal(await control.keepsWal(one.address, { slot: 'none', lsn: Number.MAX_SAFE_INTEGER }), false);
});

test('a standby makes slots, moves them along, and makes one anew that lost its WAL', async (t) => {
  const one = await aPrimary(t, 'one');
  const two = await aStandby(t, 'two', one);
  const slotOf = async (member: typeof one, name: string) =>
    (await member.control.status({ deadlineMs: 10_000 })).slots.find((slot) => slot.name === name);
  await two.control.ensureSlots({ ensure: ['third'] });
  const before = (await slotOf(two, 'third'))?.restartLsn ?? 0;
  assert.ok(before > 0, 'its WAL is reserved');
  await sql(one, 'SELECT pg_switch_wal()');
  await sql(one, 'CREATE TABLE kept AS SELECT 1 AS a');
  await until('the table arrives', async () => (await count(two)) === 1);
  const replayed = (await two.control.status({ deadlineMs: 10_000 })).replayLsn ?? 0;
  await two.control.ensureSlots({ ensure: ['third'], advance: [{ name: 'third', lsn: replayed }] });
  assert.equal((await slotOf(two, 'third'))?.restartLsn, replayed);
  await two.control.ensureSlots({ ensure: [], advance: [{ name: 'third', lsn: before }] });
  assert.equal((await slotOf(two, 'third'))?.restartLsn, replayed, 'never backwards');

  await one.control.ensureSlots({ ensure: ['third'] });
  await sql(one, "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
  await sql(one, 'ALTER SYSTEM SET wal_keep_size = 0');
  await one.control.reload();
  for (let file = 0; file < 4; file += 1) {
    await sql(one, 'INSERT INTO kept VALUES (2)');
    await sql(one, 'SELECT pg_switch_wal()');
  }
  await one.control.checkpoint();
  assert.equal((await slotOf(one, 'third'))?.walStatus, 'lost');
  assert.deepEqual(await one.control.ensureSlots({ ensure: ['third'], remake: ['third'] }), {
    created: ['third'],
    dropped: ['third'],
  });
  assert.equal((await slotOf(one, 'third'))?.walStatus, 'reserved');
});

const yes = (): boolean => true;
const no = (): boolean => false;

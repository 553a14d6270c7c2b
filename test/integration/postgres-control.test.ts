/** One server under control: made, started, asked, adopted, killed, stopped; and what a person is told when it cannot be. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { MatriarchError, silentLog, systemClock } from '../../src/base/index.ts';
import { openPostgres } from '../../src/postgres/index.ts';
import { ensureUpstreamSlot } from '../../src/postgres/upstream.ts';
import { aMember, aPrimary, someSettings, startAs, until } from '../support/postgres.ts';
import { sql } from '../support/sql.ts';
import { scratchFolder } from '../support/scratch.ts';

const run = promisify(execFile);

/** Of a machine with other work: a frozen or dead server would be waited for much longer. */
const SLACK_MS = 2000;

test('a new cluster is made with checksums and SCRAM, starts, answers and stops', async (t) => {
  const member = await aMember(t, 'one');
  const { control, settings } = member;
  assert.deepEqual(await control.inspect(), {
    data: { kind: 'absent' },
    postmaster: { kind: 'stopped', stalePidFile: false },
    control: undefined,
  });
  await control.initdb();
  const made = await control.inspect();
  assert.deepEqual(made.data, { kind: 'initialized', isUnclaimed: true });
  assert.equal(made.control?.state, 'shut down');
  assert.deepEqual((await readdir(dirname(settings.data_dir))).sort(), ['data', 'data.unclaimed']);
  await control.claimDataDir();
  assert.deepEqual((await control.inspect()).data, { kind: 'initialized', isUnclaimed: false });
  assert.deepEqual((await readdir(dirname(settings.data_dir))).sort(), ['data']);

  await startAs(member, 'primary');
  const status = await control.status();
  assert.equal(status.inRecovery, false);
  assert.equal(status.timeline, 1);
  assert.equal(status.checkpointTimeline, 1);
  assert.ok((status.flushLsn ?? 0) > 0 && status.receiveLsn === undefined);
  assert.deepEqual(status.pendingRestart, []);
  const [row] = await sql(
    member,
    "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' AS scram, current_setting('cluster_name') AS cluster, current_setting('data_checksums') AS checksums, (SELECT datcollate FROM pg_database WHERE datname = 'postgres') AS locale FROM pg_authid WHERE rolname = 'postgres'",
  );
  assert.deepEqual(row, { scram: true, cluster: 'test', checksums: 'on', locale: 'C.UTF-8' });

  const stopped = await control.stop({ mode: 'fast', deadlineMs: 10_000 });
  assert.equal(stopped.outcome === 'stopped' && stopped.by, 'fast');
  assert.equal((await control.inspect()).control?.state, 'shut down');
  assert.deepEqual(await control.stop({ mode: 'fast', deadlineMs: 1000 }), { outcome: 'not-running' });
});

test('the processes of a data directory that is a symbolic link are found', async (t) => {
  const folder = await scratchFolder(t);
  const disk = join(folder, 'disk');
  await mkdir(disk);
  // The link's target does not exist yet, and is named relative to a folder that is a link too.
  await symlink(disk, join(folder, 'mount'));
  await symlink('mount/data', join(folder, 'link'));
  const member = await aMember(t, 'one', { data_dir: join(folder, 'link') });
  const { control } = member;
  assert.equal(control.dataDir, join(await realpath(disk), 'data'));
  await control.initdb();
  await startAs(member, 'primary');
  const { postmaster } = await control.inspect();
  assert.equal(postmaster.kind, 'accepting');
  const pid = postmaster.kind === 'accepting' ? postmaster.pid : 0;
  assert.equal(await readlink(`/proc/${pid}/cwd`), control.dataDir);
  assert.equal((await member.reopen()).dataDir, control.dataDir);
});

test('a running server is adopted by a fresh control, and kill -9 is noticed at once', async (t) => {
  const member = await aPrimary(t, 'one');
  await member.control.close();
  const adopted = await member.reopen();
  const { postmaster } = await adopted.inspect();
  assert.equal(postmaster.kind, 'accepting');
  assert.equal((await adopted.status()).inRecovery, false);

  const noticed = new Promise<number>((resolve) => {
    const forget = adopted.onExit((exit) => {
      forget();
      assert.deepEqual(exit, { pid: postmaster.kind === 'accepting' ? postmaster.pid : 0, expected: false });
      resolve(systemClock.now());
    });
  });
  const killedAt = systemClock.now();
  process.kill(postmaster.kind === 'accepting' ? postmaster.pid : 0, 'SIGKILL');
  const tookMs = (await noticed) - killedAt;
  t.diagnostic(`noticed after ${Math.round(tookMs)} ms`);
  assert.ok(tookMs < SLACK_MS, `noticed after ${tookMs} ms`);

  await assert.rejects(adopted.status(), { code: 'postgres-unreachable' });
  const left = await adopted.stop({ mode: 'immediate', deadlineMs: 3000 });
  assert.ok(left.outcome === 'stopped' || left.outcome === 'not-running', left.outcome);
  const after = await adopted.inspect();
  assert.deepEqual(after.postmaster, { kind: 'stopped', stalePidFile: true });
  assert.equal(after.control?.state, 'in production');

  await adopted.writeConfig({ as: 'primary', upstream: undefined, slot: undefined });
  assert.equal((await adopted.start({ as: 'primary' })).outcome, 'accepting');
  assert.equal((await adopted.status()).timeline, 1);
});

test('a frozen server is answered for inside the deadline and ended by SIGKILL', async (t) => {
  const member = await aPrimary(t, 'one');
  const { postmaster } = await member.control.inspect();
  const pid = postmaster.kind === 'accepting' ? postmaster.pid : 0;
  const { stdout } = await run('ps', ['-o', 'pid=', '--ppid', String(pid)]);
  const pids = [pid, ...stdout.trim().split(/\s+/).map(Number)];
  for (const each of pids) process.kill(each, 'SIGSTOP');
  const askedAt = systemClock.now();
  await assert.rejects(member.control.status({ deadlineMs: 200 }), { code: 'postgres-unreachable' });
  assert.ok(systemClock.now() - askedAt < 200 + SLACK_MS);
  const stopped = await member.control.stop({ mode: 'fast', deadlineMs: 1000 });
  assert.equal(stopped.outcome === 'stopped' && stopped.by, 'kill');
  assert.ok(stopped.outcome === 'stopped' && stopped.tookMs < 1000 + SLACK_MS);
});

test('backends that outlive their postmaster are found, and ended before the next start', async (t) => {
  const member = await aPrimary(t, 'one');
  const { postmaster } = await member.control.inspect();
  const pid = postmaster.kind === 'accepting' ? postmaster.pid : 0;
  const { stdout } = await run('pgrep', ['-P', String(pid), '-f', 'checkpointer']);
  const orphan = Number(stdout);
  process.kill(orphan, 'SIGSTOP');
  process.kill(pid, 'SIGKILL');
  await until('only the stopped one is left', async () => {
    const now = (await member.control.inspect()).postmaster;
    return now.kind === 'orphans' && now.pids.length === 1 && now.pids[0] === orphan;
  });
  assert.equal((await member.control.start({ as: 'primary' })).outcome, 'accepting');
  // Ended: not there, or a zombie that nobody has reaped yet, which has no program.
  await assert.rejects(readlink(`/proc/${orphan}/exe`), { code: 'ENOENT' });
});

test('configuration is whole, holds no password, and says when nothing changed', async (t) => {
  const member = await aPrimary(t, 'one');
  const { control, settings } = member;
  await sql(member, "ALTER SYSTEM SET work_mem = '5MB'");
  await sql(member, "ALTER SYSTEM SET port = '1'");
  const desired = {
    as: 'standby' as const,
    upstream: { host: '127.0.0.9', port: 5432 },
    slot: 'one',
    parameters: { max_connections: 10, work_mem: '6MB' },
  };
  assert.deepEqual(await control.writeConfig(desired), { changed: true });
  assert.deepEqual(await control.writeConfig(desired), { changed: false });
  const conf = await readFile(join(settings.data_dir, 'postgresql.conf'), 'utf8');
  assert.match(conf, /^primary_conninfo = 'host=''127\.0\.0\.9'' .*passfile=/m);
  assert.match(conf, /^max_connections = 20$/m);
  assert.doesNotMatch(conf, /tion:1/);
  const auto = await readFile(join(settings.data_dir, 'postgresql.auto.conf'), 'utf8');
  assert.match(auto, /work_mem/);
  assert.doesNotMatch(auto, /port/);
  const passFile = await stat(`${settings.data_dir}.pgpass`);
  assert.equal(passFile.mode & 0o777, 0o600);
  await control.reload();
  await until('the pending restart is reported', async () => {
    const { pendingRestart } = await control.status();
    return pendingRestart.length === 0;
  });
});

test('bootstrap SQL can be run twice, and the router role can look up verifiers and nothing else', async (t) => {
  const member = await aPrimary(t, 'one');
  const users = [{ username: `o'"dd`, password: `p'\\"w`, database: 'd"b' }];
  await member.control.bootstrapSql({ users });
  const verifiers = async (): Promise<unknown> =>
    sql(member, 'SELECT rolname, rolpassword FROM pg_authid ORDER BY rolname');
  const made = await verifiers();
  await member.control.bootstrapSql({ users });
  assert.deepEqual(await verifiers(), made, 'verifiers that routers may know are kept');
  await member.control.setRouterCredential('first');
  await member.control.setRouterCredential("sec'ond");
  const odd = { user: `o'"dd`, password: `p'\\"w`, database: 'd"b' };
  assert.deepEqual(await sql(member, 'SELECT current_user AS who', odd), [{ who: `o'"dd` }]);

  const router = { user: 'matriarch_router', password: "sec'ond" };
  const lookup = async (name: string): Promise<readonly unknown[]> =>
    sql(member, `SELECT verifier FROM matriarch.router_lookup('${name}')`, router);
  const [app] = await sql(member, "SELECT rolpassword AS verifier FROM pg_authid WHERE rolname = 'app'");
  assert.deepEqual(await lookup('app'), [app]);
  assert.equal((await lookup('postgres')).length, 1);
  for (const hidden of ['replicator', 'rewind_user', 'matriarch_router', 'nobody', 'pg_monitor']) {
    assert.deepEqual(await lookup(hidden), [], hidden);
  }
  await assert.rejects(sql(member, 'SELECT * FROM pg_authid', router), { code: '42501' });
  await assert.rejects(sql(member, 'CREATE TABLE matriarch.t (a int)', router), { code: '42501' });
  const asApp = { user: 'app', password: 'app', database: 'postgres' };
  await assert.rejects(sql(member, "SELECT matriarch.router_lookup('app')", asApp), { code: '42501' });
});

test('slots are made once and dropped only when told', async (t) => {
  const member = await aPrimary(t, 'one');
  const { control } = member;
  assert.deepEqual(await control.ensureSlots({ ensure: ['b', 'c'] }), { created: ['b', 'c'], dropped: [] });
  assert.deepEqual(await control.ensureSlots({ ensure: ['b'] }), { created: [], dropped: [] });
  assert.deepEqual(await control.ensureSlots({ ensure: ['b'], drop: ['b', 'c', 'd'] }), {
    created: [],
    dropped: ['c'],
  });
  const { slots } = await control.status();
  assert.deepEqual(
    slots.map(({ name, type, active, walStatus, holdsXmin }) => ({
      name,
      type,
      active,
      walStatus,
      holdsXmin,
    })),
    [{ name: 'b', type: 'physical', active: false, walStatus: 'reserved', holdsXmin: false }],
  );
  const reserved = 'SELECT restart_lsn IS NOT NULL AS is_reserved FROM pg_replication_slots';
  assert.deepEqual(await sql(member, reserved), [{ is_reserved: true }]);
  await assert.rejects(control.ensureSlots({ ensure: ['No Slot'] }), { code: 'postgres-sql-failed' });
});

test('a slot that the leader and a clone make at the same moment fails neither of them', async (t) => {
  const one = await aPrimary(t, 'one', { parameters: { max_replication_slots: 40, max_connections: 40 } });
  const names = Array.from({ length: 12 }, (_, at) => `slot_${at}`);
  const { settings, address } = one;
  const ensure = (): Promise<unknown> => one.control.ensureSlots({ ensure: [...names, ...names] });
  const drop = (): Promise<unknown> => one.control.ensureSlots({ ensure: [], drop: names });
  const byCommand = async (): Promise<void> => {
    for (const name of names) await ensureUpstreamSlot(settings, address, name, 10_000);
  };
  await Promise.all([ensure(), ensure(), byCommand(), byCommand(), ensure(), byCommand()]);
  assert.deepEqual((await one.control.status()).slots.map(({ name }) => name).sort(), [...names].sort());
  await Promise.all([drop(), drop(), drop(), drop()]);
  assert.deepEqual((await one.control.status()).slots, []);
});

test('a port that is taken is named, and nothing is started', async (t) => {
  const member = await aMember(t, 'one');
  await member.control.initdb();
  const other = createServer();
  await new Promise<void>((resolve) => {
    other.listen(member.address.port, member.address.host, resolve);
  });
  t.after(() => other.close());
  await assert.rejects(startAs(member, 'primary'), (cause: unknown) => {
    assert.ok(cause instanceof MatriarchError);
    assert.equal(cause.code, 'address-in-use');
    assert.match(cause.message, new RegExp(`^PostgreSQL cannot listen on ${member.address.host}:5432`));
    return true;
  });
  assert.equal((await member.control.inspect()).postmaster.kind, 'stopped');
});

test('a server that does not start is told with its own last lines', async (t) => {
  const member = await aMember(t, 'one', { parameters: { shared_buffers: 'plenty' } });
  await member.control.initdb();
  await assert.rejects(startAs(member, 'primary'), {
    code: 'postgres-start-failed',
    message: /invalid value for parameter "shared_buffers": "plenty"/,
  });
});

test('a full disk ends initdb with its own lines, and leaves nothing', async (t) => {
  const folder = await scratchFolder(t);
  const disk = join(folder, 'disk');
  await mkdir(disk);
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', disk]);
  } catch (cause) {
    t.skip(`no right to mount a small file system: ${String(cause).split('\n')[0]}`);
    return;
  }
  try {
    const config = someSettings(folder, { data_dir: join(disk, 'data') });
    const control = await openPostgres({
      config,
      scope: 'test',
      name: 'one',
      clock: systemClock,
      log: silentLog,
    });
    await assert.rejects(control.initdb(), (cause: unknown) => {
      assert.ok(cause instanceof MatriarchError);
      assert.equal(cause.code, 'postgres-initdb-failed');
      assert.match(cause.message, /No space left on device/);
      assert.match(cause.hint, /disk space/);
      return true;
    });
    assert.deepEqual(await readdir(disk), []);
    assert.deepEqual((await control.inspect()).data, { kind: 'absent' });
  } finally {
    await run('umount', [disk]);
  }
});

test('a directory whose pg_control cannot be read is not decided upon', async (t) => {
  const { control, settings } = await aMember(t, 'one');
  await control.initdb();
  await truncate(join(settings.data_dir, 'global', 'pg_control'), 16);
  await assert.rejects(control.inspect(), { code: 'postgres-control-data' });
});

test('work that an agent left behind is ended before its directory is removed', async (t) => {
  const { control, settings } = await aMember(t, 'one');
  await mkdir(settings.data_dir);
  await writeFile(join(settings.data_dir, 'PG_VERSION'), '15');
  const worker = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
  const ended = once(worker, 'exit');
  const startTicks = (await readFile(`/proc/${worker.pid}/stat`, 'latin1')).split(' ')[21];
  const marker = JSON.stringify({ operation: 'basebackup', worker: { pid: worker.pid, startTicks } });
  await writeFile(`${settings.data_dir}.in-progress`, marker);
  assert.deepEqual((await control.inspect()).data, { kind: 'partial', during: 'basebackup' });
  await control.removeDataDir();
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  assert.deepEqual((await control.inspect()).data, { kind: 'empty' });
});

test('a directory that holds something else is never filled or removed', async (t) => {
  const { control, settings } = await aMember(t, 'one');
  await mkdir(settings.data_dir);
  await writeFile(join(settings.data_dir, 'thesis.tex'), 'years of work');
  assert.equal((await control.inspect()).data.kind, 'foreign');
  await assert.rejects(control.initdb(), { code: 'postgres-data-dir' });
  await assert.rejects(control.removeDataDir(), { code: 'postgres-data-dir' });
  assert.deepEqual(await readdir(settings.data_dir), ['thesis.tex']);
});

test('a wrong bin_dir, os_user and socket path are each told before anything is done', async (t) => {
  const folder = await scratchFolder(t);
  const open = async (changes: Parameters<typeof someSettings>[1]): Promise<unknown> =>
    openPostgres({
      config: someSettings(folder, changes),
      scope: 'test',
      name: 'one',
      clock: systemClock,
      log: silentLog,
    });
  await assert.rejects(open({ bin_dir: '/nowhere' }), { code: 'postgres-binaries-missing' });
  // Without root, PostgreSQL runs as whoever runs the agent, and os_user is not looked at.
  if (process.getuid?.() === 0) {
    await assert.rejects(open({ os_user: 'no-such-user' }), { code: 'postgres-setting-invalid' });
    await assert.rejects(open({ os_user: 'root' }), { code: 'postgres-setting-invalid' });
  }
  await symlink('circle', join(folder, 'circle'));
  await assert.rejects(open({ data_dir: join(folder, 'circle') }), { code: 'postgres-setting-invalid' });
  await assert.rejects(open({ socket_dir: `/tmp/${'x'.repeat(100)}` }), { code: 'postgres-setting-invalid' });
});

/** Routers that take over from each other while clients come, work and go. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, type ClientConfig } from 'pg';
import { pause } from '../../src/base/index.ts';
import { cancel, keyOf } from '../support/cancel.ts';
import { eventually } from '../support/eventually.ts';
import { aPrimary } from '../support/postgres.ts';
import { aClient } from '../support/router.ts';
import { aSucceedingRouter, type SucceedingRouter } from '../support/succeeding-router.ts';

const TAKE_OVERS = 5;

interface Tally {
  done: number;
  readonly failures: string[];
}

/** Does it again and again until `signal` aborts. */
async function again(work: () => Promise<void>, signal: AbortSignal): Promise<Tally> {
  const tally: Tally = { done: 0, failures: [] };
  while (!signal.aborted) {
    try {
      await work();
      tally.done += 1;
    } catch (cause) {
      tally.failures.push(String(cause));
    }
  }
  return tally;
}

/** One statement on a connection of its own. */
async function visit(as: ClientConfig): Promise<void> {
  const client = new Client({ connectionTimeoutMillis: 10_000, ...as });
  let lost: Error | undefined;
  client.on('error', (cause) => (lost = cause));
  await client.connect();
  const { rows } = await client.query('SELECT 7 AS a');
  await client.end();
  if (lost !== undefined) throw lost;
  assert.equal(rows[0]?.a, 7);
}

/** On a connection of its own, which a client that keeps it would not notice. */
async function scrape({ host }: SucceedingRouter): Promise<void> {
  const status = await new Promise<number | undefined>((resolve, reject) => {
    request({ host, port: 8009, path: '/healthz', agent: false }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode));
    })
      .on('error', reject)
      .end();
  });
  assert.equal(status, 200);
}

test('five take-overs in a row: no connection is refused, nobody is dropped, nothing is left', {
  timeout: 120_000,
}, async (t) => {
  const server = await aPrimary(t, 'n1', { parameters: { max_connections: 100, fsync: false } });
  const router = await aSucceedingRouter(t, server);
  const first = await router.pid();
  const writer = await aClient(t, router.as());
  await writer.query('CREATE TABLE kept (a int)');
  await writer.query('BEGIN');
  await writer.query('INSERT INTO kept VALUES (1)');
  const local = await aClient(t, router.as({ host: router.folder }));
  await local.query("SET application_name = 'local'");
  const sleeper = await aClient(t, router.as());
  const sleep = sleeper.query('SELECT pg_sleep(100)').then(
    () => 'slept',
    (cause: unknown) => (cause instanceof Error && 'code' in cause ? cause.code : cause),
  );
  const admin = await aClient(t, router.as({ database: 'matriarch' }));
  let adminWasTold: unknown;
  admin.on('error', (cause) => (adminWasTold ??= cause));

  const over = new AbortController();
  const loops = {
    tcp1: again(() => visit(router.as()), over.signal),
    tcp2: again(() => visit(router.as()), over.signal),
    unix1: again(() => visit(router.as({ host: router.folder })), over.signal),
    unix2: again(() => visit(router.as({ host: router.folder })), over.signal),
    http: again(() => scrape(router), over.signal),
  };
  for (let round = 0; round < TAKE_OVERS; round += 1) {
    await router.takeOver();
    await pause(200);
  }
  // An order for all routers of a host reaches those that wait for their last clients, too.
  process.kill(first, 'SIGHUP');
  process.kill(first, 'SIGUSR2');
  over.abort();
  for (const [name, loop] of Object.entries(loops)) {
    const { done, failures } = await loop;
    t.diagnostic(`${name}: ${done} connections, ${failures.length} refused or lost`);
    assert.deepEqual(failures, [], name);
    assert.ok(done > 10, `${name} was played`);
  }
  assert.notEqual(await router.pid(), first);
  assert.equal(existsSync(`/proc/${first}`), true, 'the first process stays for its clients');

  await t.test('a transaction that was open all the time commits', async () => {
    await writer.query('INSERT INTO kept VALUES (2)');
    await writer.query('COMMIT');
    assert.equal((await writer.query('SELECT count(*)::int AS n FROM kept')).rows[0]?.n, 2);
  });
  await t.test('a client of the Unix socket keeps its settings', async () => {
    assert.equal((await local.query('SHOW application_name')).rows[0]?.application_name, 'local');
  });
  await t.test('a cancel goes back through all of them', async () => {
    const { processID, secretKey } = keyOf(sleeper);
    await cancel(router, processID, secretKey ^ 1);
    await cancel(router, processID, secretKey);
    assert.equal(await sleep, '57014');
    assert.equal((await sleeper.query('SELECT 1 AS a')).rows[0]?.a, 1);
  });
  await t.test('an administrator is told to come back', () => {
    assert(adminWasTold instanceof Error && 'code' in adminWasTold);
    assert.equal(adminWasTold.code, '57P01');
  });
  await t.test('the lock and the socket are those of the last', async () => {
    const lock = readFileSync(join(router.folder, '.s.PGSQL.5432.lock'), 'utf8');
    assert.equal(Number.parseInt(lock, 10), await router.pid());
    await visit(router.as({ host: router.folder }));
  });
  await t.test('the old ones are gone when their clients are', async () => {
    await Promise.all([writer.end(), local.end(), sleeper.end()]);
    await eventually('one is left', router.pids, { holds: ({ length }) => length === 1, withinMs: 10_000 });
    assert.deepEqual(router.pids(), [await router.pid()]);
  });
  await t.test('the last one leaves nothing behind', async () => {
    await router.signal('SIGTERM');
    await eventually('none is left', router.pids, { holds: ({ length }) => length === 0, withinMs: 10_000 });
    assert.deepEqual(readdirSync(router.folder).sort(), ['matriarch.yaml', 'users.txt']);
  });
});

test('a take-over that cannot be changes nothing, and the log says why', { timeout: 60_000 }, async (t) => {
  const server = await aPrimary(t, 'n1', { parameters: { max_connections: 100, fsync: false } });
  const router = await aSucceedingRouter(t, server);
  const pid = await router.pid();
  const client = await aClient(t, router.as());
  const inode = (): string => readFileSync(join(router.folder, '.s.PGSQL.5432.lock'), 'utf8');
  const lock = inode();
  const goesOn = async (): Promise<void> => {
    assert.equal(await router.pid(), pid);
    assert.equal(inode(), lock);
    await eventually('no successor is left', router.pids, {
      holds: (pids) => pids.length === 1,
      withinMs: 5000,
    });
    await visit(router.as());
    await visit(router.as({ host: router.folder }));
    await scrape(router);
    assert.equal((await client.query('SELECT 1 AS a')).rows[0]?.a, 1);
  };
  let failures = 0;
  const fails = async (router_: Readonly<Record<string, unknown>>, because: RegExp): Promise<void> => {
    await router.configure(router_);
    await router.signal('SIGUSR2');
    await router.logged('take-over-failed', (failures += 1));
    const said =
      router
        .out()
        .split('\n')
        .findLast((line) => line.includes('"take-over-failed"')) ?? '';
    assert.match(said, because);
    await goesOn();
  };
  await t.test('a key that does not exist', () =>
    fails({ default_pool_sise: 3 }, /did you mean default_pool_size/),
  );
  await t.test('a file of users that does not exist', () =>
    fails({ auth_file: join(router.folder, 'nobody.txt') }, /nobody\.txt/),
  );
  await t.test('an address that this host does not have', () =>
    fails({ listen: '192.0.2.1:5432' }, /address-not-available|cannot listen on 192\.0\.2\.1:5432/),
  );
  await t.test('a pid file that cannot be written', () =>
    fails(
      { pid_file: join(router.folder, 'no', 'router.pid') },
      /router-pid-file-unwritable|no\/router\.pid/,
    ),
  );
  await t.test('a folder of the Unix socket that does not exist, after the pid file was written', () =>
    fails({ unix_socket_dir: join(router.folder, 'no') }, /no\/\.s\.PGSQL\.5432/),
  );

  await t.test('nobody takes over from a router that is paused', async () => {
    await router.configure({});
    const admin = await aClient(t, router.as({ database: 'matriarch' }));
    await admin.query('PAUSE');
    await router.signal('SIGUSR2');
    await router.logged('take-over-refused', 1);
    assert.match(router.out(), /"because":"paused"/);
    await admin.query('RESUME');
    await admin.query('DISABLE other');
    await router.signal('SIGUSR2');
    await router.logged('take-over-refused', 2);
    assert.match(router.out(), /"because":"database-disabled"/);
    await admin.query('ENABLE other');
    await goesOn();
  });

  await t.test('a second request during one is ignored, and the one goes on', async () => {
    await router.signal('SIGUSR2');
    // Signals that are pending are one.
    await router.logged('take-over-begins', failures + 1);
    await router.signal('SIGUSR2');
    await router.logged('take-over-ignored', 1);
    await router.logged('taken-over', 1);
    assert.notEqual(await router.pid(), pid);
  });
});

test('what is asked of a router while it starts is done once it listens', { timeout: 60_000 }, async (t) => {
  const server = await aPrimary(t, 'n1', { parameters: { max_connections: 100, fsync: false } });
  const router = await aSucceedingRouter(t, server);
  const first = await router.pid();
  await router.signal('SIGUSR2');
  await router.logged('starting', 2);
  const [successor] = router.pids().filter((pid) => pid !== first);
  assert(successor !== undefined);
  process.kill(successor, 'SIGUSR2');
  process.kill(successor, 'SIGHUP');
  await router.logged('taken-over', 2);
  assert.notEqual(await router.pid(), successor);
  await eventually('one is left', router.pids, { holds: ({ length }) => length === 1, withinMs: 10_000 });
  await visit(router.as());
});

test('another address is opened by the successor itself, and the old one is closed', {
  timeout: 60_000,
}, async (t) => {
  const server = await aPrimary(t, 'n1', { parameters: { max_connections: 100, fsync: false } });
  const router = await aSucceedingRouter(t, server);
  const client = await aClient(t, router.as());
  await router.configure({ listen: `${router.host}:6432` });
  await router.takeOver();
  await visit(router.as({ port: 6432 }));
  await visit(router.as({ port: 6432, host: router.folder }));
  await scrape(router);
  await eventually(
    'the old address is closed',
    () =>
      visit(router.as()).then(
        () => 'open',
        (cause: unknown) => String(cause),
      ),
    { holds: (seen) => seen.includes('ECONNREFUSED'), withinMs: 5000 },
  );
  assert.equal(existsSync(join(router.folder, '.s.PGSQL.5432')), false);
  assert.equal((await client.query('SELECT 1 AS a')).rows[0]?.a, 1);
});

test('after drain_timeout the clients of the old one are told to come back', {
  timeout: 60_000,
}, async (t) => {
  const server = await aPrimary(t, 'n1', { parameters: { max_connections: 100, fsync: false } });
  const router = await aSucceedingRouter(t, server, { drain_timeout: '700ms' });
  const idle = await aClient(t, router.as());
  const told = new Promise<unknown>((resolve) => {
    idle.on('error', resolve);
  });
  const busy = await aClient(t, router.as());
  await busy.query('CREATE TABLE kept (a int)');
  const work = busy.query('BEGIN; INSERT INTO kept SELECT 1 FROM pg_sleep(2); COMMIT');
  await router.takeOver();
  assert.equal((await idle.query('SELECT 1 AS a')).rows[0]?.a, 1, 'not at once');
  const cause = await told;
  assert(cause instanceof Error && 'code' in cause);
  assert.equal(cause.code, '57P01');
  await work;
  await eventually('one is left', router.pids, { holds: ({ length }) => length === 1, withinMs: 10_000 });
  const after = await aClient(t, router.as());
  assert.equal((await after.query('SELECT count(*)::int AS n FROM kept')).rows[0]?.n, 1);
});

test('a successor that is stopped in order takes those before it along; one that is killed does not', {
  timeout: 60_000,
}, async (t) => {
  const server = await aPrimary(t, 'n1', { parameters: { max_connections: 100, fsync: false } });
  const router = await aSucceedingRouter(t, server);
  const client = await aClient(t, router.as());
  await router.takeOver();
  await router.takeOver();
  assert.equal(router.pids().length, 3);
  const last = await router.pid();
  process.kill(last, 'SIGKILL');
  await eventually('two are left', router.pids, { holds: ({ length }) => length === 2, withinMs: 5000 });
  assert.equal((await client.query('SELECT 1 AS a')).rows[0]?.a, 1);

  const second = await aSucceedingRouter(t, server);
  const other = await aClient(t, second.as());
  const told = new Promise<unknown>((resolve) => {
    other.on('error', resolve);
  });
  await second.takeOver();
  await second.signal('SIGTERM');
  const cause = await told;
  assert(cause instanceof Error && 'code' in cause);
  assert.equal(cause.code, '57P01');
  await eventually('none is left', second.pids, { holds: ({ length }) => length === 0, withinMs: 10_000 });
});

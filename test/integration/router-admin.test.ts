/** The admin console of a router that serves clients: what it shows of them, and what its orders do to them. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Client } from 'pg';
import { eventually } from '../support/eventually.ts';
import { aClient, aRouter, aStage, type RunningRouter } from '../support/router.ts';

type Row = Readonly<Record<string, unknown>>;

async function console(t: TestContext, router: RunningRouter, database = 'matriarch'): Promise<Client> {
  return await aClient(t, router.as({ database }));
}

async function shown(admin: Client, what: string): Promise<readonly Row[]> {
  return (await admin.query<Row>(`SHOW ${what}`)).rows;
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => 'no error',
    (cause: unknown) => (cause instanceof Error && 'code' in cause ? cause.code : cause),
  );
}

test('the admin console of a router at work', { timeout: 120_000 }, async (suite) => {
  const stage = await aStage(suite);
  const options = ['admin_users: [app]', 'default_pool_size: 2'];

  await suite.test('shows pools, clients, servers, pins, statistics and nodes as they are', async (t) => {
    const router = await aRouter(t, stage, options);
    const admin = await console(t, router);
    const worker = await aClient(t, router.as({ application_name: 'worker' }));
    await worker.query('BEGIN');
    await worker.query('CREATE TABLE IF NOT EXISTS seen (a int)');
    const pool = (await shown(admin, 'POOLS')).find((row) => row['database'] === 'app');
    assert.deepEqual(
      [pool?.['user'], Number(pool?.['cl_active']), Number(pool?.['sv_active']), pool?.['pool_mode']],
      ['app', 1, 1, 'transaction'],
    );
    const clients = await shown(admin, 'CLIENTS');
    assert.ok(clients.some((row) => row['database'] === 'app' && row['application_name'] === 'worker'));
    assert.equal((await shown(admin, 'SERVERS')).filter((row) => row['state'] === 'active').length, 1);
    await worker.query('COMMIT');
    await worker.query('LISTEN news');
    const [pin] = await shown(admin, 'PINS');
    assert.ok(JSON.stringify(pin).includes('listens'), JSON.stringify(pin));
    await worker.query('SELECT pg_advisory_lock(5)');
    assert.equal((await shown(admin, 'PINS'))[0]?.['because'], 'listens, holds-session-lock');
    await worker.query('UNLISTEN news');
    await eventually('the pin tells what is left', async () => await shown(admin, 'PINS'), {
      holds: (rows) => JSON.stringify(rows).includes('holds-session-lock'),
      withinMs: 2000,
    });
    await worker.query('SELECT pg_advisory_unlock(5)');
    await eventually('the pin is gone', async () => await shown(admin, 'PINS'), {
      holds: (rows) => rows.length === 0,
      withinMs: 2000,
    });
    const stats = (await shown(admin, 'STATS')).find((row) => row['database'] === 'app');
    assert.ok(Number(stats?.['total_query_count']) >= 4, JSON.stringify(stats));
    assert.ok(Number(stats?.['total_xact_count']) >= 3 && Number(stats?.['total_sent']) > 0);
    const nodes = await shown(admin, 'NODES');
    assert.equal(nodes.length, 3);
    assert.equal((await shown(admin, 'POOL_NODES')).length, 3);
    const settings = new Map(
      (await shown(admin, 'CONFIG')).map(({ key, value, changeable }) => [key, [value, changeable]]),
    );
    assert.deepEqual(
      ['default_pool_size', 'weights', 'admin_users', 'listen', 'tcp_keepalive'].map((key) =>
        settings.get(key),
      ),
      [
        ['2', 'yes'],
        ['{ local: 10, remote: 1 }', 'yes'],
        ['[ app ]', 'yes'],
        [`${router.host}:5432`, 'no'],
        ['true', 'no'],
      ],
    );
    const metrics = await (await fetch(`${router.http}/metrics`)).text();
    assert.match(metrics, /matriarch_router_phase_seconds_bucket\{[^}]*phase="server"/);
    assert.match(metrics, /matriarch_router_pool_servers\{[^}]*database="app"/);
  });

  await suite.test('PAUSE waits for what runs and holds what comes; RESUME lets it go on', async (t) => {
    const router = await aRouter(t, stage, options);
    const admin = await console(t, router, 'pgbouncer');
    const [busy, other] = [await aClient(t, router.as()), await aClient(t, router.as())];
    await busy.query('BEGIN');
    await busy.query('CREATE TABLE IF NOT EXISTS seen (a int)');
    let isPaused = false;
    const pausing = admin.query('PAUSE app').then(() => (isPaused = true));
    const second = await console(t, router);
    await eventually('it is pausing', async () => await shown(second, 'DATABASES'), {
      holds: (rows) => rows.some((row) => row['name'] === 'app' && Number(row['paused']) === 1),
      withinMs: 2000,
    });
    const held = other.query('DELETE FROM seen').then(() => 'served');
    assert.equal(isPaused, false);
    await busy.query('COMMIT');
    await pausing;
    assert.equal((await shown(second, 'SERVERS')).length, 0);
    assert.equal(
      await Promise.race([held, new Promise((resolve) => setTimeout(() => resolve('held'), 200))]),
      'held',
    );
    await admin.query('RESUME app');
    assert.equal(await held, 'served');
  });

  await suite.test('RECONNECT, KILL, KILL_CLIENT, DISABLE, SET and RELOAD do what they say', async (t) => {
    const router = await aRouter(t, stage, options);
    const admin = await console(t, router);
    const client = await aClient(t, router.as());
    await client.query('DELETE FROM seen');
    const [before] = await shown(admin, 'SERVERS');
    await admin.query('RECONNECT app');
    await admin.query('WAIT_CLOSE app');
    await client.query('DELETE FROM seen');
    const [after] = await shown(admin, 'SERVERS');
    assert.notEqual(before?.['remote_pid'], after?.['remote_pid']);

    await admin.query('DISABLE app');
    assert.equal(await codeOf(aClient(t, router.as())), '55000');
    await client.query('DELETE FROM seen');
    await admin.query('ENABLE app');
    await (await aClient(t, router.as())).query('SELECT 1');

    // One that nobody has used yet can be closed, and opened again.
    await admin.query('DISABLE unused');
    await admin.query('ENABLE unused');

    await admin.query("SET query_wait_timeout = '250ms'");
    const wait = (await shown(admin, 'CONFIG')).find((row) => row['key'] === 'query_wait_timeout');
    assert.equal(wait?.['value'], '0.25');
    assert.notEqual(await codeOf(admin.query("SET listen = '127.0.0.1:1'")), 'no error');
    assert.notEqual(await codeOf(admin.query('SET default_pool_size = lots')), 'no error');
    assert.notEqual(await codeOf(admin.query('RELOAD')), 'no error');

    const ended = new Promise((resolve) =>
      client.once('error', (cause) => resolve('code' in cause && cause.code)),
    );
    await admin.query('KILL app');
    assert.equal(await ended, '57P01');
    assert.equal((await shown(admin, 'SERVERS')).length, 0);
    await admin.query('RESUME');
  });

  await suite.test('who is not named is not let in, and SHUTDOWN ends the router', async (t) => {
    const closed = await aRouter(t, stage, ['default_pool_size: 2']);
    assert.equal(await codeOf(console(t, closed)), '42501');
    const watcher = await aRouter(t, stage, ['stats_users: [app]']);
    const looking = await console(t, watcher);
    assert.ok((await shown(looking, 'LISTS')).length > 0);
    assert.equal(await codeOf(looking.query('PAUSE')), '42501');
    const router = await aRouter(t, stage, options);
    const admin = await console(t, router);
    await admin.query('SHUTDOWN WAIT_FOR_CLIENTS').catch(() => undefined);
    await eventually('it is gone', async () => await codeOf(aClient(t, router.as())), {
      holds: (code) => code === 'ECONNREFUSED',
      withinMs: 5000,
    });
  });
});

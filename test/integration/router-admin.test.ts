/** The admin console of a router that serves clients: what it shows of them, and what its orders do to them. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Client } from 'pg';
import { matriarch } from '../support/command.ts';
import { eventually } from '../support/eventually.ts';
import { aClient, aRouter, aStage, type RunningRouter } from '../support/router.ts';
import { scratchFolder } from '../support/scratch.ts';

type Row = Readonly<Record<string, unknown>>;

async function console(t: TestContext, router: RunningRouter, database = 'matriarch'): Promise<Client> {
  return await aClient(t, router.as({ database }));
}

async function shown(admin: Client, what: string): Promise<readonly Row[]> {
  return (await admin.query<Row>(`SHOW ${what}`)).rows;
}

function pick(value: unknown, keys: readonly string[]): Row {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return Object.fromEntries(entries.filter(([key]) => keys.includes(key)));
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => 'no error',
    (cause: unknown) => (cause instanceof Error && 'code' in cause ? cause.code : cause),
  );
}

const isWaiting = (rows: readonly Row[]): boolean =>
  rows.some((row) => row['database'] === 'app' && Number(row['cl_waiting']) === 1);

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
        ['{ local: 10, remote: 1, members: {} }', 'yes'],
        ['[ app ]', 'yes'],
        [`${router.host}:5432`, 'no'],
        ['true', 'no'],
      ],
    );
    const metrics = await (await fetch(`${router.http}/metrics`)).text();
    assert.match(metrics, /matriarch_router_phase_seconds_bucket\{[^}]*phase="server"/);
    assert.match(metrics, /matriarch_router_pool_servers\{[^}]*database="app"/);
  });

  await suite.test('SHOW ROUTE and the command explain what the router then does', async (t) => {
    const rules =
      "rules: [{ user: ['report_*'], route: replica }, { application_name: [old], route: primary }]";
    const router = await aRouter(t, stage, [...options, rules]);
    const admin = await console(t, router);
    const steps = async (question: string): Promise<Readonly<Record<string, string>>> => {
      const rows = await shown(admin, `ROUTE ${question}`);
      return Object.fromEntries(
        rows
          .filter(({ step }) => step !== 'candidate' && step !== 'notice' && step !== 'consistency')
          .map(({ step, value, because }) => [String(step), `${String(value)}: ${String(because)}`]),
      );
    };
    const read = { class: 'read: only-reads', need: 'read: its-class' };
    // Asked ten times: no turn is taken from anybody.
    for (let asked = 0; asked < 10; asked += 1) {
      assert.deepEqual(await steps("'SELECT 1' USER app"), { ...read, choice: 'n1: by-weight' });
    }
    assert.deepEqual(await steps("'SELECT random()'"), {
      class: 'write: function-volatile: random',
      need: 'primary: its-class',
      choice: 'n1: needs-primary',
    });
    const wished = await steps("'SELECT 1' USER report_daily DATABASE app");
    assert.match(wished['choice'] ?? '', /^n[23]: as-wished$/);
    assert.deepEqual({ ...wished, choice: '' }, { ...read, wish: 'replica: rule 1', choice: '' });
    assert.deepEqual(await steps("'SELECT 1' APPLICATION old"), {
      class: 'read: only-reads',
      need: 'primary: wished',
      wish: 'primary: rule 2',
      choice: 'n1: needs-primary',
    });
    assert.deepEqual(await steps("'/* matriarch: node=n3 */ BEGIN READ ONLY'"), {
      class: 'begin: begins-transaction',
      need: 'read: its-class',
      wish: 'node=n3: hint',
      choice: ': answered-by-router',
    });
    const [notice] = (await shown(admin, "ROUTE '/* matriarch: node=n9 */ SELECT 1'")).slice(-1);
    assert.match(String(notice?.['value']), /n9/);

    const client = await aClient(t, router.as());
    await client.query('SET matriarch.explain = on');
    await client.query('/* matriarch: node=n2 */ SELECT 1');
    await client.query('SELECT random()');
    await client.query('SET matriarch.explain = off');
    await client.query('SELECT 2');
    const decisions = (await shown(admin, 'DECISIONS')).filter((row) => row['class'] !== 'set');
    assert.deepEqual(
      decisions.map((row) => [
        row['user'],
        row['because'],
        row['wish_from'],
        row['node'],
        row['node_because'],
      ]),
      [
        ['app', 'only-reads', 'hint', 'n2', 'as-wished'],
        ['app', 'function-volatile', '', 'n1', 'needs-primary'],
      ],
    );
    const counted = (await shown(admin, 'ROUTES')).find((row) => row['because'] === 'only-reads');
    assert.deepEqual([counted?.['class'], Number(counted?.['count'])], ['read', 2]);

    const surroundings = { cwd: await scratchFolder(t) };
    const asked = ['explain', '--router', router.http.slice('http://'.length), '--user', 'report_x'];
    const table = await matriarch([...asked, 'SELECT * FROM pg_class'], surroundings);
    assert.equal(table.status, 0, table.err);
    assert.match(table.out, /class +\| read +\| only-reads/);
    assert.match(table.out, /wish +\| replica +\| rule 1/);
    assert.match(table.out, /consistency +\| session +\|/);
    assert.match(table.out, /n1 +\| dc1 +\| primary +\| +10 \| local/);
    const json = JSON.parse((await matriarch([...asked, '--json', 'VACUUM'], surroundings)).out) as unknown;
    assert.deepEqual(pick(json, ['class', 'because', 'node', 'node_because']), {
      class: 'write',
      because: 'maintains',
      node: 'n1',
      node_because: 'needs-primary',
    });
    await stage.setLeader(undefined);
    await eventually(
      'there is no node for a write',
      async () => await matriarch([...asked, 'VACUUM'], surroundings),
      {
        holds: ({ status, out }) => status === 1 && /choice +\| none +\| no-leader/.test(out),
        withinMs: 5000,
      },
    );
    await stage.setLeader('n1');
    const away = await matriarch(['explain', '--router', `${router.host}:8010`, 'SELECT 1'], surroundings);
    assert.equal(away.status, 3);
    assert.match(away.err, /ECONNREFUSED[^]*\(router-unreachable/);
    const wrong = await fetch(`${router.http}/explain`, { method: 'POST', body: '{"sql":"a\\u0000b"}' });
    assert.equal(wrong.status, 400);
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

  await suite.test('who waits and is ended is told why, and not that it asked for it', async (t) => {
    const router = await aRouter(t, stage, options);
    const admin = await console(t, router);
    const client = await aClient(t, router.as());
    await admin.query('PAUSE app');
    const waiting = codeOf(client.query('DELETE FROM seen'));
    await eventually('it waits', async () => await shown(admin, 'POOLS'), {
      holds: isWaiting,
      withinMs: 2000,
    });
    await admin.query('KILL app');
    assert.equal(await waiting, '57P01');
  });

  await suite.test(
    'the console is reached when max_client_conn is, and takes no place of a client',
    async (t) => {
      const router = await aRouter(t, stage, [...options, 'max_client_conn: 2']);
      const [first] = [await aClient(t, router.as()), await aClient(t, router.as())];
      const databases = ['matriarch', 'pgbouncer'];
      for (let count = 0; count < 10; count += 1) {
        const admin = await console(t, router, databases[count % 2]);
        assert.equal((await shown(admin, 'CLIENTS')).length, 2);
      }
      assert.equal(await codeOf(console(t, router)), '53300');
      assert.equal(await codeOf(aClient(t, router.as())), '53300');
      await first.end();
      await eventually('a client has the place again', async () => await codeOf(aClient(t, router.as())), {
        holds: (code) => code === 'no error',
        withinMs: 2000,
      });
      assert.equal(await codeOf(aClient(t, router.as())), '53300');
    },
  );

  await suite.test('who is not named is not let in, and SHUTDOWN ends the router', async (t) => {
    const closed = await aRouter(t, stage, ['default_pool_size: 2']);
    assert.equal(await codeOf(console(t, closed)), '42501');
    const watcher = await aRouter(t, stage, ['stats_users: [app]']);
    const looking = await console(t, watcher);
    assert.ok((await shown(looking, 'LISTS')).length > 0);
    assert.equal(await codeOf(looking.query('PAUSE')), '42501');
    const router = await aRouter(t, stage, options);
    const admin = await console(t, router);
    const readiness = async (): Promise<unknown> => await (await fetch(`${router.http}/readyz`)).json();
    await admin.query('PAUSE');
    assert.deepEqual(await readiness(), { ready: false, missing: ['the router is paused'] });
    await admin.query('RESUME');
    assert.deepEqual(await readiness(), { ready: true });
    const client = await aClient(t, router.as());
    await admin.query('SHUTDOWN WAIT_FOR_CLIENTS').catch(() => undefined);
    assert.deepEqual(await readiness(), { ready: false, missing: ['the router is shutting down'] });
    assert.equal((await client.query('SELECT 1 AS a')).rows[0]?.a, 1);
    await client.end();
    await eventually('it is gone', async () => await codeOf(aClient(t, router.as())), {
      holds: (code) => code === 'ECONNREFUSED',
      withinMs: 5000,
    });
  });
});

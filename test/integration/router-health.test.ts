/** Which nodes a router reads from when some are late, paused, silent, slow or gone: real servers, real faults. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { startAs } from '../support/postgres.ts';
import { sql } from '../support/sql.ts';
import { shareOut } from '../support/reads.ts';
import { aClient, aRouter, aStage } from '../support/router.ts';
import { startProxy } from '../support/tcp-proxy.ts';

const SOON_MS = 20_000;

test('reads go where they are served well', { timeout: 240_000 }, async (suite) => {
  const stage = await aStage(suite, { parameters: { max_wal_size: '256MB', autovacuum: false } });
  const { n1, n2, n3 } = stage.nodes;
  const proxy = await startProxy(suite, n2.address);
  const router = await aRouter(suite, stage, {
    router: ['position_poll: 100ms', 'max_lag: 64kB', 'server_connect_timeout: 2s', 'default_pool_size: 2'],
    top: ['datacenter: dc2', `addresses: { n2: "${proxy.host}:${proxy.port}" }`],
  });
  const client = await aClient(suite, router.as());
  await sql(n1, 'CREATE TABLE filler (t text); ALTER TABLE filler ALTER t SET STORAGE EXTERNAL');
  const write = (kB: number) =>
    sql(n1, `INSERT INTO filler SELECT repeat('x', 1024) FROM generate_series(1, ${kB})`);
  const n2Becomes = (state: string) =>
    eventually(`n2 is ${state}`, router.states, {
      holds: (states) => states['n2'] === state,
      withinMs: SOON_MS,
    });
  const n2IsBack = () => n2Becomes('in 1');
  const shares = (reads = 24) => shareOut(router, [client], reads);

  await suite.test(
    'a paused standby serves while nothing is written, is out once something is, and comes back',
    async () => {
      await n2IsBack();
      // Servers write of themselves, and the first readers after a checkpoint have pages logged whole.
      await sql(n1, 'CHECKPOINT');
      await shares();
      let lsn: unknown;
      const isStill = async (): Promise<boolean> => {
        const before = lsn;
        const [row] = await sql(n1, 'SELECT pg_current_wal_lsn() AS lsn');
        lsn = row?.['lsn'];
        await sleep(1000);
        return before === lsn;
      };
      await eventually('the primary writes nothing', isStill, { holds: (is) => is, withinMs: SOON_MS });
      await sql(n2, 'SELECT pg_wal_replay_pause()');
      await sleep(1000);
      assert.equal((await router.states())['n2'], 'in 1');
      await write(1);
      await n2Becomes('out replay-paused 0');
      assert.equal(await shares(), '12 0 12');
      await sql(n2, 'SELECT pg_wal_replay_resume()');
      await n2IsBack();
      assert.equal(await shares(), '2 20 2');
    },
  );

  await suite.test(
    'a standby that replays too late is out, and comes back when it has caught up',
    async () => {
      const [row] = await sql(n2, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'");
      const pid = Number(row?.['pid']);
      process.kill(pid, 'SIGSTOP');
      try {
        await write(16);
        await sleep(500);
        assert.equal((await router.states())['n2'], 'in 1');
        await write(200);
        await n2Becomes('out lagging 0');
        assert.equal(await shares(), '12 0 12');
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await n2IsBack();
    },
  );

  await suite.test('the console and the metrics tell state, reason, share and lag', async (t) => {
    await sql(n2, 'SELECT pg_wal_replay_pause()');
    await write(1);
    await n2Becomes('out replay-paused 0');
    const metrics = await (await fetch(`${router.http}/metrics`)).text();
    assert.match(
      metrics,
      /node_share\{member="n2",datacenter="dc2",state="out",because="replay-paused"\} 0\n/,
    );
    assert.match(metrics, /node_share\{member="n1",datacenter="dc1",state="in",because=""\} 1\n/);
    assert.match(metrics, /node_lag_bytes\{member="n2",datacenter="dc2"\} [1-9]\d+\n/);
    assert.match(metrics, /node_lag_seconds\{member="n3",datacenter="dc3"\} 0\n/);
    await sql(n2, 'SELECT pg_wal_replay_resume()');
    await n2IsBack();
    t.diagnostic(JSON.stringify(await router.states()));
  });

  await suite.test('a standby that does not stream is out while the primary is there', async () => {
    await sql(n2, "ALTER SYSTEM SET primary_conninfo = ''");
    await sql(n2, 'SELECT pg_reload_conf()');
    await n2Becomes('out not-streaming 0');
    assert.equal(await shares(), '12 0 12');
    await sql(n2, 'ALTER SYSTEM RESET primary_conninfo');
    await sql(n2, 'SELECT pg_reload_conf()');
    await n2IsBack();
  });

  await suite.test('a node that answers slowly is out, and comes back', async () => {
    proxy.setMode('slow');
    await n2Becomes('out slow 0');
    assert.equal(await shares(), '12 0 12');
    proxy.setMode('open');
    await n2IsBack();
  });

  await suite.test('a node whose connections break is out at once, and no client notices', async () => {
    proxy.setMode('cut');
    assert.match(await shares(), /^\d+ \d+ \d+$/);
    await eventually('n2 is out', router.states, {
      // By a client's connection or by the router's own, whichever finds it first.
      holds: ({ n2: state }) => state === 'out unreachable 0' || state === 'out silent 0',
      withinMs: SOON_MS,
    });
    assert.equal(await shares(), '12 0 12');
    proxy.setMode('open');
    await n2IsBack();
  });

  await suite.test('reads that find the local pool exhausted go elsewhere, and are counted', async (t) => {
    const busy = [await aClient(t, router.as()), await aClient(t, router.as())];
    // Both local connections are lent until the end.
    for (const one of busy) {
      await one.query('/* matriarch: node=n2 */ BEGIN READ ONLY');
      await one.query('SELECT 1');
    }
    await sleep(100);
    const others = await Promise.all(Array.from({ length: 8 }, () => aClient(t, router.as())));
    const seen = await shareOut(router, others, 240);
    for (const one of busy) await one.query('COMMIT');
    const [n1Reads = 0, n2Reads = 0, n3Reads = 0] = seen.split(' ').map(Number);
    assert.deepEqual([n2Reads, n1Reads + n3Reads], [0, 240], seen);
    const metrics = await (await fetch(`${router.http}/metrics`)).text();
    const [, spilled] = /reads_spilled_total\{member="n2",datacenter="dc2"\} (\d+)/.exec(metrics) ?? [];
    assert(Number(spilled) >= 200, `of 240 reads ${spilled} were spilled`);
  });

  await suite.test('without a standby all reads go to the primary', async () => {
    proxy.setMode('cut');
    await n3.control.stop({ mode: 'immediate', deadlineMs: 5000 });
    await shares();
    await eventually('both are out', router.states, {
      holds: (states) => [states['n2'], states['n3']].every((state) => state?.startsWith('out') === true),
      withinMs: SOON_MS,
    });
    assert.equal(await shares(), '24 0 0');
    proxy.setMode('open');
    await startAs(n3, 'standby', n1);
    await eventually('both are back', router.states, {
      holds: (states) => [states['n2'], states['n3']].every((state) => state === 'in 1'),
      withinMs: SOON_MS,
    });
  });

  await suite.test('without the primary reads go on at the standbys, though none streams', async () => {
    await n1.control.stop({ mode: 'immediate', deadlineMs: 5000 });
    await shares(11);
    await eventually('n1 is out', router.states, {
      holds: ({ n1: state }) => state?.startsWith('out') === true,
      withinMs: SOON_MS,
    });
    await sleep(1000);
    assert.equal(await shares(22), '0 20 2');
  });
});

/** What clients of a router see when servers, the leader, or etcd go: real servers, keys written by the test. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from 'pg';
import { eventually } from '../support/eventually.ts';
import { sql } from '../support/sql.ts';
import { aClient, aRouter, aStage, type NodeName } from '../support/router.ts';

const HOLD = ['hold_timeout: 4s'];

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (cause) {
    return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  }
}

const rowsOf = async (client: Client, text: string) =>
  (await client.query<Record<string, unknown>>(text)).rows;

test('clients keep their connection whatever happens to servers', { timeout: 150_000 }, async (suite) => {
  const stage = await aStage(suite);
  const router = await aRouter(suite, stage, HOLD);
  const app = { user: 'app', password: 'app', database: 'app' };
  await sql(stage.nodes.n1, 'CREATE TABLE t (id int PRIMARY KEY)', app);

  /** Ends the server processes of `app` at one node that run `text`, or all of them. */
  const kill = async (node: NodeName, text = '%') => {
    const condition = `usename = 'app' AND query LIKE '${text}' AND pid <> pg_backend_pid()`;
    await eventually(
      `a process at ${node} runs ${text}`,
      async () => {
        const rows = await sql(
          stage.nodes[node],
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${condition}`,
        );
        return rows.length;
      },
      { holds: (killed) => killed > 0, withinMs: 5000 },
    );
  };

  await suite.test('an idle connection forgets a lost server silently', async (t) => {
    const client = await aClient(t, router.as());
    await client.query('SELECT 1');
    await kill('n1');
    for (let n = 0; n < 12; n += 1) assert.deepEqual(await rowsOf(client, 'SELECT 1 AS v'), [{ v: 1 }]);
    assert.equal(await outcome(client.query('INSERT INTO t VALUES (1)')), 'ok');
  });

  await suite.test(
    'who only listens is told at once that its server is lost, and may come again',
    async (t) => {
      const listener = await aClient(t, router.as());
      await listener.query('LISTEN news');
      const told = new Promise<unknown>((resolve) => {
        listener.on('error', (cause) => resolve('code' in cause ? cause.code : cause.message));
      });
      await kill('n1', 'LISTEN news');
      assert.equal(await told, '08006');
      const again = await aClient(t, router.as());
      const heard = new Promise<unknown>((resolve) => {
        again.on('notification', ({ payload }) => resolve(payload));
      });
      await again.query('LISTEN news');
      await sql(stage.nodes.n1, "NOTIFY news, 'hello'", app);
      assert.equal(await heard, 'hello');
      await again.query('UNLISTEN *');
    },
  );

  await suite.test(
    'in session mode, too, who listens no more is not told that its server is lost',
    async (t) => {
      const sessions = await aRouter(t, stage, ['pool_mode: session']);
      for (const work of [
        ['LISTEN news', 'UNLISTEN *'],
        ['BEGIN; LISTEN news', 'ROLLBACK'],
        ['LISTEN news; UNLISTEN news'],
      ]) {
        const client = await aClient(t, sessions.as());
        // The last waits until the server was asked what is left there.
        for (const text of [...work, 'SELECT 1']) await client.query(text);
        await kill('n1');
        assert.deepEqual(await rowsOf(client, 'SELECT 1 AS v'), [{ v: 1 }], work.join());
        await client.end();
      }
    },
  );

  await suite.test('a read that had sent no row is run again elsewhere', async (t) => {
    const client = await aClient(t, router.as());
    const reading = outcome(
      client.query(`/* again */ SELECT count(*) FROM generate_series(1, 9000000) AS a`),
    );
    const where = await eventually(
      'the read runs somewhere',
      async () => {
        for (const node of ['n1', 'n2', 'n3'] as const) {
          const found = await sql(
            stage.nodes[node],
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '/* again%'",
          );
          if (found.length > 0) return node;
        }
        return undefined;
      },
      { holds: (node) => node !== undefined, withinMs: 5000 },
    );
    assert.notEqual(where, undefined);
    assert.equal(await reading, 'ok');
  });

  await suite.test('a transaction that is lost at work is an error inside the protocol', async (t) => {
    const client = await aClient(t, router.as());
    await client.query('BEGIN');
    await client.query('INSERT INTO t VALUES (10)');
    const running = outcome(client.query('/* lost */ UPDATE t SET id = id + pg_sleep(20)::text::int'));
    await kill('n1', '/* lost%');
    assert.equal(await running, '57P01');
    assert.equal(await outcome(client.query('SELECT 1')), '25P02');
    assert.equal(await outcome(client.query('SELECT $1::int', [1])), '25P02');
    assert.equal((await client.query('COMMIT')).command, 'ROLLBACK');
    assert.deepEqual(await rowsOf(client, 'SELECT id FROM t WHERE id = 10'), []);
  });

  await suite.test(
    'COMMIT of a transaction that was lost while idle is an error, not a quiet ROLLBACK',
    async (t) => {
      const client = await aClient(t, router.as());
      await client.query('BEGIN');
      await client.query('INSERT INTO t VALUES (11)');
      await kill('n1', 'INSERT INTO t VALUES (11)%');
      await eventually(
        'the router has noticed',
        () => router.lines.filter((line) => line.fields['status'] === 'T').length,
        {
          holds: (lines) => lines > 1,
          withinMs: 5000,
        },
      );
      assert.equal(await outcome(client.query('COMMIT')), '57P01');
      assert.deepEqual(await rowsOf(client, 'SELECT id FROM t WHERE id = 11'), []);
    },
  );

  await suite.test('a COMMIT and an autocommit write whose answer was lost are in doubt, once', async (t) => {
    await sql(
      stage.nodes.n1,
      `CREATE TABLE slow (id int);
       CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(20); RETURN NULL; END';
       CREATE CONSTRAINT TRIGGER d AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle()`,
      app,
    );
    const client = await aClient(t, router.as());
    await client.query('BEGIN');
    await client.query('INSERT INTO slow VALUES (1)');
    const committing = outcome(client.query('COMMIT'));
    await kill('n1', 'COMMIT%');
    assert.equal(await committing, '08007');
    const writing = outcome(client.query('/* doubt */ INSERT INTO slow VALUES (2)'));
    await kill('n1', '/* doubt%');
    assert.equal(await writing, '08007');
    assert.deepEqual(await rowsOf(client, 'SELECT 1 AS v'), [{ v: 1 }]);
  });

  /** Nobody leads, and the router has heard of it. */
  const withoutLeader = async (): Promise<void> => {
    await stage.setLeader(undefined);
    await eventually(
      'the router knows of no primary',
      async () => await (await fetch(`${router.http}/nodes`)).text(),
      { holds: (text) => text.includes('no-leader'), withinMs: 5000 },
    );
  };

  await suite.test('without a leader reads go on and writes wait for the next', async (t) => {
    const client = await aClient(t, router.as());
    const writer = await aClient(t, router.as());
    await withoutLeader();
    const writing = outcome(writer.query('INSERT INTO t VALUES (20)'));
    for (let n = 0; n < 24; n += 1) assert.equal(await outcome(client.query('SELECT 1')), 'ok');
    await stage.setLeader('n1');
    assert.equal(await writing, 'ok');
  });

  await suite.test('who waits too long for a primary gets 57P03, and the connection stays', async (t) => {
    const client = await aClient(t, router.as());
    await withoutLeader();
    assert.equal(await outcome(client.query('INSERT INTO t VALUES (21)')), '57P03');
    await stage.setLeader('n1');
    await eventually('writes work', () => outcome(client.query('INSERT INTO t VALUES (21)')), {
      holds: (seen) => seen === 'ok',
      withinMs: 5000,
    });
  });

  await suite.test('a router that has lost etcd for longer than the lease sends no write', async (t) => {
    const client = await aClient(t, router.as());
    await client.query('SELECT 1');
    await stage.etcd.freeze();
    try {
      await eventually('contact is stale', async () => await (await fetch(`${router.http}/nodes`)).text(), {
        holds: (text) => text.includes('dcs-contact-stale'),
        withinMs: 8000,
      });
      assert.equal(await outcome(client.query('INSERT INTO t VALUES (22)')), '57P03');
      assert.equal(await outcome(client.query('SELECT 1')), 'ok');
    } finally {
      stage.etcd.thaw();
    }
    await eventually('writes work', () => outcome(client.query('INSERT INTO t VALUES (22)')), {
      holds: (seen) => seen === 'ok',
      withinMs: 8000,
    });
  });

  await suite.test(
    'a leader that is still a standby gets no write until it is promoted; the former is cut',
    async (t) => {
      const client = await aClient(t, router.as());
      const former = await aClient(t, router.as());
      await former.query('BEGIN');
      await former.query('INSERT INTO t VALUES (30)');
      const cut = outcome(former.query('/* former */ SELECT pg_sleep(20)'));
      await stage.publish('n1', { role: 'replica' });
      await stage.publish('n2', { role: 'primary' });
      await stage.setLeader('n2');
      assert.equal(await cut, '57P01');
      const writing = outcome(client.query('INSERT INTO t VALUES (31)'));
      const first = await Promise.race([
        writing,
        new Promise((resolve) => setTimeout(() => resolve('held'), 300)),
      ]);
      assert.equal(first, 'held');
      const promoted = await stage.nodes.n2.control.promote({ stillAllowed: () => true });
      assert.equal(promoted.outcome, 'promoted');
      assert.equal(await writing, 'ok');
      assert.deepEqual(await sql(stage.nodes.n2, 'SELECT id FROM t WHERE id >= 30', app), [{ id: 31 }]);
      assert.equal(await outcome(former.query('ROLLBACK')), 'ok');
      assert.deepEqual(await rowsOf(former, "SELECT 'on' AS v"), [{ v: 'on' }]);
    },
  );

  await suite.test(
    'a former primary that comes back as leader on its old timeline is not written to',
    async (t) => {
      await stage.publish('n2', { role: 'primary', timeline: 2 });
      const client = await aClient(t, router.as());
      await stage.publish('n1', { role: 'primary', timeline: 2 }); // it lies: its server is on timeline 1
      await stage.setLeader('n1');
      assert.equal(await outcome(client.query('INSERT INTO t VALUES (32)')), '57P03');
      assert.deepEqual(await sql(stage.nodes.n1, 'SELECT id FROM t WHERE id = 32', app), []);
      await stage.setLeader('n2');
      assert.equal(await outcome(client.query('INSERT INTO t VALUES (32)')), 'ok');
    },
  );

  await suite.test('with its server gone for good a node is left out of reads', async (t) => {
    const client = await aClient(t, router.as());
    await client.query('SELECT 1');
    await stage.nodes.n1.control.stop({ mode: 'immediate', deadlineMs: 5000 });
    await stage.remove('n1');
    for (let n = 0; n < 24; n += 1) assert.equal(await outcome(client.query('SELECT 1')), 'ok');
    assert.equal(await outcome((await aClient(t, router.as())).query('SELECT 1')), 'ok');
  });

  await suite.test('a router that stops says so to idle clients', async (t) => {
    const client = await aClient(t, router.as());
    const told = new Promise<string>((resolve) => {
      client.once('error', (cause) => resolve('code' in cause ? String(cause.code) : cause.message));
    });
    await router.stop();
    assert.equal(await told, '57P01');
  });
});

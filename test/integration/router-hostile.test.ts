/** Clients that mean harm, or have lost the thread: what they do is their own affair, and nobody else's. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { FRONTEND, Query, StartupMessage, Sync } from '../../src/wire/index.ts';
import { sql } from '../support/sql.ts';
import { aClient, aRouter, aStage, type RunningRouter } from '../support/router.ts';
import { WireClient } from '../support/wire-client.ts';

const AS_APP = { user: 'app', password: 'app', database: 'app' };
/** So long nothing is read from who does not read. */
const STUCK_AFTER_MS = 1000;
const ENOUGH_MS = 15_000;
const connected = async ({ host, port }: RunningRouter): Promise<WireClient> =>
  await WireClient.connect({ host, port, ...AS_APP });

/** The beginning of a message of COPY data with a body of `bytes`. */
function copyHeader(bytes: number): Buffer {
  const header = Buffer.alloc(5);
  header[0] = FRONTEND.CopyData;
  header.writeInt32BE(bytes + 4, 1);
  return header;
}

test('clients that mean harm', { timeout: 120_000 }, async (suite) => {
  const stage = await aStage(suite, { pg_hba: ['host all app 127.0.0.0/8 trust'] });
  const primary = stage.nodes.n1;
  await sql(primary, 'CREATE TABLE t (v int)', AS_APP);

  for (const rest of [200, 1_000_000]) {
    await suite.test(
      `a COPY refused ${rest} bytes ahead of a message's end lends nobody half a message`,
      async (t) => {
        const router = await aRouter(t, stage, ['default_pool_size: 1']);
        const [one, other] = [await connected(router), await connected(router)];
        t.after(() => {
          one.destroy();
          other.destroy();
        });
        one.send([Query('COPY t FROM STDIN')]);
        assert.ok(await one.said('CopyInResponse', 0));
        const wrong = Buffer.from('wrong\n');
        const part = Buffer.from('1\n');
        await one.sendRaw(Buffer.concat([copyHeader(wrong.length), wrong, copyHeader(rest), part]));
        assert.ok(await one.said('ErrorResponse', 0));
        assert.ok(await one.said('ReadyForQuery', one.lines.length - 2));
        const from = other.lines.length;
        const asked = Query('INSERT INTO t VALUES (42)');
        other.send([asked]);
        assert.ok(await other.said('CommandComplete INSERT', from));
        // The rest, with words of its own where the other's message would have moved the border to.
        const evil = Query('DROP TABLE t');
        await one.sendRaw(Buffer.concat([Buffer.alloc(rest - part.length, evil), Query('SELECT 7')]));
        assert.ok(await one.said('CommandComplete SELECT', 0));
        assert.deepEqual(await sql(primary, 'SELECT v FROM t', AS_APP), [{ v: 42 }]);
        await sql(primary, 'DELETE FROM t', AS_APP);
      },
    );
  }

  await suite.test('whoever asks without reading the answers is not heard for ever', async (t) => {
    const router = await aRouter(t, stage, ['auth_type: trust']);
    for (const [what, message] of [
      ['Syncs', Sync()],
      ['queries', Query(`SELECT repeat('x', 4000) /* ${'y'.repeat(4000)} */`)],
    ] as const) {
      const client = await aDeafClient(router);
      t.after(() => client.destroy());
      const many = Buffer.concat(Array.from({ length: 1000 }, () => message));
      let taken = 0;
      while (taken < 256 * 1024 * 1024 && (await isTaken(client, many))) taken += many.length;
      assert.ok(taken < 32 * 1024 * 1024, `it took ${taken} bytes of ${what}`);
      client.resume();
      assert.ok(
        await isTaken(client, Sync(), ENOUGH_MS),
        `once the answers to the ${what} are read, it goes on`,
      );
    }
  });

  await suite.test('who is disconnected and does not read even that is let go all the same', async (t) => {
    const router = await aRouter(t, stage, ['auth_type: trust', 'query_timeout: 1s']);
    const client = await aDeafClient(router);
    t.after(() => client.destroy());
    client.write(Query("SELECT repeat('x', 50000000)"));
    // What is not read from hears of its end only by writing.
    const writing = setInterval(() => client.write(Sync()), 200);
    const isGone = await happens(client, 'close', ENOUGH_MS);
    clearInterval(writing);
    assert.ok(isGone);
  });

  await suite.test(
    'who is refused after its login, and is gone by then, does not end the router',
    async (t) => {
      const router = await aRouter(t, stage, [
        'auth_type: trust',
        'databases: { app: { max_db_client_connections: 1 } }',
      ]);
      const first = await aClient(t, router.as());
      for (let round = 0; round < 60; round += 1) {
        const client = connect({ host: router.host, port: router.port });
        client.on('error', () => undefined);
        await once(client, 'connect');
        client.write(StartupMessage(Object.entries({ user: 'app', database: 'app' })));
        if (round % 2 === 0) client.destroy();
        else setImmediate(() => client.resetAndDestroy());
        await once(client, 'close');
      }
      assert.equal((await first.query('SELECT 1')).rowCount, 1);
    },
  );
});

/** A client that is logged in and reads nothing from then on. */
async function aDeafClient({ host, port }: RunningRouter): Promise<Socket> {
  const client = connect({ host, port });
  client.on('error', () => undefined);
  client.write(StartupMessage(Object.entries({ user: 'app', database: 'app' })));
  await once(client, 'data');
  client.pause();
  return client;
}

/** Whether the other side reads on. */
async function isTaken(client: Socket, bytes: Buffer, withinMs = STUCK_AFTER_MS): Promise<boolean> {
  return client.write(bytes) || (await happens(client, 'drain', withinMs));
}

async function happens(client: Socket, event: 'close' | 'drain', withinMs: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), withinMs);
    client.once(event, () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

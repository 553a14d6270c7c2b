/** Clients that mean harm, or have lost the thread: what they do is their own affair, and nobody else's. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { FRONTEND, Query, StartupMessage } from '../../src/wire/index.ts';
import { sql } from '../support/postgres.ts';
import { aClient, aRouter, aStage, type RunningRouter } from '../support/router.ts';
import { WireClient } from '../support/wire-client.ts';

const AS_APP = { user: 'app', password: 'app', database: 'app' };
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

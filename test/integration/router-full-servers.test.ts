/** Servers that have no connection left for a role: that passes, so clients wait for it, but not for ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import { aServer } from '../support/one-server.ts';
import { sql } from '../support/sql.ts';
import { aClient, aRouter } from '../support/router.ts';
import { WireClient } from '../support/wire-client.ts';

const HOLD_MS = 2000;
/** Of a machine with other work. */
const SLACK_MS = 6000;

test('where no connection is left at the servers, clients are told so in time', {
  timeout: 60_000,
}, async (t) => {
  const stage = await aServer(t);
  const router = await aRouter(t, stage, [`hold_timeout: ${HOLD_MS}ms`]);
  await sql(stage.server, 'ALTER ROLE app CONNECTION LIMIT 0');
  const startedAt = systemClock.now();
  const starts = Array.from({ length: 8 }, async () => {
    const client = await WireClient.connect({
      host: router.host,
      port: router.port,
      user: 'app',
      password: 'app',
      database: 'app',
    });
    t.after(() => client.destroy());
    assert.ok(await client.closedWithin(HOLD_MS + SLACK_MS), client.lines.join('\n'));
    return client.lines;
  });
  const refused =
    'ErrorResponse {"severity":"FATAL","code":"53300","message":"too many connections for role \\"app\\"","routine":"InitializeSessionUserId"}';
  for (const lines of await Promise.all(starts)) assert.deepEqual(lines, [refused, '(closed)']);
  const tookMs = systemClock.now() - startedAt;
  assert.ok(tookMs >= HOLD_MS && tookMs < HOLD_MS + SLACK_MS, `${tookMs} ms`);

  await sql(stage.server, 'ALTER ROLE app CONNECTION LIMIT 1');
  const client = await aClient(t, router.as());
  await client.query('SELECT 1');
  await sql(stage.server, 'ALTER ROLE app CONNECTION LIMIT 0');
  await sql(stage.server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
  await assert.rejects(client.query('SELECT 1'), { severity: 'ERROR', code: '53300' });
  await sql(stage.server, 'ALTER ROLE app CONNECTION LIMIT 1');
  await client.query('SELECT 1');
});

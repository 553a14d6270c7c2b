/** Servers that refuse to be asked about roles: a fault that waiting does not mend. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import { aServer } from '../support/one-server.ts';
import { sql } from '../support/sql.ts';
import { psql } from '../support/psql.ts';
import { aRouter } from '../support/router.ts';

/** Far less than router.hold_timeout. */
const AT_ONCE_MS = 5000;

test('where the servers refuse the question, nobody waits, and the log says why once', {
  timeout: 60_000,
}, async (t) => {
  const stage = await aServer(t);
  await sql(stage.server, "CREATE ROLE asker LOGIN PASSWORD 'asks'");
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['auth_user: asker', 'auth_password: asks'], /42501 permission denied/],
    [['auth_user: asker', 'auth_password: wrong'], /28P01 password authentication failed/],
    [['auth_user: asker', 'auth_password: asks', 'auth_query: SELECT nothing($1)'], /42883/],
  ];
  for (const [lines, because] of cases) {
    const router = await aRouter(t, stage, lines);
    for (const user of ['nobody', 'nobody-else']) {
      const startedAt = systemClock.now();
      const { stderr } = await psql(`host=${router.host} dbname=app user=${user}`, 'SELECT 1', 'x');
      assert.match(stderr, /password authentication failed for user "nobody/);
      const tookMs = systemClock.now() - startedAt;
      assert.ok(tookMs < AT_ONCE_MS, `${tookMs} ms`);
    }
    const refusals = router.lines.filter(({ event }) => event === 'verifier-lookup-refused');
    assert.equal(refusals.length, 1, JSON.stringify(router.lines));
    assert.match(JSON.stringify(refusals), because);
  }
});

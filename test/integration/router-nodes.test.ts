/** A router that follows a list of servers, with no etcd: one server, three, and promotions that people make by hand. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client } from 'pg';
import { systemClock } from '../../src/base/index.ts';
import { checkConfig } from '../../src/config/index.ts';
import { startRouter } from '../../src/router/index.ts';
import { freshLoopback } from '../support/loopback.ts';
import { aPrimary, aStandby, startAs, type TestMember, until } from '../support/postgres.ts';
import { sql } from '../support/sql.ts';
import { type LogLine, recordingLog } from '../support/recording-log.ts';

const PASSWORD = 'router-password-of-a-test';
const ASK_AS = ['auth_user: matriarch_router', `auth_password: ${PASSWORD}`];

interface Running {
  readonly host: string;
  readonly lines: readonly LogLine[];
  /** One statement on a connection of its own: its first value. */
  readonly ask: (text: string) => Promise<unknown>;
}

/** A router with `nodes` and no store; stopped with the test. */
async function aRouterOver(
  t: TestContext,
  members: readonly TestMember[],
  router: readonly string[] = ASK_AS,
): Promise<Running> {
  const host = freshLoopback();
  const loaded = checkConfig(
    [
      'scope: test',
      'name: app1',
      'datacenter: dc1',
      'nodes:',
      ...members.map(
        ({ name, address }, index) =>
          `  - { name: ${name}, address: "${address.host}:${address.port}", datacenter: dc${index + 1} }`,
      ),
      'lease: { ttl: 2s, keep_alive: 500ms, fence_margin: 500ms }',
      'router:',
      `  listen: "${host}:5432"`,
      `  http_listen: "${host}:8009"`,
      '  node_check_period: 250ms',
      '  node_check_timeout: 1s',
      '  hold_timeout: 500ms',
      ...router.map((line) => `  ${line}`),
    ].join('\n'),
    {},
    'router',
  );
  assert(loaded.outcome === 'ok', JSON.stringify(loaded));
  const { log, lines } = recordingLog();
  const stopping = new AbortController();
  const running = startRouter({
    config: loaded.config,
    dcs: undefined,
    clock: systemClock,
    log,
    signal: stopping.signal,
  });
  t.after(async () => {
    stopping.abort();
    await running;
  });
  const ask = async (text: string): Promise<unknown> => {
    const client = new Client({ host, user: 'app', password: 'app', database: 'app' });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const { rows } = await client.query<unknown[]>({ text, rowMode: 'array' });
      return rows[0]?.[0];
    } finally {
      await client.end();
    }
  };
  await until('the router is ready', async () => (await fetch(`http://${host}:8009/readyz`)).ok);
  return { host, lines, ask };
}

/** Where a write is done; fails as a write does. */
const WRITE = 'WITH w AS (INSERT INTO writes VALUES (1) RETURNING 1) SELECT host(inet_server_addr()) FROM w';

async function aWritable(t: TestContext, name: string): Promise<TestMember> {
  const member = await aPrimary(t, name);
  await member.control.setRouterCredential(PASSWORD);
  await sql(member, 'CREATE TABLE writes (n int)', { user: 'app', password: 'app', database: 'app' });
  return member;
}

test('one server needs no store, no standby and no list of more than itself', async (t) => {
  const n1 = await aWritable(t, 'n1');
  const router = await aRouterOver(t, [n1]);
  assert.equal(await router.ask(WRITE), n1.address.host);
  assert.equal(await router.ask('SELECT count(*)::int FROM writes'), 1);
  await n1.control.stop({ mode: 'fast', deadlineMs: 5000 });
  await until('its silence is noticed', async () =>
    router.lines.some(({ event }) => event === 'node-silent'),
  );
  await startAs(n1, 'primary');
  await until('it is written to again', async () => (await router.ask(WRITE)) === n1.address.host);
});

test('three servers: writes follow a promotion by hand, no old primary and none of two equals is written to', async (t) => {
  const n1 = await aWritable(t, 'n1');
  await n1.control.ensureSlots({ ensure: ['n2', 'n3'] });
  const [n2, n3] = await Promise.all([aStandby(t, 'n2', n1), aStandby(t, 'n3', n1)]);
  const router = await aRouterOver(t, [n1, n2, n3]);
  assert.equal(await router.ask(WRITE), n1.address.host);
  const nodes = async (): Promise<unknown> => await (await fetch(`http://${router.host}:8009/nodes`)).json();
  assert.match(JSON.stringify(await nodes()), /"weight":10,.*"weight":1,.*"weight":1,/);

  await n1.control.stop({ mode: 'immediate', deadlineMs: 5000 });
  await sql(n2, 'SELECT pg_promote()');
  await until('writes go to n2', async () => (await router.ask(WRITE)) === n2.address.host, 5000);

  await startAs(n1, 'primary');
  await until('n1 is seen', async () =>
    router.lines.some(
      ({ event, fields }) => event === 'leader-judged' && fields['because'] === 'newest-timeline',
    ),
  );
  assert.equal(await router.ask(WRITE), n2.address.host);

  await sql(n3, 'SELECT pg_promote()');
  await until('both claims are seen', async () => JSON.stringify(await nodes()).includes('"leader":null'));
  await assert.rejects(router.ask(WRITE), { code: '57P03' });
  assert.equal(
    router.lines.findLast(({ event }) => event === 'leader-judged')?.fields['because'],
    'two-primaries',
  );

  await n3.control.stop({ mode: 'fast', deadlineMs: 5000 });
  await until('writes go to n2 again', async () => (await router.ask(WRITE)) === n2.address.host);
});

/** From the text of matriarch.yaml to a configuration, or to every mistake in it with its place. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  checkConfig,
  formatProblems,
  loadConfig,
  type Purpose,
  renderSample,
} from '../../../src/config/index.ts';
import { scratchFolder } from '../../support/scratch.ts';

const MINIMAL = `scope: main
name: apps-sib-01
datacenter: dc1
etcd:
  endpoints: [http://10.1.0.2:2379]
`;

const AGENT = `${MINIMAL}restapi:
  listen: 10.1.0.2:8008
postgresql:
  data_dir: /data/main
  bin_dir: /usr/lib/postgresql/15/bin
  listen: 10.1.0.2:5432
  socket_dir: /run/matriarch
  authentication:
    superuser: { password: a }
    replication: { password: b }
    rewind: { password: c }
`;

function problems(text: string, purpose: Purpose = 'any'): string[] {
  const loaded = checkConfig(text, {}, purpose);
  assert.equal(loaded.outcome, 'problems');
  return formatProblems('m.yaml', loaded.problems).split('\n');
}

function config(text: string, env: Record<string, string> = {}) {
  const loaded = checkConfig(text, env);
  assert.equal(
    loaded.outcome,
    'ok',
    loaded.outcome === 'problems' ? formatProblems('m.yaml', loaded.problems) : '',
  );
  return loaded.config;
}

test('three mistakes are reported at once, each with its line, its key and the nearest known key', () => {
  const text = `scope: main
name: apps-sib-01
datacenter: dc1
etcd:
  endpoint: [http://10.1.0.2:2379]
router:
  max_client_conn: many
log:
  level: inof
`;
  assert.deepEqual(problems(text), [
    'm.yaml:5:3: etcd.endpoint: unknown key; did you mean endpoints?',
    'm.yaml:7:20: router.max_client_conn: expected a number, found the text "many"',
    'm.yaml:9:10: log.level: expected one of debug, info, warn, error, found the text "inof"; did you mean info?',
  ]);
});

test('a known key in the wrong section is told where it belongs', () => {
  assert.deepEqual(problems(`${MINIMAL}keep_alive: 2s\n`), [
    'm.yaml:6:1: keep_alive: unknown key here; did you mean lease.keep_alive?',
  ]);
});

test('spellings with capitals or dashes are recognized', () => {
  assert.deepEqual(problems(`${MINIMAL}lease: { keepAlive: 2s, fence-margin: 1s }\n`), [
    'm.yaml:6:10: lease.keepAlive: unknown key; did you mean keep_alive?',
    'm.yaml:6:25: lease.fence-margin: unknown key; did you mean fence_margin?',
  ]);
});

test('a key that is like none is answered with those that are known', () => {
  assert.deepEqual(problems(`${MINIMAL}log: { colour: true }\n`), [
    'm.yaml:6:8: log.colour: unknown key; known here: level, format',
  ]);
});

test('a key that is set twice is a problem, at its second place', () => {
  assert.deepEqual(problems(`${MINIMAL}log:\n  level: info\n  level: warn\n`), [
    'm.yaml:8:3: the key level is set twice',
  ]);
});

test('text that is not YAML is reported with line and column', () => {
  const found = problems('scope: [1\nname: }\n');
  assert.match(found[0] ?? '', /^m\.yaml:2:1: not valid YAML: /);
});

test('an alias that leads nowhere is reported, not thrown', () => {
  assert.match(problems('scope: *nowhere\n')[0] ?? '', /not valid YAML: .*nowhere/);
});

test('an empty file and one that is no map are reported', () => {
  assert.equal(problems('').length, 4);
  assert.deepEqual(problems('- a\n'), ['m.yaml:1:1: expected a section with keys, found a list']);
});

test('wrong values say what was expected and what was found', () => {
  const text = `${MINIMAL}lease: { ttl: 5 parsecs }
router: { listen: 'here', http_listen: 'a:99999', hold_timeout: true, retry_reads: 11, weights: { local: -1 }, max_lag: a lot, position_poll: 1ms }
addresses: { db-sib-01: 7 }
tags: { x: [] }
`;
  assert.deepEqual(problems(text), [
    'm.yaml:6:15: lease.ttl: expected a duration such as 250ms, 5s, 1min or a number of seconds, found the text "5 parsecs"',
    'm.yaml:7:19: router.listen: expected host:port, the port from 1 to 65535, found the text "here"',
    'm.yaml:7:40: router.http_listen: expected host:port, the port from 1 to 65535, found the text "a:99999"',
    'm.yaml:7:65: router.hold_timeout: expected a duration such as 250ms, 5s, 1min or a number of seconds, found true',
    'm.yaml:7:84: router.retry_reads: must be at most 10, found 11',
    'm.yaml:7:106: router.weights.local: must be at least 0, found -1',
    'm.yaml:7:121: router.max_lag: expected a time such as 10s or bytes such as 16MB, found the text "a lot"',
    'm.yaml:7:143: router.position_poll: expected at least 10ms, found the text "1ms"',
    'm.yaml:8:25: addresses.db-sib-01: expected a text, found 7',
    'm.yaml:9:12: tags.x: expected a text, a number, true or false, found a list',
  ]);
});

test('directories of PostgreSQL are absolute, for a service starts elsewhere than a shell', () => {
  assert.deepEqual(problems(AGENT.replace('/data/main', 'data/main')), [
    'm.yaml:9:13: postgresql.data_dir: expected an absolute path, beginning with /, found the text "data/main"',
  ]);
});

test('a password is never repeated in a message', () => {
  const text = AGENT.replace('{ password: a }', '{ password: 31337 }');
  assert.deepEqual(problems(text), [
    'm.yaml:14:28: postgresql.authentication.superuser.password: expected a text',
  ]);
});

test('defaults are those of the reference page', () => {
  const { lease, router, log, etcd, namespace, addresses, bootstrap, tags } = config(MINIMAL);
  assert.deepEqual(
    { lease, router, log, request_timeout: etcd?.request_timeout, namespace, addresses, bootstrap, tags },
    {
      lease: { ttl: 5000, keep_alive: 1000, fence_margin: 1000, loop_wait: 1000 },
      router: {
        listen: { host: '127.0.0.1', port: 5432 },
        http_listen: { host: '127.0.0.1', port: 8009 },
        weights: { local: 10, remote: 1, members: {} },
        max_client_conn: 1000,
        client_login_timeout: 60_000,
        server_connect_timeout: 5000,
        position_poll: 250,
        pool_mode: 'transaction',
        default_pool_size: 20,
        min_pool_size: 0,
        reserve_pool_size: 0,
        reserve_pool_timeout: 5000,
        max_db_connections: 0,
        max_user_connections: 0,
        query_wait_timeout: 120_000,
        client_idle_timeout: 0,
        idle_transaction_timeout: 0,
        transaction_timeout: 0,
        query_timeout: 0,
        client_message_timeout: 60_000,
        drain_timeout: 3_600_000,
        server_lifetime: 3_600_000,
        server_idle_timeout: 600_000,
        audit_code: true,
        consistency: 'session',
        read_wait: 100,
        max_lag: { kind: 'ms', value: 10_000 },
        max_prepared_statements: 200,
        databases: {},
        users: {},
        client_tls_sslmode: 'disable',
        client_tls_protocols: 'secure',
        server_tls_sslmode: 'prefer',
        auth_type: 'scram-sha-256',
        hba: [],
        auth_query: 'SELECT verifier FROM matriarch.router_lookup($1)',
        auth_dbname: 'postgres',
        unix_socket_mode: '0777',
        admin_users: [],
        stats_users: [],
        tcp_keepalive: true,
        tcp_keepidle: 0,
        node_check_period: 1000,
        node_check_timeout: 2000,
        hold_timeout: 30_000,
        hold_max_clients: 1000,
        rules: [],
        catalog_poll: 5000,
        first_statement_decides: false,
        retry_reads: 3,
      },
      log: { level: 'info', format: 'auto' },
      request_timeout: 2000,
      namespace: '/service/',
      addresses: {},
      bootstrap: { dcs: {}, users: [] },
      tags: {},
    },
  );
});

test('every setting of an agent arrives', () => {
  const { postgresql, restapi } = config(AGENT);
  assert.deepEqual(restapi, {
    listen: { host: '10.1.0.2', port: 8008 },
    verify_client: 'none',
    allowlist: [],
    allowlist_include_members: false,
  });
  assert.deepEqual(postgresql, {
    data_dir: '/data/main',
    bin_dir: '/usr/lib/postgresql/15/bin',
    listen: { host: '10.1.0.2', port: 5432 },
    os_user: 'postgres',
    socket_dir: '/run/matriarch',
    authentication: {
      superuser: { username: 'postgres', password: 'a' },
      replication: { username: 'replicator', password: 'b' },
      rewind: { username: 'rewind_user', password: 'c' },
    },
    parameters: {},
    pg_hba: [],
    callbacks: { primary_role: 'primary' },
  });
});

test('an IPv6 address loses its brackets', () => {
  const { router } = config(`${MINIMAL}router: { listen: '[::1]:5432' }\n`);
  assert.deepEqual(router.listen, { host: '::1', port: 5432 });
});

test('LOCAL_DATACENTER comes before the file, and may stand for it', () => {
  assert.equal(config(MINIMAL, { LOCAL_DATACENTER: 'dc3' }).datacenter, 'dc3');
  assert.equal(config(MINIMAL, { LOCAL_DATACENTER: '' }).datacenter, 'dc1');
  assert.equal(
    config(MINIMAL.replace('datacenter: dc1\n', ''), { LOCAL_DATACENTER: 'dc2' }).datacenter,
    'dc2',
  );
});

test('a section with nothing in it counts as left out', () => {
  assert.deepEqual(config(`${MINIMAL}router:\nlog:\n  level:\n`).router.weights, {
    local: 10,
    remote: 1,
    members: {},
  });
});

test('a null under keys of the operator’s own stays', () => {
  assert.deepEqual(config(`${MINIMAL}bootstrap: { dcs: { slots: } }\n`).bootstrap.dcs, { slots: null });
});

test('an agent needs restapi and postgresql, a router does not', () => {
  assert.deepEqual(problems(MINIMAL, 'agent'), [
    'm.yaml:1:1: restapi: is missing: an agent needs this section',
    'm.yaml:1:1: postgresql: is missing: an agent needs this section',
  ]);
  assert.equal(checkConfig(MINIMAL, {}, 'router').outcome, 'ok');
});

test('a lease that a healthy leader could not keep is refused', () => {
  assert.deepEqual(problems(`${MINIMAL}lease: { ttl: 3s, keep_alive: 2s, fence_margin: 1s }\n`), [
    'm.yaml:6:15: lease.ttl: keep_alive (2000ms) + fence_margin (1000ms) + time to step down (600ms) must be less than ttl (3000ms), or a healthy leader would demote itself',
  ]);
  const tight = (margin: string): string =>
    `${MINIMAL}lease: { ttl: 2s, keep_alive: 1s, fence_margin: ${margin} }\n`;
  assert.deepEqual(problems(tight('900ms')), [
    'm.yaml:6:15: lease.ttl: keep_alive (1000ms) + fence_margin (900ms) + time to step down (600ms) must be less than ttl (2000ms), or a healthy leader would demote itself',
  ]);
  assert.equal(checkConfig(tight('399ms'), {}, 'router').outcome, 'ok');
  assert.deepEqual(
    problems(`${MINIMAL}lease: { ttl: 1s, keep_alive: 10ms, fence_margin: 0, loop_wait: 0 }\n`),
    [
      'm.yaml:6:15: lease.ttl: must be at least 2s; etcd grants no shorter lease reliably',
      'm.yaml:6:31: lease.keep_alive: must be at least 50ms',
      'm.yaml:6:65: lease.loop_wait: must be at least 50ms',
    ],
  );
});

test('a watchdog that cannot keep what is asked of it is refused', () => {
  assert.deepEqual(config(MINIMAL).watchdog, { mode: 'automatic', device: '/dev/watchdog' });
  const asked = (watchdog: string): readonly string[] => problems(`${MINIMAL}watchdog: { ${watchdog} }\n`);
  assert.deepEqual(asked('mode: sometimes, device: watchdog').length, 2);
  assert.deepEqual(asked('safety_margin: 501ms'), [
    'm.yaml:6:28: watchdog.safety_margin: must be at most half of lease.fence_margin (1000ms), or the machine is reset while the fence is still at work',
  ]);
  const good = `${MINIMAL}watchdog: { mode: required, safety_margin: 500ms }\n`;
  assert.equal(config(good).watchdog.safety_margin, 500);
  const off = `${MINIMAL}watchdog: { mode: off, safety_margin: 5s }\n`;
  assert.equal(config(off).watchdog.mode, 'off');
  assert.deepEqual(
    problems(
      `${MINIMAL}watchdog: { mode: required }\nlease: { ttl: 2s, keep_alive: 1s, fence_margin: 300ms }\n`,
    ),
    [
      'm.yaml:6:19: watchdog.mode: required cannot be kept: lease.ttl (2000ms) less keep_alive (1000ms) and safety margin (75ms) leaves no whole second for the device',
    ],
  );
});

test('nobody may use the admin console unless the file says who', () => {
  const unnamed = config(MINIMAL).router;
  assert.deepEqual([unnamed.admin_users, unnamed.stats_users], [[], []]);
  const { router } = config(`${MINIMAL}router: { admin_users: [ops], stats_users: [monitoring] }\n`);
  assert.deepEqual([router.admin_users, router.stats_users], [['ops'], ['monitoring']]);
});

test('settings that do not fit together are told at their place', () => {
  const text = AGENT.replace('listen: 10.1.0.2:8008', 'listen: 0.0.0.0:8008')
    .replace('/run/matriarch', `/${'x'.repeat(100)}`)
    .replace('{ password: b }', '{ password: b, username: postgres }');
  assert.deepEqual(
    problems(`${text}router: { weights: { local: 0, remote: 0 }, http_listen: 127.0.0.1:5432 }\n`),
    [
      'm.yaml:7:11: restapi.listen: others cannot connect to 0.0.0.0: set restapi.connect_address as well',
      "m.yaml:12:15: postgresql.socket_dir: is longer than 92 bytes, which no Unix socket's path may be",
      'm.yaml:14:5: postgresql.authentication: superuser, replication and rewind must be three different roles, or rewind the superuser with its password',
      'm.yaml:17:20: router.weights: local and remote are both 0, so no member could be read from',
      'm.yaml:17:58: router.http_listen: is router.listen too: 127.0.0.1:5432',
    ],
  );
});

test('the sample loads as it is, and with every setting opened', () => {
  const sample = renderSample();
  assert.equal(checkConfig(sample, {}, 'agent').outcome, 'ok');
  // `nodes` stand in for etcd.
  const opened = sample.replace(/^( *)#(?=[a-z])(?!nodes:)/gm, '$1');
  assert.notEqual(opened, sample);
  const { bootstrap, postgresql, addresses, restapi } = config(opened);
  assert.deepEqual(bootstrap.users, [{ username: 'app', password: 'change-me', database: 'app' }]);
  assert.deepEqual(postgresql?.parameters, { shared_buffers: '1GB' });
  assert.deepEqual(restapi?.connect_address, { host: '10.1.0.2', port: 8008 });
  assert.deepEqual(addresses, { NAME: { host: '192.0.2.7', port: 15_432 } });
});

test('a file that cannot be read is config-unreadable with its path', async (t) => {
  const folder = await scratchFolder(t);
  assert.throws(() => loadConfig(join(folder, 'absent.yaml'), {}), { code: 'config-unreadable', exit: 2 });
  await writeFile(join(folder, 'm.yaml'), MINIMAL);
  assert.equal(loadConfig(join(folder, 'm.yaml'), {}).outcome, 'ok');
});

test('how far behind a standby may be is a time or bytes', () => {
  assert.deepEqual(['10s', '250ms', '2', '64kB', '16MB', '1GB'].map(maxLagOf), [
    { kind: 'ms', value: 10_000 },
    { kind: 'ms', value: 250 },
    { kind: 'ms', value: 2000 },
    { kind: 'bytes', value: 65_536 },
    { kind: 'bytes', value: 16_777_216 },
    { kind: 'bytes', value: 1_073_741_824 },
  ]);
});

function maxLagOf(text: string): unknown {
  const loaded = checkConfig(`${MINIMAL}router: { max_lag: ${text} }\n`, {}, 'router');
  return loaded.outcome === 'ok' ? loaded.config.router.max_lag : undefined;
}

/** The tables of the console: each one's columns and rows, as text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AdminFacts,
  NO_STATS,
  newWindow,
  STATS_PERIOD_MS,
  type Shown,
  TABLES,
  turnWindow,
} from '../../../src/admin/index.ts';
import { aClient, aPool, NOW_MS, someFacts } from '../../support/admin-facts.ts';

/** Columns with types, then rows, as lines; NULL is `-`. */
function shown(name: Shown, facts: AdminFacts = someFacts()): readonly string[] {
  const table = TABLES[name];
  return [
    table.columns.map((column) => `${column.name}:${column.type}`).join(' '),
    ...table.rows(facts).map((row) => row.map((cell) => (cell === undefined ? '-' : String(cell))).join('|')),
  ];
}

const CONNECTION =
  'type:text user:text database:text replication:text state:text addr:text port:int4 local_addr:text local_port:int4 connect_time:text request_time:text wait:int4 wait_us:int4 close_needed:int4 ptr:text link:text remote_pid:int4 tls:text application_name:text prepared_statements:int4 id:int4';
const BUFFERS =
  'recv_pos:int4 pkt_pos:int4 pkt_remain:int4 send_pos:int4 send_remain:int4 pkt_avail:int4 send_avail:int4';
const TIMES = '2026-11-25 08:22:56 UTC|2026-11-25 08:23:05 UTC';
const CLIENT_1 = `127.0.0.1|50001|127.0.0.1|5432|${TIMES}|0|0|0|C1|S7|0||shop|0|1`;
const CLIENT_2 = `127.0.0.1|50002|127.0.0.1|5432|${TIMES}|1|500250|0|C2||0||shop|0|2`;
const CLIENT_3 = `127.0.0.1|50003|127.0.0.1|5432|${TIMES}|0|0|0|C3||0||shop|0|3`;
const SERVER_7 = `10.1.0.2|5432|10.1.0.1|40007|${TIMES}|0|0|1|S7|C1|907|||3|7`;
const SERVER_8 = `10.2.0.2|5432|10.1.0.1|40008|${TIMES}|0|0|0|S8||908|||0|8`;

test('CLIENTS are those that have logged in; SERVERS are linked to them', () => {
  assert.deepEqual(shown('clients'), [
    CONNECTION,
    `C|app|app|none|active|${CLIENT_1}`,
    `C|app|app|none|waiting|${CLIENT_2}`,
  ]);
  assert.deepEqual(shown('servers'), [
    CONNECTION,
    `S|app|app|none|active|${SERVER_7}`,
    `S|app|app|none|new|${SERVER_8}`,
  ]);
});

test('SOCKETS are all connections with their buffers, ACTIVE_SOCKETS those with something in them', () => {
  assert.deepEqual(shown('sockets'), [
    `${CONNECTION} ${BUFFERS}`,
    `C|app|app|none|cl_active|${CLIENT_1}|0|0|0|0|0|0|0`,
    `C|app|app|none|cl_waiting|${CLIENT_2}|40|0|0|0|0|40|0`,
    `C|||none|cl_login|${CLIENT_3}|0|0|0|0|0|0|0`,
    `S|app|app|none|sv_active|${SERVER_7}|0|0|0|0|0|0|0`,
    `S|app|app|none|sv_login|${SERVER_8}|0|0|0|0|0|0|0`,
  ]);
  assert.deepEqual(shown('active_sockets'), [
    `${CONNECTION} ${BUFFERS}`,
    `C|app|app|none|cl_waiting|${CLIENT_2}|40|0|0|0|0|40|0`,
  ]);
});

const POOL_COLUMNS =
  'database:text user:text cl_active:int4 cl_waiting:int4 cl_active_cancel_req:int4 cl_waiting_cancel_req:int4 sv_active:int4 sv_active_cancel:int4 sv_being_canceled:int4 sv_idle:int4 sv_used:int4 sv_tested:int4 sv_login:int4 maxwait:int4 maxwait_us:int4 pool_mode:text load_balance_hosts:text';

test('POOLS has one row for a database and a role, whatever the number of nodes', () => {
  assert.deepEqual(shown('pools'), [POOL_COLUMNS, 'app|app|1|1|0|0|1|0|0|2|0|0|1|1|500250|transaction|-']);
});

test('a client without a pool yet, held since the primary is gone, is in POOLS with its wait', () => {
  const facts = someFacts({
    pools: [],
    clients: [aClient(1, { database: 'reports', state: 'waiting', waitMs: 2000 }), aClient(2)],
  });
  assert.deepEqual(shown('pools', facts).slice(1), [
    'reports|app|0|1|0|0|0|0|0|0|0|0|0|2|0|session|-',
    'app|app|1|0|0|0|0|0|0|0|0|0|0|0|0|transaction|-',
  ]);
});

test('NODE_POOLS has the pools node by node', () => {
  assert.deepEqual(
    shown('node_pools', someFacts({ pools: [...someFacts().pools, aPool({ node: 'gone' })] })),
    [
      'node:text datacenter:text role:text database:text user:text sv_active:int4 sv_idle:int4 sv_tested:int4 sv_login:int4 cl_waiting:int4 maxwait:int4 maxwait_us:int4 pool_size:int4 pool_mode:text',
      'db-sib-01|dc1|primary|app|app|1|0|0|0|1|1|500250|20|transaction',
      'db-sib-03|dc2|standby|app|app|0|2|0|1|0|0|0|20|transaction',
      'gone|-|-|app|app|0|0|0|0|0|0|0|20|transaction',
    ],
  );
});

test('DATABASES, USERS and LISTS', () => {
  assert.deepEqual(shown('databases'), [
    'name:text host:text port:int4 database:text force_user:text pool_size:int4 min_pool_size:int4 reserve_pool_size:int4 server_lifetime:int4 pool_mode:text load_balance_hosts:text max_connections:int4 current_connections:int4 max_client_connections:int4 current_client_connections:int4 paused:int4 disabled:int4',
    'app|10.1.0.2,10.2.0.2|5432|app|-|20|0|0|3600|-|-|0|2|0|2|0|0',
    'reports|10.1.0.2,10.2.0.2|5432|reports|-|5|0|0|3600|session|-|0|0|0|0|1|0',
  ]);
  assert.deepEqual(shown('users'), [
    'name:text pool_size:text reserve_pool_size:text pool_mode:text max_user_connections:int4 current_connections:int4 max_user_client_connections:int4 current_client_connections:int4',
    'app|-|-|-|0|2|0|2',
    'batch|2|1|session|4|0|9|0',
  ]);
  assert.deepEqual(shown('lists'), [
    'list:text items:int4',
    'databases|2',
    'users|2',
    'peers|0',
    'pools|2',
    'peer_pools|0',
    'free_clients|0',
    'used_clients|3',
    'login_clients|1',
    'free_servers|0',
    'used_servers|2',
    'dns_names|0',
    'dns_zones|0',
    'dns_queries|0',
    'dns_pending|0',
  ]);
});

const TOTALS = '600|600|1200|120000|600000|900000|600000|60000|5|8|1000';
const AVERAGES = '10|10|20|2000|10000|1500|500|100|0|0|16';

test('STATS and its parts: totals, and averages of the last period', () => {
  assert.deepEqual(shown('stats'), [
    'database:text total_server_assignment_count:numeric total_xact_count:numeric total_query_count:numeric total_received:numeric total_sent:numeric total_xact_time:numeric total_query_time:numeric total_wait_time:numeric total_client_parse_count:numeric total_server_parse_count:numeric total_bind_count:numeric avg_server_assignment_count:numeric avg_xact_count:numeric avg_query_count:numeric avg_recv:numeric avg_sent:numeric avg_xact_time:numeric avg_query_time:numeric avg_wait_time:numeric avg_client_parse_count:numeric avg_server_parse_count:numeric avg_bind_count:numeric',
    `app|${TOTALS}|${AVERAGES}`,
  ]);
  const parts =
    'database:text server_assignment_count:numeric xact_count:numeric query_count:numeric bytes_received:numeric bytes_sent:numeric xact_time:numeric query_time:numeric wait_time:numeric client_parse_count:numeric server_parse_count:numeric bind_count:numeric';
  assert.deepEqual(shown('stats_totals'), [parts, `app|${TOTALS}`]);
  assert.deepEqual(shown('stats_averages'), [parts, `app|${AVERAGES}`]);
});

test('TOTALS adds up the databases, a row for each figure', () => {
  const { stats } = someFacts();
  const facts = someFacts({ stats: new Map([...stats, ['reports', { ...NO_STATS, queries: 600 }]]) });
  const [columns, ...rows] = shown('totals', facts);
  assert.equal(columns, 'name:text value:numeric');
  assert.deepEqual(rows.slice(0, 3), [
    'total_server_assignment_count|600',
    'total_xact_count|600',
    'total_query_count|1800',
  ]);
  for (const row of ['avg_query_count|30', 'total_client_bytes|120000', 'avg_server_bytes|10000']) {
    assert.ok(rows.includes(row), row);
  }
  assert.equal(rows.length, 22);
});

const queriesSoFar = (queries: number) => new Map([['app', { ...NO_STATS, queries, queryUs: queries * 10 }]]);

test('averages reach back one to two periods, and are 0 before there was time', () => {
  let window = newWindow(0);
  const averageAt = (nowMs: number, queries: number) =>
    shown('stats_averages', someFacts({ window, nowMs, stats: queriesSoFar(queries) }))[1]
      ?.split('|')
      .filter((_, index) => index === 3 || index === 7);
  assert.deepEqual(averageAt(0, 0), ['0', '0']);
  assert.deepEqual(averageAt(10_000, 100), ['10', '10']);
  window = turnWindow(window, STATS_PERIOD_MS, queriesSoFar(6000));
  window = turnWindow(window, 2 * STATS_PERIOD_MS, queriesSoFar(18_000));
  assert.deepEqual(averageAt(150_000, 27_000), ['233', '10'], 'from 60 s on: 21,000 in 90 s');
});

test('CONFIG, MEM, STATE and VERSION', () => {
  assert.deepEqual(shown('config'), [
    'key:text value:text default:text changeable:text',
    'default_pool_size|20|20|yes',
    'listen|127.0.0.1:5432|-|no',
  ]);
  assert.deepEqual(shown('mem'), [
    'name:text size:int4 used:int4 free:int4 memtotal:int4',
    'client|2048|3|1|8192',
    'heap|1|3000000000|0|3000000000',
  ]);
  assert.deepEqual(shown('state', someFacts({ state: 'paused' })), [
    'key:text value:text',
    'active|no',
    'paused|yes',
    'suspended|no',
  ]);
  assert.deepEqual(shown('version'), ['version:text', 'Matriarch 0.1.0 (PgBouncer 1.25)']);
});

test('CATALOG tells of each database what is known of its definitions, and since when', () => {
  assert.deepEqual(shown('catalog'), [
    'database:text state:text generation:int8 age_ms:int8 functions:int4 relations:int4 types:int4 operators:int4 sessions:int4 trouble:text',
    'app|read|2|1500|3|250|600|1|4|',
  ]);
});

test('NODES, PINS, and POOL_NODES as pgpool-II has it', () => {
  assert.deepEqual(shown('nodes'), [
    'node:text datacenter:text host:text port:int4 role:text leader:int4 reachable:int4 weight:int4 because:text state:text state_because:text share_percent:int4 reads:int8 writes:int8 spilled:int8 lag_bytes:int8 lag_ms:int8 sv_active:int4 sv_idle:int4 sv_login:int4 cl_waiting:int4 changed_at:text',
    'db-sib-01|dc1|10.1.0.2|5432|primary|1|1|10|local|in||100|100|40|3|-|-|1|0|0|1|2026-11-25 08:22:06 UTC',
    'db-sib-03|dc2|10.2.0.2|5432|standby|0|0|1|remote|returning|unreachable|25|10|0|0|4096|1500|0|2|1|0|2026-11-25 08:22:36 UTC',
  ]);
  assert.deepEqual(shown('pool_nodes'), [
    'node_id:text hostname:text port:text status:text pg_status:text lb_weight:text role:text pg_role:text select_cnt:text load_balance_node:text replication_delay:text replication_state:text replication_sync_state:text last_status_change:text',
    '0|10.1.0.2|5432|up|up|0.975610|primary|primary|100|false|0|||2026-11-25 08:22:06',
    '1|10.2.0.2|5432|down|down|0.024390|standby|standby|10|false|4096|streaming|async|2026-11-25 08:22:36',
  ]);
  assert.deepEqual(shown('pins'), [
    'client_id:int4 user:text database:text application_name:text node:text server_id:int8 because:text since:text',
    '1|app|app|shop|db-sib-01|7|temp-table|2026-11-25 08:23:01 UTC',
  ]);
});

test('what the router has not is a table without rows, so that tools find it', () => {
  assert.deepEqual(shown('dns_hosts'), ['hostname:text ttl:int8 addrs:text']);
  assert.deepEqual(shown('dns_zones'), ['zonename:text serial:int8 count:int4']);
  assert.deepEqual(shown('peers'), ['peer_id:int4 host:text port:int4 pool_size:int4']);
  assert.deepEqual(shown('peer_pools'), [
    'peer_id:int4 cl_active_cancel_req:int4 cl_waiting_cancel_req:int4 sv_active_cancel:int4 sv_login:int4',
  ]);
});

test('a router that knows nothing yet has empty tables, and no division by nothing', () => {
  const empty = someFacts({
    databases: [],
    users: [],
    clients: [],
    servers: [],
    pools: [],
    nodes: [],
    catalogs: [],
    routes: [],
    decisions: [],
    stats: new Map(),
    window: newWindow(NOW_MS),
    config: [],
    memory: [],
  });
  const always = new Set(['lists', 'totals', 'state', 'version']);
  for (const [name, table] of Object.entries(TABLES)) {
    const rows = table.rows(empty);
    if (!always.has(name)) assert.deepEqual(rows, [], name);
    for (const cell of rows.flat()) assert.ok(cell === undefined || !Number.isNaN(cell), name);
  }
});

test('ROUTES are counts of statements by reason, DECISIONS the latest with all that led to them', () => {
  assert.deepEqual(shown('routes'), [
    'class:text because:text count:int8',
    'write|changes-data|12',
    'read|only-reads|7',
  ]);
  assert.deepEqual(shown('decisions'), [
    'at:text client:int8 database:text user:text class:text because:text detail:text need:text need_because:text wish:text wish_from:text node:text node_because:text attempts:int4',
    '2026-11-25 08:23:04 UTC|1|app|app|write|function-volatile|random|primary|its-class|replica|rule 2|db-sib-01|needs-primary|1',
  ]);
});

/**
 * The one schema of `matriarch.yaml`: types, defaults, checks, editor schema, sample file and reference page all
 * come from here. Keys are snake_case; durations are `250ms`, `5s`, `1min` or seconds as a number, and are
 * milliseconds inside the program. Names follow Patroni where the meaning is Patroni's (`scope`, `namespace`,
 * `restapi`, `postgresql.authentication`, `tags`), PgBouncer's where it is PgBouncer's.
 *
 * A new key? Give it `.describe()`, a default or an example, and a test that uses it. Defaults of durations and
 * addresses are written as an operator writes them (`prefault`), so that the rendered pages can show them.
 */
import { z } from 'zod';
import { accessKeys } from './access-keys.ts';
import { callbacksSchema } from './callback-keys.ts';
import { etcdAccessKeys, initdbKey, madeByKey, userSchema as bootstrapUserSchema } from './host-keys.ts';
import { keepAliveKeys, memberWeights, nodeCheckKeys, nodeSchema } from './nodes-schema.ts';
import { ctlSchema, restapiSchema } from './rest-keys.ts';
import { routingKeys } from './routing-keys.ts';
import { address, credential, directory, duration, scalar, text } from './schema-types.ts';
import { watchdogSchema } from './watchdog-keys.ts';

/** Shares of reads where nothing else is said. */
export const USUAL_WEIGHTS = { local: 10, remote: 1 } as const;
/** Prefix of the keys in etcd: Patroni's. */
export const USUAL_NAMESPACE = '/service/';

export const logSchema = z.strictObject({
  level: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('The least level that is written.'),
  format: z
    .enum(['auto', 'json', 'text'])
    .default('auto')
    .describe('JSON lines, readable text, or (auto) text on a terminal and JSON elsewhere.'),
});

export const etcdSchema = z.strictObject({
  endpoints: z
    .array(z.url({ protocol: /^https?$/, error: 'expected a URL such as http://10.0.0.1:2379' }))
    .min(1)
    .meta({
      description: 'Client URLs of the etcd members; the nearest one first.',
      examples: [['http://10.1.0.2:2379', 'http://10.2.0.2:2379', 'http://10.3.0.2:2379']],
    }),
  request_timeout: duration(
    'Longest wait of the watch and of commands for one request, over all endpoints. An agent’s keep-alive has the period of the keep-alive.',
  ).prefault('2s'),
  ...etcdAccessKeys,
});

export const leaseSchema = z.strictObject({
  ttl: duration(
    'Life of the leader key without a keep-alive: the longest that a dead leader is believed in. Same on all hosts.',
  ).prefault('5s'),
  keep_alive: duration('Period of the keep-alive, which runs on a timer of its own.').prefault('1s'),
  fence_margin: duration(
    'The fence begins to stop PostgreSQL this long before the lease can end, and has the margin to finish; half of it is kept for SIGKILL.',
  ).prefault('1s'),
  loop_wait: duration('Period of the decision loop; events wake it earlier.').prefault('1s'),
});

const poolMode = z.enum(['transaction', 'session']);
const POOL_MODE_DESCRIBED =
  'transaction: a client has a server connection for one transaction; session: until it disconnects.';

const count = (max: number, described: string) => z.int().min(0).max(max).describe(described);
const CONNECTIONS_MAX = 100_000;

/** Limits of one database; what is left out is as for all. PgBouncer's names. */
const databaseSchema = z.strictObject({
  dbname: z.string().min(1).optional().describe('Its name at the servers, where it is another.'),
  pool_mode: poolMode.optional().describe(POOL_MODE_DESCRIBED),
  pool_size: count(CONNECTIONS_MAX, 'In place of default_pool_size.').optional(),
  min_pool_size: count(CONNECTIONS_MAX, 'In place of router.min_pool_size.').optional(),
  reserve_pool_size: count(CONNECTIONS_MAX, 'In place of router.reserve_pool_size.').optional(),
  max_db_connections: count(CONNECTIONS_MAX, 'In place of router.max_db_connections.').optional(),
  max_db_client_connections: count(
    CONNECTIONS_MAX,
    'Client connections to it at once; 0: no limit.',
  ).optional(),
});

/** Limits of one role; what is left out is as for all. PgBouncer's names. */
const userSchema = z.strictObject({
  pool_mode: poolMode.optional().describe('In place of that of the database.'),
  pool_size: count(CONNECTIONS_MAX, 'In place of that of the database.').optional(),
  max_user_connections: count(CONNECTIONS_MAX, 'In place of router.max_user_connections.').optional(),
  max_user_client_connections: count(
    CONNECTIONS_MAX,
    'Client connections of it at once; 0: no limit.',
  ).optional(),
});

/** How server connections are shared. PgBouncer's names where the meaning is PgBouncer's. */
const poolingKeys = {
  pool_mode: poolMode.default('transaction').describe(POOL_MODE_DESCRIBED),
  default_pool_size: count(
    CONNECTIONS_MAX,
    'Server connections per node, database and role; 0: no limit.',
  ).default(20),
  min_pool_size: count(
    CONNECTIONS_MAX,
    'Kept open per node, database and role once clients have come.',
  ).default(0),
  reserve_pool_size: count(
    CONNECTIONS_MAX,
    'More per pool for clients that have waited for reserve_pool_timeout.',
  ).default(0),
  reserve_pool_timeout: duration('How long a client waits before the reserve is used.').prefault('5s'),
  max_db_connections: count(
    CONNECTIONS_MAX,
    'Server connections per node and database; 0: no limit.',
  ).default(0),
  max_user_connections: count(CONNECTIONS_MAX, 'Server connections per node and role; 0: no limit.').default(
    0,
  ),
  query_wait_timeout: duration(
    'How long a client waits for a server connection, be it that the pool is full or that one is being opened, but for the time of a PAUSE; 0: for ever.',
  ).prefault('2min'),
  client_idle_timeout: duration(
    'A client that has nothing outstanding and is in no transaction for longer is disconnected; 0: never.',
  ).prefault('0s'),
  idle_transaction_timeout: duration(
    'A client that is in a transaction and has nothing outstanding for longer is disconnected; 0: never.',
  ).prefault('0s'),
  transaction_timeout: duration(
    'A client in one transaction, or one statement, for longer is disconnected; 0: never.',
  ).prefault(0),
  query_timeout: duration(
    'A client whose statement is at a server for longer is disconnected; 0: never.',
  ).prefault('0s'),
  client_message_timeout: duration(
    'A client that sends less than 1 MB in so long, in the middle of a message that a server waits for, is disconnected; 0: never.',
  ).prefault('1min'),
  server_lifetime: duration(
    'A server connection older than this is closed when it is free; a tenth less by chance, so that not all are closed at once. 0: after its first use.',
  ).prefault('1h'),
  server_idle_timeout: duration('A server connection free for longer is closed; 0: never.').prefault('10min'),
  audit_code: z
    .boolean()
    .default(true)
    .describe(
      'After functions, procedures and texts that the router cannot look into, and writes whose triggers, defaults or rules run such functions, ask the server what they have left on the connection (locks, temporary tables, LISTEN …), so that the next client does not get it.',
    ),
  max_prepared_statements: z
    .int()
    .min(1)
    .max(100_000)
    .default(200)
    .describe('Prepared statements kept on one server connection; the least used is closed for a new one.'),
  databases: z
    .record(z.string(), databaseSchema)
    .default({})
    .meta({
      description: 'Databases with limits of their own, by the name that clients use.',
      examples: [{ reports: { pool_mode: 'session', pool_size: 5 } }],
    }),
  users: z
    .record(z.string(), userSchema)
    .default({})
    .meta({
      description: 'Roles with limits of their own.',
      examples: [{ batch: { pool_size: 2, max_user_connections: 4 } }],
    }),
};

export const routerSchema = z.strictObject({
  listen: address('Where applications connect.').prefault('127.0.0.1:5432'),
  http_listen: address('Where /metrics and the health checks are served.').prefault('127.0.0.1:8009'),
  weights: z
    .strictObject({
      local: z
        .int()
        .min(0)
        .max(1000)
        .default(USUAL_WEIGHTS.local)
        .describe('Weight of each member in this datacenter; 0 takes no reads.'),
      remote: z
        .int()
        .min(0)
        .max(1000)
        .default(USUAL_WEIGHTS.remote)
        .describe('Weight of each member elsewhere; 0 takes no reads.'),
      members: memberWeights,
    })
    .prefault({})
    .describe('How reads are spread: a member gets its weight divided by the sum of all weights.'),
  max_client_conn: z
    .int()
    .min(1)
    .max(100_000)
    .default(1000)
    .describe(
      'Client connections at once; more are refused with SQLSTATE 53300. The admin console has 10 places of its own.',
    ),
  client_login_timeout: duration('Longest time from connect to the end of authentication.').prefault('1min'),
  server_connect_timeout: duration('Longest time to open a connection to a server and log in.').prefault(
    '5s',
  ),
  drain_timeout: duration(
    'After another process has taken over (SIGUSR2): how long clients may stay with the old one. Then those between transactions are disconnected, as at SIGTERM. 0: no limit.',
  ).prefault('1h'),
  pid_file: z
    .string()
    .min(1)
    .optional()
    .meta({
      description: 'File with the id of the process that listens; without it there is none.',
      examples: ['/run/matriarch/router.pid'],
    }),
  ...poolingKeys,
  ...accessKeys,
  ...routingKeys,
  admin_users: z
    .array(z.string().min(1))
    .default([])
    .meta({
      description:
        'Roles that may give every command in the admin console (database matriarch or pgbouncer).',
      examples: [['postgres']],
    }),
  stats_users: z
    .array(z.string().min(1))
    .default([])
    .meta({
      description: 'Roles that may only look in the admin console (SHOW).',
      examples: [['monitoring']],
    }),
  ...keepAliveKeys,
  ...nodeCheckKeys,
  hold_timeout: duration('How long work that needs a primary waits while there is none.').prefault('30s'),
  hold_max_clients: z
    .int()
    .min(1)
    .max(100_000)
    .default(1000)
    .describe('Clients held at once; more get an error at once.'),
  retry_reads: z
    .int()
    .min(0)
    .max(10)
    .default(3)
    .describe(
      'How often a statement that has sent no row is tried elsewhere: a read whose server was lost, or one that a standby refused as a write. 0: never.',
    ),
});

export const postgresqlSchema = z.strictObject({
  data_dir: directory(
    'Data directory; the agent makes it when it does not exist.',
    '/var/lib/postgresql/15/main',
  ),
  bin_dir: directory(
    'Directory of initdb, postgres, pg_ctl, pg_rewind and pg_basebackup.',
    '/usr/lib/postgresql/15/bin',
  ),
  listen: address('Where PostgreSQL listens.', '10.1.0.2:5432'),
  connect_address: address(
    'Where others reach PostgreSQL, published with the member; as listen when left out.',
    '10.1.0.2:5432',
  ).optional(),
  os_user: z
    .string()
    .min(1)
    .default('postgres')
    .describe('User that PostgreSQL runs as when the agent runs as root; PostgreSQL itself refuses root.'),
  socket_dir: directory(
    'Directory of the Unix socket that the agent connects through; short, for the kernel allows 107 bytes.',
    '/run/postgresql',
  ),
  authentication: z
    .strictObject({
      superuser: credential('postgres', 'Role of the agent itself.'),
      replication: credential('replicator', 'Role of the standbys.'),
      rewind: credential('rewind_user', 'Role of pg_rewind.'),
    })
    .describe(
      'Roles that the agent creates when it makes the cluster, and uses afterwards. Same on all hosts.',
    ),
  parameters: z
    .record(z.string(), scalar)
    .default({})
    .meta({
      description: 'Settings for postgresql.conf, beside those that the agent sets for replication.',
      examples: [{ shared_buffers: '1GB' }],
    }),
  pg_hba: z
    .array(z.string())
    .default([])
    .meta({
      description: 'Lines of pg_hba.conf, after those that the agent needs for itself.',
      examples: [['host all all 10.0.0.0/8 scram-sha-256']],
    }),
  callbacks: callbacksSchema
    .prefault({})
    .describe(
      'Commands that are run, with the arguments action, role and scope, after what their names say.',
    ),
});

export const bootstrapSchema = z.strictObject({
  dcs: z
    .record(z.string(), z.unknown())
    .default({})
    .meta({
      description: 'First value of the cluster-wide configuration key, in Patroni’s form.',
      examples: [{ maximum_lag_on_failover: 1_048_576 }],
    }),
  made_by: madeByKey,
  initdb: initdbKey,
  users: z
    .array(bootstrapUserSchema)
    .default([])
    .meta({
      description: 'Roles created once, when the cluster is made.',
      examples: [[{ username: 'app', password: 'change-me', database: 'app' }]],
    }),
});

export const configSchema = z.strictObject({
  scope: z
    .string()
    .regex(/^[A-Za-z0-9_.-]+$/, 'expected letters, digits, dot, dash or underscore')
    .meta({ description: 'Name of the cluster; same on all hosts.', examples: ['main'] }),
  namespace: z
    .string()
    .default(USUAL_NAMESPACE)
    .describe('Prefix of the keys in etcd; the default is Patroni’s. Same on all hosts.'),
  name: z
    .string()
    .regex(/^[^/\s]+$/, 'expected a name without slash or blank')
    .meta({
      description: 'Name of this host in the cluster; no other host has it.',
      examples: ['db-sib-01'],
    }),
  datacenter: text('Datacenter of this host; the environment’s LOCAL_DATACENTER comes first.', 'dc1'),
  addresses: z
    .record(z.string(), address('The address, host:port.', '192.0.2.7:15432'))
    .prefault({})
    .describe('This host’s own way to a member, by member name, where it differs from the published one.'),
  log: logSchema.prefault({}).describe('What is logged, and how.'),
  etcd: etcdSchema
    .optional()
    .describe(
      'The etcd cluster: the only place where a leader is decided. Needed by all but a router with `nodes`.',
    ),
  nodes: z
    .array(nodeSchema)
    .min(1)
    .optional()
    .meta({
      description:
        'In place of etcd, for `matriarch router` only: the servers of a cluster that something else (or nobody) fails over. The router asks each of them who the primary is.',
      examples: [[{ name: 'db1', address: '10.1.0.2:5432' }]],
    }),
  lease: leaseSchema
    .prefault({})
    .describe(
      'The leader lease. keep_alive, fence_margin and the time to step down (600ms at most) must together be less than ttl.',
    ),
  router: routerSchema.prefault({}).describe('Used by `matriarch router`.'),
  restapi: restapiSchema.optional().describe('Used by `matriarch agent`, which needs it.'),
  ctl: ctlSchema
    .optional()
    .describe(
      'How agents and commands ask the REST APIs of members, where `restapi` does not say it already.',
    ),
  postgresql: postgresqlSchema.optional().describe('Used by `matriarch agent`, which needs it.'),
  watchdog: watchdogSchema
    .prefault({})
    .describe(
      'Used by `matriarch agent`: the device that resets this machine if the fence cannot do its work. One device serves one agent.',
    ),
  bootstrap: bootstrapSchema.prefault({}).describe('Used once, by the agent that makes the cluster.'),
  tags: z
    .record(z.string(), scalar)
    .default({})
    .meta({
      description:
        'Published with the member: nofailover, noloadbalance, clonefrom, replicatefrom, failover_priority …',
      examples: [{ nofailover: true }],
    }),
});

/** `matriarch.yaml` after defaults; durations in milliseconds, addresses as host and port. */
export type Config = z.output<typeof configSchema>;
export type RouterConfig = Config['router'];
export type EtcdConfig = z.output<typeof etcdSchema>;
export type NodeConfig = z.output<typeof nodeSchema>;
export type LeaseConfig = Config['lease'];
export type PostgresqlConfig = z.output<typeof postgresqlSchema>;
export type RestapiConfig = z.output<typeof restapiSchema>;

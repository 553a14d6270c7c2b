/**
 * The one schema of `matriarch.yaml`: types, defaults, checks, editor schema, sample file and reference page all
 * come from here. Keys are snake_case; durations are `250ms`, `5s`, `1min` or seconds as a number, and are
 * milliseconds inside the program. Names follow Patroni where the meaning is Patroni's (`scope`, `namespace`,
 * `restapi`, `postgresql.authentication`, `tags`), PgBouncer's where it is PgBouncer's.
 *
 * A new key? Give it `.describe()`, a default or a reason to be required, and a test that uses it.
 */
import { z } from 'zod';
import { parseDuration } from './duration.ts';

const duration = (described: string) =>
  z
    .union([z.string(), z.number()])
    .describe(described)
    .transform((value, context) => {
      const ms = parseDuration(value);
      if (ms !== undefined) return ms;
      context.addIssue({
        code: 'custom',
        message: 'expected a duration such as 250ms, 5s, 1min or a number of seconds',
      });
      return z.NEVER;
    });

const port = z.int().min(1).max(65_535);
const address = (described: string) =>
  z
    .string()
    .describe(described)
    .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s[\]]+):\d{1,5}$/, 'expected host:port')
    .transform((value) => {
      const colon = value.lastIndexOf(':');
      return { host: value.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(value.slice(colon + 1)) };
    })
    .pipe(z.object({ host: z.string(), port }));

const credential = (username: string, described: string) =>
  z
    .strictObject({
      username: z.string().default(username).describe('Role name.'),
      password: z.string().min(1).describe('Its password.'),
    })
    .describe(described);

const tagValue = z.union([z.string(), z.number(), z.boolean()]);
const parameterValue = z.union([z.string(), z.number(), z.boolean()]);

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
    .describe('Client URLs of the etcd members; the one on this host first.'),
  request_timeout: duration('Longest wait for one request, over all endpoints.').default(2000),
});

export const leaseSchema = z.strictObject({
  ttl: duration(
    'Life of the leader key without a keep-alive: the longest a dead leader is believed in.',
  ).default(5000),
  keep_alive: duration('Period of the keep-alive, on a timer of its own.').default(1000),
  fence_margin: duration('PostgreSQL is stopped for certain this long before the lease can end.').default(
    1000,
  ),
  loop_wait: duration('Period of the decision loop; events wake it earlier.').default(1000),
});

export const routerSchema = z.strictObject({
  listen: address('Where applications connect: host:port.').default({ host: '127.0.0.1', port: 5432 }),
  http_listen: address('Where /metrics and the health checks are served: host:port.').default({
    host: '127.0.0.1',
    port: 8009,
  }),
  weights: z
    .strictObject({
      local: z.int().min(0).max(1000).default(10).describe('Share of reads of a node in this datacenter.'),
      remote: z.int().min(0).max(1000).default(1).describe('Share of reads of a node elsewhere.'),
    })
    .prefault({})
    .describe('How reads are spread, seen from this datacenter.'),
  max_client_conn: z
    .int()
    .min(1)
    .max(100_000)
    .default(1000)
    .describe('Client connections at once; more are refused with 53300.'),
  client_login_timeout: duration('Longest time from connect to the end of authentication.').default(60_000),
  server_connect_timeout: duration('Longest time to open a connection to a server and log in.').default(5000),
  hold_timeout: duration('How long work that needs a primary waits while there is none.').default(30_000),
  hold_max_clients: z.int().min(1).default(1000).describe('Clients held at once; more get an error at once.'),
  retry_reads: z
    .int()
    .min(0)
    .max(10)
    .default(3)
    .describe('How often a read that sent no row is tried on another node.'),
});

export const restapiSchema = z.strictObject({
  listen: address('Where the agent serves its REST API: host:port.'),
  connect_address: address('Where others reach it; published in the member key.').optional(),
});

export const postgresqlSchema = z.strictObject({
  data_dir: z.string().min(1).describe('Data directory; made by the agent when it does not exist.'),
  bin_dir: z.string().min(1).describe('Directory of initdb, postgres, pg_ctl, pg_rewind and pg_basebackup.'),
  listen: address('Where PostgreSQL listens: host:port.'),
  connect_address: address('Where others reach PostgreSQL; published in the member key.').optional(),
  os_user: z
    .string()
    .default('postgres')
    .describe('User that PostgreSQL runs as when the agent runs as root.'),
  socket_dir: z.string().min(1).describe('Directory of the Unix socket that the agent uses.'),
  authentication: z
    .strictObject({
      superuser: credential('postgres', 'Role of the agent itself.'),
      replication: credential('replicator', 'Role of the standbys.'),
      rewind: credential('rewind_user', 'Role of pg_rewind.'),
    })
    .describe('Roles that the agent creates at bootstrap and uses afterwards.'),
  parameters: z.record(z.string(), parameterValue).default({}).describe('Settings for postgresql.conf.'),
  pg_hba: z
    .array(z.string())
    .default([])
    .describe('Lines of pg_hba.conf, after those that the agent needs for itself.'),
});

export const bootstrapSchema = z.strictObject({
  dcs: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('First value of the cluster-wide configuration key, in Patroni’s form.'),
  users: z
    .array(
      z.strictObject({
        username: z.string().min(1),
        password: z.string().min(1),
        database: z.string().optional().describe('Database to create, owned by the role.'),
      }),
    )
    .default([])
    .describe('Roles created once, when the cluster is made.'),
});

export const configSchema = z.strictObject({
  scope: z
    .string()
    .regex(/^[A-Za-z0-9_.-]+$/, 'expected letters, digits, dot, dash or underscore')
    .describe('Name of the cluster.'),
  namespace: z.string().default('/service/').describe('Prefix of the keys in etcd; Patroni’s default.'),
  name: z
    .string()
    .regex(/^[^/\s]+$/, 'expected a name without slash or blank')
    .describe('Name of this host in the cluster.'),
  datacenter: z
    .string()
    .min(1)
    .describe('Datacenter of this host; the environment’s LOCAL_DATACENTER comes first.'),
  addresses: z
    .record(z.string(), address('host:port'))
    .default({})
    .describe('This host’s own way to a member, by member name, where it differs from the published one.'),
  log: logSchema.prefault({}).describe('What is logged, and how.'),
  etcd: etcdSchema.describe('The etcd cluster that holds the truth.'),
  lease: leaseSchema
    .prefault({})
    .describe('Leader lease. keep_alive + fence_margin must leave time inside ttl.'),
  router: routerSchema.prefault({}).describe('Used by `matriarch router`.'),
  restapi: restapiSchema.optional().describe('Used by `matriarch agent`.'),
  postgresql: postgresqlSchema.optional().describe('Used by `matriarch agent`.'),
  bootstrap: bootstrapSchema.prefault({}).describe('Used once, by the agent that makes the cluster.'),
  tags: z
    .record(z.string(), tagValue)
    .default({})
    .describe('Published with the member: nofailover, noloadbalance, clonefrom …'),
});

/** `matriarch.yaml` after defaults; durations in milliseconds, addresses as host and port. */
export type Config = z.output<typeof configSchema>;
export type RouterConfig = Config['router'];
export type LeaseConfig = Config['lease'];
export type PostgresqlConfig = z.output<typeof postgresqlSchema>;
export type RestapiConfig = z.output<typeof restapiSchema>;

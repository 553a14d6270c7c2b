/** What the admin console is told: the router's clients, servers, pools and counters at the moment of a question. */
import { stringify } from 'yaml';
import type {
  AdminFacts,
  CatalogFacts,
  ClientFacts,
  ConfigFacts,
  DatabaseFacts,
  NodeFacts,
  PoolFacts,
  ServerFacts,
  StatsCounters,
  StatsWindow,
  UserFacts,
} from '../admin/index.ts';
import { type Address, formatAddress } from '../base/index.ts';
import { allSettings, type SchemaNode } from '../config/index.ts';
import type { ClientConnection } from './client.ts';
import type { DatabaseCatalog } from './database-catalog.ts';
import type { Link } from './link.ts';
import { poolSettings } from './pool-settings.ts';
import { FIXED_KEYS } from './reload.ts';
import type { ServerPool } from './servers.ts';
import type { Shared } from './shared.ts';
import type { Tally } from './tally.ts';

export interface FactSources {
  readonly shared: Shared;
  readonly clients: () => Iterable<ClientConnection>;
  /** Databases that take no new clients. */
  readonly disabled: () => ReadonlySet<string>;
  readonly state: () => AdminFacts['state'];
  readonly window: () => StatsWindow;
  readonly version: string;
}

export function gatherFacts(sources: FactSources): AdminFacts {
  const { shared, clients, state, window, version } = sources;
  const { clock, servers } = shared;
  const nowMs = clock.wallNow();
  const wall: Wall = (monotonicMs) => nowMs - (clock.now() - monotonicMs);
  const pools = [...servers.pools];
  const clientFacts = Array.from(clients(), (client) => clientOf(client, clock.now(), wall));
  return {
    version,
    nowMs,
    state: state(),
    databases: databasesOf(sources, pools),
    users: usersOf(shared, pools),
    clients: clientFacts,
    servers: pools.flatMap((home) => serversOf(home, wall)),
    pools: pools.map((home) => poolOf(home, clock.now())),
    nodes: nodesOf(shared, nowMs),
    catalogs: Array.from(shared.catalogs.all, (catalog) => catalogOf(catalog, wall)),
    stats: new Map(Array.from(servers.tallies, ([database, tally]) => [database, countersOf(tally)])),
    window: window(),
    routes: shared.counters.routes(),
    decisions: shared.decisions.all,
    config: configOf(shared),
    memory: memoryOf(clientFacts.length, pools),
  };
}

/** From the clock of the process to that of the wall. */
type Wall = (monotonicMs: number) => number;

export function countersOf(tally: Tally): StatsCounters {
  const { serverAssignments, transactions, queries, receivedBytes, sentBytes } = tally;
  const { clientParses, serverParses, binds } = tally;
  return {
    serverAssignments,
    transactions,
    queries,
    receivedBytes,
    sentBytes,
    transactionUs: Math.round(tally.transactionMs * 1000),
    queryUs: Math.round(tally.queryMs * 1000),
    waitUs: Math.round(tally.waitMs * 1000),
    clientParses,
    serverParses,
    binds,
  };
}

function catalogOf(catalog: DatabaseCatalog, wall: Wall): CatalogFacts {
  const { database, generation, sessions, trouble, checkedAt, resolvers, isOff } = catalog;
  const isRead = resolvers !== undefined;
  const readState = trouble === undefined ? 'read' : 'stale';
  return {
    database,
    state: isOff ? 'off' : isRead ? readState : 'reading',
    generation,
    checkedAtMs: checkedAt === undefined ? undefined : wall(checkedAt),
    ...(resolvers?.facts.counts ?? { functions: 0, relations: 0, types: 0, operators: 0 }),
    sessions,
    trouble,
  };
}

function databasesOf({ shared, disabled }: FactSources, pools: readonly ServerPool[]): DatabaseFacts[] {
  const { config, servers } = shared;
  const closed = disabled();
  const used = pools.map(({ database }) => database);
  const names = new Set([...Object.keys(config.databases), ...used, ...closed, ...servers.paused]);
  return Array.from(names, (name): DatabaseFacts => {
    const { limits, databaseConnectionsMax, databaseClientsMax, serverDatabase } = poolSettings(
      config,
      name,
      '',
    );
    return {
      name,
      serverName: serverDatabase,
      poolSize: limits.size,
      minPoolSize: limits.minSize,
      reservePoolSize: limits.reserveSize,
      serverLifetimeMs: limits.lifetimeMs,
      poolMode: config.databases[name]?.pool_mode,
      maxConnections: databaseConnectionsMax,
      maxClientConnections: databaseClientsMax,
      isPaused: servers.isPaused(name),
      isDisabled: closed.has(name),
    };
  });
}

function usersOf({ config }: Shared, pools: readonly ServerPool[]): UserFacts[] {
  const names = new Set([...Object.keys(config.users), ...pools.map(({ user }) => user)]);
  return Array.from(names, (name): UserFacts => {
    const own = config.users[name];
    return {
      name,
      poolSize: own?.pool_size,
      reservePoolSize: undefined,
      poolMode: own?.pool_mode,
      maxConnections: own?.max_user_connections ?? config.max_user_connections,
      maxClientConnections: own?.max_user_client_connections ?? 0,
    };
  });
}

function clientOf(client: ClientConnection, now: number, wall: Wall): ClientFacts {
  const { startUp, links, peer, waitingSince } = client;
  const isWaiting = waitingSince !== undefined || client.state === 'held';
  return {
    id: client.processId,
    user: startUp.user,
    database: startUp.database,
    replication: 'none',
    ...peer,
    connectedAtMs: wall(client.connectedAt),
    requestedAtMs: wall(client.requestedAt),
    applicationName: startUp.applicationName,
    preparedStatements: client.preparedCount,
    unreadBytes: 0,
    unsentBytes: client.unsentBytes,
    state: isWaiting ? 'waiting' : client.state === 'idle' ? 'idle' : 'active',
    waitMs: waitingSince === undefined ? 0 : now - waitingSince,
    serverId: links[0]?.id,
    pin:
      client.pin === undefined
        ? undefined
        : { because: client.pin.because.join(', '), sinceMs: wall(client.requestedAt) },
  };
}

function serversOf({ member, database, user, pool }: ServerPool, wall: Wall): ServerFacts[] {
  return Array.from(pool.connections, (link): ServerFacts => {
    const { seat } = link;
    return {
      id: link.id,
      user,
      database,
      replication: 'none',
      node: member,
      ...link.place,
      connectedAtMs: wall(seat?.openedAt ?? 0),
      requestedAtMs: wall(seat?.usedAt ?? 0),
      applicationName: link.parameters.values.get('application_name') ?? '',
      preparedStatements: link.statements.size,
      unreadBytes: 0,
      unsentBytes: 0,
      state: serverState(link),
      isCloseNeeded: pool.isOld(link),
      clientId: link.borrower?.processId,
    };
  });
}

function serverState(link: Link): ServerFacts['state'] {
  if (link.seat?.isLent !== true) return 'idle';
  return link.borrower === undefined ? 'tested' : 'active';
}

function poolOf({ member, database, user, pool, settings }: ServerPool, now: number): PoolFacts {
  let tested = 0;
  for (const link of pool.connections) if (serverState(link) === 'tested') tested += 1;
  return {
    node: member,
    database,
    user,
    poolMode: settings.isSessionMode ? 'session' : 'transaction',
    size: settings.limits.size,
    active: pool.lent - tested,
    idle: pool.free,
    tested,
    opening: pool.opening,
    activeCancel: 0,
    beingCanceled: 0,
    waiting: pool.waiting,
    oldestWaitMs: pool.oldestWaitMs(now),
  };
}

export function nodesOf({ world, counters, clock, health }: Shared, nowMs: number): NodeFacts[] {
  const primary = world.primary(clock.now());
  const isProven = (name: string): boolean => primary.kind === 'primary' && primary.member === name;
  return world.candidates.map((candidate): NodeFacts => {
    const { name, datacenter, host, port, isLeader, weight, because } = candidate;
    const member = world.view.members.get(name);
    const { state, because: stateBecause, lag } = health.of(name);
    return {
      name,
      datacenter,
      host,
      port,
      role: isProven(name) ? 'primary' : member === undefined ? 'unknown' : 'standby',
      isLeader,
      isReachable: !world.unreachable.has(name),
      weight,
      because,
      state,
      stateBecause,
      share: world.shareOf(name),
      spilled: world.spilledFrom(name),
      ...counters.of(name),
      lagBytes: lag?.bytes,
      lagMs: lag?.ms,
      replicationState: member?.replicationState,
      syncState: undefined,
      changedAtMs: nowMs - (clock.now() - world.changedAt),
    };
  });
}

function configOf({ live }: Shared): ConfigFacts[] {
  const values = new Map<string, unknown>(Object.entries(live.router));
  const prefix = 'router.';
  return allSettings()
    .filter(({ key }) => key.startsWith(prefix) && !key.slice(prefix.length).includes('.'))
    .map(({ key: path, node }): ConfigFacts => {
      const key = path.slice(prefix.length);
      const value = values.get(key);
      return {
        key,
        // No password is shown.
        value: key.includes('password') ? '' : shown(value, node),
        default: node.default === undefined ? undefined : shown(node.default, node),
        // At a reload; by SET too.
        isChangeable: !FIXED_KEYS.has(path),
      };
    });
}

function isDuration(node: SchemaNode): boolean {
  return node.anyOf?.length === 2;
}

/** Durations in seconds, as PgBouncer shows them; maps and lists as the file writes them, on one line. */
function shown(value: unknown, node: SchemaNode): string {
  if (isDuration(node) && typeof value === 'number') return String(value / 1000);
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  return isAddress(value) ? formatAddress(value) : stringify(value, ON_ONE_LINE).trimEnd();
}

const ON_ONE_LINE = { collectionStyle: 'flow', lineWidth: 0 } as const;

function isAddress(value: unknown): value is Address {
  return typeof value === 'object' && value !== null && 'host' in value && 'port' in value;
}

function memoryOf(clients: number, pools: readonly ServerPool[]): AdminFacts['memory'] {
  const lent = pools.reduce((sum, { pool }) => sum + pool.lent, 0);
  const free = pools.reduce((sum, { pool }) => sum + pool.free, 0);
  return [
    { name: 'client', size: CLIENT_BYTES, used: clients, free: 0 },
    { name: 'server', size: SERVER_BYTES, used: lent, free },
  ];
}

/** About what one takes beside its socket's buffers in the kernel; measured with ten thousand idle ones. */
const CLIENT_BYTES = 10 * 1024;
const SERVER_BYTES = 20 * 1024;

/** Facts for tests of the admin console: a router with two nodes, two databases, three clients and two servers. */
import {
  type AdminFacts,
  type ClientFacts,
  type DatabaseFacts,
  type Decided,
  NO_STATS,
  type PoolFacts,
  type RouteFacts,
  type RouteQuestion,
  type ServerFacts,
} from '../../src/admin/index.ts';

/** 2026-11-25 08:23:06 UTC */
export const NOW_MS = 1_795_594_986_000;

export function aDatabase(name: string, changes: Partial<DatabaseFacts> = {}): DatabaseFacts {
  return {
    name,
    serverName: name,
    poolSize: 20,
    minPoolSize: 0,
    reservePoolSize: 0,
    serverLifetimeMs: 3_600_000,
    poolMode: undefined,
    maxConnections: 0,
    maxClientConnections: 0,
    isPaused: false,
    isDisabled: false,
    ...changes,
  };
}

export function aClient(id: number, changes: Partial<ClientFacts> = {}): ClientFacts {
  return {
    ...connection(id),
    address: '127.0.0.1',
    port: 50_000 + id,
    localAddress: '127.0.0.1',
    localPort: 5432,
    applicationName: 'shop',
    state: 'idle',
    waitMs: 0,
    serverId: undefined,
    pin: undefined,
    ...changes,
  };
}

export function aServer(id: number, changes: Partial<ServerFacts> = {}): ServerFacts {
  return {
    ...connection(id),
    address: '10.1.0.2',
    port: 5432,
    localAddress: '10.1.0.1',
    localPort: 40_000 + id,
    applicationName: '',
    node: 'db-sib-01',
    state: 'idle',
    isCloseNeeded: false,
    processId: 900 + id,
    clientId: undefined,
    ...changes,
  };
}

export function aPool(changes: Partial<PoolFacts> = {}): PoolFacts {
  return {
    node: 'db-sib-01',
    database: 'app',
    user: 'app',
    poolMode: 'transaction',
    size: 20,
    active: 0,
    idle: 0,
    tested: 0,
    opening: 0,
    activeCancel: 0,
    beingCanceled: 0,
    waiting: 0,
    oldestWaitMs: 0,
    ...changes,
  };
}

/** The whole router. */
export function someFacts(changes: Partial<AdminFacts> = {}): AdminFacts {
  return {
    version: '0.1.0',
    nowMs: NOW_MS,
    state: 'active',
    databases: [aDatabase('app'), aDatabase('reports', { poolMode: 'session', isPaused: true, poolSize: 5 })],
    users: [
      {
        name: 'app',
        poolSize: undefined,
        reservePoolSize: undefined,
        poolMode: undefined,
        maxConnections: 0,
        maxClientConnections: 0,
      },
      {
        name: 'batch',
        poolSize: 2,
        reservePoolSize: 1,
        poolMode: 'session',
        maxConnections: 4,
        maxClientConnections: 9,
      },
    ],
    clients: [
      aClient(1, { state: 'active', serverId: 7, pin: { because: 'temp-table', sinceMs: NOW_MS - 5000 } }),
      aClient(2, { state: 'waiting', waitMs: 1500.25, unreadBytes: 40 }),
      aClient(3, { state: 'login', user: '', database: '' }),
    ],
    servers: [
      aServer(7, { state: 'active', clientId: 1, isCloseNeeded: true, preparedStatements: 3 }),
      aServer(8, { node: 'db-sib-03', state: 'new', address: '10.2.0.2' }),
    ],
    pools: [
      aPool({ active: 1, waiting: 1, oldestWaitMs: 1500.25 }),
      aPool({ node: 'db-sib-03', idle: 2, opening: 1 }),
    ],
    nodes: [
      {
        name: 'db-sib-01',
        datacenter: 'dc1',
        host: '10.1.0.2',
        port: 5432,
        role: 'primary',
        isLeader: true,
        isReachable: true,
        state: 'in',
        stateBecause: '',
        share: 1,
        spilled: 3,
        weight: 10,
        because: 'local',
        reads: 100,
        writes: 40,
        lagBytes: undefined,
        lagMs: undefined,
        replicationState: undefined,
        syncState: undefined,
        changedAtMs: NOW_MS - 60_000,
      },
      {
        name: 'db-sib-03',
        datacenter: 'dc2',
        host: '10.2.0.2',
        port: 5432,
        role: 'standby',
        isLeader: false,
        isReachable: false,
        state: 'returning',
        stateBecause: 'unreachable',
        share: 0.25,
        spilled: 0,
        weight: 1,
        because: 'remote',
        reads: 10,
        writes: 0,
        lagBytes: 4096,
        lagMs: 1500.25,
        replicationState: 'streaming',
        syncState: 'async',
        changedAtMs: NOW_MS - 30_000,
      },
    ],
    catalogs: [
      {
        database: 'app',
        state: 'read',
        generation: 2,
        checkedAtMs: NOW_MS - 1500,
        functions: 3,
        relations: 250,
        types: 600,
        operators: 1,
        sessions: 4,
        trouble: undefined,
      },
    ],
    stats: new Map([
      [
        'app',
        {
          ...NO_STATS,
          serverAssignments: 600,
          transactions: 600,
          queries: 1200,
          receivedBytes: 120_000,
          sentBytes: 600_000,
          transactionUs: 900_000.5,
          queryUs: 600_000,
          waitUs: 60_000,
          clientParses: 5,
          serverParses: 8,
          binds: 1000,
        },
      ],
    ]),
    routes: [
      { class: 'read', because: 'only-reads', count: 7 },
      { class: 'write', because: 'changes-data', count: 12 },
    ],
    decisions: [
      {
        ...DECIDED,
        client: 1,
        atMs: NOW_MS - 2000,
        database: 'app',
        user: 'app',
        node: 'db-sib-01',
        attempts: 1,
      },
    ],
    window: {
      older: { atMs: NOW_MS - 60_000, stats: new Map() },
      newer: { atMs: NOW_MS, stats: new Map() },
    },
    config: [
      { key: 'default_pool_size', value: '20', default: '20', isChangeable: true },
      { key: 'listen', value: '127.0.0.1:5432', default: undefined, isChangeable: false },
    ],
    memory: [
      { name: 'client', size: 2048, used: 3, free: 1 },
      { name: 'heap', size: 1, used: 3_000_000_000, free: 0 },
    ],
    ...changes,
  };
}

const DECIDED: Decided = {
  class: 'write',
  because: 'function-volatile',
  detail: 'random',
  need: 'primary',
  needBecause: 'its-class',
  wish: 'replica',
  wishFrom: 'rule 2',
  placeBecause: 'needs-primary',
};

/** Where the statement that is asked about would go; who asks is told as a notice. */
export function aRoute({ sql, user, database, applicationName }: RouteQuestion): RouteFacts {
  const { nodes } = someFacts();
  return {
    ...DECIDED,
    node: 'db-sib-01',
    consistency: 'session',
    notices: [[sql, user, database, applicationName].join('|')],
    nodes,
  };
}

function connection(id: number) {
  return {
    id,
    user: 'app',
    database: 'app',
    replication: 'none',
    connectedAtMs: NOW_MS - 10_000,
    requestedAtMs: NOW_MS - 1000,
    tls: '',
    preparedStatements: 0,
    unreadBytes: 0,
    unsentBytes: 0,
  } as const;
}

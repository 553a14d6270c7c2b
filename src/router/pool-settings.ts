/** What the configuration says about the pool of one database and role: of the role first, the database, then all. Pure. */
import type { RouterConfig } from '../config/index.ts';
import type { PoolLimits } from '../pool/index.ts';

export interface PoolSettings {
  readonly limits: PoolLimits;
  readonly isSessionMode: boolean;
  /** Server connections per node: of the database, of the role; 0 = no limit. */
  readonly databaseConnectionsMax: number;
  readonly userConnectionsMax: number;
  /** Client connections; 0 = no limit. */
  readonly databaseClientsMax: number;
  readonly userClientsMax: number;
  /** The database's name at the servers. */
  readonly serverDatabase: string;
}

export function poolSettings(config: RouterConfig, database: string, user: string): PoolSettings {
  const ofDatabase = config.databases[database] ?? {};
  const ofUser = config.users[user] ?? {};
  return {
    limits: {
      size: ofUser.pool_size ?? ofDatabase.pool_size ?? config.default_pool_size,
      minSize: ofDatabase.min_pool_size ?? config.min_pool_size,
      reserveSize: ofDatabase.reserve_pool_size ?? config.reserve_pool_size,
      reserveAfterMs: config.reserve_pool_timeout,
      waitMs: config.query_wait_timeout,
      lifetimeMs: config.server_lifetime,
      idleMs: config.server_idle_timeout,
    },
    isSessionMode: (ofUser.pool_mode ?? ofDatabase.pool_mode ?? config.pool_mode) === 'session',
    databaseConnectionsMax: ofDatabase.max_db_connections ?? config.max_db_connections,
    userConnectionsMax: ofUser.max_user_connections ?? config.max_user_connections,
    databaseClientsMax: ofDatabase.max_db_client_connections ?? 0,
    userClientsMax: ofUser.max_user_client_connections ?? 0,
    serverDatabase: ofDatabase.dbname ?? database,
  };
}

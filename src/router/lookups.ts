/** Whom the router asks about its clients, and how it asks: the configuration and the world, as verifiers take them. Pure. */
import type { RouterConfig } from '../config/index.ts';
import type { AccessTable } from './access.ts';
import type { LookupSettings, MemberToAsk } from './verifiers.ts';
import type { ClusterWorld } from './world.ts';

export function lookupSettings(config: RouterConfig, access: AccessTable): LookupSettings {
  return {
    connectTimeoutMs: config.server_connect_timeout,
    query: config.auth_query,
    database: config.auth_dbname,
    login: access.lookupLogin,
    users: access.users,
    tls: access.serverTls,
  };
}

/** Nearest first; unreachable ones last. */
export function membersToAsk(world: ClusterWorld): readonly MemberToAsk[] {
  const rank = (name: string, weight: number): number => (world.unreachable.has(name) ? -1 : weight);
  return world.askable
    .toSorted((a, b) => rank(b.name, b.weight) - rank(a.name, a.weight))
    .map(({ name, host, port, isLeader }) => ({ name, address: { host, port }, isLeader }));
}

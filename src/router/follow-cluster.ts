/** Where a router's view of the cluster comes from: etcd, or the servers that the file lists. */
import type { Config } from '../config/index.ts';
import { assert, type Clock, type Log } from '../base/index.ts';
import type { Dcs } from '../dcs/index.ts';
import { keyLayout, type WatchClusterOptions, watchCluster } from '../topology/index.ts';
import type { AccessTable } from './access.ts';
import { followNodes } from './follow-nodes.ts';

/** Proofs of contact with etcd per life of a lease. */
const CONTACTS_PER_TTL = 5;

export interface Following {
  readonly config: Config;
  readonly dcs: Dcs | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Whom the router itself logs in as, and how, as it is now. */
  readonly access: () => Pick<AccessTable, 'lookupLogin' | 'serverTls'>;
}

/** Until the signal aborts. */
export async function followCluster(
  { config, dcs, clock, log, access }: Following,
  signal: AbortSignal,
  events: Pick<WatchClusterOptions, 'onView' | 'onContact'>,
): Promise<void> {
  const { nodes, router, lease, datacenter } = config;
  if (nodes !== undefined) {
    await followNodes({
      nodes: nodes.map((node) => ({
        ...node,
        ...node.address,
        datacenter: node.datacenter ?? datacenter,
      })),
      role: () => {
        const login = access().lookupLogin;
        return login && { ...login, database: router.auth_dbname };
      },
      tls: () => access().serverTls,
      periodMs: router.node_check_period,
      timeoutMs: router.node_check_timeout,
      freshMs: lease.ttl,
      clock,
      log,
      signal,
      ...events,
    });
    return;
  }
  assert(dcs !== undefined, 'a router without nodes has etcd');
  const layout = keyLayout(config.namespace, config.scope);
  const contactEveryMs = lease.ttl / CONTACTS_PER_TTL;
  await watchCluster({ dcs, layout, clock, log, signal, contactEveryMs, ...events });
}

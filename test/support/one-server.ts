/** The smallest cluster for a router: one real PostgreSQL that leads, and a store in memory that says so. */
import type { TestContext } from 'node:test';
import { type Address, systemClock } from '../../src/base/index.ts';
import { createMemoryDcs, type Dcs } from '../../src/dcs/index.ts';
import type { PostgresSettings } from '../../src/postgres/index.ts';
import { keyLayout, renderMember } from '../../src/topology/index.ts';
import { aPrimary, type TestMember } from './postgres.ts';

const ROUTER_PASSWORD = 'router-password-of-a-test';

export interface OneServer {
  readonly server: TestMember;
  readonly dcs: Dcs;
  readonly etcdUrls: readonly string[];
}

/** `published`: where the router is told to find it, made of where it is. */
export async function aServer(
  t: TestContext,
  changes: Partial<PostgresSettings> = {},
  published: (address: Address) => Promise<Address> | Address = (address) => address,
): Promise<OneServer> {
  const server = await aPrimary(t, 'n1', changes);
  await server.control.setRouterCredential(ROUTER_PASSWORD);
  const store = createMemoryDcs({ clock: systemClock, tickEveryMs: 50 });
  t.after(() => store.close());
  const dcs = store.connect();
  const layout = keyLayout('/service/', 'test');
  const { host, port } = await published(server.address);
  const member = renderMember({
    conn_url: `postgres://${host}:${port}/postgres`,
    api_url: `http://${host}:8008/patroni`,
    state: 'running',
    role: 'primary',
    version: '3.3.0',
    timeline: 1,
    tags: { datacenter: 'dc1' },
  });
  const credential = JSON.stringify({ username: 'matriarch_router', password: ROUTER_PASSWORD });
  await dcs.transact(
    {
      when: [],
      then: [
        { op: 'put', key: layout.routerCredential, value: credential },
        { op: 'put', key: layout.member('n1'), value: member },
        { op: 'put', key: layout.leader, value: 'n1' },
      ],
    },
    { timeoutMs: 1000 },
  );
  return { server, dcs, etcdUrls: ['http://127.0.0.1:1'] };
}

/**
 * The lab's hosts and addresses: three datacenters, each with an application host and a database host. The second
 * octet is the datacenter, so all servers keep their production ports. A base octet moves the whole lab, and two
 * labs with different ones run side by side. Pure.
 */
import { type Address, formatAddress } from '../base/index.ts';

export interface Datacenter {
  readonly name: string;
  readonly city: string;
}

export interface AppHost {
  readonly kind: 'app';
  readonly name: string;
  readonly datacenter: Datacenter;
  readonly router: Address;
  readonly http: Address;
}

export interface DbHost {
  readonly kind: 'db';
  readonly name: string;
  readonly datacenter: Datacenter;
  readonly postgres: Address;
  readonly rest: Address;
  readonly etcdClient: Address;
  readonly etcdPeer: Address;
}

export type Host = AppHost | DbHost;

/** The whole lab, as addresses. `appHosts[i]` and `dbHosts[i]` share a datacenter. */
export interface LabLayout {
  readonly baseOctet: number;
  readonly appHosts: readonly [AppHost, AppHost, AppHost];
  readonly dbHosts: readonly [DbHost, DbHost, DbHost];
}

interface Site {
  readonly datacenter: Datacenter;
  readonly octet: number;
  readonly app: string;
  readonly db: string;
}

const DC1: Site = {
  datacenter: { name: 'dc1', city: 'Sibiu' },
  octet: 1,
  app: 'apps-sib-01',
  db: 'db-sib-01',
};
const DC2: Site = {
  datacenter: { name: 'dc2', city: 'Sibiu' },
  octet: 2,
  app: 'apps-sib-03',
  db: 'db-sib-03',
};
const DC3: Site = {
  datacenter: { name: 'dc3', city: 'Falkenstein' },
  octet: 3,
  app: 'apps-fsn-01',
  db: 'db-fsn-01',
};

/** Addresses of a lab whose datacenters are `127.<baseOctet + 1>` to `127.<baseOctet + 3>`. */
export function labLayout(baseOctet: number): LabLayout {
  const app = (site: Site): AppHost => {
    const host = `127.${baseOctet + site.octet}.0.1`;
    return {
      kind: 'app',
      name: site.app,
      datacenter: site.datacenter,
      router: { host, port: 5432 },
      http: { host, port: 8009 },
    };
  };
  const db = (site: Site): DbHost => {
    const host = `127.${baseOctet + site.octet}.0.2`;
    return {
      kind: 'db',
      name: site.db,
      datacenter: site.datacenter,
      postgres: { host, port: 5432 },
      rest: { host, port: 8008 },
      etcdClient: { host, port: 2379 },
      etcdPeer: { host, port: 2380 },
    };
  };
  return { baseOctet, appHosts: [app(DC1), app(DC2), app(DC3)], dbHosts: [db(DC1), db(DC2), db(DC3)] };
}

/** All hosts, database hosts first. */
export function allHosts(layout: LabLayout): readonly Host[] {
  return [...layout.dbHosts, ...layout.appHosts];
}

/** `apps-sib-01 (dc1, Sibiu)`. */
export function hostTitle(host: Host): string {
  return `${host.name} (${host.datacenter.name}, ${host.datacenter.city})`;
}

/** Every address that the lab listens on, with what listens there. */
export function listeners(
  layout: LabLayout,
): readonly { readonly address: Address; readonly what: string }[] {
  return allHosts(layout).flatMap((host) =>
    host.kind === 'app'
      ? [
          { address: host.router, what: `router of ${host.name}` },
          { address: host.http, what: `router HTTP of ${host.name}` },
        ]
      : [
          { address: host.postgres, what: `PostgreSQL of ${host.name}` },
          { address: host.rest, what: `agent of ${host.name}` },
          { address: host.etcdClient, what: `etcd of ${host.name}` },
          { address: host.etcdPeer, what: `etcd peer of ${host.name}` },
        ],
  );
}

/** Client URLs of the lab's etcd, the one of datacenter `nearest` first. */
export function etcdEndpoints(layout: LabLayout, nearest: string): readonly string[] {
  const sorted = [...layout.dbHosts].sort(
    (a, b) => Number(b.datacenter.name === nearest) - Number(a.datacenter.name === nearest),
  );
  return sorted.map((host) => `http://${formatAddress(host.etcdClient)}`);
}

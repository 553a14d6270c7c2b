/**
 * Clients that write all the time, each from a datacenter of its own: to whom the store last named, and now and then to
 * any server at all, as one does that still has an old connection or address. What counts as acknowledged is what a server
 * has answered, whether or not the answer arrives.
 */
import type { KeyLayout } from '../../src/topology/index.ts';
import type { Chance } from './chance.ts';
import type { Events } from './events.ts';
import type { Network, Site } from './network.ts';
import type { Server } from './server.ts';
import type { Store } from './store.ts';

const EVERY_MS = 400;

export interface ClientWorld {
  readonly events: Events;
  readonly chance: Chance;
  readonly network: Network;
  readonly store: Store;
  readonly layout: KeyLayout;
  readonly servers: ReadonlyMap<string, Server>;
}

export function startClient(site: Site, world: ClientWorld): void {
  const { events, chance, network, store, layout, servers } = world;
  const all = [...servers.values()];
  let believed: string | undefined;
  const write = (): void => {
    events.after(EVERY_MS * chance.between(0.2, 1.8), undefined, write);
    if (chance.isTrue(0.4)) believed = store.data.get(layout.leader)?.value ?? believed;
    const named = believed === undefined ? undefined : servers.get(believed);
    const server = chance.isTrue(0.7) ? named : chance.oneOf(all);
    if (server === undefined) return;
    network.send(site, server.site, server.life, () => server.write(100 + chance.below(300)));
  };
  events.after(EVERY_MS * chance.next(), undefined, write);
}

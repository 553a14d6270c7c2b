/**
 * What goes wrong. Each run draws the kinds of faults that it knows and how often they come, so that some runs are full of
 * one kind and others mix them all; each fault ends by itself after a while, and all end at the end of the trouble.
 *
 * Not together on one host: an agent that is away and a fence that is, for each is what the other is there for.
 */
import { giveOrder } from '../../src/agent/orders.ts';
import { FAILSAFE_FAULTS } from './failsafe-faults.ts';
import {
  configure,
  cutAll,
  downMembers,
  type Fault,
  type FaultWorld,
  isAgentWell,
  isFenceWell,
  leaderOf,
  nothing,
} from './fault-means.ts';
import type { Host } from './host.ts';
import type { Site } from './network.ts';
import type { Server } from './server.ts';

const FAULTS: Readonly<Record<string, Fault>> = {
  'host crashes': (_, host) => {
    if (!host.isUp || host.isPaused) return undefined;
    host.crash();
    return () => host.boot();
  },
  'host is paused': (_, host) => {
    if (!host.isUp || host.isPaused || !isFenceWell(host)) return undefined;
    host.pause();
    return () => host.resume();
  },
  'host crashes at a turn': (world, host) => {
    const at = busy(world) ?? host;
    const end = ambush(world, at, () => {
      if (at.isUp && !at.isPaused) at.crash();
    });
    return () => {
      end();
      at.boot();
    };
  },
  'agent is killed at a turn': (world, host) => {
    const at = busy(world) ?? host;
    return ambush(world, at, () => {
      if (isFenceWell(at)) at.killAgent();
    });
  },
  'postmaster is killed': (_, host) => {
    if (host.isPaused) return undefined;
    host.server.killPostmaster();
    return nothing;
  },
  'agent is killed': (_, host) => {
    if (!isFenceWell(host)) return undefined;
    host.killAgent();
    return nothing;
  },
  'agent is stopped': (_, host) => {
    if (!isFenceWell(host)) return undefined;
    host.stopAgent();
    return nothing;
  },
  'agent is paused': ({ events }, host) => {
    const process = host.agent?.process;
    if (process === undefined || host.isPaused || !isFenceWell(host)) return undefined;
    process.isPaused = true;
    return () => {
      if (!host.isPaused) events.resume(process);
    };
  },
  'agent and postmaster are paused': ({ events }, host) => {
    const process = host.agent?.process;
    if (process === undefined || host.isPaused || !isFenceWell(host)) return undefined;
    const { server } = host;
    process.isPaused = true;
    server.isDeaf = true;
    return () => {
      server.hear();
      if (!host.isPaused) events.resume(process);
    };
  },
  'fence is paused': ({ events }, host) => {
    const process = host.fence?.process;
    if (process === undefined || host.isPaused || !isAgentWell(host)) return undefined;
    process.isPaused = true;
    return () => {
      if (!host.isPaused) events.resume(process);
    };
  },
  'fence is killed': (_, host) => {
    if (host.isPaused || !isAgentWell(host)) return undefined;
    host.killFence();
    return nothing;
  },
  'one way is cut': ({ network, chance, sites }, host) => {
    const other = chance.oneOf(sites);
    if (other === undefined) return undefined;
    const [from, to] = chance.isTrue(0.5) ? [host.site, other] : [other, host.site];
    network.cut(from, to);
    return () => network.mend(from, to);
  },
  'link is cut': ({ network, chance, sites }, host) => {
    const other = chance.oneOf(sites);
    return other === undefined ? undefined : cutAll(network, [host.site], [other]);
  },
  'host is cut off': ({ network, sites }, host) =>
    cutAll(
      network,
      [host.site],
      sites.filter((site) => site.name.startsWith('db')),
    ),
  'store is out of reach': ({ network, store }, host) =>
    cutAll(
      network,
      [host.site],
      store.members.map(({ site }) => site),
    ),
  'datacenter is cut off': ({ network, sites }, host) => {
    const isIn = (site: Site): boolean => site.datacenter === host.site.datacenter;
    return cutAll(
      network,
      sites.filter(isIn),
      sites.filter((site) => !isIn(site)),
    );
  },
  'packets are late': ({ network, chance }) => {
    network.lateness = chance.between(0.02, 0.3);
    return () => {
      network.lateness = 0;
    };
  },
  'store elects': ({ store }) => {
    store.elect();
    return nothing;
  },
  'store is slow': ({ store, chance }) => {
    store.slowMs = chance.between(50, 900);
    return () => {
      store.slowMs = 0;
    };
  },
  'store member is down': ({ store, chance }) => downMembers(store, chance, 1),
  'store has no quorum': ({ store, chance }) => downMembers(store, chance, 2),
  'wall clock jumps': ({ chance }, host) => {
    host.jumpWallClock(chance.between(-3_600_000, 3_600_000));
    return nothing;
  },
  'postgres does not stop': (_, host) => {
    host.server.isStuck = true;
    return () => {
      host.server.isStuck = false;
    };
  },
  'postmaster is paused': (_, host) => {
    const { server } = host;
    server.isDeaf = true;
    return () => server.hear();
  },
  'postgres does not answer': (_, host) => {
    host.server.isHung = true;
    return () => {
      host.server.isHung = false;
    };
  },
  'disk is slow': ({ chance }, host) => {
    host.server.slowMs = chance.between(20, 300);
    return () => {
      host.server.slowMs = 0;
    };
  },
  'replication stalls': ({ chance, events }, host) => {
    host.server.stalledUntil = events.now + chance.between(500, 8000);
    return nothing;
  },
  'cluster is paused': ({ store, layout }) => {
    if (store.leader === undefined || !configure(store, layout, { pause: true })) return undefined;
    return () => void configure(store, layout, { pause: null });
  },
  'restart or fresh copy is asked for': ({ chance, events }, { agent }) => {
    if (agent === undefined) return undefined;
    const { ctx, process } = agent;
    const order = chance.isTrue(0.6) ? 'restart' : 'reinit';
    events.after(0, process, () => void giveOrder(ctx, order).then(nothing, nothing));
    return nothing;
  },
  'switchover is asked for': ({ store, layout, chance, hosts }) => {
    const leader = store.data.get(layout.leader)?.value;
    const candidate = chance.oneOf(hosts)?.site.name;
    if (leader === undefined || store.leader === undefined) return undefined;
    const value = JSON.stringify({
      leader,
      ...(chance.isTrue(0.7) && candidate !== leader ? { member: candidate } : {}),
    });
    store.data.transact({ when: [], then: [{ op: 'put', key: layout.failover, value }] });
    return nothing;
  },
};

/** Begins the trouble; `untilMs` is its end, at which all is mended. */
export function plan(world: FaultWorld, fromMs: number, untilMs: number): void {
  const { events, chance, hosts, trace } = world;
  const drawn = Object.entries(FAULTS).filter(() => chance.isTrue(0.45));
  const more = world.isFailsafe ? Object.entries(FAILSAFE_FAULTS).filter(() => chance.isTrue(0.7)) : [];
  // As often as all the others together, or they would hardly meet.
  const known = [...drawn, ...more, ...more, ...more];
  const pauseMs = chance.between(300, 3000);
  const lastsMs = chance.between(1000, 9000);
  const ends = new Set<() => void>();
  const strike = (): void => {
    events.after(pauseMs * chance.between(0.3, 1.7), undefined, () => {
      if (events.now < untilMs) strike();
    });
    const [name, fault] = chance.oneOf(known) ?? [];
    const host = chance.isTrue(0.5) ? leaderOf(world) : chance.oneOf(hosts);
    if (fault === undefined || host === undefined) return;
    const end = fault(world, host);
    if (end === undefined) return;
    host.troubledAt = events.now;
    trace?.(`FAULT: ${name} (${host.site.name})`);
    ends.add(end);
    events.after(lastsMs * chance.between(0.1, 1.6), undefined, () => {
      if (!ends.delete(end)) return;
      host.troubledAt = events.now;
      if (end !== nothing) trace?.(`over: ${name} (${host.site.name})`);
      end();
    });
  };
  events.after(fromMs, undefined, strike);
  events.after(untilMs, undefined, () => {
    trace?.('all faults end');
    for (const end of ends) end();
    ends.clear();
    world.store.hiddenFrom.clear();
    world.network.mendAll();
    for (const host of hosts) {
      host.server.stalledUntil = 0;
      host.troubledAt = events.now;
    }
    world.store.reconsider();
  });
}

/** Waits for the next turn in the life of the host's server, and strikes in the middle of what comes of it. */
function ambush({ events, chance }: FaultWorld, { server }: Host, strike: () => void): () => void {
  const before = turnOf(server);
  let isOver = false;
  const look = (): void => {
    if (isOver) return;
    const isTurn = turnOf(server) !== before;
    events.after(isTurn ? chance.between(0, 400) : 20, undefined, isTurn ? blow : look);
  };
  const blow = (): void => {
    if (!isOver) strike();
  };
  look();
  return () => {
    isOver = true;
  };
}

function turnOf({ run, data, isUnclaimed, inRecovery, isPromoting }: Server): string {
  return `${run} ${data} ${isUnclaimed} ${inRecovery} ${isPromoting}`;
}

/** The host that makes a new cluster: its agent, or the whole of it, ends while initdb works or in the moment after it. */
export function ambushMaker(world: FaultWorld): void {
  const { events, chance, hosts, trace } = world;
  const isMade = chance.isTrue(0.7);
  const look = (): void => {
    const maker = hosts.find(({ server }) => (isMade ? server.isUnclaimed : server.data === 'partial'));
    if (maker === undefined) {
      events.after(10, undefined, look);
      return;
    }
    events.after(isMade ? chance.between(0, 60) : chance.between(0, 1000), undefined, () => {
      trace?.(`FAULT: the maker of the cluster ends (${maker.site.name})`);
      if (chance.isTrue(0.5)) return maker.killAgent();
      maker.crash();
      events.after(chance.between(1000, 9000), undefined, () => maker.boot());
    });
  };
  look();
}

/** A host at which something is being made. */
function busy({ hosts, chance }: FaultWorld): Host | undefined {
  return chance.oneOf(
    hosts.filter(({ server }) => server.data === 'partial' || server.isUnclaimed || server.isPromoting),
  );
}

/**
 * One run: three to five hosts in three datacenters, the store, clients, a time of trouble, and a time in which the
 * cluster has to become whole again. A seed is a run: all chance comes from it, and all time is virtual.
 */
import { checkConfig, type Config } from '../../src/config/index.ts';
import { keyLayout } from '../../src/topology/index.ts';
import { Chance } from './chance.ts';
import { Checks } from './checks.ts';
import { startClient } from './clients.ts';
import { Events } from './events.ts';
import type { FaultWorld } from './fault-means.ts';
import { ambushMaker, plan } from './faults.ts';
import { Host } from './host.ts';
import { Network, type Site } from './network.ts';
import { freshControl, Server } from './server.ts';
import { Store, type StoreMember } from './store.ts';
import { shipToAll } from './streaming.ts';

export interface RunResult {
  readonly seed: number;
  /** Empty when all was well. */
  readonly problems: readonly string[];
  readonly events: number;
  readonly virtualMs: number;
  readonly acknowledged: number;
  readonly leftBehind: number;
  readonly promotions: number;
  /** From the end of the faults until the cluster was whole. */
  readonly convergedMs: number | undefined;
}

/** Most runs are short, a few long. */
const TROUBLE_MS = { from: 1200, least: 3000, most: 14_000 };
/** The cluster is whole by then, after the last fault. */
const CONVERGED_WITHIN_MS = 60_000;
const CHECK_EVERY_MS = 250;
/** Many times what a long run needs. */
const EVENTS_MAX = 300_000;
const SYSTEM_ID = '7000000000000000001';
const FAILSAFE_SEED = 0x0fa1_15af;
const CASCADE_SEED = 2_000_003;

/** What the cluster-wide configuration asks for; `static`: what the servers' own files do. */
export type Durability = 'asynchronous' | 'static' | 'quorum';

interface DurabilityKeys {
  readonly is: Durability;
  readonly keys: Config['bootstrap']['dcs'];
}

const ASYNCHRONOUS: DurabilityKeys = { is: 'asynchronous', keys: {} };
const QUORUM: DurabilityKeys = { is: 'quorum', keys: { synchronous_mode: 'quorum' } };
const DURABILITIES: readonly DurabilityKeys[] = [
  ASYNCHRONOUS,
  ASYNCHRONOUS,
  { is: 'static', keys: {} },
  { is: 'static', keys: {} },
  QUORUM,
  QUORUM,
  QUORUM,
  { is: 'quorum', keys: { ...QUORUM.keys, synchronous_mode_strict: true } },
  { is: 'quorum', keys: { ...QUORUM.keys, synchronous_node_count: 2 } },
];

const CONFIG = configOf(`
scope: herd
name: db1
datacenter: dc1
etcd: { endpoints: ['http://127.0.0.1:1'] }
restapi: { listen: '127.0.0.1:8008' }
watchdog: { mode: off }
postgresql:
  data_dir: /db
  bin_dir: /bin
  listen: 127.0.0.1:5432
  socket_dir: /run
  authentication: { superuser: { password: a }, replication: { password: b }, rewind: { password: c } }
`);

/** Another trouble than the one that is drawn; told when to begin, it says when all is mended. */
export type Trouble = (world: FaultWorld, fromMs: number) => number;

/**
 * Plays the seed. `trace` is told line by line what happens, with the virtual time. Whether failsafe is on, and who streams from
 * whom, is drawn apart from all else, so that the stories of the other seeds do not hang on it.
 */
export async function play(
  seed: number,
  trace?: (line: string) => void,
  trouble?: Trouble,
): Promise<RunResult> {
  const isFailsafe = trouble !== undefined || new Chance(seed + FAILSAFE_SEED).isTrue(0.35);
  const chance = new Chance(seed);
  const events = new Events();
  const tell =
    trace && ((line: string): void => trace(`${(events.now / 1000).toFixed(3).padStart(8)}  ${line}`));
  const network = new Network(events, chance);
  const count = chance.oneOf([3, 3, 3, 4, 5]) ?? 3;
  const sites = Array.from(
    { length: count },
    (_, index): Site => ({ name: `db${index + 1}`, datacenter: index % 3, index }),
  );
  const apps = [0, 1, 2].map(
    (index): Site => ({ name: `app${index + 1}`, datacenter: index, index: 10 + index }),
  );
  const members = sites.slice(0, 3).map((site): StoreMember => ({ site, isUp: true }));
  const store = new Store(members, { events, network, chance });
  const layout = keyLayout('service', 'herd');
  const maximumLagBytes = chance.oneOf([0, 1000, 5000, 1024 * 1024]) ?? 1000;
  const durability = chance.oneOf(DURABILITIES) ?? ASYNCHRONOUS;
  const stickiness = chance.isTrue(0.3) ? chance.between(0.2, 0.9) : 0;
  const dynamic = {
    maximum_lag_on_failover: maximumLagBytes,
    // Shorter than most faults last, so that a server that hangs is given up in some runs.
    primary_answer_timeout: 3,
    ...durability.keys,
    ...(isFailsafe ? { failsafe_mode: true } : {}),
  };
  const sources = cascadesOf(seed, sites);
  const hosts = new Map<string, Host>();
  const servers = new Map<string, Server>();
  const marginMs = CONFIG.lease.fence_margin;
  const checks = new Checks({
    events,
    network,
    store,
    layout,
    hosts,
    maximumLagBytes,
    durability: durability.is,
    marginMs,
    trace: tell,
  });
  for (const [index, site] of sites.entries()) {
    const server = new Server(site, {
      events,
      chance,
      network,
      watcher: checks,
      servers,
      requirement:
        durability.is === 'static' ? `ANY 1 (${sites.map(({ name }) => `"${name}"`).join(',')})` : '',
      stickiness,
    });
    servers.set(site.name, server);
    const parts = {
      site,
      server,
      config: memberConfig(site, dynamic, sources.get(site.name)),
      storeMember: members[index],
    };
    hosts.set(site.name, new Host(parts, { events, chance, network, store, hosts, trace: tell }));
  }
  network.onMended = () => {
    for (const server of servers.values()) shipToAll(server);
    store.reconsider();
  };
  const isNew = chance.isTrue(0.12) && trouble === undefined;
  if (!isNew) {
    prefill([...servers.values()]);
    const config = JSON.stringify(dynamic);
    store.data.transact({
      when: [],
      then: [
        { op: 'put', key: layout.initialize, value: SYSTEM_ID },
        { op: 'put', key: layout.config, value: config },
      ],
    });
  }
  for (const host of hosts.values()) events.after(chance.between(0, 300), undefined, () => host.startAgent());
  for (const site of apps) startClient(site, { events, chance, network, store, layout, servers });
  const troubleFrom = isNew ? TROUBLE_MS.from / 3 : TROUBLE_MS.from;
  const drawnEnds =
    troubleFrom + TROUBLE_MS.least + (TROUBLE_MS.most - TROUBLE_MS.least) * chance.next() ** 2;
  const faultWorld = {
    events,
    chance,
    network,
    store,
    layout,
    hosts: [...hosts.values()],
    sites: [...sites, ...apps],
    isFailsafe,
    trace: tell,
  };
  const troubleEnds = trouble?.(faultWorld, troubleFrom) ?? drawnEnds;
  if (trouble === undefined) plan(faultWorld, troubleFrom, troubleEnds);
  if (isNew && chance.isTrue(0.5)) ambushMaker(faultWorld);

  let convergedMs: number | undefined;
  let isOver = false;
  const look = (): void => {
    const why = checks.whyNotWhole();
    if (why === undefined) {
      convergedMs = events.now - troubleEnds;
      checks.atEnd();
      isOver = true;
    } else if (events.now > troubleEnds + CONVERGED_WITHIN_MS) {
      checks.wrong(`the cluster is not whole ${CONVERGED_WITHIN_MS / 1000} s after the last fault: ${why}`);
      isOver = true;
    } else events.after(CHECK_EVERY_MS, undefined, look);
  };
  events.after(troubleEnds + CHECK_EVERY_MS, undefined, look);
  await events.run(() => {
    checks.step();
    if (events.count > EVENTS_MAX) checks.wrong('the run does not end');
    return isOver || checks.problems.length > 0;
  });
  return {
    seed,
    problems: checks.problems,
    events: events.count,
    virtualMs: events.now,
    ...checks.counts,
    convergedMs,
  };
}

function configOf(text: string): Config {
  const loaded = checkConfig(text, {}, 'agent');
  if (loaded.outcome !== 'ok') throw new Error('the configuration of the simulation is not valid');
  return loaded.config;
}

/** In some runs members are told to stream from others, now and then in a ring. */
function cascadesOf(seed: number, sites: readonly Site[]): ReadonlyMap<string, string> {
  const chance = new Chance(seed + CASCADE_SEED);
  if (!chance.isTrue(0.25)) return new Map();
  return new Map(
    sites.flatMap(({ name }) => {
      const from = chance.oneOf(sites.filter((other) => other.name !== name));
      return from !== undefined && chance.isTrue(0.5) ? [[name, from.name] as const] : [];
    }),
  );
}

function memberConfig(
  site: Site,
  dynamic: Config['bootstrap']['dcs'],
  replicatefrom: string | undefined,
): Config {
  const { postgresql, restapi } = CONFIG;
  if (postgresql === undefined || restapi === undefined) throw new Error('no sections');
  return {
    ...CONFIG,
    name: site.name,
    datacenter: `dc${site.datacenter + 1}`,
    tags: {
      city: site.datacenter === 2 ? 'fsn' : 'sib',
      ...(replicatefrom === undefined ? {} : { replicatefrom }),
    },
    postgresql: { ...postgresql, listen: { host: site.name, port: 5432 } },
    restapi: { ...restapi, listen: { host: site.name, port: 8008 } },
    bootstrap: { ...CONFIG.bootstrap, dcs: dynamic },
  };
}

/** A cluster that was stopped in order; the first was its primary. */
function prefill(servers: readonly Server[]): void {
  const [first] = servers;
  if (first === undefined) return;
  const branch = { number: 1, parent: undefined, startLsn: 0, writer: first.name };
  for (const server of servers) {
    server.data = 'initialized';
    server.systemId = SYSTEM_ID;
    server.position = { branch, lsn: 2000 };
    server.hasStandbySignal = server !== first;
    server.control =
      server === first
        ? { ...freshControl(), checkpointLsn: 1900 }
        : {
            ...freshControl(),
            state: 'shut down in recovery',
            minRecoveryEndLsn: 2000,
            minRecoveryEndTimeline: 1,
          };
  }
}

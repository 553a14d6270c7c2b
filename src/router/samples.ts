/** The router's metrics at the moment of a scrape: what was counted, and what is now. */
import type { Sample } from '../metrics/index.ts';
import type { Classifier, ClassifierStats } from '../sql/index.ts';
import type { ClientConnection } from './client.ts';
import type { Counters } from './counters.ts';
import type { ServerPool } from './servers.ts';
import type { ClusterWorld } from './world.ts';

export interface SampleSources {
  readonly world: ClusterWorld;
  readonly counters: Counters;
  readonly classifier: Classifier;
  readonly pools: Iterable<ServerPool>;
  readonly clients: Iterable<ClientConnection>;
  /** Connections that are not authenticated yet. */
  readonly admissions: number;
  readonly now: number;
}

export function samplesOf(sources: SampleSources): Sample[] {
  const { world, counters, classifier, pools, clients, admissions, now } = sources;
  return [
    ...counters.samples((member) => world.candidate(member)?.datacenter ?? ''),
    ...classifierSamples(classifier.stats()),
    ...clientSamples(clients, admissions),
    ...serverSamples(pools),
    { name: 'matriarch_router_primary_known', value: world.primary(now).kind === 'primary' ? 1 : 0 },
    { name: 'matriarch_router_dcs_contact_age_seconds', value: world.contactAgeMs(now) / 1000 },
  ];
}

function classifierSamples({ cacheHits, cacheMisses, grammarsLost }: ClassifierStats): Sample[] {
  return [
    { name: 'matriarch_router_texts_total', labels: { cache: 'hit' }, value: cacheHits },
    { name: 'matriarch_router_texts_total', labels: { cache: 'miss' }, value: cacheMisses },
    { name: 'matriarch_router_grammars_lost_total', value: grammarsLost },
  ];
}

function clientSamples(clients: Iterable<ClientConnection>, admissions: number): Sample[] {
  const states = { login: admissions, idle: 0, active: 0, held: 0 };
  for (const client of clients) states[client.state] += 1;
  return Object.entries(states).map(
    ([state, value]): Sample => ({ name: 'matriarch_router_clients', labels: { state }, value }),
  );
}

function serverSamples(pools: Iterable<ServerPool>): Sample[] {
  const servers = new Map<string, { idle: number; active: number }>();
  for (const { member, pool } of pools) {
    const counts = servers.get(member) ?? { idle: 0, active: 0 };
    counts.idle += pool.free;
    counts.active += pool.lent;
    servers.set(member, counts);
  }
  return [...servers].flatMap(([member, counts]) =>
    Object.entries(counts).map(
      ([state, value]): Sample => ({ name: 'matriarch_router_servers', labels: { member, state }, value }),
    ),
  );
}

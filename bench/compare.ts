/**
 * The comparison: every load through every peer in turn, round after round, so that what the machine does meanwhile
 * falls on all of them alike; the median of the rounds counts. Afterwards each peer must have served what it was given.
 */
import { type Load, type Measured, measure, PROTOCOLS, type Protocol } from './load.ts';
import type { Peer } from './peers.ts';
import type { Stage } from './stage.ts';

export interface Plan {
  readonly protocols: readonly Protocol[];
  readonly clients: readonly number[];
  readonly rounds: number;
  readonly windowMs: number;
}

/** One load; results by the name of the peer. */
export interface Cell {
  readonly protocol: Protocol;
  readonly clients: number;
  readonly results: ReadonlyMap<string, Measured>;
}

const WARM_CLIENTS = 4;
const WARM_WINDOW_MS = 300;

export interface Comparison {
  readonly cells: readonly Cell[];
  /** Given to all peers together. */
  readonly transactions: number;
  /** Proxies that have not served what they were given; the figures are worth nothing then. */
  readonly problems: readonly string[];
}

/** Runs the plan; `tell` hears of each finished round. */
export async function compare(
  stage: Stage,
  peers: readonly Peer[],
  plan: Plan,
  tell: (line: string) => void,
): Promise<Comparison> {
  const given = new Map<string, number>();
  const servedBefore = new Map<string, number>();
  const runs = new Map<string, Measured[]>();
  for (const peer of peers) servedBefore.set(peer.name, await peer.served());
  const run = async (peer: Peer, load: Load): Promise<Measured> => {
    const measured = await measure(stage, peer, load);
    given.set(peer.name, (given.get(peer.name) ?? 0) + measured.transactions);
    return measured;
  };
  const warmClients = Math.min(WARM_CLIENTS, ...plan.clients);
  for (const protocol of plan.protocols) {
    for (const peer of peers) await run(peer, { protocol, clients: warmClients, windowMs: WARM_WINDOW_MS });
  }
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const { protocol, clients } of loads(plan)) {
      for (const peer of turned(peers, round)) {
        const measured = await run(peer, { protocol, clients, windowMs: plan.windowMs });
        const key = keyOf(peer.name, protocol, clients);
        runs.set(key, [...(runs.get(key) ?? []), measured]);
      }
    }
    tell(`round ${round + 1} of ${plan.rounds} is done`);
  }
  const problems: string[] = [];
  for (const peer of peers) {
    const served = (await peer.served()) - (servedBefore.get(peer.name) ?? 0);
    const load = given.get(peer.name) ?? 0;
    // The server counts for all, and late: it is asked when the proxies are gone.
    if (peer.pid !== undefined && served < load * (1 - (peer.servedMissing ?? 0)))
      problems.push(`${peer.name} was given ${load} transactions and says that it served ${served}`);
  }
  const cells = loads(plan).map(({ protocol, clients }) => ({
    protocol,
    clients,
    results: new Map(
      peers.map(({ name }) => [name, medians(runs.get(keyOf(name, protocol, clients)) ?? [])]),
    ),
  }));
  return { cells, problems, transactions: [...given.values()].reduce((sum, count) => sum + count, 0) };
}

function loads({ protocols, clients }: Plan): readonly Pick<Load, 'protocol' | 'clients'>[] {
  return PROTOCOLS.filter((protocol) => protocols.includes(protocol)).flatMap((protocol) =>
    clients.map((count) => ({ protocol, clients: count })),
  );
}

/** Another one first each round. */
function turned<T>(items: readonly T[], by: number): readonly T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

function keyOf(name: string, protocol: Protocol, clients: number): string {
  return `${name} ${protocol} ${clients}`;
}

/** Each figure's own median over the rounds. */
function medians(rounds: readonly Measured[]): Measured {
  const of = (figure: (measured: Measured) => number): number => median(rounds.map(figure));
  return {
    transactions: rounds.reduce((sum, { transactions }) => sum + transactions, 0),
    perSecond: of(({ perSecond }) => perSecond),
    p50Micros: of(({ p50Micros }) => p50Micros),
    p99Micros: of(({ p99Micros }) => p99Micros),
    cpuMicrosPerTransaction:
      rounds[0]?.cpuMicrosPerTransaction === undefined
        ? undefined
        : of(({ cpuMicrosPerTransaction }) => cpuMicrosPerTransaction ?? 0),
    kernelShare: of(({ kernelShare }) => kernelShare),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

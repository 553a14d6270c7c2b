/** What faults are made of: the world that they strike, and what several of them do to it. */
import { patchConfig } from '../../src/agent/rest-requests.ts';
import { isRecord, parseJson } from '../../src/base/index.ts';
import type { KeyLayout } from '../../src/topology/index.ts';
import type { Chance } from './chance.ts';
import type { Events } from './events.ts';
import type { Host } from './host.ts';
import type { Network, Site } from './network.ts';
import type { Store } from './store.ts';

export interface FaultWorld {
  readonly events: Events;
  readonly chance: Chance;
  readonly network: Network;
  readonly store: Store;
  readonly layout: KeyLayout;
  readonly hosts: readonly Host[];
  readonly sites: readonly Site[];
  /** The cluster begins with `failsafe_mode`. */
  readonly isFailsafe: boolean;
  readonly trace: ((line: string) => void) | undefined;
}

/** Begins the fault at this host and returns what ends it; undefined when it does not fit now. */
export type Fault = (world: FaultWorld, host: Host) => (() => void) | undefined;

export const nothing = (): void => {};

/** An operator's change of the cluster-wide configuration; false before there is any. */
export function configure(
  store: Store,
  layout: KeyLayout,
  patch: Readonly<Record<string, unknown>>,
): boolean {
  const before = parseJson(store.data.get(layout.config)?.value ?? '');
  if (!isRecord(before)) return false;
  const value = JSON.stringify(patchConfig(before, patch));
  store.data.transact({ when: [], then: [{ op: 'put', key: layout.config, value }] });
  return true;
}

export function leaderOf({ hosts, store, layout }: FaultWorld): Host | undefined {
  const name = store.data.get(layout.leader)?.value;
  return hosts.find(({ site }) => site.name === name);
}

/** The fence does its work, or there is nothing to guard. */
export function isFenceWell({ isUp, isPaused, fence, server }: Host): boolean {
  const isHarmless =
    server.run === 'stopped' || (server.run === 'accepting' && server.inRecovery && !server.isPromoting);
  return isUp && !isPaused && (fence === undefined ? isHarmless : fence.process.isRunning);
}

export function isAgentWell(host: Host): boolean {
  return host.agent?.process.isRunning === true;
}

export function cutAll(network: Network, some: readonly Site[], others: readonly Site[]): () => void {
  const pairs = some.flatMap((one) =>
    others.filter((other) => other !== one).map((other) => [one, other] as const),
  );
  for (const [one, other] of pairs) {
    network.cut(one, other);
    network.cut(other, one);
  }
  return () => {
    for (const [one, other] of pairs) {
      network.mend(one, other);
      network.mend(other, one);
    }
  };
}

export function downMembers(store: Store, chance: Chance, count: number): (() => void) | undefined {
  const up = store.members.filter((member) => member.isUp);
  const down = up.slice(0, count).length < count ? [] : shuffled(up, chance).slice(0, count);
  if (down.length === 0) return undefined;
  for (const member of down) member.isUp = false;
  store.reconsider();
  return () => {
    for (const member of down) member.isUp = true;
    store.reconsider();
  };
}

function shuffled<T>(list: readonly T[], chance: Chance): T[] {
  return list
    .map((item) => ({ item, key: chance.next() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

/**
 * A model of etcd: one history of revisions (the store that the conformance suite keeps honest), reached over three
 * members of which one leads. A request is applied when its member reaches the leader and the leader a majority; requests
 * and answers are lost for themselves, and a request that is late is applied late, whether or not anyone still waits. A
 * new leader lets every lease live for its whole time again, as etcd does; leases end only while there is a leader.
 */
import type { Clock } from '../../src/base/index.ts';
import { DcsError, type WatchEvent } from '../../src/dcs/index.ts';
import { MemoryStore } from '../../src/dcs/memory-store.ts';
import type { Chance } from './chance.ts';
import type { Events } from './events.ts';
import type { Network, Site } from './network.ts';

export interface StoreMember {
  readonly site: Site;
  isUp: boolean;
}

export interface Revision {
  readonly revision: number;
  readonly events: readonly WatchEvent[];
}

const EXPIRE_EVERY_MS = 200;
const ELECTION_MS = { least: 300, most: 1500 };

export class Store {
  readonly members: readonly StoreMember[];
  readonly events: Events;
  readonly network: Network;
  readonly data: MemoryStore;
  readonly leases = new Set<string>();
  readonly #chance: Chance;
  /** Revisions in order, for watches. */
  readonly history: Revision[] = [];
  /** Told of each revision. */
  readonly watchers = new Set<() => void>();
  leader: StoreMember | undefined;
  /** Answers take so much longer. */
  slowMs = 0;
  /** Whose client of the store reaches nobody, though the host reaches all others. */
  readonly hiddenFrom = new Set<Site>();
  /** What changes just now does so because leases have run out. */
  isExpiring = false;
  #isElecting = false;

  constructor(members: readonly StoreMember[], parts: { events: Events; network: Network; chance: Chance }) {
    this.members = members;
    this.events = parts.events;
    this.network = parts.network;
    this.#chance = parts.chance;
    this.leader = members[0];
    const rate = this.#chance.between(0.998, 1.002);
    const clock: Clock = { now: () => this.events.now * rate, wallNow: () => 0 };
    this.data = new MemoryStore(clock);
    this.data.onChange = () => {
      const last = this.history.at(-1)?.revision ?? 1;
      this.history.push(...(this.data.since('', last) ?? []));
      this.data.compact();
      for (const tell of this.watchers) tell();
    };
    this.#expire();
  }

  get revision(): number {
    return this.history.at(-1)?.revision ?? 1;
  }

  /** Where `site` turns to: its own host's member, else one that it reaches. */
  endpointOf(site: Site): StoreMember | undefined {
    if (this.hiddenFrom.has(site)) return undefined;
    const isReached = (member: StoreMember): boolean =>
      member.isUp && this.network.isOpenBothWays(site, member.site) && this.servesNow(member);
    const own = this.members.find((member) => member.site === site);
    if (own !== undefined && isReached(own)) return own;
    return this.#chance.oneOf(this.members.filter(isReached));
  }

  /** The member reaches a leader that has a majority. */
  servesNow(member: StoreMember): boolean {
    const { leader } = this;
    return (
      leader !== undefined &&
      member.isUp &&
      this.network.isOpenBothWays(member.site, leader.site) &&
      this.#hasMajority(leader)
    );
  }

  /** Applies a request that has come to `endpoint`. Undefined: it got no further. */
  apply<T>(
    endpoint: StoreMember,
    request: (data: MemoryStore) => T,
  ): { readonly value: T } | { readonly error: DcsError } | undefined {
    if (!this.servesNow(endpoint)) return undefined;
    try {
      return { value: request(this.data) };
    } catch (cause) {
      if (cause instanceof DcsError) return { error: cause };
      throw cause;
    }
  }

  /** Something may have happened to the leader. */
  reconsider(): void {
    if (this.leader !== undefined && this.leader.isUp && this.#hasMajority(this.leader)) return;
    this.leader = undefined;
    this.elect();
  }

  /** No leader for a moment, then one of those that have a majority. */
  elect(): void {
    this.leader = undefined;
    if (this.#isElecting) return;
    this.#isElecting = true;
    const delay = this.#chance.between(ELECTION_MS.least, ELECTION_MS.most);
    this.events.after(delay, undefined, () => {
      this.#isElecting = false;
      const able = this.members.filter((member) => member.isUp && this.#hasMajority(member));
      const next = this.#chance.oneOf(able);
      if (next === undefined) return this.elect();
      this.#lead(next);
    });
  }

  #lead(member: StoreMember): void {
    this.leader = member;
    for (const lease of this.leases) this.data.keepAlive(lease);
  }

  moveLeader(to: StoreMember): void {
    if (to.isUp && this.#hasMajority(to)) this.#lead(to);
  }

  #hasMajority(member: StoreMember): boolean {
    const others = this.members.filter(
      (other) => other !== member && other.isUp && this.network.isOpenBothWays(member.site, other.site),
    );
    return others.length >= 1;
  }

  #expire(): void {
    this.isExpiring = true;
    if (this.leader !== undefined && this.servesNow(this.leader)) this.data.expireLeases();
    this.isExpiring = false;
    this.events.after(EXPIRE_EVERY_MS, undefined, () => this.#expire());
  }
}

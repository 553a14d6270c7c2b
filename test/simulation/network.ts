/**
 * Links between sites. A site is a host in a datacenter; each direction of each pair can be cut for itself. What is sent
 * into a cut is gone; what is under way when the cut comes arrives. Delay is that of the distance, and now and then
 * seconds, as of packets that are sent again and again.
 */
import type { Chance } from './chance.ts';
import type { Events, Process } from './events.ts';

export interface Site {
  readonly name: string;
  readonly datacenter: number;
  readonly index: number;
}

/** One way, in ms, within a host, between Sibiu's datacenters, and to Falkenstein. */
const DELAYS = { same: 0.2, near: 1, far: 14 };
const FAR = 2;

export class Network {
  readonly #events: Events;
  readonly #chance: Chance;
  readonly #cuts = new Set<number>();
  /** When a link of a site was last cut or mended. */
  readonly #touchedAt = new Map<number, number>();
  #lateness = 0;
  #lateUntil = Number.NEGATIVE_INFINITY;
  /** What wants to know of links that are mended. */
  onMended: () => void = () => {};

  constructor(events: Events, chance: Chance) {
    this.#events = events;
    this.#chance = chance;
  }

  /** Probability of a packet that is late by seconds. */
  get lateness(): number {
    return this.#lateness;
  }

  set lateness(probability: number) {
    if (this.#lateness > 0) this.#lateUntil = this.#events.now;
    this.#lateness = probability;
  }

  isOpen(from: Site, to: Site): boolean {
    return from === to || !this.#cuts.has(from.index * 64 + to.index);
  }

  isOpenBothWays(one: Site, other: Site): boolean {
    return this.isOpen(one, other) && this.isOpen(other, one);
  }

  cut(from: Site, to: Site): void {
    if (from !== to) this.#cuts.add(from.index * 64 + to.index);
    this.#touch(from, to);
  }

  mend(from: Site, to: Site): void {
    this.#cuts.delete(from.index * 64 + to.index);
    this.#touch(from, to);
    this.onMended();
  }

  /** For so long all links of the site have been open, and nothing that was sent was late. */
  isCalm(site: Site, forMs: number): boolean {
    const isCut = [...this.#cuts].some((cut) => cut >> 6 === site.index || cut % 64 === site.index);
    const touchedAt = this.#touchedAt.get(site.index) ?? Number.NEGATIVE_INFINITY;
    const since = Math.max(touchedAt, this.#lateUntil);
    return !isCut && this.#lateness === 0 && this.#events.now - since >= forMs;
  }

  #touch(from: Site, to: Site): void {
    for (const { index } of [from, to]) this.#touchedAt.set(index, this.#events.now);
  }

  mendAll(): void {
    this.#cuts.clear();
    this.lateness = 0;
    for (const index of this.#touchedAt.keys()) this.#touchedAt.set(index, this.#events.now);
    this.onMended();
  }

  delay(from: Site, to: Site): number {
    const base =
      from === to ? DELAYS.same : from.datacenter === FAR || to.datacenter === FAR ? DELAYS.far : DELAYS.near;
    const late =
      this.#lateness > 0 && from !== to && this.#chance.isTrue(this.#lateness)
        ? this.#chance.between(100, 3000)
        : 0;
    return base * this.#chance.between(0.8, 1.6) + late;
  }

  /** Has `receive` called at `to`, on behalf of `owner`, unless the link is cut now. */
  send(from: Site, to: Site, owner: Process | undefined, receive: () => void): void {
    if (this.isOpen(from, to)) this.#events.after(this.delay(from, to), owner, receive);
  }
}

/**
 * The room where sessions wait for a primary: bounded, in order of arrival, with one timer for all of them. A
 * change of the view is told to those who wait first, in that order: the first come is the first served.
 */
import type { Clock } from '../base/index.ts';

/** What waits. `tick` is called while it waits; it leaves by itself. */
export interface Holdable {
  readonly tick: (now: number) => void;
  /** The view of the cluster has changed. */
  readonly worldChanged: (now: number) => void;
}

const TICK_MS = 25;

export class HoldRoom {
  readonly #waiting = new Set<Holdable>();
  readonly #clock: Clock;
  readonly #placesMax: () => number;
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(clock: Clock, placesMax: () => number) {
    this.#clock = clock;
    this.#placesMax = placesMax;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Tells those who wait, in order of arrival, and then `others` who do not: each once. */
  worldChanged(others: Iterable<Holdable>, now: number): void {
    const told = new Set(this.#waiting);
    for (const other of others) told.add(other);
    for (const session of told) session.worldChanged(now);
  }

  /** False: the room is full. */
  enter(session: Holdable): boolean {
    if (this.#waiting.size >= this.#placesMax()) return false;
    this.#waiting.add(session);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    return true;
  }

  leave(session: Holdable): void {
    this.#waiting.delete(session);
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    const now = this.#clock.now();
    for (const session of Array.from(this.#waiting)) session.tick(now);
  }
}

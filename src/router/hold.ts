/**
 * The room where sessions wait for a primary: bounded, in order of arrival, with one timer for all of them. A
 * change of the view wakes everybody at once, the first come first.
 */
import type { Clock } from '../base/index.ts';

/** What waits. `tick` is called while it waits; it leaves by itself. */
export interface Holdable {
  readonly tick: (now: number) => void;
}

const TICK_MS = 25;

export class HoldRoom {
  readonly #waiting = new Set<Holdable>();
  readonly #clock: Clock;
  readonly #placesMax: number;
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(clock: Clock, placesMax: number) {
    this.#clock = clock;
    this.#placesMax = placesMax;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Those who wait, in order of arrival. */
  get waiting(): ReadonlySet<Holdable> {
    return this.#waiting;
  }

  /** False: the room is full. */
  enter(session: Holdable): boolean {
    if (this.#waiting.size >= this.#placesMax) return false;
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

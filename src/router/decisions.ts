/**
 * The latest decisions about statements of clients that asked for it (`SET matriarch.explain = on`): which statement, by
 * its class and reason, where it went, and who wished that. No text: a statement is known by its client and its time. The
 * oldest is forgotten for a new one. Pure.
 */
export interface Decision {
  readonly client: number;
  readonly at: number;
  readonly database: string;
  readonly user: string;
  readonly kind: string;
  readonly because: string;
  readonly detail: string;
  readonly need: string;
  readonly wish: string;
  readonly wishFrom: string;
  readonly member: string;
  /** Tries before this one. */
  readonly attempts: number;
}

const DECISIONS_MAX = 1000;

export class Decisions {
  readonly #ring: Decision[] = [];
  #next = 0;

  add(decision: Decision): void {
    this.#ring[this.#next] = decision;
    this.#next = (this.#next + 1) % DECISIONS_MAX;
  }

  /** The oldest first. */
  get all(): readonly Decision[] {
    return [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
  }
}

/**
 * The latest decisions about statements of clients that asked for it (`SET matriarch.explain = on`): which statement, by
 * its class and reason, where it went, and who wished that. No text: a statement is known by its client and its time. The
 * oldest is forgotten for a new one. Read by SHOW DECISIONS. Pure.
 */
import type { DecisionFacts } from '../admin/index.ts';
import { routeText } from '../routing/index.ts';
import type { Unit } from './unit.ts';

const DECISIONS_MAX = 1000;

export class Decisions {
  readonly #ring: DecisionFacts[] = [];
  #next = 0;

  add(decision: DecisionFacts): void {
    this.#ring[this.#next] = decision;
    this.#next = (this.#next + 1) % DECISIONS_MAX;
  }

  /** The oldest first. */
  get all(): readonly DecisionFacts[] {
    return [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
  }
}

/** What was decided about a unit of work, and why. */
export function decisionOf(
  unit: Unit,
): Omit<DecisionFacts, 'client' | 'atMs' | 'database' | 'user' | 'node'> {
  const { found, need, needBecause, wish, wishFrom, placeBecause, attempts } = unit;
  return {
    class: found?.kind ?? 'write',
    because: found?.because ?? 'statement-unknown',
    detail: found?.detail ?? '',
    need,
    needBecause,
    wish: wish === undefined ? '' : routeText(wish),
    wishFrom: wish === undefined ? '' : wishFrom,
    placeBecause,
    attempts,
  };
}

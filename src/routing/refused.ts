/**
 * Reads that a standby has refused: statements that were taken for reads and turned out to write, or to need what only
 * the primary has. They go to the primary at once from then on, until definitions change, or for a while, or until so many
 * others were refused. Statements are known by the classifier's answer, which all texts of one digest share. Pure.
 */

/** Compared by identity. */
type Known = object;

interface Refusal {
  readonly until: number;
  readonly epoch: number;
}

const ENTRIES_MAX = 1000;
const LIFE_MS = 10 * 60_000;

export class RefusedReads {
  readonly #byDatabase = new Map<string, Map<Known, Refusal>>();
  #size = 0;

  /** How many are remembered. */
  get size(): number {
    return this.#size;
  }

  /** `epoch` counts changes of definitions. */
  add(
    database: string,
    known: Known,
    { now, epoch }: { readonly now: number; readonly epoch: number },
  ): void {
    if (this.#size >= ENTRIES_MAX) this.#clear();
    let refusals = this.#byDatabase.get(database);
    if (refusals === undefined) {
      refusals = new Map();
      this.#byDatabase.set(database, refusals);
    }
    if (!refusals.has(known)) this.#size += 1;
    refusals.set(known, { until: now + LIFE_MS, epoch });
  }

  has(
    database: string,
    known: Known,
    { now, epoch }: { readonly now: number; readonly epoch: number },
  ): boolean {
    if (this.#size === 0) return false;
    const refusals = this.#byDatabase.get(database);
    const refusal = refusals?.get(known);
    if (refusals === undefined || refusal === undefined) return false;
    if (refusal.until > now && refusal.epoch === epoch) return true;
    refusals.delete(known);
    this.#size -= 1;
    return false;
  }

  #clear(): void {
    this.#byDatabase.clear();
    this.#size = 0;
  }
}

/** What is to be undone at the end of a run, in the order in which it was registered, whatever fails meanwhile. */
import type { Scope } from '../test/support/scratch.ts';

export class Ends implements Scope {
  readonly #ends: (() => Promise<void>)[] = [];

  readonly after = (end: () => Promise<void>): void => {
    this.#ends.push(end);
  };

  /** Runs all of them; throws the first failure afterwards. */
  async end(): Promise<void> {
    const failures: unknown[] = [];
    for (const end of this.#ends.splice(0)) {
      await end().catch((cause: unknown) => failures.push(cause));
    }
    if (failures.length > 0) throw failures[0];
  }
}

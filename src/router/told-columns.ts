/** What one server tells of the columns of statements that the router asks it for; its answers come in order. Pure. */
import { RingQueue } from '../base/index.ts';
import type { ServerNames } from './server-names.ts';
import { parametersIn, type Shape } from './shape.ts';

export class ToldColumns {
  readonly #names: Pick<ServerNames, 'shapeOf' | 'learn'>;
  /** Names of statements whose columns are asked for, oldest first. */
  readonly #asked = new RingQueue<string>();
  /** What was told of the last of them that was looked at. */
  #seen: { readonly name: string; readonly shape: Shape } | undefined = undefined;
  #isLooking = false;

  constructor(names: Pick<ServerNames, 'shapeOf' | 'learn'>) {
    this.#names = names;
  }

  /** How many parameters the statement takes; undefined where no server has told. */
  parametersOf(name: string): number | undefined {
    const known = this.#names.shapeOf(name);
    return known === undefined ? undefined : parametersIn(known);
  }

  ask(name: string): void {
    this.#asked.push(name);
  }

  /** The next answer is to be compared with what was learnt before. */
  look(): void {
    this.#seen = undefined;
    this.#isLooking = true;
  }

  /** The oldest question is answered. What was learnt first stays. */
  told(shape: Shape): void {
    const name = this.#asked.shift();
    if (name === undefined) return;
    if (this.#isLooking) this.#seen = { name, shape };
    if (this.#names.shapeOf(name) === undefined) this.#names.learn(name, shape);
    this.#isLooking = false;
  }

  /** The columns that were looked at, if they are of this statement; once. */
  takeSeen(name: string): Shape | undefined {
    const seen = this.#seen;
    this.#seen = undefined;
    return seen?.name === name ? seen.shape : undefined;
  }

  /** After an error the server answers none of them. */
  skipped(): void {
    while (this.#asked.size > 0) this.#asked.shift();
    this.#isLooking = false;
  }
}

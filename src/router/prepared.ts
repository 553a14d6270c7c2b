/**
 * The prepared statements of a client, by name. What a Parse or Close changes is taken back if the server skips
 * it after an error, since then it never happened. Pure.
 */
import type { Classifier } from '../sql/index.ts';
import { readParse } from '../wire/index.ts';
import { intentOf } from './route.ts';
import type { Statement } from './statement.ts';

interface Change {
  readonly name: string;
  readonly previous: Statement | undefined;
}

export class PreparedStatements {
  readonly #classifier: Classifier;
  readonly #byName = new Map<string, Statement>();
  /** Changes that the server has not confirmed, oldest first. */
  readonly #unconfirmed: Change[] = [];

  constructor(classifier: Classifier) {
    this.#classifier = classifier;
  }

  get(name: string): Statement | undefined {
    return this.#byName.get(name);
  }

  parse(message: Buffer): Statement {
    const { name, sql } = readParse(message);
    const classification = this.#classifier.classify(sql);
    const replaces = this.#byName.get(name);
    const statement: Statement = {
      name,
      // A named statement outlives the chunk that its message arrived in.
      message: name === '' ? message : Buffer.from(message),
      classification,
      intent: intentOf(classification),
      replaces: name === '' ? undefined : replaces,
    };
    this.#unconfirmed.push({ name, previous: replaces });
    if (name === '' || replaces === undefined) this.#byName.set(name, statement);
    return statement;
  }

  close(name: string): void {
    this.#unconfirmed.push({ name, previous: this.#byName.get(name) });
    this.#byName.delete(name);
  }

  /** A simple query ends the unnamed statement, as in PostgreSQL. */
  forgetUnnamed(): void {
    this.#byName.delete('');
  }

  forgetAll(): void {
    this.#byName.clear();
    this.#unconfirmed.length = 0;
  }

  /** The oldest unconfirmed change happened. */
  confirm(): void {
    this.#unconfirmed.shift();
  }

  /** The unconfirmed changes did not happen. */
  takeBack(): void {
    for (let change = this.#unconfirmed.pop(); change !== undefined; change = this.#unconfirmed.pop()) {
      if (change.previous === undefined) this.#byName.delete(change.name);
      else this.#byName.set(change.name, change.previous);
    }
  }
}

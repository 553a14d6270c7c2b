/**
 * What a statement refers to in its database, by the names that it has written: gathered while its tree is inspected, and
 * kept with its classification. What the names stand for hangs on the database, the session's search_path and time:
 * resolve.ts says it.
 */
import type { Tree } from './tree.ts';
import { flagAt, listAt } from './tree.ts';

/** A name as written: perhaps a schema in front, in the case that the grammar gives. */
export type Path = readonly string[];

export interface FunctionReference {
  readonly path: Path;
  /** How many arguments it is given. */
  readonly args: number;
}

/** Each name once, in no given order. */
export interface References {
  readonly functions: readonly FunctionReference[];
  readonly relations: readonly Path[];
  /** Relations that are emptied with all that refers to them. */
  readonly cascades: readonly Path[];
  readonly operators: readonly Path[];
  readonly types: readonly Path[];
  /** Names behind a point: columns, or functions of one row (`t.f` is `f(t)` where there is no such column). */
  readonly attributes: readonly string[];
  /** The same behind what need be no row: columns, or functions of one argument, or casts (`(1).f` is `f(1)`). */
  readonly columnCalls: readonly string[];
  /** Syntax by our grammar, with any number of arguments; to an older server the name of a function, if there is one. */
  readonly newWords: readonly string[];
  /** WITH queries: a bare name of a relation may be one of these. */
  readonly withQueries: readonly string[];
}

/** It names nothing, and may all the same run what the database has defined. */
export const NO_REFERENCES: References = Object.freeze({
  functions: [],
  relations: [],
  cascades: [],
  operators: [],
  types: [],
  attributes: [],
  columnCalls: [],
  newWords: [],
  withQueries: [],
});

export class ReferenceCollector {
  readonly #functions = new Map<string, FunctionReference>();
  readonly #relations = new Map<string, Path>();
  readonly #cascades: Path[] = [];
  readonly #operators = new Map<string, Path>();
  readonly #types = new Map<string, Path>();
  readonly #attributes = new Set<string>();
  readonly #columnCalls = new Set<string>();
  readonly #newWords = new Set<string>();
  readonly #withQueries = new Set<string>();

  call(path: Path, call: Tree): void {
    const ordered = flagAt(call, 'agg_within_group') ? listAt(call, 'agg_order').length : 0;
    const args = listAt(call, 'args').length + ordered;
    this.#functions.set(`${args} ${keyOf(path)}`, { path, args });
  }

  relation(path: Path): void {
    this.#relations.set(keyOf(path), path);
  }

  cascade(path: Path): void {
    this.#cascades.push(path);
  }

  operator(path: Path): void {
    this.#operators.set(keyOf(path), path);
  }

  type(path: Path): void {
    this.#types.set(keyOf(path), path);
  }

  attribute(name: string): void {
    this.#attributes.add(name);
  }

  columnCall(name: string): void {
    this.#columnCalls.add(name);
  }

  /** Names behind a point that follow the name of something in FROM. */
  get attributes(): Iterable<string> {
    return this.#attributes;
  }

  newWord(name: string): void {
    this.#newWords.add(name);
  }

  withQuery(name: string): void {
    this.#withQueries.add(name);
  }

  get isEmpty(): boolean {
    const all = [
      this.#functions,
      this.#relations,
      this.#operators,
      this.#types,
      this.#attributes,
      this.#columnCalls,
      this.#newWords,
    ];
    return all.every(({ size }) => size === 0);
  }

  /** Undefined: it refers to nothing. */
  references(): References | undefined {
    if (this.isEmpty) return undefined;
    return Object.freeze({
      functions: [...this.#functions.values()],
      relations: [...this.#relations.values()],
      cascades: this.#cascades,
      operators: [...this.#operators.values()],
      types: [...this.#types.values()],
      attributes: [...this.#attributes],
      columnCalls: [...this.#columnCalls],
      newWords: [...this.#newWords],
      withQueries: [...this.#withQueries],
    });
  }
}

/** How many names it holds: what they take in memory. */
export function sizeOf(references: References): number {
  return Object.values(references).reduce((sum, { length }) => sum + length, 0);
}

const keyOf = (path: Path): string => path.join('\0');

/**
 * Names under which servers keep the clients' prepared statements: one name for all clients that prepared the same, so
 * that a server connection parses it once. "The same" is all that PostgreSQL looks at when it parses or plans: the text,
 * the types of parameters, the settings that can change its meaning, and no change of a definition in between (`epoch`):
 * else a client would get "cached plan must not change result type" for a table that was altered before it came. Pure.
 */
import { LRUCache } from 'lru-cache';
import type { Shape } from './shape.ts';

/** A name that is forgotten is given anew, under another number; servers then parse once more. */
const NAMES_BYTES_MAX = 32 * 1024 * 1024;
const SHAPES_BYTES_MAX = 4 * 1024 * 1024;
/** What the cache holds of each name besides its key. A bound on their number would be allocated beforehand. */
const NAME_BYTES = 200;

export class ServerNames {
  readonly #prefix: string;
  readonly #names = new LRUCache<string, string>({
    maxSize: NAMES_BYTES_MAX,
    sizeCalculation: (_name, key) => key.length + NAME_BYTES,
  });
  /** What the rows of each look like, as far as it was told. */
  readonly #shapes = new LRUCache<string, Shape>({
    maxSize: SHAPES_BYTES_MAX,
    sizeCalculation: (shape, name) => name.length + shape.length + NAME_BYTES,
  });
  #count = 0;
  #epoch = 0;

  /** `prefix` is the router's own, so that no client's name is like it by chance. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** The server's name for a statement that stands in `text`, if there is one. */
  findIn(text: string): string | undefined {
    const start = text.indexOf(this.#prefix);
    if (start < 0) return undefined;
    let end = start + this.#prefix.length;
    while (end < text.length && text.charCodeAt(end) >= 0x30 && text.charCodeAt(end) <= 0x39) end += 1;
    return text.slice(start, end);
  }

  shapeOf(name: string): Shape | undefined {
    return this.#shapes.get(name);
  }

  /** A server has told what the rows of the statement under this name look like. */
  learn(name: string, shape: Shape): void {
    this.#shapes.set(name, shape);
  }

  /** Grows with each change of a definition that was seen. */
  get epoch(): number {
    return this.#epoch;
  }

  /** A definition has changed: what is prepared from here on is not what was prepared before. */
  definitionsChanged(): void {
    this.#epoch += 1;
  }

  /** `body` is the statement as latin1: text and types of its Parse; `planningKey` the settings that matter. */
  nameOf(body: string, planningKey: string, epoch: number): string {
    const key = `${epoch}\0${planningKey}\0${body}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    this.#count += 1;
    const name = `${this.#prefix}${this.#count}`;
    // One that is too long for the cache is nobody else's.
    this.#names.set(key, name);
    return name;
  }
}

/**
 * The keys and values that a template reads, complete and of one revision: what confd calls memkv. Keys have a leading
 * slash and no prefix any more. Strings are bytes.
 */
import { Refusal } from '../go/errors.ts';
import { basePath, cleanPath, compilePattern, dirPath } from './path.ts';

export interface Pair {
  readonly key: string;
  readonly value: string;
}

export class Store {
  readonly #pairs: ReadonlyMap<string, string>;
  /** Sorted once, by who asks first. */
  #sortedKeys: readonly string[] | undefined;

  constructor(pairs: ReadonlyMap<string, string>) {
    this.#pairs = pairs;
  }

  has(key: string): boolean {
    return this.#pairs.has(key);
  }

  /** Throws `Refusal` when there is no such key. */
  get(key: string): string {
    const value = this.#pairs.get(key);
    if (value === undefined) throw new Refusal(`key does not exist: ${key}`, key);
    return value;
  }

  /** Pairs whose keys match the pattern, by key. Throws `Refusal` for a bad pattern, if there is a key to try it on. */
  matching(pattern: string): Pair[] {
    if (this.#pairs.size === 0) return [];
    const matches = compilePattern(pattern);
    if (matches === undefined) throw new Refusal('syntax error in pattern', pattern);
    return this.#keys()
      .filter(matches)
      .map((key) => ({ key, value: this.get(key) }));
  }

  /** Names directly under a folder; the last part of its own name when it is a key as well. */
  list(folder: string): string[] {
    const isUnder = underFolder(folder);
    const names = this.#keys().flatMap((key) => {
      if (key === folder) return [basePath(key)];
      if (!isUnder(key)) return [];
      const rest = (key.startsWith(folder) ? key.slice(folder.length) : key).replace(/^\//, '');
      return [rest.split('/', 1)[0] ?? ''];
    });
    return sortedSet(names);
  }

  /** Names directly under a folder that have something under them. */
  listFolders(folder: string): string[] {
    const depth = cleanPath(folder).split('/').length;
    const isUnder = underFolder(folder);
    const names = this.#keys()
      .filter((key) => key.startsWith(folder) && isUnder(key))
      .flatMap((key) => dirPath(key).split('/')[depth] ?? []);
    return sortedSet(names);
  }

  #keys(): readonly string[] {
    this.#sortedKeys ??= [...this.#pairs.keys()].sort();
    return this.#sortedKeys;
  }
}

/** Whether the folder of a key is this one or inside it. Go compares the parts of `/` as two empty ones. */
function underFolder(folder: string): (key: string) => boolean {
  const clean = cleanPath(folder);
  return (key) => {
    const dir = dirPath(key);
    return dir === clean || dir.startsWith(`${clean}/`);
  };
}

function sortedSet(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

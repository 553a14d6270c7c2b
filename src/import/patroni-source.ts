/**
 * A Patroni configuration as one tree that remembers where each part of it stands: its files in their order, each laid
 * over those before it, and on top what the environment says. YAML is read as Patroni reads it, in version 1.1.
 */
import { isRecord } from '../base/index.ts';
import { type Path, type Problem, parseSource } from '../config/index.ts';
import type { Note, Place, SourceFile } from './note.ts';

type Tree = Readonly<Record<string, unknown>>;

/** One file, or the environment: a tree, and the place of anything in it. */
export interface Layer {
  readonly value: Tree;
  readonly placeOf: (path: Path) => Place;
}

export interface PatroniSource {
  readonly value: Tree;
  readonly placeOf: (path: Path) => Place;
}

/** A file as a layer; what is wrong with it as YAML are problems, and it then says nothing. */
export function fileLayer(file: SourceFile): { readonly layer: Layer; readonly problems: readonly Note[] } {
  const source = parseSource(file.text, '1.1');
  const placeOf = (path: Path): Place => ({ file: file.path, line: source.positionOf(path, 'key').line });
  const problem = ({ line, message }: Pick<Problem, 'line' | 'message'>): Note => ({
    file: file.path,
    line,
    key: 'YAML',
    value: '',
    says: message,
  });
  const isTree = isRecord(source.value);
  const problems = source.problems.map(problem);
  if (!isTree && problems.length === 0)
    problems.push(problem({ line: 1, message: 'is no mapping of keys to values' }));
  return { layer: { value: isRecord(source.value) ? source.value : {}, placeOf }, problems };
}

/** Later layers win: mappings are merged, a null takes the key away, anything else is replaced. */
export function layered(layers: readonly Layer[]): PatroniSource {
  return {
    value: layers.reduce<Tree>((below, { value }) => laidOver(below, value), {}),
    placeOf: (path) => {
      const layer = layers.findLast(({ value }) => has(value, path)) ?? layers[0];
      return layer?.placeOf(path) ?? { file: '', line: 0 };
    },
  };
}

function laidOver(below: Tree, above: Tree): Tree {
  const result = new Map(Object.entries(below));
  for (const [key, value] of Object.entries(above)) {
    const before = result.get(key);
    if (value === null && result.has(key)) result.delete(key);
    else if (isRecord(value) && isRecord(before)) result.set(key, laidOver(before, value));
    else result.set(key, value);
  }
  return Object.fromEntries(result);
}

function has(value: unknown, path: Path): boolean {
  let at: unknown = value;
  for (const step of path) {
    if (Array.isArray(at) && typeof step === 'number') {
      if (step >= at.length) return false;
      at = at[step];
    } else if (isRecord(at) && Object.hasOwn(at, String(step))) at = at[String(step)];
    else return false;
  }
  return true;
}

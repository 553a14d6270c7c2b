/**
 * YAML text as a value that remembers where each part of it stands. Syntax errors and duplicate keys become
 * problems with line and column; nothing here knows the schema.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';

/** Where a person finds it; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Something wrong with the file. `key` is the full path of the setting, empty when it is the file as such. */
export interface Problem extends Position {
  readonly key: string;
  readonly message: string;
}

export type Path = readonly (string | number)[];

export interface Source {
  /** The file as plain data; undefined when it could not be parsed. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** Place of the deepest part of `path` that is in the file: of its key, or of its value. */
  readonly positionOf: (path: Path, at: 'key' | 'value') => Position;
}

/** `version`: of YAML; in 1.1, as other programs read it, `on` is true and `0640` is octal. */
export function parseSource(text: string, version: '1.1' | '1.2' = '1.2'): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version });
  const positionAt = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems = document.errors.map((error): Problem => {
    const message =
      error.code === 'DUPLICATE_KEY'
        ? `the key ${/^[^\s:]*/.exec(text.slice(error.pos[0]))?.[0] ?? ''} is set twice`
        : `not valid YAML: ${error.message}`;
    return { ...positionAt(error.pos[0]), key: '', message };
  });
  const readable = document.errors.every((error) => error.code === 'DUPLICATE_KEY');
  const positionOf = (path: Path, at: 'key' | 'value'): Position =>
    positionAt(offsetOf(document.contents, path, at));
  if (!readable) return { value: undefined, problems, positionOf };
  try {
    return { value: document.toJS({ maxAliasCount: 100 }), problems, positionOf };
  } catch (cause) {
    const message = `not valid YAML: ${cause instanceof Error ? cause.message : String(cause)}`;
    return {
      value: undefined,
      problems: [...problems, { line: 1, column: 1, key: '', message }],
      positionOf,
    };
  }
}

function offsetOf(root: Node | null, path: Path, at: 'key' | 'value'): number {
  let node: unknown = root;
  let offset = startOf(root) ?? 0;
  for (const [depth, step] of path.entries()) {
    const child = childOf(node, step);
    if (child === undefined) return offset;
    node = child.value;
    const isLast = depth === path.length - 1;
    offset = (isLast && at === 'value' ? startOf(child.value) : child.keyAt) ?? offset;
  }
  return offset;
}

/** The value under `step`, and where the step itself stands. */
function childOf(
  node: unknown,
  step: string | number,
): { value: unknown; keyAt: number | undefined } | undefined {
  if (isMap(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
    return pair === undefined ? undefined : { value: pair.value, keyAt: startOf(pair.key) };
  }
  if (!isSeq(node) || typeof step !== 'number') return undefined;
  const item = node.items[step];
  return item === undefined ? undefined : { value: item, keyAt: startOf(item) };
}

function startOf(node: unknown): number | undefined {
  if (isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)) return node.range?.[0];
  return undefined;
}

/** Names with slashes, by the rules of Go's package `path`: cleaning, taking apart, matching. Strings are bytes. */
import { decodeRune, RUNE_ERROR } from '../go/bytes.ts';

/** The shortest name for the same place: no empty parts, no `.`, no `..` that could be taken back. */
export function cleanPath(path: string): string {
  const isRooted = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    const last = parts.at(-1);
    if (part !== '..') parts.push(part);
    else if (last !== undefined && last !== '..') parts.pop();
    else if (!isRooted) parts.push(part);
  }
  const joined = (isRooted ? '/' : '') + parts.join('/');
  return joined === '' ? '.' : joined;
}

export function basePath(path: string): string {
  if (path === '') return '.';
  const stripped = path.replace(/\/+$/, '');
  return stripped === '' ? '/' : stripped.slice(stripped.lastIndexOf('/') + 1);
}

export function dirPath(path: string): string {
  return cleanPath(path.slice(0, path.lastIndexOf('/') + 1));
}

/** A compiled pattern; undefined when its syntax is wrong. */
export type Matcher = (name: string) => boolean;

/**
 * `*` is any text without a slash, `?` any char but a slash, `[a-z]` and `[^a-z]` one char, `\` takes the next as it is.
 * The only backtracking is to the last star, so a pattern costs at most its length times the name's.
 */
export function compilePattern(pattern: string): Matcher | undefined {
  const parts: Part[] = [];
  for (let at = 0; at < pattern.length; ) {
    const read = readPart(pattern, at);
    if (read === undefined) return undefined;
    if (read.part !== 'star' || parts.at(-1) !== 'star') parts.push(read.part);
    at = read.end;
  }
  return (name) => matches(parts, name);
}

/** One char as bytes, a class, or a star. */
type Part = 'star' | { readonly byte: string } | Class;
interface Class {
  readonly isNegated: boolean;
  readonly ranges: readonly (readonly [number, number])[];
}

const ANY_BUT_SLASH: Class = { isNegated: true, ranges: [[0x2f, 0x2f]] };

function readPart(pattern: string, at: number): { readonly part: Part; readonly end: number } | undefined {
  const char = pattern[at] ?? '';
  if (char === '*') return { part: 'star', end: at + 1 };
  if (char === '?') return { part: ANY_BUT_SLASH, end: at + 1 };
  if (char === '[') return readClass(pattern, at + 1);
  if (char !== '\\') return { part: { byte: char }, end: at + 1 };
  const next = pattern[at + 1];
  return next === undefined ? undefined : { part: { byte: next }, end: at + 2 };
}

function readClass(
  pattern: string,
  start: number,
): { readonly part: Class; readonly end: number } | undefined {
  const isNegated = pattern[start] === '^';
  const ranges: [number, number][] = [];
  let at = isNegated ? start + 1 : start;
  while (pattern[at] !== ']' || ranges.length === 0) {
    const low = readClassChar(pattern, at);
    if (low === undefined) return undefined;
    const high = pattern[low.end] === '-' ? readClassChar(pattern, low.end + 1) : low;
    if (high === undefined) return undefined;
    ranges.push([low.code, high.code]);
    at = high.end;
  }
  return { part: { isNegated, ranges }, end: at + 1 };
}

/** A char of a class, which something must follow. */
function readClassChar(
  pattern: string,
  start: number,
): { readonly code: number; readonly end: number } | undefined {
  const char = pattern[start];
  if (char === undefined || char === '-' || char === ']') return undefined;
  const at = char === '\\' ? start + 1 : start;
  if (at >= pattern.length) return undefined;
  const { code, width } = decodeRune(pattern, at);
  if (at + width >= pattern.length || (code === RUNE_ERROR && width === 1)) return undefined;
  return { code, end: at + width };
}

function matches(parts: readonly Part[], name: string): boolean {
  let at = 0;
  let index = 0;
  let star: { readonly index: number; at: number } | undefined;
  for (;;) {
    const part = parts[index];
    if (part === 'star') {
      index += 1;
      if (index === parts.length) return !name.includes('/', at);
      star = { index, at };
      continue;
    }
    const width = part === undefined ? undefined : widthOf(part, name, at);
    if (width !== undefined) {
      at += width;
      index += 1;
      continue;
    }
    if (part === undefined && at === name.length) return true;
    // Let the last star take one char more, if it may.
    if (star === undefined || star.at >= name.length || name[star.at] === '/') return false;
    star.at += 1;
    at = star.at;
    index = star.index;
  }
}

/** How many bytes of the name the part takes; undefined when it does not match. */
function widthOf(part: Exclude<Part, 'star'>, name: string, at: number): number | undefined {
  if (at >= name.length) return undefined;
  if ('byte' in part) return name[at] === part.byte ? 1 : undefined;
  const { code, width } = decodeRune(name, at);
  return part.ranges.some(([low, high]) => low <= code && code <= high) === part.isNegated
    ? undefined
    : width;
}

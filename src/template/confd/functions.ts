/**
 * The functions of confd's templates, by their names there: the store's, those on text, numbers and lists, and those
 * that ask the world. Each does what the Go function behind it does, its refusals included.
 */
import { decodeRune, fromText, mapRunes, toText } from '../go/bytes.ts';
import { Refusal } from '../go/errors.ts';
import type { GoFunction } from '../go/function.ts';
import { parseInteger } from '../go/number.ts';
import { quote } from '../go/quote.ts';
import type { Time } from '../go/time.ts';
import {
  ANY,
  ANY_MAP,
  ANY_SLICE,
  GoMap,
  type Held,
  INT,
  INT_SLICE,
  intOf,
  Slice,
  STRING,
  STRING_SLICE,
  stringOf,
  Struct,
  sliceOf,
  type Type,
  unbox,
  type Value,
  wrapInt,
} from '../go/values.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { jsonTypeName, readJson } from './json-reader.ts';
import { basePath, dirPath } from './path.ts';
import type { Pair, Store } from './store.ts';

export const PAIR: Type = { kind: 'struct', name: 'memkv.KVPair', fields: ['Key', 'Value'] };
const PAIR_SLICE = sliceOf(PAIR);
export const PAIRS: Type = { ...PAIR_SLICE, name: 'memkv.KVPairs', underlying: PAIR_SLICE.name };

/** A list of numbers that is longer is a mistake, and would take the memory of the host. */
const SEQUENCE_MAX = 1_000_000;

type Call = (...args: string[]) => Value;

/** A function of so many texts. */
const ofTexts = (count: number, call: Call): GoFunction => ({
  params: Array.from({ length: count }, () => STRING),
  call: (args) => call(...args.map(stringOf)),
});
const ofInts = (call: (a: bigint, b: bigint) => bigint): GoFunction => ({
  params: [INT, INT],
  call: ([a, b]) => wrapInt(call(intOf(a), intOf(b))),
});
const optionalLast = (call: Call): GoFunction => ({ ...ofTexts(1, call), variadic: STRING });
const itemsOf = (value: Value): Held[] => (value instanceof Slice ? value.items : []);

export const texts = (items: readonly string[]): Slice => new Slice(STRING_SLICE, [...items]);
const pair = ({ key, value }: Pair): Struct => new Struct(PAIR, [key, value]);

export function storeFunctions(store: Store): Record<string, GoFunction> {
  return {
    exists: ofTexts(1, (key) => store.has(key)),
    get: ofTexts(1, (key) => pair({ key, value: store.get(key) })),
    gets: ofTexts(1, (pattern) => new Slice(PAIRS, store.matching(pattern).map(pair))),
    getv: optionalLast((key, usual) => (usual !== undefined && !store.has(key) ? usual : store.get(key))),
    getvs: ofTexts(1, (pattern) =>
      texts(
        store
          .matching(pattern)
          .map(({ value }) => value)
          .sort(),
      ),
    ),
    ls: ofTexts(1, (folder) => texts(store.list(folder))),
    lsdir: ofTexts(1, (folder) => texts(store.listFolders(folder))),
  };
}

export const TEXT_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  base: ofTexts(1, basePath),
  dir: ofTexts(1, dirPath),
  split: ofTexts(2, (text, separator) => texts(separator === '' ? chars(text) : text.split(separator))),
  join: {
    params: [STRING_SLICE, STRING],
    call: ([list, separator]) => itemsOf(list).map(stringOf).join(stringOf(separator)),
  },
  toUpper: ofTexts(1, (text) => mapRunes(text, upper)),
  toLower: ofTexts(1, (text) => mapRunes(text, lower)),
  contains: ofTexts(2, (text, part) => text.includes(part)),
  replace: {
    params: [STRING, STRING, STRING, INT],
    call: ([text, old, next, count]) =>
      replaced(stringOf(text), [stringOf(old), stringOf(next)], Number(count)),
  },
  trimSuffix: ofTexts(2, (text, suffix) =>
    text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text,
  ),
  base64Encode: ofTexts(1, encodeBase64),
  base64Decode: ofTexts(1, decodeBase64),
  json: ofTexts(1, (text) => jsonOf(text, ANY_MAP)),
  jsonArray: ofTexts(1, (text) => jsonOf(text, ANY_SLICE)),
  parseBool: ofTexts(1, parsedBool),
  atoi: ofTexts(1, parsedInt),
};

export const VALUE_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  map: { params: [], variadic: ANY, call: mapOfPairs },
  add: ofInts((a, b) => a + b),
  sub: ofInts((a, b) => a - b),
  mul: ofInts((a, b) => a * b),
  div: ofInts((a, b) => a / nonZero(b)),
  mod: ofInts((a, b) => a % nonZero(b)),
  seq: { params: [INT, INT], call: ([first, last]) => sequence(intOf(first), intOf(last)) },
  // These three change the list that they are given, as confd's do. `gets` gives a list of a type of its own, which
  // `reverse` does not know and leaves as it is; `sortKVByLength` makes it one that it knows.
  reverse: {
    params: [ANY],
    call: ([list]) => {
      if (list instanceof Slice && [STRING_SLICE.name, PAIR_SLICE.name].includes(list.type.name))
        list.items.reverse();
      return list;
    },
  },
  sortByLength: {
    params: [STRING_SLICE],
    call: ([list]) => sortedByLength(list, STRING_SLICE, (item) => stringOf(item).length),
  },
  sortKVByLength: {
    params: [PAIR_SLICE],
    call: ([list]) =>
      sortedByLength(list, PAIR_SLICE, (item) =>
        item instanceof Struct ? stringOf(item.values[0]).length : 0,
      ),
  },
};

/** `datetime`: what Go's `time.Now` gives. */
export function timeFunction(now: () => Time): GoFunction {
  return { params: [], call: now };
}

/** A function of one text of the world, with an answer that is text. */
export function ofWorld(answer: (text: string) => readonly string[] | string | boolean): GoFunction {
  return ofTexts(1, (bytes) => {
    const value = answer(toText(bytes));
    if (typeof value === 'boolean') return value;
    return typeof value === 'string' ? fromText(value) : texts(value.map(fromText));
  });
}

/** `getenv NAME [DEFAULT]`; an empty variable counts as none. */
export function getenvFunction(environment: (name: string) => string): GoFunction {
  return optionalLast((name, usual = '') => fromText(environment(toText(name))) || usual);
}

/**
 * One rune for one rune, as Go maps case: `ß` stays. Where JavaScript makes several of one, Unicode's simple mapping
 * knows a single one for Greek letters with an iota below (the capital has its own, in title case) and for `İ`.
 */
function upper(char: string): string {
  const mapped = char.toUpperCase();
  if (isOneRune(mapped)) return mapped;
  const code = char.codePointAt(0) ?? 0;
  if (code >= 0x1f80 && code <= 0x1faf) return String.fromCodePoint(code | 8);
  return IOTA_CAPITALS[char] ?? char;
}

const IOTA_CAPITALS: Readonly<Record<string, string>> = { ᾳ: 'ᾼ', ῃ: 'ῌ', ῳ: 'ῼ' };

function lower(char: string): string {
  const mapped = char.toLowerCase();
  if (isOneRune(mapped)) return mapped;
  return char === 'İ' ? 'i' : char;
}

const isOneRune = (text: string): boolean => text.length === ((text.codePointAt(0) ?? 0) > 0xffff ? 2 : 1);

function chars(text: string): string[] {
  const all: string[] = [];
  for (let at = 0; at < text.length; ) {
    const { width } = decodeRune(text, at);
    all.push(text.slice(at, at + width));
    at += width;
  }
  return all;
}

/** The first `count` of `old`, or all when it is negative; an empty `old` is before each char and at the end. */
function replaced(text: string, [old, next]: readonly [string, string], count: number): string {
  const pieces = old === '' ? ['', ...chars(text), ''] : text.split(old);
  const times = count < 0 ? pieces.length : count;
  return pieces.map((piece, index) => (index === 0 ? '' : index <= times ? next : old) + piece).join('');
}

function jsonOf(text: string, type: Type): Held {
  const value = readJson(text);
  const wanted = type.kind === 'map' ? value instanceof GoMap : value instanceof Slice;
  if (wanted) return value;
  if (value === undefined)
    return type.kind === 'map' ? new GoMap(type, new Map(), true) : new Slice(type, [], true);
  throw new Refusal(`json: cannot unmarshal ${jsonTypeName(value)} into Go value of type ${type.name}`);
}

function parsedBool(text: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw new Refusal(`strconv.ParseBool: parsing ${quote(text)}: invalid syntax`);
}

function parsedInt(text: string): bigint {
  const refuse = (why: string): never => {
    throw new Refusal(`strconv.Atoi: parsing ${quote(text)}: ${why}`);
  };
  if (!/^[+-]?\d+$/.test(text)) return refuse('invalid syntax');
  const value = parseInteger(text.replace(/^([+-]?)0+(?=\d)/, '$1')) ?? 0n;
  return wrapInt(value) === value ? value : refuse('value out of range');
}

function mapOfPairs(values: readonly Value[]): GoMap {
  if (values.length % 2 !== 0) throw new Refusal('invalid map call');
  const entries = new Map<string, Held>();
  for (let index = 0; index < values.length; index += 2) {
    const key = values[index];
    if (typeof key !== 'string') throw new Refusal('map keys must be strings');
    entries.set(key, unbox(values[index + 1]));
  }
  return new GoMap(ANY_MAP, entries);
}

function nonZero(value: bigint): bigint {
  if (value === 0n) throw new Refusal('runtime error: integer divide by zero');
  return value;
}

function sequence(first: bigint, last: bigint): Slice {
  const length = last < first ? 0 : Number(last - first) + 1;
  if (length > SEQUENCE_MAX) throw new Refusal(`a sequence of more than ${SEQUENCE_MAX} numbers`);
  return new Slice(
    INT_SLICE,
    Array.from({ length }, (_, index) => first + BigInt(index)),
    length === 0,
  );
}

function sortedByLength(list: Value, type: Type, lengthOf: (item: Held) => number): Slice {
  const items = itemsOf(list);
  items.sort((a, b) => lengthOf(a) - lengthOf(b));
  return new Slice(type, items);
}

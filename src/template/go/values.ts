/**
 * Go's values, as far as templates can see them.
 *
 * The argument. A template sees a value's kind in four ways: what it prints as (`%T`, `%!d(string=x)`, `3` or `3.5`),
 * which functions take it, what it equals, and what errors call it. So a value must know its Go type, but most values
 * are of a few types, and a renderer lives on those. JavaScript has a primitive for each of them: a `bool` is a
 * boolean, an `int` a bigint (64 bits, exact, never mixed with floats), a `float64` a number, a `string` a string of
 * bytes (`bytes.ts`), and *no value* is undefined. Everything else is a small class that carries its type.
 *
 * Go's reflection tells an `interface {}` that holds 3 from 3, and templates show it: elements of `[]interface {}`
 * and `map[string]interface {}` are refused with "type interface {}" until a pipeline or a variable has unwrapped them.
 * `Boxed` is that; it is made when an element is taken out, and held by nothing. A missing entry is undefined, an entry
 * that is nil is a `Boxed` of undefined: Go prints both `<no value>` and refuses them in different words.
 *
 * No value is a function, a channel or a pointer to anything but a struct, for nothing that confd offers gives one.
 */
import type { Time } from './time.ts';

type Kind =
  | 'bool'
  | 'int'
  | 'uint'
  | 'float'
  | 'complex'
  | 'string'
  | 'slice'
  | 'map'
  | 'struct'
  | 'pointer'
  | 'interface';

/** A Go type. Two types are the same when their names are. */
export interface Type {
  readonly kind: Kind;
  /** As Go prints it: `[]string`, `map[string]interface {}`, `memkv.KVPair`. */
  readonly name: string;
  /** Of slices, maps and pointers. */
  readonly elem?: Type;
  /** Of structs, in order. */
  readonly fields?: readonly string[];
  /** The unnamed type that a named slice stands for. */
  readonly underlying?: string;
  /** Of integers that print as words: a month. */
  readonly word?: (value: bigint) => string;
}

export const BOOL: Type = { kind: 'bool', name: 'bool' };
export const INT: Type = { kind: 'int', name: 'int' };
export const INT64: Type = { kind: 'int', name: 'int64' };
export const UINT8: Type = { kind: 'uint', name: 'uint8' };
export const UINT16: Type = { kind: 'uint', name: 'uint16' };
export const FLOAT64: Type = { kind: 'float', name: 'float64' };
const COMPLEX128: Type = { kind: 'complex', name: 'complex128' };
export const STRING: Type = { kind: 'string', name: 'string' };
export const ANY: Type = { kind: 'interface', name: 'interface {}' };

export function sliceOf(elem: Type): Type {
  return { kind: 'slice', name: `[]${elem.name}`, elem };
}

export function mapOf(elem: Type): Type {
  return { kind: 'map', name: `map[string]${elem.name}`, elem };
}

export const ANY_SLICE = sliceOf(ANY);
export const STRING_SLICE = sliceOf(STRING);
export const INT_SLICE = sliceOf(INT);
export const ANY_MAP = mapOf(ANY);

/** An integer of another type than int: a byte of a string, a port, a month. */
export class SizedInt {
  readonly type: Type;
  readonly value: bigint;
  constructor(type: Type, value: bigint) {
    this.type = type;
    this.value = value;
  }
}

export class Complex {
  readonly type = COMPLEX128;
  readonly re: number;
  readonly im: number;
  constructor(re: number, im: number) {
    this.re = re;
    this.im = im;
  }
}

/** Elements are shared by who holds the slice, as in Go: `reverse` and the sorts change them in place. */
export class Slice {
  readonly type: Type;
  readonly items: Held[];
  readonly isNil: boolean;
  constructor(type: Type, items: Held[], isNil = false) {
    this.type = type;
    this.items = items;
    this.isNil = isNil;
  }
}

/** A map by string; there are no others. */
export class GoMap {
  readonly type: Type;
  readonly entries: ReadonlyMap<string, Held>;
  readonly isNil: boolean;
  constructor(type: Type, entries: ReadonlyMap<string, Held>, isNil = false) {
    this.type = type;
    this.entries = entries;
    this.isNil = isNil;
  }
}

/** Fields in the order of the type's. */
export class Struct {
  readonly type: Type;
  readonly values: readonly Held[];
  constructor(type: Type, values: readonly Held[]) {
    this.type = type;
    this.values = values;
  }
}

export class Pointer {
  readonly type: Type;
  readonly target: Struct;
  constructor(target: Struct) {
    this.type = { kind: 'pointer', name: `*${target.type.name}`, elem: target.type };
    this.target = target;
  }
}

/** What an `interface {}` holds, while it is still known to be one. */
export class Boxed {
  readonly inner: Held;
  constructor(inner: Held) {
    this.inner = inner;
  }
}

export type Concrete =
  | boolean
  | bigint
  | number
  | string
  | SizedInt
  | Complex
  | Slice
  | GoMap
  | Struct
  | Pointer
  | Time;
/** What containers hold: undefined is nil. */
export type Held = Concrete | undefined;
export type Value = Held | Boxed;

/** The type, or undefined for no value. */
export function typeOf(value: Value): Type | undefined {
  if (typeof value === 'object') return value instanceof Boxed ? ANY : value.type;
  return PRIMITIVES[typeof value];
}

const PRIMITIVES: Readonly<Record<string, Type>> = {
  boolean: BOOL,
  bigint: INT,
  number: FLOAT64,
  string: STRING,
};

/** The bytes of a string, where the type says that it is one. */
export function stringOf(value: Value): string {
  return typeof value === 'string' ? value : '';
}

/** The number of an int, where the type says that it is one. */
export function intOf(value: Value): bigint {
  return typeof value === 'bigint' ? value : 0n;
}

/** The value inside an interface, or the value itself. */
export function unbox(value: Value): Held {
  return value instanceof Boxed ? value.inner : value;
}

/** As Go takes an element out of a container with elements of type `elem`. */
export function element(elem: Type | undefined, held: Held): Value {
  return elem?.kind === 'interface' ? new Boxed(held) : held;
}

/** Integers of every type, as bigint; undefined for what is none. */
export function integerOf(value: Value): bigint | undefined {
  if (typeof value === 'bigint') return value;
  return value instanceof SizedInt ? value.value : undefined;
}

/** What Go has for a type when nothing was said: 0, "", nil. */
export function zeroOf(type: Type): Held {
  return ZEROS[type.kind]?.(type);
}

/** Not of pointers and interfaces, which are nil. */
const ZEROS: Partial<Record<Kind, (type: Type) => Held>> = {
  bool: () => false,
  int: () => 0n,
  uint: (type) => new SizedInt(type, 0n),
  float: () => 0,
  complex: () => new Complex(0, 0),
  string: () => '',
  slice: (type) => new Slice(type, [], true),
  map: (type) => new GoMap(type, new Map(), true),
  struct: (type) =>
    new Struct(
      type,
      (type.fields ?? []).map(() => ''),
    ),
};

/** Whether a value of type `from` may be given where `to` is wanted. */
export function isAssignable(from: Type, to: Type): boolean {
  return (
    from.name === to.name ||
    to.kind === 'interface' ||
    (from.underlying ?? from.name) === (to.underlying ?? to.name)
  );
}

/** Go's truth: not the zero of its type; structs are always true. */
export function isTrue(value: Value): boolean {
  const inner = unbox(value);
  if (inner === undefined) return false;
  if (typeof inner !== 'object') return Boolean(inner) || Number.isNaN(inner);
  if (inner instanceof Slice) return inner.items.length > 0;
  if (inner instanceof GoMap) return inner.entries.size > 0;
  if (inner instanceof SizedInt) return inner.value !== 0n;
  if (inner instanceof Complex) return inner.re !== 0 || inner.im !== 0;
  return true;
}

/** Entries in the order in which Go ranges over and prints them. */
export function sortedEntries(map: GoMap): [string, Held][] {
  return [...map.entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** An int wraps around at 64 bits. */
export function wrapInt(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

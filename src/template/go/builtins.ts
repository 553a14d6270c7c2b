/** The functions that every template has. */
import { COMPARISONS } from './compare.ts';
import { Refusal } from './errors.ts';
import { htmlEscaped, jsEscaped, urlQueryEscaped } from './escape.ts';
import { printed } from './execution.ts';
import type { Functions, GoFunction } from './function.ts';
import { sprint, sprintf, sprintln } from './print.ts';
import {
  ANY,
  element,
  GoMap,
  type Held,
  integerOf,
  isTrue,
  Pointer,
  SizedInt,
  Slice,
  STRING,
  stringOf,
  typeOf,
  UINT8,
  unbox,
  type Value,
  zeroOf,
} from './values.ts';

const held = (args: readonly Value[]): Held[] => args.map(unbox);

/** The text of several values as one, as an action would write each of them. */
const joined = (escape: (text: string) => string): GoFunction => ({
  params: [],
  variadic: ANY,
  call: (args) =>
    escape(
      sprint(held(args).map((arg) => (arg === undefined || arg instanceof Pointer ? printed(arg) : arg))),
    ),
});

const searching = (decisive: boolean): GoFunction => ({
  params: ['value'],
  variadic: 'value',
  shortCircuit: decisive,
  call: ([first]) => first,
});

export const BUILTINS: Functions = new Map<string, GoFunction>(
  Object.entries({
    ...COMPARISONS,
    and: searching(false),
    or: searching(true),
    not: { params: ['value'], call: ([arg]: readonly Value[]) => !isTrue(arg) },
    len: { params: ['value'], call: ([item]: readonly Value[]) => lengthOf(item) },
    index: {
      params: ['value'],
      variadic: 'value',
      call: ([item, ...indexes]: readonly Value[]) => indexed(item, indexes),
    },
    slice: {
      params: ['value'],
      variadic: 'value',
      call: ([item, ...indexes]: readonly Value[]) => sliced(item, indexes),
    },
    call: { params: ['value'], variadic: 'value', call: ([callee]: readonly Value[]) => refuseCall(callee) },
    print: { params: [], variadic: ANY, call: (args: readonly Value[]) => sprint(held(args)) },
    println: { params: [], variadic: ANY, call: (args: readonly Value[]) => sprintln(held(args)) },
    printf: {
      params: [STRING],
      variadic: ANY,
      call: ([format, ...args]: readonly Value[]) => sprintf(stringOf(format), held(args)),
    },
    html: joined(htmlEscaped),
    js: joined(jsEscaped),
    urlquery: joined(urlQueryEscaped),
  }),
);

function lengthOf(item: Value): bigint {
  const inner = unbox(item);
  if (typeof inner === 'string') return BigInt(inner.length);
  if (inner instanceof Slice) return BigInt(inner.items.length);
  if (inner instanceof GoMap) return BigInt(inner.entries.size);
  if (inner !== undefined) {
    const type = inner instanceof Pointer ? inner.target.type : typeOf(inner);
    throw new Refusal(`len of type ${type?.name}`);
  }
  throw new Refusal(
    item === undefined ? 'reflect: call of reflect.Value.Type on zero Value' : 'len of nil pointer',
  );
}

/** `index x 1 2 3` is `x[1][2][3]`. */
function indexed(start: Value, indexes: readonly Value[]): Value {
  let item: Value = unbox(start);
  if (item === undefined) throw new Refusal('index of untyped nil');
  for (const index of indexes.map(unbox)) {
    const inner = unbox(item);
    if (inner === undefined) throw new Refusal('index of nil pointer');
    item = indexedOnce(inner, index);
  }
  return item;
}

function indexedOnce(item: Held, index: Held): Value {
  if (typeof item === 'string') {
    const at = position(index, item.length);
    if (at === item.length) throw new Refusal('reflect: string index out of range');
    return new SizedInt(UINT8, BigInt(item.charCodeAt(at)));
  }
  if (item instanceof Slice) {
    const at = position(index, item.items.length);
    if (at === item.items.length) throw new Refusal('reflect: slice index out of range');
    return element(item.type.elem, item.items[at]);
  }
  const type = typeOf(item instanceof Pointer ? item.target : item);
  if (!(item instanceof GoMap)) throw new Refusal(`can't index item of type ${type?.name}`);
  if (index === undefined) throw new Refusal('value is nil; should be of type string');
  if (typeof index !== 'string') throw new Refusal(`value has type ${typeOf(index)?.name}; should be string`);
  const { elem } = item.type;
  const missing = elem === undefined ? undefined : zeroOf(elem);
  return element(elem, item.entries.has(index) ? item.entries.get(index) : missing);
}

/** `slice x 1 2` is `x[1:2]`. */
function sliced(start: Value, indexes: readonly Value[]): Value {
  const item = unbox(start);
  if (item === undefined) throw new Refusal('slice of untyped nil');
  if (indexes.length > 3) throw new Refusal(`too many slice indexes: ${indexes.length}`);
  if (typeof item === 'string' && indexes.length === 3) throw new Refusal('cannot 3-index slice a string');
  if (typeof item !== 'string' && !(item instanceof Slice))
    throw new Refusal(`can't slice item of type ${typeOf(item)?.name}`);
  const length = typeof item === 'string' ? item.length : item.items.length;
  const [from = 0, to = length, capacity = length] = indexes.map((index) => position(unbox(index), length));
  if (from > to) throw new Refusal(`invalid slice index: ${from} > ${to}`);
  if (to > capacity) throw new Refusal(`invalid slice index: ${to} > ${capacity}`);
  return typeof item === 'string' ? item.slice(from, to) : new Slice(item.type, item.items.slice(from, to));
}

/** An index that may be as large as the length; who reads an element there is refused once more, by the reader. */
function position(index: Held, length: number): number {
  const whole = integerOf(index);
  if (index === undefined) throw new Refusal('cannot index slice/array with nil');
  if (whole === undefined) throw new Refusal(`cannot index slice/array with type ${typeOf(index)?.name}`);
  if (whole < 0n || whole > BigInt(length)) throw new Refusal(`index out of range: ${whole}`);
  return Number(whole);
}

/** No value of ours is a function. */
function refuseCall(callee: Value): never {
  const type = typeOf(unbox(callee));
  throw new Refusal(type === undefined ? 'call of nil' : `non-function of type ${type.name}`);
}

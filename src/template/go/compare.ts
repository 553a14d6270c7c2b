/** `eq`, `ne`, `lt`, `le`, `gt`, `ge`, and which values they refuse to compare. */
import { sprint, sprintf } from './print.ts';
import { Refusal } from './errors.ts';
import {
  Complex,
  GoMap,
  type Held,
  integerOf,
  Pointer,
  Slice,
  Struct,
  typeOf,
  unbox,
  type Value,
} from './values.ts';
import type { GoFunction } from './function.ts';
import { Time } from './time.ts';

const BAD_TYPE = 'invalid type for comparison';
const INCOMPATIBLE = 'incompatible types for comparison';

/** Values that Go compares with each other; integers of all types are one such kind here, as their values decide. */
type Comparable = 'bool' | 'complex' | 'integer' | 'float' | 'string' | undefined;

const COMPARABLE: Readonly<Record<string, Comparable>> = {
  bool: 'bool',
  complex: 'complex',
  int: 'integer',
  uint: 'integer',
  float: 'float',
  string: 'string',
};

function comparableKind(value: Held): Comparable {
  return COMPARABLE[typeOf(value)?.kind ?? ''];
}

/** Whether the first equals one of the others. */
function isEqualToAny(args: readonly Value[]): boolean {
  const [first, ...others] = args.map(unbox);
  if (others.length === 0) throw new Refusal('missing argument for comparison');
  return others.some((other) => isEqual(first, other));
}

function isEqual(a: Held, b: Held): boolean {
  const kind = comparableKind(a);
  if (kind !== comparableKind(b)) {
    if (a !== undefined && b !== undefined) throw new Refusal(INCOMPATIBLE);
    return false;
  }
  if (kind === 'integer') return integerOf(a) === integerOf(b);
  if (a instanceof Complex && b instanceof Complex) return a.re === b.re && a.im === b.im;
  return kind === undefined ? isEqualComposite(a, b) : a === b;
}

function isEqualComposite(a: Held, b: Held): boolean {
  const kindA = typeOf(a)?.kind;
  const kindB = typeOf(b)?.kind;
  if (kindA !== kindB && a !== undefined && b !== undefined)
    throw new Refusal(`non-comparable types ${sprintType(a)}, ${typeOf(b)?.name}: ${sprint([b])}`);
  if (isNil(a) || isNil(b)) return isNil(a) === isNil(b);
  if (b instanceof Slice || b instanceof GoMap) throw new Refusal(`non-comparable type ${sprintType(b)}`);
  if (a instanceof Struct && b instanceof Struct)
    return a.type.name === b.type.name && a.values.every((value, index) => value === b.values[index]);
  if (a instanceof Time && b instanceof Time) return a.toString() === b.toString();
  return a instanceof Pointer && b instanceof Pointer && a.target === b.target;
}

function sprintType(value: Held): string {
  return `${sprintf('%s', [value])}: ${typeOf(value)?.name}`;
}

function isNil(value: Held): boolean {
  return value === undefined || ((value instanceof Slice || value instanceof GoMap) && value.isNil);
}

function isLess(a: Held, b: Held): boolean {
  const kindA = comparableKind(a);
  const kindB = comparableKind(b);
  if (kindA === undefined || kindB === undefined) throw new Refusal(BAD_TYPE);
  if (kindA !== kindB) throw new Refusal(INCOMPATIBLE);
  if (kindA === 'bool' || kindA === 'complex') throw new Refusal(BAD_TYPE);
  const [intA, intB] = [integerOf(a), integerOf(b)];
  if (intA !== undefined && intB !== undefined) return intA < intB;
  if (typeof a === 'number' && typeof b === 'number') return a < b;
  return typeof a === 'string' && typeof b === 'string' && a < b;
}

const ordering = (decide: (a: Held, b: Held) => boolean): GoFunction => ({
  params: ['value', 'value'],
  call: ([a, b]) => decide(unbox(a), unbox(b)),
});
const isLessOrEqual = (a: Held, b: Held): boolean => isLess(a, b) || isEqual(a, b);

export const COMPARISONS: Readonly<Record<string, GoFunction>> = {
  eq: { params: ['value'], variadic: 'value', call: isEqualToAny },
  ne: { params: ['value', 'value'], call: (args) => !isEqualToAny(args) },
  lt: ordering(isLess),
  le: ordering(isLessOrEqual),
  gt: ordering((a, b) => !isLessOrEqual(a, b)),
  ge: ordering((a, b) => !isLess(a, b)),
};

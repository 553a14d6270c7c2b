/**
 * Literals of numbers. A Go constant has no type until it is used, so a literal answers for each type whether it can be
 * one: 3.0 and 'a' can be an int, 7 can be a float, 1e1000 nothing.
 */
import { Complex } from './values.ts';

export interface NumberLiteral {
  readonly int: bigint | undefined;
  readonly uint: bigint | undefined;
  readonly float: number | undefined;
  readonly complex: Complex | undefined;
}

const INT_MAX = 2n ** 63n - 1n;
const INT_MIN = -(2n ** 63n);
const UINT_MAX = 2n ** 64n - 1n;

/** The meaning of a rune: `'a'` is 97. */
export function runeLiteral(code: number): NumberLiteral {
  return { int: BigInt(code), uint: BigInt(code), float: code, complex: undefined };
}

/** `1+2i`; undefined when it is malformed. */
export function complexLiteral(text: string): NumberLiteral | undefined {
  const split = text.search(/(?<=[^eEpP])[+-](?:[^+-]|[eEpP][+-])*$/);
  const re = parseFloat64(text.slice(0, split));
  const im = parseFloat64(text.slice(split, -1));
  return re === undefined || im === undefined ? undefined : simplified(new Complex(re, im));
}

/** A number, or what is wrong with it. */
export function numberLiteral(text: string): NumberLiteral | { readonly problem: string } {
  if (text.endsWith('i')) {
    const im = parseFloat64(text.slice(0, -1));
    if (im !== undefined) return simplified(new Complex(0, im));
  }
  const whole = parseInteger(text);
  const isSigned = /^[+-]/.test(text);
  const int = whole !== undefined && whole <= INT_MAX && whole >= INT_MIN ? whole : undefined;
  const uint =
    whole !== undefined && whole >= 0n && whole <= UINT_MAX && (!isSigned || whole === 0n)
      ? whole
      : undefined;
  if (int !== undefined || uint !== undefined)
    return { int, uint, float: Number(int ?? uint), complex: undefined };
  const float = parseFloat64(text);
  if (float === undefined) return { problem: `illegal number syntax: "${text}"` };
  if (!/[.eEpP]/.test(text)) return { problem: `integer overflow: "${text}"` };
  return { ...wholeOf(float), float, complex: undefined };
}

/** `strconv.ParseInt(text, 0, …)` without its bounds: prefixes, and underscores between digits. */
export function parseInteger(text: string): bigint | undefined {
  const [, sign = '', digits = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (!/^(0[xX](_?[\da-fA-F])+|0[bB](_?[01])+|0[oO]?(_?[0-7])+|0|[1-9](_?\d)*)$/.test(digits))
    return undefined;
  const plain = digits.replaceAll('_', '').replace(/^0[oO]?(?=[0-7])/, '0o');
  return sign === '-' ? -BigInt(plain) : BigInt(plain);
}

/** `strconv.ParseFloat` for what a literal can look like; infinite results are refused as out of range. */
export function parseFloat64(text: string): number | undefined {
  const hex = /^([+-]?)0[xX]([\da-fA-F_]*)\.?([\da-fA-F_]*)[pP]([+-]?\d+)$/.exec(text);
  if (hex !== null) {
    const [, sign, whole = '', fraction = '', exponent] = hex;
    const digits = `${whole}${fraction}`.replaceAll('_', '');
    if (digits === '') return undefined;
    const scale = Number(exponent) - 4 * fraction.replaceAll('_', '').length;
    const value = Number(BigInt(`0x${digits}`)) * 2 ** scale;
    return Number.isFinite(value) ? (sign === '-' ? -value : value) : undefined;
  }
  if (!DECIMAL.test(text)) return undefined;
  const value = Number(text.replaceAll('_', ''));
  return Number.isFinite(value) ? value : undefined;
}

/** Underscores may stand between digits. */
const DECIMAL = /^[+-]?(?:\d(?:_?\d)*\.?(?:\d(?:_?\d)*)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?$/;

function wholeOf(float: number): Pick<NumberLiteral, 'int' | 'uint'> {
  const whole = Number.isInteger(float) ? BigInt(float) : undefined;
  return {
    int: whole !== undefined && whole <= INT_MAX && whole >= INT_MIN ? whole : undefined,
    uint: whole !== undefined && whole >= 0n && whole <= UINT_MAX ? whole : undefined,
  };
}

/** A complex number without an imaginary part may stand for a real one. */
function simplified(complex: Complex): NumberLiteral {
  if (complex.im !== 0) return { int: undefined, uint: undefined, float: undefined, complex };
  return { ...wholeOf(complex.re), float: complex.re, complex };
}

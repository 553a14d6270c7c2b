/** One value of a basic type as text, with fmt's flags, width and precision. */
import { decodeRune, encodeRune, isPrint, RUNE_ERROR, runeCount } from './bytes.ts';
import { type FloatVerb, formatFloat } from './float-text.ts';
import { canBackquote, quote, quoteRune } from './quote.ts';

/** What stands between `%` and the verb. */
export interface Flags {
  plus: boolean;
  minus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  width: number | undefined;
  precision: number | undefined;
  /** `%+v`: names of fields. */
  plusV: boolean;
  /** `%#v`: Go's syntax. */
  sharpV: boolean;
}

export function noFlags(): Flags {
  return {
    plus: false,
    minus: false,
    sharp: false,
    space: false,
    zero: false,
    width: undefined,
    precision: undefined,
    plusV: false,
    sharpV: false,
  };
}

const RUNE_MAX = 0x10ffffn;

export function padded(text: string, { width, minus, zero }: Flags): string {
  const missing = (width ?? 0) - runeCount(text);
  if (missing <= 0) return text;
  return minus ? text + (zero ? '0' : ' ').repeat(missing) : (zero ? '0' : ' ').repeat(missing) + text;
}

const spacePadded = (text: string, flags: Flags): string => padded(text, { ...flags, zero: false });

export function formatString(text: string, flags: Flags): string {
  return padded(truncated(text, flags), flags);
}

export function formatQuoted(text: string, flags: Flags): string {
  const shown = truncated(text, flags);
  return padded(flags.sharp && canBackquote(shown) ? `\`${shown}\`` : quote(shown, flags.plus), flags);
}

/** `%x` of a string: its bytes. */
export function formatHexString(text: string, flags: Flags, isUpper: boolean): string {
  const shown = text.slice(0, flags.precision ?? text.length);
  const prefix = flags.sharp ? '0x' : '';
  const bytes = Array.from(shown, (char) => char.charCodeAt(0).toString(16).padStart(2, '0'));
  const all = flags.space ? bytes.map((byte) => prefix + byte).join(' ') : bytes.join('');
  const hex = flags.space || all === '' ? all : prefix + all;
  return padded(isUpper ? hex.toUpperCase() : hex, flags);
}

export function formatInteger(value: bigint, base: 2 | 8 | 10 | 16, flags: Flags, verb = 'd'): string {
  const sign = value < 0n ? '-' : flags.plus ? '+' : flags.space ? ' ' : '';
  if (flags.precision === 0 && value === 0n) return ' '.repeat(flags.width ?? 0);
  const zeros = flags.precision ?? (flags.zero ? (flags.width ?? 0) - sign.length : 0);
  const digits = (value < 0n ? -value : value).toString(base).padStart(zeros, '0');
  const octal = flags.sharp && !digits.startsWith('0') ? '0' : '';
  const prefix = flags.sharp ? { 2: '0b', 8: octal, 10: '', 16: '0x' }[base] : '';
  const text = `${verb === 'O' ? '0o' : ''}${prefix}${digits}`;
  return spacePadded(sign + (verb === 'X' ? text.toUpperCase() : text), flags);
}

/** `%c` and `%q` of integers. */
export function formatRune(value: bigint, flags: Flags): string {
  return padded(encodeRune(runeOf(value)), flags);
}

export function formatQuotedRune(value: bigint, flags: Flags): string {
  return padded(quoteRune(runeOf(value), flags.plus), flags);
}

/** Negative values are huge as unsigned ones. */
function runeOf(value: bigint): number {
  return value < 0n || value > RUNE_MAX ? RUNE_ERROR : Number(value);
}

/** `U+0078`, with `#` also `'x'`. */
export function formatUnicode(value: bigint, flags: Flags): string {
  const code = BigInt.asUintN(64, value);
  const hex = code
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(flags.precision ?? 4, 4), '0');
  const shown =
    flags.sharp && code <= RUNE_MAX && isPrint(Number(code)) ? ` '${encodeRune(Number(code))}'` : '';
  return spacePadded(`U+${hex}${shown}`, flags);
}

export function formatFloatFlags(
  value: number,
  verb: FloatVerb,
  flags: Flags,
  usual: number | undefined,
): string {
  const precision = flags.precision ?? usual;
  const signed = formatFloat(value, verb, precision).replace(/^(?![+-])/, '+');
  const sign = signed.startsWith('+') && flags.space && !flags.plus ? ' ' : (signed[0] ?? '');
  const number = signed.slice(1);
  if (!Number.isFinite(value)) {
    const isBare = Number.isNaN(value) && !flags.space && !flags.plus;
    return spacePadded(isBare ? number : sign + number, flags);
  }
  const shown = flags.sharp && verb !== 'b' ? withPoint(number, verb, precision) : number;
  if (!flags.plus && sign === '+') return padded(shown, flags);
  if (flags.zero && (flags.width ?? 0) > shown.length + 1)
    return sign + padded(shown, { ...flags, width: (flags.width ?? 0) - 1 });
  return padded(sign + shown, flags);
}

/** The sharp flag: a decimal point always, and the zeros that `%g` drops. */
function withPoint(number: string, verb: FloatVerb, precision: number | undefined): string {
  const tailAt = verb === 'x' || verb === 'X' ? number.search(/p/i) : number.search(/[ep]/i);
  const head = tailAt < 0 ? number : number.slice(0, tailAt);
  const tail = tailAt < 0 ? '' : number.slice(tailAt);
  const wanted = ['g', 'G', 'x'].includes(verb) ? (precision ?? 6) : 0;
  const significant = head.replace(/^[0.]*/, '').replace('.', '').length;
  const missing = wanted - significant - (head === '0' ? 1 : 0);
  return `${head}${head.includes('.') ? '' : '.'}${'0'.repeat(Math.max(missing, 0))}${tail}`;
}

function truncated(text: string, { precision }: Flags): string {
  if (precision === undefined) return text;
  let end = 0;
  for (let left = precision; left > 0 && end < text.length; left -= 1) end += decodeRune(text, end).width;
  return text.slice(0, end);
}

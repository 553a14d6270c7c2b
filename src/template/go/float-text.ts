/**
 * Floats as text, as `strconv.FormatFloat(value, verb, precision, 64)` writes them. JavaScript's own `toFixed` and kin
 * round ties up, Go rounds them to even, so the exact decimal expansion is rounded here.
 */

/** `0.digits × 10^point`, without trailing zeros; zero has no digits. */
interface Decimal {
  readonly digits: string;
  readonly point: number;
}

export type FloatVerb = 'b' | 'e' | 'E' | 'f' | 'g' | 'G' | 'x' | 'X';

/** `precision` undefined: as many digits as tell the value from its neighbours. */
export function formatFloat(value: number, verb: FloatVerb, precision: number | undefined): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value < 0 ? '-Inf' : '+Inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  return sign + unsigned(Math.abs(value), verb, precision);
}

function unsigned(value: number, verb: FloatVerb, precision: number | undefined): string {
  const text = WRITERS[lowered(verb)](value, precision);
  return verb === lowered(verb) ? text : text.toUpperCase();
}

const lowered = (verb: FloatVerb): 'b' | 'e' | 'f' | 'g' | 'x' =>
  verb === 'E' ? 'e' : verb === 'G' ? 'g' : verb === 'X' ? 'x' : verb;

const WRITERS = { b: binaryText, e: scientific, f: fixed, g: general, x: hexadecimal };

function binaryText(value: number): string {
  const { mantissa, exponent } = binaryOf(value);
  return `${mantissa}p${exponent < 0 ? '' : '+'}${exponent}`;
}

function fixed(value: number, precision: number | undefined): string {
  const exact = precision === undefined ? shortest(value) : exactly(value);
  const rounded = precision === undefined ? exact : round(exact, exact.point + precision);
  return plain(rounded, precision ?? Math.max(rounded.digits.length - rounded.point, 0));
}

function scientific(value: number, precision: number | undefined): string {
  const decimal = precision === undefined ? shortest(value) : round(exactly(value), precision + 1);
  return withExponent(decimal, precision ?? Math.max(decimal.digits.length - 1, 0));
}

/** The shorter of the two, as C decides it: by the exponent. */
function general(value: number, precision: number | undefined): string {
  const wanted = precision === 0 ? 1 : precision;
  const decimal = wanted === undefined ? shortest(value) : round(exactly(value), wanted);
  const count = decimal.digits.length;
  const exponent = decimal.point - 1;
  const limit = wanted === undefined ? 6 : wanted > count && count >= decimal.point ? count : wanted;
  if (exponent < -4 || exponent >= limit)
    return withExponent(decimal, Math.max(Math.min(wanted ?? count, count) - 1, 0));
  return plain(decimal, Math.max(count - decimal.point, 0));
}

function plain({ digits, point }: Decimal, decimals: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0';
  if (decimals <= 0) return whole;
  const fraction = point < 0 ? '0'.repeat(-point) + digits : digits.slice(Math.max(point, 0));
  return `${whole}.${fraction.padEnd(decimals, '0').slice(0, decimals)}`;
}

function withExponent({ digits, point }: Decimal, decimals: number): string {
  const fraction = decimals > 0 ? `.${digits.slice(1).padEnd(decimals, '0').slice(0, decimals)}` : '';
  return `${digits[0] ?? '0'}${fraction}e${exponentText(digits === '' ? 0 : point - 1)}`;
}

function exponentText(exponent: number): string {
  return `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** JavaScript's shortest digits are Go's. */
function shortest(value: number): Decimal {
  if (value === 0) return { digits: '', point: 0 };
  const [digits = '', exponent = ''] = value.toExponential().replace('.', '').split('e');
  return { digits, point: Number(exponent) + 1 };
}

/** Every digit: a binary fraction with k places has k decimal places. */
function exactly(value: number): Decimal {
  const { mantissa, exponent } = binaryOf(value);
  const places = Math.max(-exponent, 0);
  const digits = (exponent < 0 ? mantissa * 5n ** BigInt(places) : mantissa << BigInt(exponent)).toString();
  return value === 0 ? { digits: '', point: 0 } : trimmed(digits, digits.length - places);
}

/** To `count` digits, ties to even. */
function round({ digits, point }: Decimal, count: number): Decimal {
  if (count >= digits.length) return { digits, point };
  if (count < 0) return { digits: '', point: 0 };
  const kept = digits.slice(0, count);
  const rest = digits.slice(count);
  const isTie = /^50*$/.test(rest);
  const isUp = isTie ? /[13579]$/.test(kept) : rest >= '5';
  if (!isUp) return trimmed(kept, point);
  const next = (BigInt(kept === '' ? 0 : kept) + 1n).toString().padStart(count, '0');
  return trimmed(next, point + next.length - count);
}

function trimmed(digits: string, point: number): Decimal {
  const significant = digits.replace(/0+$/, '');
  return significant === '' ? { digits: '', point: 0 } : { digits: significant, point };
}

const MANTISSA_BITS = 52;

/** `mantissa × 2^exponent`, as the 64 bits have it. */
function binaryOf(value: number): { readonly mantissa: bigint; readonly exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & (2n ** 52n - 1n);
  return {
    mantissa: biased === 0 ? fraction : fraction | (1n << 52n),
    exponent: Math.max(biased, 1) - 1023 - MANTISSA_BITS,
  };
}

/** `0x1.8p+01` */
function hexadecimal(value: number, precision: number | undefined): string {
  const point = 60n;
  const one = 1n << point;
  const binary = binaryOf(value);
  let mantissa = binary.mantissa << (point - BigInt(MANTISSA_BITS));
  let exponent = value === 0 ? 0 : binary.exponent + MANTISSA_BITS;
  while (mantissa !== 0n && mantissa < one) {
    mantissa <<= 1n;
    exponent -= 1;
  }
  if (precision !== undefined && precision < 15) {
    const unit = 1n << (point - BigInt(precision) * 4n);
    const rest = mantissa % unit;
    const isUp = rest * 2n > unit || (rest * 2n === unit && (mantissa / unit) % 2n === 1n);
    mantissa = (mantissa / unit + (isUp ? 1n : 0n)) * unit;
    if (mantissa >= 2n * one) {
      mantissa >>= 1n;
      exponent += 1;
    }
  }
  const digits = (mantissa % one).toString(16).padStart(15, '0');
  const fraction =
    precision === undefined ? digits.replace(/0+$/, '') : digits.padEnd(precision, '0').slice(0, precision);
  return `0x${mantissa / one}${fraction === '' ? '' : `.${fraction}`}p${exponentText(exponent)}`;
}

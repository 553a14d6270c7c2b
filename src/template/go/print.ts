/** Go's fmt: `Sprint`, `Sprintln` and `Sprintf` over the values of `values.ts`, with its complaints in the output. */
import { decodeRune, encodeRune } from './bytes.ts';
import {
  type Flags,
  formatFloatFlags,
  formatHexString,
  formatInteger,
  formatQuoted,
  formatQuotedRune,
  formatRune,
  formatString,
  formatUnicode,
  noFlags,
  padded,
} from './format.ts';
import type { FloatVerb } from './float-text.ts';
import { Time } from './time.ts';
import {
  Complex,
  GoMap,
  type Held,
  integerOf,
  Pointer,
  SizedInt,
  Slice,
  sortedEntries,
  Struct,
  typeOf,
} from './values.ts';

/** Spaces between two that are both no strings. */
export function sprint(args: readonly Held[]): string {
  let out = '';
  for (const [index, arg] of args.entries()) {
    const isApart = index > 0 && typeof arg !== 'string' && typeof args[index - 1] !== 'string';
    out += (isApart ? ' ' : '') + formatArg(arg, 'v', noFlags());
  }
  return out;
}

export function sprintln(args: readonly Held[]): string {
  return `${args.map((arg) => formatArg(arg, 'v', noFlags())).join(' ')}\n`;
}

export function sprintf(format: string, args: readonly Held[]): string {
  return new Formatter(format, args).run();
}

/** Widths and precisions above are not believed. */
const NUMBER_MAX = 1_000_000;

const FLAGS: Readonly<Record<string, (flags: Flags) => void>> = {
  '#': (flags) => {
    flags.sharp = true;
  },
  '+': (flags) => {
    flags.plus = true;
  },
  ' ': (flags) => {
    flags.space = true;
  },
  // Zeros never go to the right.
  '0': (flags) => {
    flags.zero = !flags.minus;
  },
  '-': (flags) => {
    flags.minus = true;
    flags.zero = false;
  },
};

/** One pass over a format: flags, argument numbers, width, precision, verb; again and again. */
class Formatter {
  readonly #format: string;
  readonly #args: readonly Held[];
  #at = 0;
  #arg = 0;
  #isReordered = false;
  #isGoodArg = true;
  #afterIndex = false;
  #out = '';

  constructor(format: string, args: readonly Held[]) {
    this.#format = format;
    this.#args = args;
  }

  run(): string {
    while (this.#at < this.#format.length) {
      const percent = this.#format.indexOf('%', this.#at);
      const end = percent < 0 ? this.#format.length : percent;
      this.#out += this.#format.slice(this.#at, end);
      this.#at = end + 1;
      if (percent >= 0) this.#directive();
    }
    if (!this.#isReordered && this.#arg < this.#args.length) this.#out += extra(this.#args.slice(this.#arg));
    return this.#out;
  }

  #directive(): void {
    this.#isGoodArg = true;
    const flags = this.#flags();
    this.#index();
    this.#width(flags);
    this.#precision(flags);
    if (!this.#afterIndex) this.#index();
    if (this.#at >= this.#format.length) {
      this.#out += '%!(NOVERB)';
      return;
    }
    const { code, width } = decodeRune(this.#format, this.#at);
    this.#at += width;
    this.#verb(encodeRune(code), flags);
  }

  #verb(verb: string, flags: Flags): void {
    if (verb === '%') this.#out += '%';
    else if (!this.#isGoodArg) this.#out += `%!${verb}(BADINDEX)`;
    else if (this.#arg >= this.#args.length) this.#out += `%!${verb}(MISSING)`;
    else {
      if (verb === 'v') {
        flags.sharpV = flags.sharp;
        flags.plusV = flags.plus;
        flags.sharp = false;
        flags.plus = false;
      }
      this.#out += formatArg(this.#args[this.#arg], verb, flags);
      this.#arg += 1;
    }
  }

  #flags(): Flags {
    const flags = noFlags();
    for (;;) {
      const set = FLAGS[this.#format[this.#at] ?? ''];
      if (set === undefined) return flags;
      set(flags);
      this.#at += 1;
    }
  }

  #width(flags: Flags): void {
    if (this.#format[this.#at] === '*') {
      flags.width = this.#starred('%!(BADWIDTH)');
      if (flags.width === undefined || flags.width >= 0) return;
      flags.width = -flags.width;
      flags.minus = true;
      flags.zero = false;
      return;
    }
    flags.width = this.#number();
    if (this.#afterIndex && flags.width !== undefined) this.#isGoodArg = false;
  }

  #precision(flags: Flags): void {
    if (this.#format[this.#at] !== '.' || this.#at + 1 >= this.#format.length) return;
    this.#at += 1;
    if (this.#afterIndex) this.#isGoodArg = false;
    this.#index();
    if (this.#format[this.#at] !== '*') {
      flags.precision = this.#number() ?? 0;
      return;
    }
    const precision = this.#starred('%!(BADPREC)', (number) => number >= 0);
    flags.precision = precision;
  }

  /** A width or precision out of the arguments. */
  #starred(complaint: string, isGood: (number: number) => boolean = () => true): number | undefined {
    this.#at += 1;
    this.#afterIndex = false;
    const value = integerOf(this.#args[this.#arg]);
    if (this.#arg < this.#args.length) this.#arg += 1;
    const number = value === undefined ? undefined : Number(value);
    if (number !== undefined && Math.abs(number) <= NUMBER_MAX && isGood(number)) return number;
    this.#out += complaint;
    return undefined;
  }

  #number(): number | undefined {
    const digits = /\d*/y;
    digits.lastIndex = this.#at;
    const text = digits.exec(this.#format)?.[0] ?? '';
    if (text === '') return undefined;
    if (Number(text) > NUMBER_MAX * 10) {
      // As Go: a number that is too large swallows what follows it.
      this.#at = this.#format.length;
      return undefined;
    }
    this.#at += text.length;
    return Number(text);
  }

  /** `[3]`: which argument is next. */
  #index(): void {
    this.#afterIndex = false;
    if (this.#format[this.#at] !== '[') return;
    this.#isReordered = true;
    const close = this.#format.indexOf(']', this.#at + 1);
    const inside = close < 0 ? '' : this.#format.slice(this.#at + 1, close);
    this.#at = close < 0 ? this.#at + 1 : close + 1;
    const isNumber = /^\d{1,7}$/.test(inside);
    const index = Number(inside) - 1;
    this.#afterIndex = isNumber;
    if (isNumber && index >= 0 && index < this.#args.length) this.#arg = index;
    else this.#isGoodArg = false;
  }
}

function extra(args: readonly Held[]): string {
  const shown = args.map((arg) => {
    const type = typeOf(arg);
    return type === undefined ? '<nil>' : `${type.name}=${formatArg(arg, 'v', noFlags())}`;
  });
  return `%!(EXTRA ${shown.join(', ')})`;
}

/** One argument by one verb. */
function formatArg(arg: Held, verb: string, flags: Flags): string {
  const type = typeOf(arg);
  if (type === undefined)
    return verb === 'v' || verb === 'T' ? padded('<nil>', flags) : badVerb(arg, verb, flags);
  if (verb === 'T') return formatString(type.name, flags);
  // Errors alone are wrapped, and no value is one.
  if (verb === 'w') return badVerb(arg, verb, flags);
  if (verb === 'p' && !['slice', 'map', 'pointer'].includes(type.kind)) return badVerb(arg, verb, flags);
  return formatValue(arg, verb, flags, 0);
}

/** `%!d(string=x)` */
function badVerb(value: Held, verb: string, flags: Flags): string {
  const type = typeOf(value);
  if (type === undefined) return `%!${verb}(<nil>)`;
  const shown =
    value instanceof SizedInt
      ? formatWhole(value, value.value, 'v', flags)
      : formatValue(value, 'v', flags, 0);
  return `%!${verb}(${type.name}=${shown})`;
}

/** Go shows the address, which we have not; nobody can rely on it. */
const SOME_ADDRESS = '0xc000012345';

function formatValue(value: Held, verb: string, flags: Flags, depth: number): string {
  if (value === undefined) return flags.sharpV ? 'interface {}(nil)' : '<nil>';
  if (typeof value === 'boolean')
    return verb === 't' || verb === 'v' ? padded(String(value), flags) : badVerb(value, verb, flags);
  if (typeof value === 'bigint') return formatWhole(value, value, verb, flags);
  if (typeof value === 'number') return formatReal(value, value, verb, flags);
  if (typeof value === 'string') return formatText(value, value, verb, flags);
  if (value instanceof SizedInt) return formatSized(value, verb, flags);
  if (value instanceof Complex) return formatComplex(value, verb, flags);
  if (value instanceof Time) return formatText(value, value.toString(), verb, flags);
  if (value instanceof Pointer)
    return depth === 0 && verb !== 'p' ? `&${formatValue(value.target, verb, flags, 1)}` : SOME_ADDRESS;
  return verb === 'p' ? SOME_ADDRESS : formatComposite(value, verb, flags, depth);
}

function formatSized(value: SizedInt, verb: string, flags: Flags): string {
  const { word } = value.type;
  return word === undefined || flags.sharpV || !WORD_VERBS.includes(verb)
    ? formatWhole(value, value.value, verb, flags)
    : formatText(value, word(value.value), verb, flags);
}

/** By which a value that prints as a word does. */
const WORD_VERBS: readonly string[] = ['v', 's', 'q', 'x', 'X'];

function formatComposite(value: Slice | GoMap | Struct, verb: string, flags: Flags, depth: number): string {
  const inner = (held: Held): string => formatValue(held, verb, flags, depth + 1);
  const separator = flags.sharpV ? ', ' : ' ';
  if (value instanceof Struct) {
    const isNamed = flags.plusV || flags.sharpV;
    const fields = value.values.map(
      (held, index) => `${isNamed ? `${value.type.fields?.[index]}:` : ''}${inner(held)}`,
    );
    return `${flags.sharpV ? value.type.name : ''}{${fields.join(separator)}}`;
  }
  if (flags.sharpV && value.isNil) return `${value.type.name}(nil)`;
  const parts =
    value instanceof Slice
      ? value.items.map(inner)
      : sortedEntries(value).map(([key, held]) => `${inner(key)}:${inner(held)}`);
  if (flags.sharpV) return `${value.type.name}{${parts.join(separator)}}`;
  return `${value instanceof GoMap ? 'map' : ''}[${parts.join(separator)}]`;
}

function formatWhole(value: Held, whole: bigint, verb: string, flags: Flags): string {
  switch (verb) {
    case 'v':
      return flags.sharpV && typeOf(value)?.kind === 'uint'
        ? formatInteger(whole, 16, { ...flags, sharp: true })
        : formatInteger(whole, 10, flags);
    case 'd':
      return formatInteger(whole, 10, flags);
    case 'b':
      return formatInteger(whole, 2, flags);
    case 'o':
    case 'O':
      return formatInteger(whole, 8, flags, verb);
    case 'x':
    case 'X':
      return formatInteger(whole, 16, flags, verb);
    case 'c':
      return formatRune(whole, flags);
    case 'q':
      return formatQuotedRune(whole, flags);
    case 'U':
      return formatUnicode(whole, flags);
    default:
      return badVerb(value, verb, flags);
  }
}

const FLOAT_VERBS: Readonly<Record<string, readonly [FloatVerb, number | undefined]>> = {
  v: ['g', undefined],
  b: ['b', undefined],
  g: ['g', undefined],
  G: ['G', undefined],
  x: ['x', undefined],
  X: ['X', undefined],
  f: ['f', 6],
  F: ['f', 6],
  e: ['e', 6],
  E: ['E', 6],
};

function formatReal(value: Held, real: number, verb: string, flags: Flags): string {
  const known = FLOAT_VERBS[verb];
  return known === undefined
    ? badVerb(value, verb, flags)
    : formatFloatFlags(real, known[0], flags, known[1]);
}

function formatComplex(value: Complex, verb: string, flags: Flags): string {
  if (FLOAT_VERBS[verb] === undefined) return badVerb(value, verb, flags);
  return `(${formatReal(value, value.re, verb, flags)}${formatReal(value, value.im, verb, { ...flags, plus: true })}i)`;
}

function formatText(value: Held, text: string, verb: string, flags: Flags): string {
  switch (verb) {
    case 'v':
      return flags.sharpV ? formatQuoted(text, flags) : formatString(text, flags);
    case 's':
      return formatString(text, flags);
    case 'x':
    case 'X':
      return formatHexString(text, flags, verb === 'X');
    case 'q':
      return formatQuoted(text, flags);
    default:
      return badVerb(value, verb, flags);
  }
}

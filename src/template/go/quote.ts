/** Go's quoting of strings and runes (`strconv.Quote` and kin) and its reverse, over strings of bytes. */
import { decodeRune, encodeRune, isPrint, isValidRune, RUNE_ERROR, runesOf } from './bytes.ts';

const NAMED_ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};
const ESCAPE_OF = new Map(Object.entries(NAMED_ESCAPES).map(([name, char]) => [char, `\\${name}`]));

/** `"…"` with everything escaped that does not print; with `asciiOnly` all that is not ASCII as well. */
export function quote(bytes: string, asciiOnly = false): string {
  let out = '"';
  let offset = 0;
  for (const { code, width } of runesOf(bytes)) {
    out +=
      code === RUNE_ERROR && width === 1
        ? `\\x${hex(bytes.charCodeAt(offset), 2)}`
        : escapeRune(code, '"', asciiOnly);
    offset += width;
  }
  return `${out}"`;
}

export function quoteRune(code: number, asciiOnly = false): string {
  return `'${escapeRune(isValidRune(code) ? code : RUNE_ERROR, "'", asciiOnly)}'`;
}

/** Whether a text can stand between backquotes unchanged. */
export function canBackquote(bytes: string): boolean {
  for (const { code, width } of runesOf(bytes)) {
    if (code === 0xfeff || (code === RUNE_ERROR && width === 1)) return false;
    if ((code < 0x20 && code !== 0x09) || code === 0x60 || code === 0x7f) return false;
  }
  return true;
}

/** What a string literal of a template means, or undefined when its escapes are wrong. */
export function unquote(literal: string): string | undefined {
  const mark = literal[0];
  if (literal.length < 2 || literal.at(-1) !== mark) return undefined;
  const inside = literal.slice(1, -1);
  if (mark === '`') return inside.includes('`') ? undefined : inside.replaceAll('\r', '');
  let out = '';
  for (let offset = 0; offset < inside.length; ) {
    const unit = unquoteChar(inside.slice(offset, offset + ESCAPE_BYTES_MAX), '"');
    if (unit === undefined || inside[offset] === '\n') return undefined;
    out += unit.isByte ? String.fromCharCode(unit.code) : encodeRune(unit.code);
    offset += unit.width;
  }
  return out;
}

/** `\U0010ffff` is the longest. */
const ESCAPE_BYTES_MAX = 10;

/** One char or escape. `isByte`: the code is a byte of the string, not a rune (`\xff`, `\377`). */
interface QuotedUnit {
  readonly code: number;
  readonly width: number;
  readonly isByte: boolean;
}

/** Reads the first char or escape of `text`; undefined when it is none that may stand between `mark`s. */
export function unquoteChar(text: string, mark: '"' | "'"): QuotedUnit | undefined {
  const first = text[0];
  if (first === undefined || first === mark) return undefined;
  if (first !== '\\') {
    const rune = decodeRune(text, 0);
    return { ...rune, isByte: rune.code < 0x80 };
  }
  const letter = text[1] ?? '';
  const named = NAMED_ESCAPES[letter] ?? (letter === mark ? mark : undefined);
  if (named !== undefined) return { code: named.charCodeAt(0), width: 2, isByte: true };
  const digits = /^\\(?:x([\da-fA-F]{2})|([0-7]{3})|u([\da-fA-F]{4})|U([\da-fA-F]{8}))/.exec(text);
  if (digits === null) return undefined;
  const [all, byte, octal, short, long] = digits;
  const code =
    octal === undefined ? Number.parseInt(byte ?? short ?? long ?? '', 16) : Number.parseInt(octal, 8);
  const isByte = byte !== undefined || octal !== undefined;
  if (isByte ? code > 255 : !isValidRune(code)) return undefined;
  return { code, width: all.length, isByte };
}

function escapeRune(code: number, mark: string, asciiOnly: boolean): string {
  const char = String.fromCodePoint(code);
  if (char === mark || char === '\\') return `\\${char}`;
  if (isPrint(code) && (code < 0x80 || !asciiOnly)) return encodeRune(code);
  const named = ESCAPE_OF.get(char);
  if (named !== undefined) return named;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

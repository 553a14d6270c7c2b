/**
 * Go's strings are bytes. The engine holds one as a JavaScript string with one char (0-255) a byte, so that lengths,
 * offsets, columns, comparisons and slices are Go's without a thought, and a value that is not UTF-8 passes unharmed.
 * Texts of our own in ASCII are such strings already; `fromText` and `toText` are the border to all other texts.
 */

/** Code points that Go's decoder answers with for bytes that are not UTF-8. */
export const RUNE_ERROR = 0xfffd;
const RUNE_MAX = 0x10ffff;

/** A decoded rune and how many bytes it took; a broken byte is `RUNE_ERROR` of width 1. */
export interface Rune {
  readonly code: number;
  readonly width: number;
}

export function fromText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function toText(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

export function isValidRune(code: number): boolean {
  return (code >= 0 && code < 0xd800) || (code > 0xdfff && code <= RUNE_MAX);
}

/** The bytes of one rune; what is no rune becomes U+FFFD. */
export function encodeRune(code: number): string {
  if (code >= 0 && code < 0x80) return String.fromCharCode(code);
  return fromText(String.fromCodePoint(isValidRune(code) ? code : RUNE_ERROR));
}

/** The rune at `offset`, which must be inside the text. The ranges of a second byte are those of RFC 3629. */
export function decodeRune(bytes: string, offset: number): Rune {
  const first = bytes.charCodeAt(offset);
  if (first < 0x80) return { code: first, width: 1 };
  const width = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  const broken = { code: RUNE_ERROR, width: 1 };
  if (first < 0xc2 || first > 0xf4 || offset + width > bytes.length) return broken;
  let code = first & (0xff >> (width + 1));
  for (let index = 1; index < width; index += 1) {
    const next = bytes.charCodeAt(offset + index);
    const low = index === 1 ? (SECOND_FROM[first] ?? 0x80) : 0x80;
    const high = index === 1 ? (SECOND_TO[first] ?? 0xbf) : 0xbf;
    if (next < low || next > high) return broken;
    code = (code << 6) | (next & 0x3f);
  }
  return { code, width };
}

/** No overlong forms, no surrogates, nothing past U+10FFFF. */
const SECOND_FROM: Readonly<Record<number, number>> = { 0xe0: 0xa0, 0xf0: 0x90 };
const SECOND_TO: Readonly<Record<number, number>> = { 0xed: 0x9f, 0xf4: 0x8f };

/** Every rune of a text, in order. */
export function* runesOf(bytes: string): Generator<Rune> {
  for (let offset = 0; offset < bytes.length; ) {
    const rune = decodeRune(bytes, offset);
    yield rune;
    offset += rune.width;
  }
}

export function runeCount(bytes: string): number {
  if (isAscii(bytes)) return bytes.length;
  let count = 0;
  for (const _ of runesOf(bytes)) count += 1;
  return count;
}

/** Runes changed one by one, as `strings.Map` does; broken bytes come out as U+FFFD. */
export function mapRunes(bytes: string, change: (text: string) => string): string {
  if (isAscii(bytes)) return Array.from(bytes, change).join('');
  return [...runesOf(bytes)].map(({ code }) => fromText(change(String.fromCodePoint(code)))).join('');
}

export function isAscii(bytes: string): boolean {
  return !/[\x80-\xff]/.test(bytes);
}

/** Go's unicode.IsLetter or IsDigit, or an underscore: what a name is made of. */
export function isAlphaNumeric(code: number): boolean {
  return /[\p{L}\p{Nd}_]/u.test(String.fromCodePoint(code));
}

/** Go's unicode.IsPrint: letters, marks, numbers, punctuation, symbols, and the ASCII space. */
export function isPrint(code: number): boolean {
  if (code < 0x7f) return code >= 0x20;
  return isValidRune(code) && /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(String.fromCodePoint(code));
}

/**
 * SASLprep (RFC 4013) as PostgreSQL does it: a password that it cannot prepare is used as it is, never refused,
 * and pure ASCII is never touched. Any other habit would lock out users whose verifier PostgreSQL made.
 */
import { isIn, LEFT_TO_RIGHT, PROHIBITED, RIGHT_TO_LEFT, UNASSIGNED } from './saslprep-tables.ts';

/** RFC 3454 table C.1.2: spaces that become U+0020. Looked at before the next table; U+200B is in both. */
const OTHER_SPACES = /[\u{A0}\u{1680}\u{2000}-\u{200B}\u{202F}\u{205F}\u{3000}]/gu;

/** Table B.1: code points that vanish (soft hyphen, joiners, variation selectors). Alternatives, not a class: some combine. */
const VANISHING =
  /\u{AD}|\u{34F}|\u{1806}|[\u{180B}-\u{180D}]|[\u{200B}-\u{200D}]|\u{2060}|[\u{FE00}-\u{FE0F}]|\u{FEFF}/gu;

/** The form of `password` that keys are derived from. */
export function saslprep(password: string): string {
  if (/^[\0-\x7f]*$/.test(password)) return password;
  const mapped = password.replace(OTHER_SPACES, ' ').replace(VANISHING, '');
  // The RFC judges the normalized text, PostgreSQL the text before: U+1F13B is refused though it becomes an "L".
  // It also makes us independent of the Unicode version in Node: what 3.2 does not know is never normalized.
  return isAllowed(mapped) ? mapped.normalize('NFKC') : password;
}

function isAllowed(mapped: string): boolean {
  const codePoints = Array.from(mapped, (character) => character.codePointAt(0) ?? 0);
  if (codePoints.length === 0) return false;
  if (codePoints.some((point) => isSurrogate(point) || isIn(PROHIBITED, point) || isIn(UNASSIGNED, point))) {
    return false;
  }
  if (!codePoints.some((point) => isIn(RIGHT_TO_LEFT, point))) return true;
  // RFC 3454 chapter 6: text from right to left must begin and end so, and hold nothing from left to right.
  return (
    isIn(RIGHT_TO_LEFT, codePoints[0] ?? 0) &&
    isIn(RIGHT_TO_LEFT, codePoints.at(-1) ?? 0) &&
    !codePoints.some((point) => isIn(LEFT_TO_RIGHT, point))
  );
}

function isSurrogate(codePoint: number): boolean {
  return codePoint >= 0xd800 && codePoint <= 0xdfff;
}

/**
 * The digest: one pass over the bytes of a text gives a key that is equal for texts that differ only in the values of
 * literals and in white space, so that one parse answers for all of them. It decides nothing about SQL: where it is not
 * certain it gives no key, and the text is known by its bytes alone.
 *
 * Why texts with one key have one class. The key is the text itself, byte by byte, but for three things:
 *  - A run of blanks, tabs, line ends and form feeds becomes one blank. The grammar treats any such run outside quotes
 *    alike but between two strings (see below), and never gets none where there was one.
 *  - A string '…' becomes the byte 3. Only a plain one: not E, U&, B, X or N (no word or & before it, which takes UESCAPE
 *    with it), no backslash (whatever standard_conforming_strings says), no control character, ended within the text, and
 *    neither before nor after another string, which the grammar may join to it. Quotes doubled inside belong to it.
 *  - A number becomes the byte 1 if it is an integer of 32 bits, else 2, since the grammar has two tokens for them. Only
 *    decimal digits with a fraction: not hexadecimal, with underscores, an exponent, nor a point before it or after.
 * Those bytes do not stand for themselves, as no text with other control characters has a key. Comments, quoted names,
 * parameters and operators stay as they are, so a hint in a comment never shares with another hint or with none; `--` and
 * slash-star begin a comment also inside an operator, as in the grammar's scanner. A dollar quote gives no key.
 * So two texts with one key are one sequence of tokens with other values. Those are of one class if (a) the grammar takes
 * or refuses them alike: it looks at the value of a literal only in `float(n)`, and a text with that word has no key; a
 * text that is refused is never answered for by its key; and (b) nobody looked at a value when the class was found:
 * see `Attention`. What is decided before parsing (length, density, UTF-8, NUL) is decided for each text anew.
 */
import { isUtf8 } from 'node:buffer';

/** Makes keys. It has a buffer of its own, so that a key costs one short string; it keeps no text. */
export class Digester {
  readonly #key: Buffer;
  #bytes: Buffer = NO_BYTES;
  #at = 0;
  #end = 0;
  #length = 0;
  #isAfterString = false;
  #hasLiterals = false;
  #highBits = 0;

  /** For texts of at most so many bytes. */
  constructor(textBytesMax: number) {
    this.#key = Buffer.alloc(textBytesMax + 1);
  }

  /** The key that a text shares with its like, or undefined if it is safely known by its bytes alone. */
  sharedKey(bytes: Buffer, start: number, end: number): string | undefined {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#length = 0;
    this.#isAfterString = false;
    this.#hasLiterals = false;
    this.#highBits = 0;
    while (this.#at < end) if (!this.#token()) return this.#give(undefined);
    // Only here, not in the grammar's way, could a byte of another encoding make two texts with one key differ.
    if (this.#highBits > 0x7f && !isWholeUtf8(bytes.subarray(start, end))) return this.#give(undefined);
    this.#put(this.#hasLiterals ? ENDS_WITH_LITERALS : ENDS_WITHOUT);
    return this.#give(this.#key.toString('latin1', 0, this.#length));
  }

  /** The key of one text alone; never equal to a shared one, as the last byte tells them apart. */
  ownKey(bytes: Buffer, start: number, end: number): string {
    bytes.copy(this.#key, 0, start, end);
    this.#key[end - start] = ENDS_OWN;
    return this.#key.toString('latin1', 0, end - start + 1);
  }

  /** Lets go of the text, which is a slice of what a socket gave. */
  #give(key: string | undefined): string | undefined {
    this.#bytes = NO_BYTES;
    return key;
  }

  #token(): boolean {
    const byte = this.#byteAt(this.#at);
    const what = KINDS[byte];
    if (what === BLANK) return this.#blanks();
    if (what === QUOTE) return this.#string();
    const isComment = this.#isCommentAt(byte);
    if (!isComment) this.#isAfterString = false;
    if (what === WORD) return this.#word();
    if (what === DIGIT) return this.#number();
    if (isComment) return byte === SLASH ? this.#blockComment() : this.#lineComment();
    if (what === NAME_QUOTE) return this.#quotedName();
    if (what === DOLLAR) return this.#parameter();
    if (what === FORBIDDEN) return false;
    const next = KINDS[this.#byteAt(this.#at + 1)];
    if (byte === AMPERSAND && (next === QUOTE || next === NAME_QUOTE)) return false;
    if (byte === POINT && next === DIGIT) return false;
    this.#take(byte);
    return true;
  }

  #blanks(): boolean {
    while (KINDS[this.#byteAt(this.#at)] === BLANK) this.#at += 1;
    this.#put(SPACE);
    return true;
  }

  #word(): boolean {
    const start = this.#at;
    let byte = this.#byteAt(start);
    while (isNameByte(byte)) {
      this.#take(byte);
      byte = this.#byteAt(this.#at);
    }
    return byte !== APOSTROPHE && !(this.#at - start === FLOAT.length && this.#isFloatAt(start));
  }

  #isFloatAt(start: number): boolean {
    for (let at = 0; at < FLOAT.length; at++) {
      if ((this.#byteAt(start + at) | 0x20) !== FLOAT[at]) return false;
    }
    return true;
  }

  #number(): boolean {
    let value = 0;
    let byte = this.#byteAt(this.#at);
    for (; KINDS[byte] === DIGIT; byte = this.#next()) value = value * 10 + (byte - 0x30);
    const isFraction = byte === POINT;
    if (isFraction) {
      byte = this.#next();
      while (KINDS[byte] === DIGIT) byte = this.#next();
    }
    if (isNameByte(byte) || byte === POINT || byte === APOSTROPHE) return false;
    this.#hasLiterals = true;
    this.#put(isFraction || value > INTEGER_MAX ? STANDS_FOR_NUMERIC : STANDS_FOR_INTEGER);
    return true;
  }

  #string(): boolean {
    if (this.#isAfterString) return false;
    this.#at += 1;
    for (;;) {
      const byte = this.#byteAt(this.#at);
      const what = KINDS[byte];
      this.#at += 1;
      if (what === FORBIDDEN || byte === BACKSLASH) return false;
      this.#highBits |= byte;
      if (what !== QUOTE) continue;
      if (this.#byteAt(this.#at) !== APOSTROPHE) break;
      this.#at += 1;
    }
    this.#isAfterString = true;
    this.#hasLiterals = true;
    this.#put(STANDS_FOR_STRING);
    return true;
  }

  /** Past the end of the text there are bytes 0, which end what is not closed. */
  #quotedName(): boolean {
    this.#take(DOUBLE_QUOTE);
    for (;;) {
      const byte = this.#byteAt(this.#at);
      if (KINDS[byte] === FORBIDDEN) return false;
      this.#take(byte);
      // A doubled quote reads as two names side by side, with the same bytes.
      if (byte === DOUBLE_QUOTE) return this.#byteAt(this.#at) !== APOSTROPHE;
    }
  }

  /** `$1`, never a dollar quote: `$$`, `$tag$`. */
  #parameter(): boolean {
    this.#take(this.#byteAt(this.#at));
    let byte = this.#byteAt(this.#at);
    if (KINDS[byte] !== DIGIT) return false;
    for (; KINDS[byte] === DIGIT; byte = this.#byteAt(this.#at)) this.#take(byte);
    return !isNameByte(byte) && byte !== APOSTROPHE;
  }

  #isCommentAt(byte: number): boolean {
    if (byte === MINUS) return this.#byteAt(this.#at + 1) === MINUS;
    return byte === SLASH && this.#byteAt(this.#at + 1) === STAR;
  }

  #lineComment(): boolean {
    while (this.#at < this.#end) {
      const byte = this.#byteAt(this.#at);
      if (KINDS[byte] === FORBIDDEN) return false;
      this.#take(byte);
      if (byte === LINE_FEED || byte === CARRIAGE_RETURN) return true;
    }
    return true;
  }

  #blockComment(): boolean {
    let depth = 0;
    do {
      const byte = this.#byteAt(this.#at);
      if (KINDS[byte] === FORBIDDEN) return false;
      const next = this.#byteAt(this.#at + 1);
      this.#take(byte);
      const step = byte === SLASH && next === STAR ? 1 : byte === STAR && next === SLASH ? -1 : 0;
      if (step === 0) continue;
      this.#take(next);
      depth += step;
    } while (depth > 0);
    return true;
  }

  #byteAt(at: number): number {
    return at < this.#end ? (this.#bytes[at] ?? 0) : 0;
  }

  #next(): number {
    this.#at += 1;
    return this.#byteAt(this.#at);
  }

  #take(byte: number): void {
    this.#put(byte);
    this.#at += 1;
  }

  #put(byte: number): void {
    this.#key[this.#length] = byte;
    this.#length += 1;
  }
}

/** A shared key in words that can be shown and compared: UTF-8, with `?` for each literal. */
export function digestText(key: string): string {
  const bytes = Buffer.from(key.slice(0, -1), 'latin1');
  for (let at = 0; at < bytes.length; at++) {
    if ((bytes[at] ?? 0) <= STANDS_FOR_STRING) bytes[at] = QUESTION_MARK;
  }
  return bytes.toString().trim();
}

/** Whether a literal's value was left out of a shared key. */
export function leavesOutLiterals(key: string): boolean {
  return key.charCodeAt(key.length - 1) === ENDS_WITH_LITERALS;
}

/** U+FFFD is what stands for bytes that are not UTF-8 once they are decoded, and is refused like them. */
function isWholeUtf8(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(REPLACEMENT);
}

const NO_BYTES = Buffer.alloc(0);
const REPLACEMENT = Buffer.from('\uFFFD');
const FLOAT = Buffer.from('float');
const INTEGER_MAX = 2_147_483_647;

const STANDS_FOR_INTEGER = 1;
const STANDS_FOR_NUMERIC = 2;
const STANDS_FOR_STRING = 3;
const ENDS_WITHOUT = 4;
const ENDS_WITH_LITERALS = 5;
const ENDS_OWN = 6;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const DOUBLE_QUOTE = 0x22;
const AMPERSAND = 0x26;
const APOSTROPHE = 0x27;
const STAR = 0x2a;
const MINUS = 0x2d;
const POINT = 0x2e;
const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;
const BACKSLASH = 0x5c;

const FORBIDDEN = 0;
const BLANK = 1;
const WORD = 2;
const DIGIT = 3;
const QUOTE = 4;
const NAME_QUOTE = 5;
const DOLLAR = 6;
const PUNCTUATION = 7;

/** What a token that begins with each byte is; bytes above 0x7f are letters, as in PostgreSQL's scanner. */
const KINDS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (' \t\n\r\f'.includes(character)) return BLANK;
  if (byte < SPACE || byte === 0x7f) return FORBIDDEN;
  if (byte > 0x7f || /[a-z_]/i.test(character)) return WORD;
  if (/\d/.test(character)) return DIGIT;
  if (byte === APOSTROPHE) return QUOTE;
  if (byte === DOUBLE_QUOTE) return NAME_QUOTE;
  return character === '$' ? DOLLAR : PUNCTUATION;
});

function isNameByte(byte: number): boolean {
  const what = KINDS[byte];
  return what === WORD || what === DIGIT || what === DOLLAR;
}

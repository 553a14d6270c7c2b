/**
 * JSON to the values of templates, with the complaints of Go's encoding/json. A text is read whole or refused; strings
 * are bytes, and bytes that are not UTF-8 become U+FFFD as in Go.
 */
import { encodeRune, isAscii, RUNE_ERROR, runesOf } from '../go/bytes.ts';
import { Refusal } from '../go/errors.ts';
import { quote } from '../go/quote.ts';
import { ANY_MAP, ANY_SLICE, GoMap, type Held, Slice } from '../go/values.ts';

/** Arrays and objects inside each other; Go takes 10,000, which our stack does not. */
const DEPTH_MAX = 1000;

/** Throws `Refusal`. */
export function readJson(text: string): Held {
  const reader = new JsonReader(text);
  const value = reader.value('looking for beginning of value', 0);
  reader.end();
  return value;
}

/** Go's names for what was found where something else was wanted. */
export function jsonTypeName(value: Held): string {
  if (typeof value === 'boolean') return 'bool';
  if (value instanceof Slice) return 'array';
  if (value instanceof GoMap) return 'object';
  return typeof value;
}

const LITERALS: Readonly<Record<string, readonly [string, Held]>> = {
  t: ['true', true],
  f: ['false', false],
  n: ['null', undefined],
};
const ESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  '"': '"',
  '\\': '\\',
  '/': '/',
};

const SPACE_IS_WRONG = /^(in (?!string literal)|after decimal point)/;

class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  end(): void {
    this.#spaces();
    if (this.#at < this.#text.length) this.#refuse('after top-level value');
  }

  value(context: string, depth: number): Held {
    this.#spaces();
    const char = this.#text[this.#at] ?? '';
    if (depth > DEPTH_MAX) throw new Refusal('exceeded max depth');
    if (char === '{') return this.#object(depth);
    if (char === '[') return this.#array(depth);
    if (char === '"') return this.#string();
    const literal = LITERALS[char];
    if (literal !== undefined) return this.#literal(...literal);
    return /[\d-]/.test(char) ? this.#number() : this.#refuse(context);
  }

  #spaces(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  /** The char that is next is wrong there; the text may have ended instead. */
  #refuse(context: string): never {
    // Go sees a space after the end, and only where that would be right says what is really the matter.
    const char = this.#text[this.#at] ?? (SPACE_IS_WRONG.test(context) ? ' ' : undefined);
    if (char === undefined) throw new Refusal('unexpected end of JSON input');
    throw new Refusal(`invalid character ${quotedChar(char)} ${context}`);
  }

  #expect(chars: string, context: string): string {
    this.#spaces();
    const char = this.#text[this.#at] ?? '';
    if (char === '' || !chars.includes(char)) this.#refuse(context);
    this.#at += 1;
    return char;
  }

  #object(depth: number): GoMap {
    const entries = new Map<string, Held>();
    this.#at += 1;
    this.#spaces();
    if (this.#text[this.#at] === '}') this.#at += 1;
    else
      do {
        this.#spaces();
        if (this.#text[this.#at] !== '"') this.#refuse('looking for beginning of object key string');
        const key = this.#string();
        this.#expect(':', 'after object key');
        entries.set(key, this.value('looking for beginning of value', depth + 1));
      } while (this.#expect(',}', 'after object key:value pair') === ',');
    return new GoMap(ANY_MAP, entries);
  }

  #array(depth: number): Slice {
    const items: Held[] = [];
    this.#at += 1;
    this.#spaces();
    if (this.#text[this.#at] === ']') this.#at += 1;
    else
      do items.push(this.value('looking for beginning of value', depth + 1));
      while (this.#expect(',]', 'after array element') === ',');
    return new Slice(ANY_SLICE, items);
  }

  #string(): string {
    this.#at += 1;
    let out = '';
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined || char < ' ') this.#refuse('in string literal');
      this.#at += 1;
      if (char === '"') return validUtf8(out);
      out += char === '\\' ? this.#escape() : (char ?? '');
    }
  }

  #escape(): string {
    const letter = this.#text[this.#at] ?? '';
    if (letter !== 'u') {
      const char = ESCAPES[letter] ?? this.#refuse('in string escape code');
      this.#at += 1;
      return char;
    }
    this.#at += 1;
    const first = this.#hex();
    if (first < 0xd800 || first > 0xdbff || !this.#text.startsWith('\\u', this.#at)) return encodeRune(first);
    const before = this.#at;
    this.#at += 2;
    const second = this.#hex();
    if (second >= 0xdc00 && second <= 0xdfff)
      return encodeRune(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
    this.#at = before;
    return encodeRune(RUNE_ERROR);
  }

  #hex(): number {
    const start = this.#at;
    for (; this.#at < start + 4; this.#at += 1)
      if (!/[\da-fA-F]/.test(this.#text[this.#at] ?? '')) this.#refuse('in \\u hexadecimal character escape');
    return Number.parseInt(this.#text.slice(start, this.#at), 16);
  }

  #literal(word: string, value: Held): Held {
    for (const char of word) {
      if (this.#text[this.#at] !== char) this.#refuse(`in literal ${word} (expecting '${char}')`);
      this.#at += 1;
    }
    return value;
  }

  #number(): number {
    const start = this.#at;
    if (this.#text[this.#at] === '-') this.#at += 1;
    if (this.#text[this.#at] === '0') this.#at += 1;
    else this.#digits('in numeric literal');
    if (this.#text[this.#at] === '.') {
      this.#at += 1;
      this.#digits('after decimal point in numeric literal');
    }
    if (/[eE]/.test(this.#text[this.#at] ?? '')) {
      this.#at += 1;
      if (/[+-]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
      this.#digits('in exponent of numeric literal');
    }
    const text = this.#text.slice(start, this.#at);
    const value = Number(text);
    if (!Number.isFinite(value))
      throw new Refusal(`json: cannot unmarshal number ${text} into Go value of type float64`);
    return value;
  }

  #digits(context: string): void {
    if (!/\d/.test(this.#text[this.#at] ?? '')) this.#refuse(context);
    while (/\d/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }
}

/** Bytes above ASCII are Latin-1 in the complaint, as Go makes a rune of the byte. */
function quotedChar(char: string): string {
  if (char === "'") return `'\\''`;
  if (char === '"') return `'"'`;
  return `'${quote(encodeRune(char.charCodeAt(0))).slice(1, -1)}'`;
}

function validUtf8(text: string): string {
  return isAscii(text) ? text : [...runesOf(text)].map(({ code }) => encodeRune(code)).join('');
}

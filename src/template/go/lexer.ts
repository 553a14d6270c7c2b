/**
 * Text of a template to tokens, on demand. Follows text/template's scanner state by state, since what it complains
 * about, and in which order, is part of what a user sees. Offsets are bytes.
 *
 *   text ──{{──▶ left delimiter ──▶ inside action ──}}──▶ text
 *                     └──/*──▶ comment ──* /}}──────────────▲
 */
import { decodeRune, encodeRune, isAlphaNumeric, isPrint } from './bytes.ts';
import { quote } from './quote.ts';

export type TokenType =
  | 'error'
  | 'bool'
  | 'char'
  | 'charConstant'
  | 'complex'
  | 'assign'
  | 'declare'
  | 'dot'
  | 'eof'
  | 'field'
  | 'identifier'
  | 'leftDelim'
  | 'leftParen'
  | 'number'
  | 'pipe'
  | 'rawString'
  | 'rightDelim'
  | 'rightParen'
  | 'space'
  | 'string'
  | 'text'
  | 'variable'
  | Keyword;
type Keyword = (typeof KEYWORDS)[number];

const KEYWORDS = [
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'nil',
  'range',
  'template',
  'with',
] as const;
const isKeyword = (word: string): word is Keyword => KEYWORDS.some((keyword) => keyword === word);

export interface Token {
  readonly type: TokenType;
  readonly offset: number;
  /** Of an error, what is wrong. */
  readonly text: string;
  readonly line: number;
}

/** How a complaint names a token. */
export function describeToken({ type, text }: Token): string {
  if (type === 'eof') return 'EOF';
  if (type === 'error') return text;
  if (type === 'dot' || isKeyword(type)) return `<${text}>`;
  return text.length > 10 ? `${quote(firstRunes(text, 10))}...` : quote(text);
}

function firstRunes(text: string, count: number): string {
  let end = 0;
  for (let left = count; left > 0 && end < text.length; left -= 1) end += decodeRune(text, end).width;
  return text.slice(0, end);
}

const LEFT = '{{';
const RIGHT = '}}';
const SPACES = ' \t\r\n';
const TRIM_MARKER_BYTES = 2;
const TERMINATORS = `${SPACES}.,|:)(`;

const trimsLeft = (text: string, at: number): boolean => text[at] === '-' && isSpace(text[at + 1]);
const trimsRight = (text: string, at: number): boolean => isSpace(text[at]) && text[at + 1] === '-';
const isSpace = (char: string | undefined): boolean => char !== undefined && SPACES.includes(char);

type State = (() => State) | undefined;

export class Lexer {
  readonly #input: string;
  readonly #ready: Token[] = [];
  #state: State = () => this.#text();
  #start = 0;
  #position = 0;
  #parens = 0;
  /** Offset and number of the line counted last. */
  #lineKnown = { offset: 0, line: 1 };

  /** What a char begins inside an action, when that is clear. */
  readonly #starts: Readonly<Record<string, () => State>> = {
    '=': () => this.#emitted('assign'),
    '|': () => this.#emitted('pipe'),
    ':': () => (this.#rune() === 0x3d ? this.#emitted('declare') : this.#fail('expected :=')),
    '"': () => this.#quoted('"', 'string', 'unterminated quoted string'),
    "'": () => this.#quoted("'", 'charConstant', 'unterminated character constant'),
    '`': () => this.#rawQuoted(),
    $: () => this.#name('variable', 'variable'),
    '(': () => {
      this.#parens += 1;
      return this.#emitted('leftParen');
    },
    ')': () => {
      const next = this.#emitted('rightParen');
      this.#parens -= 1;
      return this.#parens < 0 ? this.#fail("unexpected right paren U+0029 ')'") : next;
    },
  };

  constructor(input: string) {
    this.#input = input;
  }

  /** The next token; after an error or the end, the end. */
  next(): Token {
    for (;;) {
      const token = this.#ready.shift();
      if (token !== undefined) return token;
      if (this.#state === undefined) return this.#token('eof', '');
      this.#state = this.#state();
    }
  }

  #token(type: TokenType, text: string): Token {
    return { type, offset: this.#start, text, line: this.#line() };
  }

  /** Of the start of the token, which only grows. */
  #line(): number {
    let { offset, line } = this.#lineKnown;
    for (; offset < this.#start; offset += 1) if (this.#input[offset] === '\n') line += 1;
    this.#lineKnown = { offset, line };
    return line;
  }

  #emit(type: TokenType): void {
    this.#ready.push(this.#token(type, this.#input.slice(this.#start, this.#position)));
    this.#start = this.#position;
  }

  /** Emits a token of an action, which goes on. */
  #emitted(type: TokenType): State {
    this.#emit(type);
    return () => this.#insideAction();
  }

  #fail(text: string): State {
    this.#ready.push(this.#token('error', text));
    return undefined;
  }

  #skip(bytes: number): void {
    this.#position += bytes;
    this.#start = this.#position;
  }

  /** Steps over one rune; undefined at the end. */
  #rune(): number | undefined {
    if (this.#position >= this.#input.length) return undefined;
    const { code, width } = decodeRune(this.#input, this.#position);
    this.#position += width;
    return code;
  }

  #peek(): number | undefined {
    return this.#position < this.#input.length ? decodeRune(this.#input, this.#position).code : undefined;
  }

  #text(): State {
    const delimiter = this.#input.indexOf(LEFT, this.#position);
    const end = delimiter < 0 ? this.#input.length : delimiter;
    const text = this.#input.slice(this.#start, end);
    const trims = delimiter >= 0 && trimsLeft(this.#input, delimiter + LEFT.length);
    this.#position = this.#start + (trims ? withoutTrailingSpaces(text) : text).length;
    if (this.#position > this.#start) this.#emit('text');
    this.#skip(end - this.#position);
    if (delimiter >= 0) return () => this.#leftDelim(trims);
    this.#emit('eof');
    return undefined;
  }

  #leftDelim(trims: boolean): State {
    const marker = trims ? TRIM_MARKER_BYTES : 0;
    this.#position += LEFT.length;
    if (this.#input.startsWith('/*', this.#position + marker)) {
      this.#skip(marker);
      return () => this.#comment();
    }
    this.#emit('leftDelim');
    this.#skip(marker);
    this.#parens = 0;
    return () => this.#insideAction();
  }

  #comment(): State {
    const end = this.#input.indexOf('*/', this.#position + 2);
    if (end < 0) return this.#fail('unclosed comment');
    this.#position = end + 2;
    const closing = this.#rightDelimAhead();
    if (closing === undefined) return this.#fail('comment ends before closing delimiter');
    this.#skip((closing.trims ? TRIM_MARKER_BYTES : 0) + RIGHT.length);
    if (closing.trims) this.#skipSpaces();
    return () => this.#text();
  }

  #rightDelimAhead(): { readonly trims: boolean } | undefined {
    const trims = trimsRight(this.#input, this.#position);
    if (trims && this.#input.startsWith(RIGHT, this.#position + TRIM_MARKER_BYTES)) return { trims };
    return this.#input.startsWith(RIGHT, this.#position) ? { trims: false } : undefined;
  }

  #rightDelim(): State {
    const trims = trimsRight(this.#input, this.#position);
    if (trims) this.#skip(TRIM_MARKER_BYTES);
    this.#position += RIGHT.length;
    this.#emit('rightDelim');
    if (trims) this.#skipSpaces();
    return () => this.#text();
  }

  #skipSpaces(): void {
    while (isSpace(this.#input[this.#position])) this.#position += 1;
    this.#start = this.#position;
  }

  #insideAction(): State {
    if (this.#rightDelimAhead() !== undefined)
      return this.#parens === 0 ? () => this.#rightDelim() : this.#fail('unclosed left paren');
    const code = this.#rune();
    if (code === undefined) return this.#fail('unclosed action');
    const char = String.fromCodePoint(code);
    if (isSpace(char)) {
      this.#position -= 1;
      return this.#space();
    }
    const start = this.#starts[char];
    if (start !== undefined) return start();
    if (char === '.' && this.#position < this.#input.length && !/\d/.test(this.#input[this.#position] ?? ''))
      return this.#name('field', 'dot');
    this.#position = this.#start;
    if (/[.+\d-]/.test(char)) return this.#number();
    if (isAlphaNumeric(code)) return this.#identifier();
    this.#rune();
    if (code > 0x7f || !isPrint(code))
      return this.#fail(`unrecognized character in action: ${unicodeName(code)}`);
    return this.#emitted('char');
  }

  #space(): State {
    while (isSpace(this.#input[this.#position])) this.#position += 1;
    // The last space may belong to a trim marker.
    const last = this.#position - 1;
    if (trimsRight(this.#input, last) && this.#input.startsWith(RIGHT, last + TRIM_MARKER_BYTES)) {
      this.#position = last;
      if (this.#position === this.#start) return () => this.#rightDelim();
    }
    return this.#emitted('space');
  }

  #identifier(): State {
    const bad = this.#restOfName();
    if (bad !== undefined) return bad;
    const word = this.#input.slice(this.#start, this.#position);
    return this.#emitted(
      isKeyword(word) ? word : word === 'true' || word === 'false' ? 'bool' : 'identifier',
    );
  }

  /** After a `.` or `$`: a name, or nothing, and then it is a token of its own. */
  #name(named: TokenType, bare: TokenType): State {
    if (this.#atTerminator()) {
      return this.#emitted(bare);
    }
    const bad = this.#restOfName();
    if (bad !== undefined) return bad;
    return this.#emitted(named);
  }

  /** Undefined when the name ends as names must; else the state after the complaint. */
  #restOfName(): (() => State) | undefined {
    let code = this.#peek();
    while (code !== undefined && isAlphaNumeric(code)) {
      this.#rune();
      code = this.#peek();
    }
    if (this.#atTerminator()) return undefined;
    return () => this.#fail(`bad character ${unicodeName(code ?? -1)}`);
  }

  #atTerminator(): boolean {
    const char = this.#input[this.#position];
    return char === undefined || TERMINATORS.includes(char) || this.#input.startsWith(RIGHT, this.#position);
  }

  #quoted(mark: string, type: TokenType, complaint: string): State {
    for (;;) {
      let char = this.#input[this.#position];
      this.#position += 1;
      if (char === '\\') {
        char = this.#input[this.#position];
        this.#position += 1;
        if (char !== undefined && char !== '\n') continue;
      }
      if (char === undefined || char === '\n') return this.#fail(complaint);
      if (char === mark) break;
    }
    return this.#emitted(type);
  }

  #rawQuoted(): State {
    const end = this.#input.indexOf('`', this.#position);
    if (end < 0) return this.#fail('unterminated raw quoted string');
    this.#position = end + 1;
    return this.#emitted('rawString');
  }

  #number(): State {
    const bad = (): State =>
      this.#fail(`bad number syntax: ${quote(this.#input.slice(this.#start, this.#position))}`);
    if (!this.#scanNumber()) return bad();
    const next = this.#input[this.#position];
    if (next !== '+' && next !== '-') {
      return this.#emitted('number');
    }
    // A complex number, which must end in `i`.
    if (!this.#scanNumber() || this.#input[this.#position - 1] !== 'i') return bad();
    return this.#emitted('complex');
  }

  #scanNumber(): boolean {
    NUMBER.lastIndex = this.#position;
    this.#position += NUMBER.exec(this.#input)?.[0].length ?? 0;
    const next = this.#peek();
    if (next === undefined || !isAlphaNumeric(next)) return true;
    this.#rune();
    return false;
  }
}

/** Whatever could be a number; whether it is one is found out when its value is taken. */
const NUMBER =
  /[+-]?(?:0[xX][\da-fA-F_]*(?:\.[\da-fA-F_]*)?(?:[pP][+-]?[\d_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?|[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?[\d_]*)?)i?/y;

function withoutTrailingSpaces(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1])) end -= 1;
  return text.slice(0, end);
}

/** As `%#U`: `U+0023 '#'`. */
function unicodeName(code: number): string {
  const name = `U+${(code < 0 ? 'FFFFFFFFFFFFFFFF' : code.toString(16).toUpperCase()).padStart(4, '0')}`;
  return isPrint(code) ? `${name} '${encodeRune(code)}'` : name;
}

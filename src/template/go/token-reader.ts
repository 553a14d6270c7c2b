/**
 * The parser's window on the tokens: up to three may be put back. What was fetched last, wherever the parser is, gives
 * complaints their line, as in Go.
 */
import { toText } from './bytes.ts';
import { TemplateError } from './errors.ts';
import { describeToken, type Lexer, type Token, type TokenType } from './lexer.ts';

export class TokenReader {
  readonly #lexer: Lexer;
  readonly #name: string;
  /** The next token is the last here. */
  #putBack: Token[] = [];
  /** Of the token fetched last; 0 before the first. */
  #line = 0;
  #offset = 0;
  /** Of the action being parsed; 0 between actions. */
  actionLine = 0;
  readonly #columnOf: (offset: number) => number;

  constructor(lexer: Lexer, name: string, columnOf: (offset: number) => number) {
    this.#lexer = lexer;
    this.#name = name;
    this.#columnOf = columnOf;
  }

  /** Another window on the same tokens, for a template defined inside this one. */
  inner(): TokenReader {
    return new TokenReader(this.#lexer, this.#name, this.#columnOf);
  }

  next(): Token {
    const token = this.#putBack.pop();
    if (token !== undefined) return token;
    const fetched = this.#lexer.next();
    this.#line = fetched.line;
    this.#offset = fetched.offset;
    return fetched;
  }

  /** Puts tokens back, to come again in the order given. */
  back(...tokens: readonly Token[]): void {
    this.#putBack.push(...tokens.toReversed());
  }

  peek(): Token {
    const token = this.next();
    this.back(token);
    return token;
  }

  nextNonSpace(): Token {
    let token = this.next();
    while (token.type === 'space') token = this.next();
    return token;
  }

  peekNonSpace(): Token {
    const token = this.nextNonSpace();
    this.back(token);
    return token;
  }

  expect(context: string, ...types: readonly TokenType[]): Token {
    const token = this.nextNonSpace();
    if (!types.includes(token.type)) this.unexpected(token, context);
    return token;
  }

  unexpected(token: Token, context: string): never {
    const { actionLine } = this;
    if (token.type !== 'error') this.fail(`unexpected ${describeToken(token)} in ${context}`);
    const started =
      actionLine === 0 || actionLine === token.line ? '' : ` started at ${this.#name}:${actionLine}`;
    const inAction = started !== '' && !token.text.endsWith(' action') ? ' in action' : '';
    return this.fail(`${token.text}${inAction}${started}`);
  }

  fail(problem: string): never {
    throw new TemplateError(toText(`template: ${this.#name}:${this.#line}: ${problem}`), {
      template: toText(this.#name),
      line: this.#line,
      column: this.#columnOf(this.#offset) + 1,
    });
  }
}

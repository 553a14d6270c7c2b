/** What stands inside an action: pipelines of commands of operands, and the variables that are known there. */
import type { Token, TokenType } from './lexer.ts';
import { type CommandNode, nodeText, type Operand, type PipeNode, type VariableNode } from './nodes.ts';
import { complexLiteral, type NumberLiteral, numberLiteral, runeLiteral } from './number.ts';
import { quote, unquote, unquoteChar } from './quote.ts';
import type { TokenReader } from './token-reader.ts';

/** Parentheses inside parentheses that are taken; each costs stack. */
const NESTING_MAX = 500;

export class Expressions {
  readonly #tokens: TokenReader;
  readonly #isFunction: (name: string) => boolean;
  #variables = ['$'];
  #nesting = 0;

  constructor(tokens: TokenReader, isFunction: (name: string) => boolean) {
    this.#tokens = tokens;
    this.#isFunction = isFunction;
  }

  /** Variables declared in `parse` are unknown after it. */
  scoped<Result>(parse: () => Result): Result {
    const known = this.#variables.length;
    const result = parse();
    this.#variables.length = known;
    return result;
  }

  pipeline(context: string, end: TokenType): PipeNode {
    const { offset } = this.#tokens.peekNonSpace();
    this.#nesting += 1;
    if (this.#nesting > NESTING_MAX)
      this.#tokens.fail(`parentheses are nested more than ${NESTING_MAX} deep`);
    const { declared, isAssign } = this.#declarations(context);
    const commands: CommandNode[] = [];
    for (;;) {
      const token = this.#tokens.nextNonSpace();
      if (token.type === end) break;
      if (this.#terms[token.type] === undefined) this.#tokens.unexpected(token, context);
      this.#tokens.back(token);
      commands.push(this.#command());
    }
    this.#nesting -= 1;
    if (commands.length === 0) this.#tokens.fail(`missing value for ${context}`);
    const stuck = commands.findIndex(({ args }, index) => index > 0 && !isExecutable(args[0]));
    if (stuck > 0) this.#tokens.fail(`non executable command in pipeline stage ${stuck + 1}`);
    return { type: 'pipe', offset, isAssign, declared, commands };
  }

  #declarations(context: string): Pick<PipeNode, 'declared' | 'isAssign'> {
    const declared: VariableNode[] = [];
    for (;;) {
      const variable = this.#tokens.peekNonSpace();
      if (variable.type !== 'variable') return { declared, isAssign: false };
      this.#tokens.next();
      const adjacent = this.#tokens.peek();
      const next = this.#tokens.peekNonSpace();
      const isList = next.type === 'char' && next.text === ',';
      if (next.type !== 'assign' && next.type !== 'declare' && !isList) {
        // Only an operand; the space after it separates it from the next.
        if (adjacent.type === 'space') this.#tokens.back(variable, adjacent);
        else this.#tokens.back(variable);
        return { declared, isAssign: false };
      }
      this.#tokens.nextNonSpace();
      declared.push(variableNode(variable.offset, variable.text));
      this.#variables.push(variable.text);
      if (!isList) return { declared, isAssign: next.type === 'assign' };
      if (context !== 'range' || declared.length > 1)
        this.#tokens.fail(`too many declarations in ${context}`);
      if (!['variable', 'rightDelim', 'rightParen'].includes(this.#tokens.peekNonSpace().type))
        this.#tokens.fail('range can only initialize variables');
    }
  }

  #command(): CommandNode {
    const { offset } = this.#tokens.peekNonSpace();
    const args: Operand[] = [];
    for (;;) {
      this.#tokens.peekNonSpace();
      const operand = this.#operand();
      if (operand !== undefined) args.push(operand);
      const token = this.#tokens.next();
      if (token.type === 'space') continue;
      if (token.type === 'rightDelim' || token.type === 'rightParen') this.#tokens.back(token);
      else if (token.type !== 'pipe') this.#tokens.unexpected(token, 'operand');
      break;
    }
    if (args.length === 0) this.#tokens.fail('empty command');
    return { type: 'command', offset, args };
  }

  /** A term and the fields after it; undefined when something else is next. */
  #operand(): Operand | undefined {
    const term = this.#term();
    const { type, offset } = this.#tokens.peek();
    if (term === undefined || type !== 'field') return term;
    const names: string[] = [];
    while (this.#tokens.peek().type === 'field') names.push(this.#tokens.next().text.slice(1));
    if (term.type === 'field' || term.type === 'variable')
      return { ...term, offset, names: [...term.names, ...names] };
    if (term.type === 'chain' || term.type === 'identifier' || term.type === 'pipe')
      return { type: 'chain', offset, start: term, names };
    return this.#tokens.fail(`unexpected . after term ${quote(nodeText(term))}`);
  }

  #term(): Operand | undefined {
    const token = this.#tokens.nextNonSpace();
    const term = this.#terms[token.type];
    if (term !== undefined) return term(token);
    this.#tokens.back(token);
    return undefined;
  }

  readonly #terms: Partial<Record<TokenType, (token: Token) => Operand>> = {
    identifier: ({ offset, text }) => {
      if (!this.#isFunction(text)) this.#tokens.fail(`function ${quote(text)} not defined`);
      return { type: 'identifier', offset, name: text };
    },
    dot: ({ offset }) => ({ type: 'dot', offset }),
    nil: ({ offset }) => ({ type: 'nil', offset }),
    variable: (token) => this.#knownVariable(token),
    field: ({ offset, text }) => ({ type: 'field', offset, names: [text.slice(1)] }),
    bool: ({ offset, text }) => ({ type: 'bool', offset, value: text === 'true' }),
    charConstant: (token) => this.#numberNode(token),
    complex: (token) => this.#numberNode(token),
    number: (token) => this.#numberNode(token),
    leftParen: () => this.pipeline('parenthesized pipeline', 'rightParen'),
    string: (token) => this.#stringNode(token),
    rawString: (token) => this.#stringNode(token),
  };

  #stringNode({ offset, text }: Token): Operand {
    const value = unquote(text) ?? this.#tokens.fail('invalid syntax');
    return { type: 'string', offset, quoted: text, value };
  }

  #numberNode(token: Token): Operand {
    const { offset, text } = token;
    return { type: 'number', offset, text, literal: this.#number(token) };
  }

  #knownVariable({ text, offset }: Token): VariableNode {
    if (!this.#variables.includes(text)) this.#tokens.fail(`undefined variable ${quote(text)}`);
    return variableNode(offset, text);
  }

  #number({ type, text }: Token): NumberLiteral {
    if (type === 'charConstant') {
      const unit = unquoteChar(text.slice(1), "'") ?? this.#tokens.fail('invalid syntax');
      if (text.slice(1 + unit.width) !== "'") this.#tokens.fail(`malformed character constant: ${text}`);
      return runeLiteral(unit.code);
    }
    if (type === 'complex')
      return complexLiteral(text) ?? this.#tokens.fail('syntax error scanning complex number');
    const literal = numberLiteral(text);
    return 'problem' in literal ? this.#tokens.fail(literal.problem) : literal;
  }
}

function variableNode(offset: number, text: string): VariableNode {
  return { type: 'variable', offset, names: [text] };
}

function isExecutable(first: Operand | undefined): boolean {
  return first === undefined || !['bool', 'dot', 'nil', 'number', 'string'].includes(first.type);
}

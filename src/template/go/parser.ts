/**
 * Text of a template to trees: one for the text itself, one for each `define` and `block`. Statements are here, what
 * stands inside an action is in `expressions.ts`. Complaints are Go's, in Go's order.
 *
 * One thing is younger than the Go that the recorded vectors come from: `else with`.
 */
import { placeOf } from './errors.ts';
import { Expressions } from './expressions.ts';
import { Lexer, type Token } from './lexer.ts';
import { type BranchNode, isEmptyTree, type ListNode, type PipeNode, type StatementNode } from './nodes.ts';
import { quote, unquote } from './quote.ts';
import { TokenReader } from './token-reader.ts';

/** The trees of a text by the names of their templates. */
export type Trees = ReadonlyMap<string, ListNode>;

/** Parses a text. Throws `TemplateError`. `isFunction` says which names may be called. */
export function parseTrees(name: string, text: string, isFunction: (name: string) => boolean): Trees {
  const trees = new Map<string, ListNode>();
  const tokens = new TokenReader(new Lexer(text), name, (offset) => placeOf(text, offset).column);
  new Parser(name, tokens, isFunction, trees).parseText();
  return trees;
}

/** A list ends with one of these. */
type Ending = { readonly type: 'end' } | { readonly type: 'else'; readonly offset: number };
type Statement = StatementNode | Ending;

const endingText = ({ type }: Ending): string => `{{${type}}}`;
const isEnding = (node: Statement): node is Ending => node.type === 'end' || node.type === 'else';

/** Statements inside statements that are taken; each costs stack. */
const NESTING_MAX = 500;

/** Parses one template: the text, or what is between a `define` or `block` and its end. */
class Parser {
  readonly #name: string;
  readonly #tokens: TokenReader;
  readonly #isFunction: (name: string) => boolean;
  readonly #trees: Map<string, ListNode>;
  readonly #expressions: Expressions;
  #ranges = 0;
  #nesting: number;

  constructor(
    name: string,
    tokens: TokenReader,
    isFunction: (name: string) => boolean,
    trees: Map<string, ListNode>,
    nesting = 0,
  ) {
    this.#name = name;
    this.#tokens = tokens;
    this.#isFunction = isFunction;
    this.#trees = trees;
    this.#nesting = nesting;
    this.#expressions = new Expressions(tokens, isFunction);
  }

  parseText(): void {
    const { offset } = this.#tokens.peek();
    const nodes: StatementNode[] = [];
    while (this.#tokens.peek().type !== 'eof') {
      if (this.#atDefine()) {
        this.#definition();
        continue;
      }
      const node = this.#textOrAction();
      if (isEnding(node)) this.#tokens.fail(`unexpected ${endingText(node)}`);
      else nodes.push(node);
    }
    this.#add({ type: 'list', offset, nodes });
  }

  /** Takes `{{define` when it is next. */
  #atDefine(): boolean {
    if (this.#tokens.peek().type !== 'leftDelim') return false;
    const delimiter = this.#tokens.next();
    const keyword = this.#tokens.nextNonSpace();
    if (keyword.type === 'define') return true;
    this.#tokens.back(delimiter, keyword);
    return false;
  }

  #definition(): void {
    const context = 'define clause';
    const tokens = this.#tokens.inner();
    const name = this.#templateName(tokens.expect(context, 'string', 'rawString'), tokens);
    tokens.expect(context, 'rightDelim');
    this.#body(name, context, tokens);
  }

  /** The list of a template inside this one, up to its `{{end}}`; `complaining` says what else came instead. */
  #body(name: string, context: string, tokens: TokenReader, complaining = tokens): void {
    const inner = new Parser(name, tokens, this.#isFunction, this.#trees, this.#nesting);
    const { list, ending } = inner.#list();
    if (ending.type !== 'end') complaining.fail(`unexpected ${endingText(ending)} in ${context}`);
    inner.#add(list);
  }

  /** An empty template neither replaces another nor stands in its way. */
  #add(list: ListNode): void {
    const old = this.#trees.get(this.#name);
    if (old === undefined || isEmptyTree(old)) this.#trees.set(this.#name, list);
    else if (!isEmptyTree(list))
      this.#tokens.fail(`template: multiple definition of template ${quote(this.#name)}`);
  }

  #list(): { readonly list: ListNode; readonly ending: Ending } {
    const { offset } = this.#tokens.peekNonSpace();
    const nodes: StatementNode[] = [];
    this.#nesting += 1;
    if (this.#nesting > NESTING_MAX) this.#tokens.fail(`actions are nested more than ${NESTING_MAX} deep`);
    while (this.#tokens.peekNonSpace().type !== 'eof') {
      const node = this.#textOrAction();
      if (!isEnding(node)) {
        nodes.push(node);
        continue;
      }
      this.#nesting -= 1;
      return { list: { type: 'list', offset, nodes }, ending: node };
    }
    return this.#tokens.fail('unexpected EOF');
  }

  #textOrAction(): Statement {
    const token = this.#tokens.nextNonSpace();
    if (token.type === 'text') return { type: 'text', offset: token.offset, text: token.text };
    if (token.type !== 'leftDelim') this.#tokens.unexpected(token, 'input');
    this.#tokens.actionLine = token.line;
    const node = this.#action();
    this.#tokens.actionLine = 0;
    return node;
  }

  #action(): Statement {
    const token = this.#tokens.nextNonSpace();
    const { type, offset } = token;
    if (type === 'block') return this.#block();
    if (type === 'break' || type === 'continue') return this.#leaveRange(type, offset);
    if (type === 'else') return this.#else();
    if (type === 'if' || type === 'range' || type === 'with') return this.#branch(type);
    if (type === 'template') return this.#template();
    if (type === 'end') {
      this.#tokens.expect('end', 'rightDelim');
      return { type: 'end' };
    }
    this.#tokens.back(token);
    return { type: 'action', offset, pipe: this.#expressions.pipeline('command', 'rightDelim') };
  }

  #leaveRange(type: 'break' | 'continue', offset: number): StatementNode {
    const token = this.#tokens.nextNonSpace();
    if (token.type !== 'rightDelim') this.#tokens.unexpected(token, `{{${type}}}`);
    if (this.#ranges === 0) this.#tokens.fail(`{{${type}}} outside {{range}}`);
    return { type, offset };
  }

  /** `{{else if` and `{{else with` leave their keyword to the branch that they are in. */
  #else(): Ending {
    const next = this.#tokens.peekNonSpace();
    if (next.type === 'if' || next.type === 'with') return { type: 'else', offset: next.offset };
    return { type: 'else', offset: this.#tokens.expect('else', 'rightDelim').offset };
  }

  #branch(type: 'if' | 'range' | 'with'): BranchNode {
    return this.#expressions.scoped(() => {
      const pipe = this.#expressions.pipeline(type, 'rightDelim');
      if (type === 'range') this.#ranges += 1;
      const { list, ending } = this.#list();
      if (type === 'range') this.#ranges -= 1;
      return { type, offset: pipe.offset, pipe, list, otherwise: this.#otherwise(type, ending) };
    });
  }

  #otherwise(type: BranchNode['type'], ending: Ending): ListNode | undefined {
    if (ending.type === 'end') return undefined;
    // `{{else if b}}…{{end}}` is `{{else}}{{if b}}…{{end}}{{end}}` with one end.
    const next = this.#tokens.peek();
    if (next.type === type && type !== 'range') {
      this.#tokens.next();
      this.#nesting += 1;
      const nested = this.#branch(type);
      this.#nesting -= 1;
      return { type: 'list', offset: ending.offset, nodes: [nested] };
    }
    const { list, ending: last } = this.#list();
    if (last.type !== 'end') this.#tokens.fail(`expected end; found ${endingText(last)}`);
    return list;
  }

  #block(): StatementNode {
    const context = 'block clause';
    const token = this.#tokens.nextNonSpace();
    const name = this.#nameOrComplaint(token, context);
    const pipe = this.#expressions.pipeline(context, 'rightDelim');
    this.#body(name, context, this.#tokens.inner(), this.#tokens);
    return { type: 'template', offset: token.offset, name, pipe };
  }

  #template(): StatementNode {
    const context = 'template clause';
    const token = this.#tokens.nextNonSpace();
    const name = this.#nameOrComplaint(token, context);
    return { type: 'template', offset: token.offset, name, pipe: this.#optionalPipe(context) };
  }

  #optionalPipe(context: string): PipeNode | undefined {
    const token = this.#tokens.nextNonSpace();
    if (token.type === 'rightDelim') return undefined;
    this.#tokens.back(token);
    return this.#expressions.pipeline(context, 'rightDelim');
  }

  #nameOrComplaint(token: Token, context: string): string {
    if (token.type !== 'string' && token.type !== 'rawString') this.#tokens.unexpected(token, context);
    return this.#templateName(token, this.#tokens);
  }

  #templateName({ text }: Token, tokens: TokenReader): string {
    return unquote(text) ?? tokens.fail('invalid syntax');
  }
}

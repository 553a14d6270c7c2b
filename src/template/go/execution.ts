/**
 * Running a parsed template over data: the statements. What a pipeline is worth is found out in `evaluation.ts`.
 *
 * Follows Go 1.19, from which the recorded vectors come, with two things of its successors: `range` over an integer,
 * and assignment to any variable by `range`.
 */
import { unreachable } from '../../base/index.ts';
import { type Refusal, TemplateError, placeOf } from './errors.ts';
import { Evaluation } from './evaluation.ts';
import type { Functions } from './function.ts';
import {
  type BranchNode,
  type ListNode,
  type Node,
  nodeText,
  type StatementNode,
  type TemplateNode,
} from './nodes.ts';
import type { Trees } from './parser.ts';
import { sprint } from './print.ts';
import { quote } from './quote.ts';
import { toText } from './bytes.ts';
import {
  element,
  GoMap,
  integerOf,
  isTrue,
  Pointer,
  Slice,
  sortedEntries,
  typeOf,
  unbox,
  type Value,
} from './values.ts';

/** What is executed. Strings are bytes. */
export interface Program {
  /** Of the text, which complaints begin with. */
  readonly name: string;
  readonly text: string;
  readonly trees: Trees;
  readonly functions: Functions;
}

/** What one rendering may take, with all that it includes. */
export class Bounds {
  readonly outputBytesMax: number;
  #nesting = 0;

  constructor(outputBytesMax: number) {
    this.outputBytesMax = outputBytesMax;
  }

  /** One list of statements inside another, in whichever template; false when there is no room on the stack. */
  enter(): boolean {
    this.#nesting += 1;
    return this.#nesting <= NESTING_MAX;
  }

  leave(): void {
    this.#nesting -= 1;
  }
}

const NESTING_MAX = 1000;

/** The output, as bytes. Throws `TemplateError`. */
export function run(program: Program, name: string, data: Value, bounds: Bounds): string {
  const output = new Output(bounds);
  const tree = program.trees.get(name);
  const frame = new Frame(program, output, { name, dot: data, bounds });
  if (tree === undefined) return frame.fail(`${quote(name)} is an incomplete or empty template`);
  frame.list(data, tree);
  return output.text();
}

/** Chunks rather than one string: a million small additions to one string are a rope that must be flattened. */
class Output {
  readonly #chunks: string[] = [];
  readonly #bounds: Bounds;
  #bytes = 0;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  /** False when there is no room left. */
  write(text: string): boolean {
    this.#bytes += text.length;
    if (this.#bytes > this.#bounds.outputBytesMax) return false;
    this.#chunks.push(text);
    return true;
  }

  get bytesMax(): number {
    return this.#bounds.outputBytesMax;
  }

  text(): string {
    return this.#chunks.join('');
  }
}

/** How a list was left. */
type Exit = 'break' | 'continue' | undefined;

/** One template being executed: its variables, and the node that a complaint would name. */
class Frame {
  readonly #program: Program;
  readonly #output: Output;
  readonly #name: string;
  readonly #bounds: Bounds;
  readonly #evaluation: Evaluation;
  #node: Node | undefined;

  constructor(
    program: Program,
    output: Output,
    { name, dot, bounds }: { name: string; dot: Value; bounds: Bounds },
  ) {
    this.#program = program;
    this.#output = output;
    this.#name = name;
    this.#bounds = bounds;
    this.#evaluation = new Evaluation(program.functions, dot, {
      at: (node) => this.#at(node),
      fail: (problem, refusal) => this.fail(problem, refusal),
    });
  }

  #at(node: Node): void {
    this.#node = node;
  }

  fail(problem: string, refusal?: Refusal): never {
    const { name, text } = this.#program;
    const { line, column } = placeOf(text, this.#node?.offset ?? 0);
    const where =
      this.#node === undefined
        ? this.#name
        : `${name}:${line}:${column}: executing ${quote(this.#name)} at <${nodeText(this.#node)}>`;
    throw new TemplateError(toText(`template: ${where}: ${problem}`), {
      template: toText(name),
      line,
      column: column + 1,
      key: refusal?.key,
    });
  }

  list(dot: Value, { nodes }: ListNode): Exit {
    let exit: Exit;
    if (!this.#bounds.enter()) this.fail(`templates and actions are nested more than ${NESTING_MAX} deep`);
    for (const node of nodes) {
      exit = this.#statement(dot, node);
      if (exit !== undefined) break;
    }
    this.#bounds.leave();
    return exit;
  }

  #statement(dot: Value, node: StatementNode): Exit {
    this.#at(node);
    switch (node.type) {
      case 'text':
        this.#write(node.text);
        return undefined;
      case 'action': {
        const value = this.#evaluation.pipeline(dot, node.pipe);
        if (node.pipe.declared.length > 0) return undefined;
        this.#at(node);
        this.#write(printed(value));
        return undefined;
      }
      case 'break':
      case 'continue':
        return node.type;
      case 'if':
      case 'with':
        return this.#ifOrWith(dot, node);
      case 'range':
        return this.#range(dot, node);
      case 'template':
        this.#template(dot, node);
        return undefined;
    }
    return unreachable(node);
  }

  #write(text: string): void {
    if (!this.#output.write(text)) this.fail(`the output is larger than ${this.#output.bytesMax} bytes`);
  }

  #ifOrWith(dot: Value, { type, pipe, list, otherwise }: BranchNode): Exit {
    return this.#evaluation.scoped(() => {
      const value = this.#evaluation.pipeline(dot, pipe);
      if (isTrue(value)) return this.list(type === 'with' ? value : dot, list);
      return otherwise === undefined ? undefined : this.list(dot, otherwise);
    });
  }

  #range(dot: Value, node: BranchNode): Exit {
    return this.#evaluation.scoped(() => {
      const value = this.#evaluation.pipeline(dot, node.pipe);
      let isEmpty = true;
      for (const [index, item] of this.#iterated(value, node)) {
        isEmpty = false;
        const exit = this.#evaluation.scoped(() => {
          this.#evaluation.setIterated(node.pipe, index, item);
          return this.list(item, node.list);
        });
        if (exit === 'break') break;
      }
      return isEmpty && node.otherwise !== undefined ? this.list(dot, node.otherwise) : undefined;
    });
  }

  /** Index and element of each iteration. */
  *#iterated(value: Value, { pipe }: BranchNode): Generator<[Value, Value]> {
    const inner = unbox(value);
    const target = inner instanceof Pointer ? inner.target : inner;
    // An integer that prints as a word is none to count to.
    const count = typeOf(target)?.word === undefined ? integerOf(target) : undefined;
    if (target instanceof Slice) {
      const { items, type } = target;
      for (let index = 0; index < items.length; index += 1)
        yield [BigInt(index), element(type.elem, items[index])];
    } else if (target instanceof GoMap) {
      for (const [key, held] of sortedEntries(target)) yield [key, element(target.type.elem, held)];
    } else if (count !== undefined) {
      if (pipe.declared.length > 1)
        this.fail(`can't use ${sprint([target])} to iterate over more than one variable`);
      for (let index = 0n; index < count; index += 1n) yield [index, index];
    } else if (target !== undefined) {
      this.fail(`range can't iterate over ${sprint([target])}`);
    }
  }

  #template(dot: Value, node: TemplateNode): void {
    const tree = this.#program.trees.get(node.name);
    if (tree === undefined) return this.fail(`template ${quote(node.name)} not defined`);
    const data = node.pipe === undefined ? undefined : this.#evaluation.pipeline(dot, node.pipe);
    new Frame(this.#program, this.#output, { name: node.name, dot: data, bounds: this.#bounds }).list(
      data,
      tree,
    );
  }
}

/** As an action writes it: a pointer as what it points to. */
export function printed(value: Value): string {
  const inner = unbox(value);
  if (inner === undefined) return '<no value>';
  return typeof inner === 'string' ? inner : sprint([inner instanceof Pointer ? inner.target : inner]);
}

/**
 * What pipelines, commands and operands are worth, in one template being executed. Which node is being looked at is told
 * to the `Place` at each step in Go's order, because complaints name it.
 */
import { unreachable } from '../../base/index.ts';
import { Refusal } from './errors.ts';
import type { Functions, GoFunction, Param } from './function.ts';
import { methodOf } from './methods.ts';
import { type CommandNode, type Node, nodeText, type Operand, type PipeNode } from './nodes.ts';
import { quote } from './quote.ts';
import {
  Boxed,
  element,
  GoMap,
  isAssignable,
  isTrue,
  Pointer,
  Struct,
  type Type,
  typeOf,
  unbox,
  type Value,
  zeroOf,
} from './values.ts';

export interface Place {
  readonly at: (node: Node) => void;
  readonly fail: (problem: string, refusal?: Refusal) => never;
}

/** The value that a pipeline hands to its next command, or none. */
type Final = { readonly value: Value } | undefined;

/** With what something is called. */
interface Call {
  readonly dot: Value;
  /** Which a refusal is about. */
  readonly node: Node;
  /** The called itself first, or nothing at all. */
  readonly args: readonly Operand[];
  readonly final: Final;
}

/** What may be given arguments, if only to refuse them. */
type Callable = Extract<Operand, { type: 'field' | 'chain' | 'identifier' | 'pipe' | 'variable' }>;
type Constant = Exclude<Operand, Callable | { type: 'nil' }>;

function isCallable(node: Operand): node is Callable {
  return ['field', 'chain', 'identifier', 'pipe', 'variable'].includes(node.type);
}

/** What a literal is where a type asks for it. */
const LITERALS: Partial<
  Record<Type['kind'], { readonly name: string; readonly read: (node: Constant) => Value }>
> = {
  bool: { name: 'bool', read: (node) => (node.type === 'bool' ? node.value : undefined) },
  string: { name: 'string', read: (node) => (node.type === 'string' ? node.value : undefined) },
  int: { name: 'integer', read: (node) => (node.type === 'number' ? node.literal.int : undefined) },
  float: { name: 'float', read: (node) => (node.type === 'number' ? node.literal.float : undefined) },
};

export class Evaluation {
  readonly #functions: Functions;
  readonly #place: Place;
  readonly #variables: { readonly name: string; value: Value }[];

  constructor(functions: Functions, dot: Value, place: Place) {
    this.#functions = functions;
    this.#place = place;
    this.#variables = [{ name: '$', value: dot }];
  }

  /** Variables declared in `body` are gone after it. */
  scoped<Result>(body: () => Result): Result {
    const count = this.#variables.length;
    const result = body();
    this.#variables.length = count;
    return result;
  }

  /** The value; variables that the pipeline declares or assigns have it too. */
  pipeline(dot: Value, pipe: PipeNode): Value {
    this.#place.at(pipe);
    let final: Final;
    for (const command of pipe.commands) final = { value: unbox(this.#command(dot, command, final)) };
    const value = final?.value;
    for (const { names } of pipe.declared) {
      const name = names[0] ?? '';
      if (pipe.isAssign) this.#variable(name).value = value;
      else this.#variables.push({ name, value });
    }
    return value;
  }

  /** Gives the variables of a `range` what this iteration has for them; with two, the index comes first. */
  setIterated({ declared, isAssign }: PipeNode, index: Value, item: Value): void {
    const values = declared.length > 1 ? [index, item] : [item];
    for (const [place, { names }] of declared.entries()) {
      const variable = isAssign
        ? this.#variable(names[0] ?? '')
        : this.#variables.at(place - declared.length);
      if (variable !== undefined) variable.value = values[place];
    }
  }

  #variable(name: string): { value: Value } {
    return (
      this.#variables.findLast((each) => each.name === name) ??
      this.#place.fail(`undefined variable: ${name}`)
    );
  }

  #command(dot: Value, command: CommandNode, final: Final): Value {
    const { args } = command;
    const [first] = args;
    if (first === undefined) return undefined;
    if (isCallable(first)) return this.#callable(first, { dot, node: command, args, final });
    this.#place.at(first);
    this.#refuseArguments(args, final);
    return first.type === 'nil' ? this.#place.fail('nil is not a command') : this.#constant(dot, first);
  }

  #callable(operand: Callable, call: Call): Value {
    this.#place.at(operand);
    switch (operand.type) {
      case 'field':
        return this.#fields(call.dot, operand.names, operand, call);
      case 'chain':
        if (operand.start.type === 'nil')
          this.#place.fail(`indirection through explicit nil in ${nodeText(operand)}`);
        return this.#fields(this.#argument(call.dot, undefined, operand.start), operand.names, operand, call);
      case 'identifier':
        return this.#call(this.#function(operand.name), operand.name, call);
      case 'pipe':
        this.#refuseArguments(call.args, call.final);
        return this.pipeline(call.dot, operand);
      case 'variable': {
        const [name = '', ...names] = operand.names;
        const { value } = this.#variable(name);
        if (names.length > 0) return this.#fields(value, names, operand, call);
        this.#refuseArguments(call.args, call.final);
        return value;
      }
    }
    return unreachable(operand);
  }

  #refuseArguments(args: readonly Operand[], final: Final): void {
    const [first] = args;
    if (first !== undefined && (args.length > 1 || final !== undefined))
      this.#place.fail(`can't give argument to non-function ${nodeText(first)}`);
  }

  /** A literal or dot, where nothing asks for a type. */
  #constant(dot: Value, node: Constant): Value {
    this.#place.at(node);
    if (node.type === 'dot') return dot;
    if (node.type !== 'number') return node.value;
    const { complex, float, int, uint } = node.literal;
    if (complex !== undefined) return complex;
    if (float !== undefined && isFloatText(node.text)) return float;
    if (int !== undefined) return int;
    return uint === undefined ? undefined : this.#place.fail(`${node.text} overflows int`);
  }

  #function(name: string): GoFunction {
    return this.#functions.get(name) ?? this.#place.fail(`${quote(name)} is not a defined function`);
  }

  /** `.a.b.c`: only the last may be a method with arguments. */
  #fields(receiver: Value, names: readonly string[], node: Node, call: Call): Value {
    let value = receiver;
    for (const name of names.slice(0, -1))
      value = this.#field(value, name, { dot: call.dot, node, args: [], final: undefined });
    return this.#field(value, names.at(-1) ?? '', { ...call, node });
  }

  #field(receiver: Value, name: string, call: Call): Value {
    const type = typeOf(receiver);
    if (type === undefined) return undefined;
    const inner = unbox(receiver);
    if (inner === undefined) return this.#place.fail(`nil pointer evaluating ${type.name}.${name}`);
    const method = methodOf(inner, name);
    if (method !== undefined) return this.#call(method, name, call);
    const hasArguments = call.args.length > 1 || call.final !== undefined;
    const target = inner instanceof Pointer ? inner.target : inner;
    const index = target instanceof Struct ? (target.type.fields ?? []).indexOf(name) : -1;
    if (target instanceof Struct && index >= 0) {
      if (hasArguments) this.#place.fail(`${name} has arguments but cannot be invoked as function`);
      return target.values[index];
    }
    if (target instanceof GoMap) {
      if (hasArguments) this.#place.fail(`${name} is not a method but has arguments`);
      return target.entries.has(name) ? element(target.type.elem, target.entries.get(name)) : undefined;
    }
    return this.#place.fail(`can't evaluate field ${name} in type ${type.name}`);
  }

  #call(called: GoFunction, name: string, { dot, node, args, final }: Call): Value {
    const given = args.slice(1);
    const { params, variadic } = called;
    const count = given.length + (final === undefined ? 0 : 1);
    if (variadic === undefined && count !== params.length)
      this.#place.fail(`wrong number of args for ${name}: want ${params.length} got ${count}`);
    if (count < params.length)
      this.#place.fail(
        `wrong number of args for ${name}: want at least ${params.length} got ${given.length}`,
      );
    if (called.shortCircuit !== undefined) return this.#shortCircuit(dot, called.shortCircuit, given, final);
    const values = given.map((arg, index) => this.#argument(dot, params[index] ?? variadic, arg));
    if (final !== undefined) values.push(this.#as(final.value, params[count - 1] ?? variadic));
    try {
      return called.call(values);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.#place.at(node);
      return this.#place.fail(`error calling ${name}: ${refusal.message}`, refusal);
    }
  }

  /** `and` and `or`: the first argument that decides, or the last. */
  #shortCircuit(dot: Value, decisive: boolean, args: readonly Operand[], final: Final): Value {
    let value: Value;
    for (const arg of args) {
      value = this.#argument(dot, 'value', arg);
      if (isTrue(value) === decisive) return value;
    }
    return final === undefined ? value : final.value;
  }

  /** An operand as an argument of that type; undefined wants it as it is. */
  #argument(dot: Value, param: Param | undefined, node: Operand): Value {
    this.#place.at(node);
    if (isCallable(node))
      return this.#as(this.#callable(node, { dot, node, args: [], final: undefined }), param);
    if (node.type === 'dot') return this.#as(dot, param);
    const isAnything = param === undefined || param === 'value';
    if (node.type !== 'nil') return isAnything ? this.#constant(dot, node) : this.#literal(dot, param, node);
    if (isAnything) return undefined;
    return isNilable(param) ? zeroOf(param) : this.#place.fail(`cannot assign nil to ${param.name}`);
  }

  #literal(dot: Value, param: Type, node: Constant): Value {
    if (param.kind === 'interface') return this.#constant(dot, node);
    const wanted = LITERALS[param.kind];
    if (wanted === undefined)
      return this.#place.fail(`can't handle ${nodeText(node)} for arg of type ${param.name}`);
    return wanted.read(node) ?? this.#place.fail(`expected ${wanted.name}; found ${nodeText(node)}`);
  }

  /** A value as one of that type; an interface gives what it holds. */
  #as(value: Value, param: Param | undefined): Value {
    if (param === undefined || param === 'value') return value;
    const type = typeOf(value);
    if (type === undefined)
      return isNilable(param) ? zeroOf(param) : this.#place.fail(`invalid value; expected ${param.name}`);
    if (param.kind === 'interface') return unbox(value);
    const inner = value instanceof Boxed && value.inner !== undefined ? value.inner : value;
    const innerType = typeOf(inner) ?? type;
    if (isAssignable(innerType, param)) return inner;
    if (inner instanceof Pointer && isAssignable(inner.target.type, param)) return inner.target;
    return this.#place.fail(`wrong type for value; expected ${param.name}; got ${innerType.name}`);
  }
}

function isNilable({ kind }: Type): boolean {
  return ['slice', 'map', 'pointer', 'interface'].includes(kind);
}

/** Written as a float: `3.0` and `1e3` are, `3`, `0x1F` and `'.'` are not. */
function isFloatText(text: string): boolean {
  if (text.startsWith("'") || (/^0[xX]/.test(text) && !/[pP]/.test(text))) return false;
  return /[.eEpP]/.test(text);
}

/** The tree of a parsed template, and how Go writes a node in an error: not as the user wrote it, but nearly. */
import { unreachable } from '../../base/index.ts';
import type { NumberLiteral } from './number.ts';
import { quote } from './quote.ts';

interface At {
  /** In bytes from the start of the text. */
  readonly offset: number;
}

export type Operand =
  | (At & { readonly type: 'bool'; readonly value: boolean })
  | (At & { readonly type: 'dot' })
  | (At & { readonly type: 'nil' })
  | (At & { readonly type: 'field'; readonly names: readonly string[] })
  | (At & { readonly type: 'identifier'; readonly name: string })
  | (At & { readonly type: 'number'; readonly literal: NumberLiteral; readonly text: string })
  | (At & { readonly type: 'string'; readonly value: string; readonly quoted: string })
  | VariableNode
  | ChainNode
  | PipeNode;

/** `$x.a.b`; the first name has its `$`. */
export interface VariableNode extends At {
  readonly type: 'variable';
  readonly names: readonly string[];
}

/** `(…).a.b` */
export interface ChainNode extends At {
  readonly type: 'chain';
  readonly start: Operand;
  readonly names: readonly string[];
}

export interface CommandNode extends At {
  readonly type: 'command';
  readonly args: readonly Operand[];
}

export interface PipeNode extends At {
  readonly type: 'pipe';
  readonly isAssign: boolean;
  readonly declared: readonly VariableNode[];
  readonly commands: readonly CommandNode[];
}

export interface ListNode extends At {
  readonly type: 'list';
  readonly nodes: readonly StatementNode[];
}

/** `if`, `range` and `with`. */
export interface BranchNode extends At {
  readonly type: 'if' | 'range' | 'with';
  readonly pipe: PipeNode;
  readonly list: ListNode;
  readonly otherwise: ListNode | undefined;
}

export interface TemplateNode extends At {
  readonly type: 'template';
  readonly name: string;
  readonly pipe: PipeNode | undefined;
}

export type StatementNode =
  | (At & { readonly type: 'text'; readonly text: string })
  | (At & { readonly type: 'action'; readonly pipe: PipeNode })
  | (At & { readonly type: 'break' | 'continue' })
  | BranchNode
  | TemplateNode;

export type Node = Operand | CommandNode | ListNode | StatementNode;

/** As Go writes it in `at <…>`. */
export function nodeText(node: Node): string {
  switch (node.type) {
    case 'text':
      return node.text;
    case 'action':
      return `{{${nodeText(node.pipe)}}}`;
    case 'break':
    case 'continue':
      return `{{${node.type}}}`;
    case 'if':
    case 'range':
    case 'with': {
      const otherwise = node.otherwise === undefined ? '' : `{{else}}${nodeText(node.otherwise)}`;
      return `{{${node.type} ${nodeText(node.pipe)}}}${nodeText(node.list)}${otherwise}{{end}}`;
    }
    case 'template':
      return `{{template ${quote(node.name)}${node.pipe === undefined ? '' : ` ${nodeText(node.pipe)}`}}}`;
    case 'list':
      return node.nodes.map(nodeText).join('');
    case 'pipe': {
      const declared = node.declared.map(nodeText).join(', ');
      const commands = node.commands.map(nodeText).join(' | ');
      return declared === '' ? commands : `${declared} := ${commands}`;
    }
    case 'command':
      return node.args.map(parenthesized).join(' ');
    case 'chain':
      return [parenthesized(node.start), ...node.names].join('.');
    case 'field':
      return node.names.map((name) => `.${name}`).join('');
    case 'variable':
      return node.names.join('.');
    case 'identifier':
      return node.name;
    case 'number':
      return node.text;
    case 'string':
      return node.quoted;
    case 'bool':
      return String(node.value);
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
  }
  return unreachable(node);
}

function parenthesized(node: Operand): string {
  return node.type === 'pipe' ? `(${nodeText(node)})` : nodeText(node);
}

/** Whether there is nothing but space: such a template does not replace another of its name. */
export function isEmptyTree({ nodes }: ListNode): boolean {
  return nodes.every((node) => node.type === 'text' && /^[ \t\r\n\v\f]*$/.test(node.text));
}

/**
 * Reading PostgreSQL's parse tree as libpg-query's JSON gives it. A node is an object with one upper-case key (its
 * type); fields are lower-case; a field that is false, 0 or empty is left out. Nothing here throws or recurses.
 */

/** One object of the tree: a node's wrapper, or a node's fields. */
export interface Tree {
  readonly [key: string]: unknown;
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object in a field; an empty one if the field is absent. */
export function treeAt(tree: Tree, field: string): Tree {
  const value = tree[field];
  return isTree(value) ? value : NOTHING;
}

export function textAt(tree: Tree, field: string): string | undefined {
  const value = tree[field];
  return typeof value === 'string' ? value : undefined;
}

export function numberAt(tree: Tree, field: string): number {
  const value = tree[field];
  return typeof value === 'number' ? value : 0;
}

export function flagAt(tree: Tree, field: string): boolean {
  return tree[field] === true;
}

/** The objects of a list; none if the field is absent. */
export function listAt(tree: Tree, field: string): readonly Tree[] {
  const value: unknown = tree[field];
  return Array.isArray(value) ? value.filter(isTree) : [];
}

/** The parts of a qualified name, which the grammar gives as a list of `String` nodes. */
export function pathAt(tree: Tree, field: string): readonly string[] {
  return listAt(tree, field).map((part) => textAt(treeAt(part, 'String'), 'sval') ?? '');
}

/** The name of a relation, as its `RangeVar` has it. */
export function relationPathAt(tree: Tree): readonly string[] {
  const schema = textAt(tree, 'schemaname');
  const name = textAt(tree, 'relname') ?? '';
  return schema === undefined ? [name] : [schema, name];
}

/** The text of a constant node (`A_Const`, also inside a cast), or undefined if it is none, or NULL. */
export function constantText(node: Tree): string | undefined {
  const cast = node['TypeCast'];
  const constant = treeAt(isTree(cast) ? treeAt(cast, 'arg') : node, 'A_Const');
  if (isTree(constant['sval'])) return textAt(constant['sval'], 'sval') ?? '';
  if (isTree(constant['fval'])) return textAt(constant['fval'], 'fval') ?? '';
  if (isTree(constant['ival'])) return String(numberAt(constant['ival'], 'ival'));
  if (isTree(constant['boolval'])) return flagAt(constant['boolval'], 'boolval') ? 'true' : 'false';
  return undefined;
}

/** A statement or node without its wrapper. */
export interface TypedNode {
  readonly type: string;
  readonly fields: Tree;
}

/** Takes the wrapper off a node: `{ SelectStmt: {...} }`. Undefined if there is none. */
export function unwrap(node: Tree): TypedNode | undefined {
  for (const type in node) {
    const fields = node[type];
    if (isTree(fields)) return { type, fields };
  }
  return undefined;
}

const NOTHING: Tree = Object.freeze({});

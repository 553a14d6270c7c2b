/**
 * Which names of the database a node of the parse tree speaks of. Operators are also spoken of by other words: BETWEEN, IN,
 * CASE x WHEN and JOIN USING call the comparison that is visible under its usual name.
 */
import type { ReferenceCollector } from './references.ts';
import { flagAt, listAt, pathAt, type Tree, textAt, treeAt, unwrap } from './tree.ts';

export function noteReferences(type: string, node: Tree, into: ReferenceCollector): void {
  switch (type) {
    case 'A_Expr':
      for (const path of operatorsOf(node)) into.operator(path);
      return;
    case 'SubLink':
      if (textAt(node, 'subLinkType') === 'ANY_SUBLINK' || textAt(node, 'subLinkType') === 'ALL_SUBLINK') {
        into.operator(pathOr(pathAt(node, 'operName'), '='));
      }
      return;
    case 'CaseExpr':
      if (unwrap(treeAt(node, 'arg')) !== undefined) into.operator(['=']);
      return;
    case 'JoinExpr':
      if (flagAt(node, 'isNatural') || listAt(node, 'usingClause').length > 0) into.operator(['=']);
      return;
    case 'SortBy': {
      const path = pathAt(node, 'useOp');
      if (path.length > 0) into.operator(path);
      return;
    }
    case 'TypeName':
      noteType(node, into);
      return;
    case 'ColumnRef':
      noteAttribute(listAt(node, 'fields').slice(1), into);
      return;
    case 'CommonTableExpr':
      into.withQuery(textAt(node, 'ctename') ?? '');
      return;
    default:
      for (const name of NEW_WORDS.get(type) ?? []) into.newWord(name);
  }
}

/** Calls by the grammar of PostgreSQL 16 and 17, by the node that they are read as: before, anybody's functions could be called so. */
const NEW_WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['JsonFuncExpr', ['json_exists', 'json_query', 'json_value']],
  ['JsonParseExpr', ['json']],
  ['JsonScalarExpr', ['json_scalar']],
  ['JsonSerializeExpr', ['json_serialize']],
  ['JsonObjectConstructor', ['json_object']],
  ['JsonArrayConstructor', ['json_array']],
  ['JsonObjectAgg', ['json_objectagg']],
  ['JsonArrayAgg', ['json_arrayagg']],
]);

/** A function that our grammar takes for PostgreSQL's own wherever its bare name is called. */
export function noteNewWord(path: readonly string[], into: ReferenceCollector): void {
  if (path.length === 2 && path[0] === 'pg_catalog' && path[1] === 'json_object') into.newWord('json_object');
}

/** Of a TypeName, which some nodes hold without a wrapper. */
export function noteType(typeName: Tree, into: ReferenceCollector): void {
  const path = pathAt(typeName, 'names');
  if (path.length > 0) into.type(path);
}

/** All but the first part of a column's name. */
function noteAttribute(parts: readonly Tree[], into: ReferenceCollector): void {
  for (const name of namesAmong(parts)) into.attribute(name);
}

/** Of the parts behind points, those that are no star and no index. */
export function namesAmong(parts: readonly Tree[]): readonly string[] {
  return parts.flatMap((part) => textAt(treeAt(part, 'String'), 'sval') ?? []);
}

function operatorsOf(expression: Tree): readonly (readonly string[])[] {
  switch (textAt(expression, 'kind')) {
    case 'AEXPR_BETWEEN':
    case 'AEXPR_BETWEEN_SYM':
      return [['>='], ['<=']];
    case 'AEXPR_NOT_BETWEEN':
    case 'AEXPR_NOT_BETWEEN_SYM':
      return [['<'], ['>']];
    case undefined:
    default:
      return [pathOr(pathAt(expression, 'name'), '=')];
  }
}

const pathOr = (path: readonly string[], otherwise: string): readonly string[] =>
  path.length === 0 ? [otherwise] : path;

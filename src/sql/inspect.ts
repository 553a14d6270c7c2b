/**
 * Walks a whole parse tree for anything that keeps it off a standby. The walk is a loop with its own stack, since a
 * legal text can be nested thousands of levels deep; and it allows only what it knows: a type of node that
 * is not in the table makes the statement a write. On its way it notes what the tree refers to in the database.
 */
import { unreachable } from '../base/index.ts';
import { SERVER_VIEWS, SESSION_SETTINGS } from './builtin-functions.ts';
import { functionVerdict, nameInCatalog } from './functions.ts';
import type { Attention } from './part.ts';
import type { SqlReason } from './reasons.ts';
import type { ReferenceCollector } from './references.ts';
import { namesAmong, noteNewWord, noteReferences, noteType } from './referring.ts';
import { constantText, isTree, listAt, pathAt, relationPathAt, type Tree, textAt, treeAt } from './tree.ts';

/** Why a tree must not run on a standby. `session` is stricter than `write`. */
export interface Finding {
  readonly kind: 'write' | 'session';
  readonly because: SqlReason;
  readonly detail?: string;
  /** The database's own definitions may say otherwise. */
  readonly isOpen?: true;
}

/** The strictest finding in a tree, the first of its kind in no given order; undefined if the tree only reads. */
export function inspect(root: Tree, attention: Attention): Finding | undefined {
  let worst: Finding | undefined;
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (Array.isArray(value)) {
      for (const item of value) pending.push(item);
    } else if (isTree(value)) {
      for (const key in value) {
        const child = value[key];
        const finding = isNodeType(key)
          ? inspectNode(key, child, attention)
          : inspectField(key, child, value, attention);
        if (finding !== undefined && isStricter(finding, worst)) worst = finding;
        if (worst?.kind === 'session') return worst;
        if (typeof child === 'object') pending.push(child);
      }
    }
  }
  return attention.isOfFunctions ? strictest([worst, inspectAttributes(attention)]) : worst;
}

function isStricter(finding: Finding, worst: Finding | undefined): boolean {
  if (worst === undefined || finding.kind === 'session') return true;
  return worst.isOpen === true && finding.isOpen === undefined;
}

/** A setting that each session has its own value of, so that any connection of the session shows the same. */
export function isSessionSetting(name: string): boolean {
  return SESSION_SETTINGS.has(name) || UNLISTED_SESSION_SETTINGS.has(name) || name.includes('.');
}

/** Settings of the session that PostgreSQL keeps out of `pg_settings`. */
const UNLISTED_SESSION_SETTINGS: ReadonlySet<string> = new Set(['role', 'session_authorization', 'seed']);

/** Types of nodes begin with a capital, fields do not. */
function isNodeType(key: string): boolean {
  const first = key.charCodeAt(0);
  return first >= 0x41 && first <= 0x5a;
}

function inspectNode(type: string, node: unknown, attention: Attention): Finding | undefined {
  if (READ_NODES.has(type)) {
    if (!isTree(node)) return undefined;
    noteReferences(type, node, attention.references);
    if (type === 'RangeFunction') attention.isOfFunctions = true;
    return type === 'A_Indirection' ? inspectIndirection(node, attention) : undefined;
  }
  if (!isTree(node)) return write('node-not-known', type);
  switch (type) {
    case 'FuncCall':
      return inspectCall(node, attention);
    case 'String':
      return isTemporarySchema(textAt(node, 'sval')) ? session('uses-temporary') : undefined;
    case 'RangeTableSample':
      return inspectSample(node);
    case 'LockingClause':
      return write('locks-rows');
    case 'InsertStmt':
    case 'UpdateStmt':
    case 'DeleteStmt':
    case 'MergeStmt':
      return write('changes-data-in-cte');
    case 'CurrentOfExpr':
      return write('uses-cursor', textAt(node, 'cursor_name'));
    default:
      return write('node-not-known', type);
  }
}

/** Some structures appear without a wrapper (the table of a COPY, the target of an INTO): their fields tell. */
function inspectField(
  field: string,
  value: unknown,
  fields: Tree,
  attention: Attention,
): Finding | undefined {
  switch (field) {
    case 'relname':
      return inspectRelation(fields, attention.references);
    case 'typeName':
      if (isTree(value)) noteType(value, attention.references);
      // Of ALTER DOMAIN and its kin it is the bare name.
      else if (Array.isArray(value)) attention.references.type(pathAt(fields, field));
      return undefined;
    case 'relpersistence':
      return value === 't' ? session('creates-temporary', textAt(fields, 'relname')) : undefined;
    case 'intoClause':
      attention.creates = true;
      return write('selects-into', textAt(treeAt(treeAt(fields, 'intoClause'), 'rel'), 'relname'));
    default:
      return undefined;
  }
}

function inspectRelation(relation: Tree, references: ReferenceCollector): Finding | undefined {
  const path = relationPathAt(relation);
  const name = path.at(-1) ?? '';
  if (isTemporarySchema(path.at(-2))) return session('uses-temporary', name);
  references.relation(path);
  const known = nameInCatalog(path);
  return known !== undefined && SERVER_VIEWS.has(known) ? write('relation-of-server', name) : undefined;
}

function isTemporarySchema(schema: string | undefined): boolean {
  return schema !== undefined && (schema === 'pg_temp' || schema.startsWith('pg_temp_'));
}

function inspectCall(call: Tree, attention: Attention): Finding | undefined {
  const path = pathAt(call, 'funcname');
  const verdict = functionVerdict(path);
  const name = path.join('.');
  attention.references.call(path, call);
  noteNewWord(path, attention.references);
  switch (verdict) {
    case 'harmless':
      if (path.at(-1) !== 'current_setting') return undefined;
      attention.literal = true;
      return inspectCurrentSetting(call);
    case 'function-sets-setting':
      attention.literal = true;
      return isTransactionLocal(call) ? write('function-volatile', name) : inspectSetting(call, attention);
    case 'ends-with-connection':
      attention.literal = true;
      return isLastingSlot(call) ? write('function-volatile', name) : session(verdict, name);
    case 'holds-session-lock':
    case 'seeds-random':
      return session(verdict, name);
    case 'function-volatile':
    case 'function-primary-only':
      return write(verdict, name);
    case 'function-not-known':
      return { kind: 'write', because: verdict, detail: name, isOpen: true };
  }
  return unreachable(verdict);
}

/** `(x).f` is `f(x)` where it is no column, whatever the type of `x`. */
function inspectIndirection(node: Tree, attention: Attention): Finding | undefined {
  const parts = listAt(node, 'indirection');
  const argument = parts.length === 1 ? treeAt(node, 'arg') : undefined;
  return strictest(namesAmong(parts).map((name) => inspectColumnCall(name, argument, attention)));
}

/** `t.f` is `f(t)`, and what a function in FROM gives need be no row. */
function inspectAttributes(attention: Attention): Finding | undefined {
  const names = Array.from(attention.references.attributes);
  return strictest(names.map((name) => inspectColumnCall(name, undefined, attention)));
}

/** By a name that is none of PostgreSQL's functions, it is a column until the database says otherwise. */
function inspectColumnCall(
  name: string,
  argument: Tree | undefined,
  attention: Attention,
): Finding | undefined {
  if (functionVerdict([name]) !== 'function-not-known')
    return inspectCall({ funcname: [{ String: { sval: name } }], args: [argument ?? {}] }, attention);
  attention.references.columnCall(name);
  return undefined;
}

function strictest(findings: readonly (Finding | undefined)[]): Finding | undefined {
  let worst: Finding | undefined;
  for (const finding of findings) if (finding !== undefined && isStricter(finding, worst)) worst = finding;
  return worst;
}

/** `current_setting('data_directory')` speaks of a server, as SHOW does. A name not written out may be any. */
function inspectCurrentSetting(call: Tree): Finding | undefined {
  const argument = listAt(call, 'args')[0];
  const name = argument === undefined ? undefined : constantText(argument)?.toLowerCase();
  if (name !== undefined && isSessionSetting(name)) return undefined;
  return write('setting-of-server', name);
}

/** A setting that is named can be asked for afterwards; but what decides how SQL is read must be known at once. */
function inspectSetting(call: Tree, attention: Attention): Finding {
  const name = pathAt(call, 'funcname').join('.');
  const [argument] = name.endsWith('set_config') ? listAt(call, 'args') : [];
  const setting = argument === undefined ? undefined : constantText(argument)?.toLowerCase();
  if (setting === undefined || GRAMMAR_SETTINGS.has(setting)) return session('function-sets-setting', name);
  attention.sets.push(setting);
  return write('function-sets-setting', name);
}

const GRAMMAR_SETTINGS: ReadonlySet<string> = new Set(['standard_conforming_strings', 'client_encoding']);

/** The third argument of set_config is a constant true. */
function isTransactionLocal(call: Tree): boolean {
  const local = listAt(call, 'args')[2];
  return local !== undefined && constantText(local) === 'true';
}

/** A replication slot whose third argument, `temporary`, is left out or a constant false: it outlives its connection. */
function isLastingSlot(call: Tree): boolean {
  if (!pathAt(call, 'funcname').join('.').endsWith('_replication_slot')) return false;
  const args = listAt(call, 'args');
  const isNamed = args.some((argument) => isTree(argument['NamedArgExpr']));
  const temporary = args[2];
  return !isNamed && (temporary === undefined || constantText(temporary) === 'false');
}

/** TABLESAMPLE calls a function by name; only the two built-in methods are known. */
function inspectSample(sample: Tree): Finding | undefined {
  const path = pathAt(sample, 'method');
  const method = nameInCatalog(path);
  if (method === 'system' || method === 'bernoulli') return undefined;
  return write('function-not-known', path.join('.'));
}

function write(because: SqlReason, detail?: string): Finding {
  return detail === undefined ? { kind: 'write', because } : { kind: 'write', because, detail };
}

function session(because: SqlReason, detail?: string): Finding {
  return detail === undefined ? { kind: 'session', because } : { kind: 'session', because, detail };
}

/** Nodes that a read may hold and that say nothing by themselves. */
const READ_NODES: ReadonlySet<string> = new Set(
  `SelectStmt ResTarget ColumnRef A_Const A_Star A_Expr A_Indices A_Indirection A_ArrayExpr Integer Float Boolean
   BitString List RangeVar RangeSubselect RangeFunction RangeTableFunc RangeTableFuncCol JoinExpr Alias SubLink CaseExpr
   CaseWhen BoolExpr NullTest BooleanTest CoalesceExpr MinMaxExpr SQLValueFunction XmlExpr XmlSerialize TypeCast TypeName
   CollateClause SortBy WindowDef GroupingSet GroupingFunc RowExpr ParamRef NamedArgExpr SetToDefault ColumnDef
   CommonTableExpr CTESearchClause CTECycleClause WithClause DefElem
   JsonIsPredicate JsonFuncExpr JsonValueExpr JsonFormat JsonReturning JsonOutput JsonBehavior JsonArgument JsonKeyValue
   JsonObjectConstructor JsonArrayConstructor JsonArrayQueryConstructor JsonAggConstructor JsonObjectAgg JsonArrayAgg
   JsonParseExpr JsonScalarExpr JsonSerializeExpr JsonTable JsonTableColumn JsonTablePathSpec JsonTablePath`
    .trim()
    .split(/\s+/),
);

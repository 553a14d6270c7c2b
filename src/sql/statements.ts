/**
 * One statement -> its part of the classification: a table by the statement's node type. A type that is not in the
 * table is a write. Also inside a write the whole tree is inspected, since a session lock taken within an UPDATE
 * binds the session as much as one taken by a SELECT.
 */
import { inspect } from './inspect.ts';
import type { Attention, EndPart, Part, StrictPart } from './part.ts';
import type { SqlReason } from './reasons.ts';
import { classifySet, classifySetConfig, classifyShow, transactionOptions } from './settings.ts';
import {
  flagAt,
  listAt,
  numberAt,
  relationPathAt,
  type Tree,
  type TypedNode,
  textAt,
  treeAt,
  unwrap,
} from './tree.ts';

/** Classifies one statement, given as the wrapped node of a `RawStmt`. */
export function classifyStatement(statement: Tree, attention: Attention): Part {
  const node = unwrap(statement);
  if (node === undefined) return { kind: 'write', because: 'statement-not-known' };
  if (!LITERALS_IN_EXPRESSIONS.has(node.type)) attention.literal = true;
  if (CREATES.test(node.type)) attention.creates = true;
  const handler = HANDLERS.get(node.type);
  if (handler !== undefined) return handler(node.fields, attention);
  return asWrite(WRITES.get(node.type) ?? unlistedReason(node.type), node.fields, attention);
}

/**
 * Statements whose literals are all constants of expressions (`A_Const`), which `inspect` passes by but where it says
 * so. In others a literal can be an option, a file, or text of the statement, and is taken to matter: the body of
 * CREATE FUNCTION is a `String`, like a name.
 */
const LITERALS_IN_EXPRESSIONS: ReadonlySet<string> = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
  'CallStmt',
  'ExecuteStmt',
]);

type Handler = (fields: Tree, attention: Attention) => Part;

/** Statements that must be looked into. Tables rather than objects, so that no name is inherited. */
const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['SelectStmt', classifySelect],
  ['ExplainStmt', classifyExplain],
  ['CopyStmt', classifyCopy],
  ['CreateTableAsStmt', classifyCreateTableAs],
  ['TransactionStmt', classifyTransaction],
  ['VariableSetStmt', classifySet],
  ['VariableShowStmt', classifyShow],
  ['ConstraintsSetStmt', () => ({ kind: 'read', because: 'transaction-local' })],
  ['DeclareCursorStmt', classifyDeclareCursor],
  ['TruncateStmt', classifyTruncate],
  ['DiscardStmt', classifyDiscard],
  // Of temporary things, too: it takes state away, and leaves none.
  ['DropStmt', () => ({ kind: 'write', because: 'changes-schema' })],
  ['ListenStmt', (fields) => bindsSession('listens', textAt(fields, 'conditionname'))],
  ['PrepareStmt', (fields) => bindsSession('prepares-statement', textAt(fields, 'name'))],
  ['DeallocateStmt', classifyDeallocate],
  ['ExecuteStmt', classifyExecute],
  ['LoadStmt', (fields) => bindsSession('loads-library', textAt(fields, 'filename'))],
]);

/** Statements that belong on the primary whatever they hold. Those about definitions need no row: see below. */
const WRITES: ReadonlyMap<string, SqlReason> = new Map<string, SqlReason>([
  ['InsertStmt', 'changes-data'],
  ['UpdateStmt', 'changes-data'],
  ['DeleteStmt', 'changes-data'],
  ['MergeStmt', 'changes-data'],
  ['LockStmt', 'locks-table'],
  ['NotifyStmt', 'notifies'],
  ['UnlistenStmt', 'notifies'],
  ['CallStmt', 'runs-code'],
  ['DoStmt', 'runs-code'],
  ['FetchStmt', 'uses-cursor'],
  ['ClosePortalStmt', 'uses-cursor'],
  ['VacuumStmt', 'maintains'],
  ['ClusterStmt', 'maintains'],
  ['ReindexStmt', 'maintains'],
  ['RefreshMatViewStmt', 'maintains'],
  ['CheckPointStmt', 'maintains'],
]);

const DEFINITIONS =
  /^(Create|Alter|Drop|Rename|Define|Grant|Revoke|Comment|SecLabel|Rule|Index|View|Import|Reassign)/;

const CREATES = /^(Create|Define|View|CompositeType)/;

/** Definitions and rights are told by the names of their nodes: only the reason hangs on it, not the kind. */
function unlistedReason(type: string): SqlReason {
  return DEFINITIONS.test(type) ? 'changes-schema' : 'statement-not-known';
}

function classifyTruncate(truncate: Tree, attention: Attention): StrictPart {
  if (textAt(truncate, 'behavior') === 'DROP_CASCADE')
    for (const relation of listAt(truncate, 'relations'))
      attention.references.cascade(relationPathAt(treeAt(relation, 'RangeVar')));
  return asWrite('changes-data', truncate, attention);
}

function asWrite(because: SqlReason, fields: Tree, attention: Attention): StrictPart {
  const found = inspect(fields, attention);
  return found?.kind === 'session' ? found : { kind: 'write', because };
}

function bindsSession(because: SqlReason, detail: string | undefined): StrictPart {
  return detail === undefined ? { kind: 'session', because } : { kind: 'session', because, detail };
}

function classifySelect(select: Tree, attention: Attention): Part {
  const found = readOf(select, 'only-reads', attention);
  const setting = found.because === 'function-sets-setting' ? classifySetConfig(select) : undefined;
  if (setting?.kind === 'set') attention.sets.pop();
  return setting ?? found;
}

/** A read, unless something in it is known to be none; if that only may be, the part says so. */
function readOf(fields: Tree, because: SqlReason, attention: Attention): Part {
  const found = inspect(fields, attention);
  if (found === undefined) return { kind: 'read', because };
  const { isOpen, ...part } = found;
  return isOpen === true ? { ...part, ifReads: because } : part;
}

/** EXPLAIN runs nothing, EXPLAIN ANALYZE runs the statement; both belong where the statement would run. */
function classifyExplain(explain: Tree, attention: Attention): Part {
  const explained = classifyStatement(treeAt(explain, 'query'), attention);
  if (listAt(explain, 'options').some(isAnalyze)) {
    // Its Parse does not look up what an EXECUTE inside of it runs.
    if (explained.kind === 'session') return { ...explained, executes: undefined, ...executedIn(explain) };
    return { kind: 'write', because: 'explain-analyze', ...executedIn(explain) };
  }
  if (explained.kind === 'read') return { kind: 'read', because: 'explains-a-read' };
  const isOpen = explained.kind === 'write' && explained.ifReads !== undefined;
  const ifReads = isOpen ? ({ ifReads: 'explains-a-read' } as const) : {};
  return { kind: 'write', because: 'explains-a-write', ...ifReads, ...executedIn(explain) };
}

/** An EXECUTE that EXPLAIN or CREATE TABLE AS has in place of a query. */
function executedIn(statement: Tree): { readonly speaks?: string } {
  const query = unwrap(treeAt(statement, 'query'));
  const name = query?.type === 'ExecuteStmt' ? textAt(query.fields, 'name') : undefined;
  return name === undefined ? {} : { speaks: name };
}

function classifyCreateTableAs(create: Tree, attention: Attention): Part {
  return { ...asWrite('changes-schema', create, attention), ...executedIn(create) };
}

/** The option alone means yes; so does any value but a plain no. */
function isAnalyze(option: Tree): boolean {
  const element = treeAt(option, 'DefElem');
  if (textAt(element, 'defname') !== 'analyze') return false;
  const value = unwrap(treeAt(element, 'arg'));
  return value === undefined || !isNo(value);
}

function isNo(value: TypedNode): boolean {
  if (value.type === 'Integer') return numberAt(value.fields, 'ival') === 0;
  const text = textAt(value.fields, 'sval')?.toLowerCase();
  return text === 'off' || text === 'false';
}

function classifyCopy(copy: Tree, attention: Attention): Part {
  if (flagAt(copy, 'is_from')) return asWrite('copies-in', copy, attention);
  if (flagAt(copy, 'is_program') || textAt(copy, 'filename') !== undefined) {
    return asWrite('copies-to-server', copy, attention);
  }
  const query = unwrap(treeAt(copy, 'query'));
  if (query !== undefined && query.type !== 'SelectStmt') {
    return classifyStatement(treeAt(copy, 'query'), attention);
  }
  return readOf(copy, 'copies-out', attention);
}

function classifyTransaction(statement: Tree): Part {
  const chain = flagAt(statement, 'chain');
  switch (textAt(statement, 'kind')) {
    case 'TRANS_STMT_BEGIN':
    case 'TRANS_STMT_START':
      return {
        kind: 'begin',
        because: 'begins-transaction',
        transaction: transactionOptions(listAt(statement, 'options')),
        ...(textAt(statement, 'kind') === 'TRANS_STMT_START' ? { isStart: true } : {}),
      };
    case 'TRANS_STMT_COMMIT':
      return ends('commit', chain);
    case 'TRANS_STMT_ROLLBACK':
      return ends('rollback', chain);
    case 'TRANS_STMT_PREPARE':
      return ends('prepare', false);
    case 'TRANS_STMT_SAVEPOINT':
    case 'TRANS_STMT_RELEASE':
    case 'TRANS_STMT_ROLLBACK_TO':
      return { kind: 'read', because: 'savepoint' };
    case 'TRANS_STMT_COMMIT_PREPARED':
    case 'TRANS_STMT_ROLLBACK_PREPARED':
      return { kind: 'write', because: 'two-phase' };
    case undefined:
    default:
      return { kind: 'write', because: 'statement-not-known' };
  }
}

function ends(outcome: EndPart['outcome'], chain: boolean): EndPart {
  return { kind: 'end', because: 'ends-transaction', outcome, chain };
}

/** Whose statement it is, of the protocol or of SQL, is the session's to know. Without a name: all. */
function classifyDeallocate(deallocate: Tree): Part {
  const name = textAt(deallocate, 'name');
  return { kind: 'read', because: 'forgets-statement', ...(name === undefined ? {} : { detail: name }) };
}

/** What it runs is known to the session alone, by this name. */
function classifyExecute(execute: Tree, attention: Attention): Part {
  const name = textAt(execute, 'name');
  const found = inspect(execute, attention);
  // What its arguments leave in the session counts more; what it runs is to be brought all the same.
  if (found?.kind === 'session') return { ...found, ...(name === undefined ? {} : { executes: name }) };
  return {
    kind: 'write',
    because: 'executes-prepared',
    ...(name === undefined ? {} : { detail: name }),
    ...(found === undefined && attention.references.isEmpty ? { isPlain: true } : {}),
  };
}

/** Without HOLD a cursor ends with its transaction. */
function classifyDeclareCursor(declare: Tree, attention: Attention): Part {
  if ((numberAt(declare, 'options') & CURSOR_OPT_HOLD) !== 0) {
    return bindsSession('holds-cursor', textAt(declare, 'portalname'));
  }
  return asWrite('uses-cursor', declare, attention);
}

/** From PostgreSQL's `nodes/parsenodes.h`. */
const CURSOR_OPT_HOLD = 0x0020;

/**
 * DISCARD ALL leaves a connection as new, so it can be run on each connection of the session, and is what connection
 * pools send between two of their clients: it must free a session that was bound, not bind it.
 * Sequences' state and temporary tables are only ever on the primary; plans are of no consequence anywhere.
 */
function classifyDiscard(discard: Tree): Part {
  switch (textAt(discard, 'target')) {
    case 'DISCARD_ALL':
      return { kind: 'set', because: 'discards-all', changes: [], clears: 'everything' };
    case 'DISCARD_PLANS':
      return { kind: 'read', because: 'discards-plans' };
    case undefined:
    default:
      return { kind: 'write', because: 'discards-state' };
  }
}

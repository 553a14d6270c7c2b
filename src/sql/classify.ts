/**
 * A parsed text -> its classification. Several statements in one text travel as a unit, so the strictest decides: what
 * binds the session, then what writes; a transaction's begin or end, or a setting, among others makes the
 * whole a write, because the server runs them as one and the primary is right for any of it.
 */
import type { Classification, SettingStatement, SpokenOf, Verdict } from './classification.ts';
import type { Attention, BeginPart, EndPart, Part, ReadPart, SetPart, StrictPart } from './part.ts';
import { textOfPrepared } from './prepared-text.ts';
import { NO_REFERENCES } from './references.ts';
import type { SqlReason } from './reasons.ts';
import { classifyStatement } from './statements.ts';
import { listAt, numberAt, type Tree, treeAt } from './tree.ts';

/** Classifies the tree of `sql` (libpg-query's object with `stmts`), and notes in `attention` what was looked at. */
export function classifyTree(tree: Tree, sql: string, attention: Attention): Classification {
  const statements = listAt(tree, 'stmts');
  const parts = statements.map((statement) => classifyStatement(treeAt(statement, 'stmt'), attention));
  const [first, second] = parts;
  if (first === undefined) return EMPTY;
  const settings = settingStatements(parts, statements, sql);
  // Of which setting is not looked at: the server is asked.
  if (second !== undefined && attention.creates && parts.some(isLocal)) attention.sets.push('search_path');
  const sets = attention.sets.length === 0 ? {} : { sets: attention.sets };
  const creates = attention.creates ? ({ creates: true } as const) : {};
  const referred = attention.references.references();
  const touched = referred ?? (parts.some(isSeenByTriggers) ? NO_REFERENCES : undefined);
  const names =
    referred && parts.every(hangsOnCatalog) ? { references: referred } : touched && { touches: touched };
  if (second === undefined) {
    const speaks = 'speaks' in first || 'executes' in first ? spokenOf(parts) : undefined;
    const prepares = first.because === 'prepares-statement' ? preparedIn(statements, sql) : undefined;
    return Object.freeze({
      ...asAnswer(first),
      ...names,
      ...(speaks === undefined ? {} : { speaksOf: speaks }),
      ...(prepares === undefined ? {} : { prepares }),
      settings,
      ...sets,
      ...creates,
      controlsTransaction: false,
      endsTransaction: false,
    });
  }
  const controlsTransaction = parts.some(isControl);
  const speaksOf = spokenOf(parts);
  const makes = parts.flatMap(({ because, detail }) =>
    because === 'prepares-statement' ? (detail ?? []) : [],
  );
  const goesOnAt = behindEnd(parts, statements);
  return Object.freeze({
    ...asAnswer(strictest(parts, first)),
    ...names,
    settings,
    ...sets,
    ...creates,
    controlsTransaction,
    ...(speaksOf.length === 0 ? {} : { speaksOf }),
    ...(makes.length === 0 ? {} : { makes }),
    ...(goesOnAt === undefined ? {} : { goesOnAt }),
    among: parts.map(asVerdict),
    endsTransaction: parts.some((part) => part.kind === 'end'),
  });
}

/** Event triggers may be run by it. */
export function isSeenByTriggers({ because }: Pick<Verdict, 'because'>): boolean {
  return TRIGGERING.has(because);
}

const TRIGGERING: ReadonlySet<SqlReason> = new Set(['changes-schema', 'selects-into', 'maintains']);

/** What the database defines can make it another: it is a read, or was none only for what may be one. */
function hangsOnCatalog(part: Part): boolean {
  if (part.kind === 'read') return part.transaction === undefined && part.because !== 'forgets-statement';
  return part.kind === 'write' && part.ifReads !== undefined;
}

/** The answer for a text that was not parsed: the primary gets it untouched. */
export function notLookedAt(because: SqlReason): Classification {
  return Object.freeze({
    kind: 'write',
    because,
    settings: NONE,
    controlsTransaction: false,
    endsTransaction: false,
  });
}

const NONE: readonly SettingStatement[] = Object.freeze([]);

const EMPTY: Classification = Object.freeze({
  kind: 'empty',
  because: 'no-statement',
  settings: NONE,
  controlsTransaction: false,
  endsTransaction: false,
});

/** The part without what only `settings` carries. */
type Answer =
  | ReadPart
  | Omit<StrictPart, 'speaks'>
  | BeginPart
  | EndPart
  | Omit<SetPart, 'changes' | 'clears'>;

function asAnswer(part: Part): Answer {
  if (part.kind === 'set') {
    const { changes: _changes, clears: _clears, ...answer } = part;
    return answer;
  }
  if (!('speaks' in part || 'executes' in part)) return part;
  const { speaks: _speaks, executes: _executes, ...answer } = part;
  return answer;
}

function asVerdict({ kind, because, detail }: Part): Verdict {
  return detail === undefined ? { kind, because } : { kind, because, detail };
}

function strictest(parts: readonly Part[], first: Part): Part {
  const strict = parts.find((part) => part.kind === 'session') ?? parts.find((part) => part.kind === 'write');
  // Whatever else they do: what the session knows of its prepared statements is not right any more afterwards.
  const forgetting = parts.find((part) => part.because === 'forgets-statement');
  if (forgetting !== undefined && strict?.kind !== 'session') {
    return { ...forgetting, kind: 'write', because: 'several-with-forgetting' };
  }
  if (strict !== undefined) return withoutPlain(strict);
  if (parts.some(isControl)) return { kind: 'write', because: 'several-with-transaction' };
  if (parts.every((part) => part.kind === 'set')) return first;
  if (parts.some((part) => part.kind === 'set')) return { kind: 'write', because: 'several-with-setting' };
  const options = parts.filter((part) => part.kind === 'read' && part.transaction !== undefined);
  return withoutPlain(options.find(isSerializable) ?? options[0] ?? first);
}

function isSerializable(part: Part): boolean {
  return part.kind === 'read' && part.transaction?.isolation === 'serializable';
}

/** Among others it is not alone any more. */
function withoutPlain(part: Part): Part {
  if (!('isPlain' in part)) return part;
  const { isPlain: _isPlain, ...rest } = part;
  return rest;
}

/** Where the text goes on behind the first statement that leaves no transaction open; it may not. */
function behindEnd(parts: readonly Part[], statements: readonly Tree[]): number | undefined {
  const ending = parts.findIndex((part) => part.kind === 'end' && part.outcome !== 'prepare' && !part.chain);
  const next = ending === -1 ? undefined : statements[ending + 1];
  return next === undefined ? undefined : numberAt(next, 'stmt_location');
}

function spokenOf(parts: readonly Part[]): readonly SpokenOf[] {
  return parts.flatMap((part, at) => {
    const { because, detail } = part;
    if ('speaks' in part && part.speaks !== undefined) return [{ at, name: part.speaks, isForgotten: false }];
    if ('executes' in part && part.executes !== undefined)
      return [{ at, name: part.executes, isForgotten: false, isExecuted: true }];
    const isForgotten = because === 'forgets-statement';
    if (!isForgotten && because !== 'executes-prepared') return [];
    return [{ at, ...(detail === undefined ? {} : { name: detail }), isForgotten }];
  });
}

function isControl(part: Part): boolean {
  return part.kind === 'begin' || part.kind === 'end';
}

/** It sets something for its transaction alone. */
export function isLocal({ because, detail }: Pick<Verdict, 'because' | 'detail'>): boolean {
  const isConfig = because === 'function-volatile' && detail?.endsWith('set_config') === true;
  return isConfig || because === 'transaction-local';
}

function settingStatements(
  parts: readonly Part[],
  statements: readonly Tree[],
  sql: string,
): readonly SettingStatement[] {
  if (!parts.some((part) => part.kind === 'set')) return NONE;
  const bytes = Buffer.from(sql);
  return parts.flatMap((part, index) => {
    const statement = statements[index];
    if (part.kind !== 'set' || statement === undefined) return [];
    return [{ text: statementText(bytes, statement), changes: part.changes, clears: part.clears }];
  });
}

function preparedIn([statement]: readonly Tree[], sql: string): string | undefined {
  if (statement === undefined) return undefined;
  return textOfPrepared(statementText(Buffer.from(sql), statement));
}

/** The grammar counts bytes; a length left out means up to the end. */
function statementText(bytes: Buffer, statement: Tree): string {
  const start = numberAt(statement, 'stmt_location');
  const length = numberAt(statement, 'stmt_len');
  return bytes.toString('utf8', start, length === 0 ? bytes.length : start + length).trim();
}

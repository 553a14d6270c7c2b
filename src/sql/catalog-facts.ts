/**
 * What a database defines, as far as it decides whether a statement reads: its functions, relations, types and operators,
 * and what each leads to. A view leads to what its rule names, a table to its children, its policies and the types of its
 * columns, a domain to its checks, a type to its casts and operator classes. So the question `does it only read` is that
 * of what can be reached. Built once from rows of the catalogue (catalog-rows.ts), never changed.
 */
import { SERVER_VIEWS } from './builtin-functions.ts';
import type { CatalogRows } from './catalog-rows.ts';
import { type FunctionVerdict, functionVerdict, nameInCatalog } from './functions.ts';
import type { SqlReason } from './reasons.ts';

/** An object of the database: the letter of its kind (function, operator, relation, type) and its oid. */
export type Key = string;

/** To write to a relation is more than to read it: triggers, rules, defaults, checks and cascades are found by this key. */
export function writingKey(relation: Key): Key {
  return `w${relation.slice(1)}`;
}

/** To empty it with all that refers to it. */
export function cascadingKey(relation: Key): Key {
  return `x${relation.slice(1)}`;
}

/** To change definitions: what leads to the event triggers. */
export const DEFINING: Key = 'ddl';

/** Why something is not for a standby. */
export interface Harm {
  readonly kind: 'write' | 'session';
  readonly because: SqlReason;
  readonly detail: string;
}

interface Named {
  readonly key: Key;
  readonly schema: string;
}

export interface FunctionFact extends Named {
  readonly argsMin: number;
  readonly argsMax: number;
  /** Its first argument may be a row: `t.f` can mean it. */
  readonly takesRow: boolean;
}

export interface OperatorFact extends Named {
  /** The types among its operands that are not built in. */
  readonly operands: readonly Key[];
}

/** A cast that does more than to read, or may: it happens only where there is something of each of these types. */
export interface CastFact {
  readonly key: Key;
  readonly needs: readonly Key[];
  /** The same where it may be assigned to a column. */
  readonly needsInWrites: readonly Key[];
}

/** All that can be reached from some objects. */
export interface Reached {
  readonly harm: Harm | undefined;
  /** A function is among them whose code nobody looked into. */
  readonly runsCode: boolean;
  readonly keys: ReadonlySet<Key>;
}

export class CatalogFacts {
  /** What is not built in, by bare name. */
  readonly functions = new Map<string, FunctionFact[]>();
  readonly operators = new Map<string, OperatorFact[]>();
  /** Built-in ones too. */
  readonly relations = new Map<string, Named[]>();
  readonly types = new Map<string, Named[]>();
  readonly builtinOperators = new Set<string>();
  /** Those of them that take two operands. */
  readonly builtinBinary = new Set<string>();
  /** Schemas that everybody may look into: a name that is found there is not looked for any further. */
  readonly openSchemas = new Set<string>();
  readonly casts: readonly CastFact[];
  /** What is so wide that any statement may come to it: an operator class of a built-in type. */
  readonly ofAll: Reached;
  /** By role or, for all others, by '': what a session begins with. */
  readonly #starts = { search_path: new Map<string, string>(), role: new Map<string, string>() };
  readonly #leadsTo = new Map<Key, Key[]>();
  readonly #harms = new Map<Key, Harm>();
  readonly #code = new Set<Key>();
  /** May leave something in a session that nobody sees. */
  readonly #unseen = new Set<Key>();

  constructor(rows: CatalogRows) {
    for (const { name, isOpen } of rows.schemas) if (isOpen) this.openSchemas.add(name);
    for (const row of rows.functions) this.#function(row);
    for (const row of rows.relations) this.#relation(row);
    for (const { key, schema, name } of rows.types) add(this.types, name, { key, schema });
    for (const row of rows.operators) this.#operator(row);
    for (const [from, to] of rows.edges) add(this.#leadsTo, from, to);
    for (const [key, name] of rows.calls) this.#builtinCall(key, name);
    for (const key of rows.leaveState) this.#unseen.add(key);
    for (const { role, name, text } of rows.starts) {
      const values = this.#starts[name];
      if (!values.has(role)) values.set(role, text);
    }
    this.casts = rows.casts.filter(({ key }) => {
      const { harm, runsCode } = this.reach([key]);
      return harm !== undefined || runsCode;
    });
    this.ofAll = this.reach([EVERYTHING]);
  }

  /** Undefined: it cannot be told. */
  startPath(user: string): string | undefined {
    return this.#starts.search_path.get(user) ?? this.#starts.search_path.get('');
  }

  /** Whether a session of this user may begin in another role: it does so only where that is there, and the user is of it. */
  mayStartInRole(user: string): boolean {
    return this.#starts.role.has(user) || this.#starts.role.has('');
  }

  get counts(): Readonly<Record<'functions' | 'relations' | 'types' | 'operators', number>> {
    return {
      functions: countOf(this.functions),
      relations: countOf(this.relations),
      types: countOf(this.types),
      operators: countOf(this.operators),
    };
  }

  /** A loop with its own stack, as there are views on views and trees of partitions of any depth. */
  reach(roots: readonly Key[]): Reached {
    const keys = new Set<Key>(roots);
    let harm: Harm | undefined;
    let runsCode = false;
    for (const key of keys) {
      const own = this.#harms.get(key);
      if (own !== undefined && (harm === undefined || own.kind === 'session')) harm = own;
      if (this.#code.has(key)) runsCode = true;
      for (const next of this.#leadsTo.get(key) ?? NOWHERE) keys.add(next);
      if (harm?.kind === 'session') break;
    }
    return { harm, runsCode, keys };
  }

  /** Something among all that is reached may leave state in the session. */
  runsUnseen(roots: readonly Key[]): boolean {
    const keys = new Set<Key>(roots);
    for (const key of keys) {
      if (this.#unseen.has(key)) return true;
      for (const next of this.#leadsTo.get(key) ?? NOWHERE) keys.add(next);
    }
    return false;
  }

  #function(row: CatalogRows['functions'][number]): void {
    const { key, schema, name, args, defaults, isVariadic, takesRow, isVolatile, isCode } = row;
    const argsMin = args - defaults - (isVariadic ? 1 : 0);
    const argsMax = isVariadic ? Number.POSITIVE_INFINITY : args;
    add(this.functions, name, { key, schema, argsMin, argsMax, takesRow });
    if (isVolatile) this.#harm(key, 'function-volatile', `${schema}.${name}`);
    if (isCode) this.#code.add(key);
    if (isCode || isVolatile) this.#unseen.add(key);
  }

  #relation({ key, schema, name, kind, isUnlogged, locksRows }: CatalogRows['relations'][number]): void {
    add(this.relations, name, { key, schema });
    const ofKind = locksRows ? 'locks-rows' : HARMFUL_KINDS.get(kind);
    const because = isUnlogged ? 'relation-unlogged' : ofKind;
    if (because !== undefined) this.#harm(key, because, `${schema}.${name}`);
    const known = nameInCatalog([schema, name]);
    if (known !== undefined && SERVER_VIEWS.has(known)) this.#harm(key, 'relation-of-server', name);
  }

  #operator({ key, schema, name, operands }: CatalogRows['operators'][number]): void {
    if (key === '') {
      this.builtinOperators.add(name);
      if (operands.includes(BINARY)) this.builtinBinary.add(name);
    } else add(this.operators, name, { key, schema, operands });
  }

  /** Something of the database calls a function of PostgreSQL's own. */
  #builtinCall(key: Key, name: string): void {
    const verdict = functionVerdict([name]);
    if (verdict === 'harmless' || this.#harms.get(key)?.kind === 'session') return;
    this.#harms.set(key, harmOfBuiltin(verdict, name));
  }

  #harm(key: Key, because: SqlReason, detail: string): void {
    this.#harms.set(key, { kind: 'write', because, detail });
  }
}

/** What a call of a function of PostgreSQL's own is that does not only read. */
export function harmOfBuiltin(verdict: Exclude<FunctionVerdict, 'harmless'>, detail: string): Harm {
  return { kind: OF_SESSION.has(verdict) ? 'session' : 'write', because: verdict, detail };
}

const OF_SESSION: ReadonlySet<FunctionVerdict> = new Set([
  'holds-session-lock',
  'ends-with-connection',
  'seeds-random',
  'function-sets-setting',
]);

/** In place of the operands of a built-in operator: there is one of two. */
const BINARY = 'binary';

/** What leads to what is part of everything. */
const EVERYTHING: Key = 'd';
const NOWHERE: readonly Key[] = [];

/** By `pg_class.relkind`. */
const HARMFUL_KINDS: ReadonlyMap<string, SqlReason> = new Map([
  ['f', 'relation-foreign'],
  ['S', 'relation-sequence'],
]);

function countOf(lists: ReadonlyMap<string, readonly unknown[]>): number {
  return [...lists.values()].reduce((total, { length }) => total + length, 0);
}

function add<Value>(map: Map<string, Value[]>, name: string, value: Value): void {
  const list = map.get(name);
  if (list === undefined) map.set(name, [value]);
  else list.push(value);
}

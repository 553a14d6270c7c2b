/**
 * What a classification is in one database: the names that its text refers to, looked up in the database's facts. Total:
 * what is not found, or could be several things of which one is harmful, is for the primary.
 *
 * A function or operator is picked among its namesakes by the types of what it is given, which are not known here: so all
 * that take as many arguments count, in all schemas of the search_path. A relation or type is the first of its name; a
 * schema that not everybody may look into is passed by for some, so there the next counts too.
 */
import type { Classification } from './classification.ts';
import { isSeenByTriggers } from './classify.ts';
import {
  type CatalogFacts,
  cascadingKey,
  DEFINING,
  type Harm,
  harmOfBuiltin,
  type Key,
  type OperatorFact,
  type Reached,
  writingKey,
} from './catalog-facts.ts';
import { functionVerdict, LEAVES_STATE, nameInCatalog } from './functions.ts';
import type { SqlReason } from './reasons.ts';
import { NO_REFERENCES, type Path, type References } from './references.ts';
import type { SearchPath } from './search-path.ts';

/** What is known of a database at one moment, and what statements are by it. */
export class Resolvers {
  readonly facts: CatalogFacts;
  readonly #byPath = new Map<string, Resolver>();

  constructor(facts: CatalogFacts) {
    this.facts = facts;
  }

  under(path: SearchPath): Resolver {
    const key = path === 'any' ? path : `= ${path.join('\0')}`;
    let resolver = this.#byPath.get(key);
    if (resolver === undefined) {
      if (this.#byPath.size >= PATHS_MAX) this.#byPath.clear();
      resolver = new Resolver(this.facts, path);
      this.#byPath.set(key, resolver);
    }
    return resolver;
  }
}

/** Of clients that make up a search_path each, what was resolved is forgotten. */
const PATHS_MAX = 256;

/** Resolves classifications against the facts of one moment under one search_path, each once. */
export class Resolver {
  readonly #facts: CatalogFacts;
  readonly #path: SearchPath;
  readonly #known = new WeakMap<Classification, Classification>();
  /** The same of statements whose parameters have types of the database's own, by the list of these. */
  readonly #withTypes = new WeakMap<readonly number[], WeakMap<Classification, Classification>>();

  constructor(facts: CatalogFacts, path: SearchPath) {
    this.#facts = facts;
    this.#path = path;
  }

  /** `types`: oids of the types of its parameters that are not built in, one list for each statement. */
  resolve(found: Classification, types: readonly number[] = NO_TYPES): Classification {
    const resolved = this.#of(types);
    const known = resolved.get(found);
    if (known !== undefined) return known;
    const answer = resolve(found, types, new Lookup(this.#facts, this.#path));
    resolved.set(found, answer);
    return answer;
  }

  #of(types: readonly number[]): WeakMap<Classification, Classification> {
    if (types.length === 0) return this.#known;
    const known = this.#withTypes.get(types);
    if (known !== undefined) return known;
    const fresh = new WeakMap<Classification, Classification>();
    this.#withTypes.set(types, fresh);
    return fresh;
  }
}

const NO_TYPES: readonly number[] = [];

function resolve(found: Classification, types: readonly number[], lookup: Lookup): Classification {
  const { references, touches } = found;
  if (touches !== undefined) return lookup.runsUnseen(touches, found) ? unseen(found) : found;
  if (!isOfCatalog(found, types)) return found;
  const outcome = lookup.outcomeOf(references ?? NO_REFERENCES, types);
  if (outcome.kind !== 'read') return strict(found, outcome);
  if (outcome.runsCode) return asRead(found, 'function-trusted');
  return found.kind === 'read' ? found : asRead(found, found.kind === 'write' ? found.ifReads : undefined);
}

/** What it is hangs on what the database has defined. The input of a parameter may run the checks of a domain. */
function isOfCatalog({ references, kind }: Classification, types: readonly number[]): boolean {
  return references !== undefined || (types.length > 0 && kind === 'read');
}

/** While nothing is known of the database: what refers to it is for the primary, and may run anything there. */
export function unresolved(found: Classification, types: readonly number[] = NO_TYPES): Classification {
  if (found.touches !== undefined) return unseen(found);
  return isOfCatalog(found, types) ? strict(found, NOT_READ) : found;
}

/** Where no catalogue is read: what the text is by itself. Of what leaves something, or runs a text that can, the names tell. */
export function withoutCatalog(found: Classification): Classification {
  const names = found.references ?? found.touches;
  if (names === undefined) return found;
  let answer = WITHOUT_CATALOG.get(found);
  if (answer === undefined) {
    answer = leavesByName(names) ? unseen(found) : found;
    WITHOUT_CATALOG.set(found, answer);
  }
  return answer;
}

const WITHOUT_CATALOG = new WeakMap<Classification, Classification>();

function leavesByName({ functions, relations }: References): boolean {
  return (
    functions.some(({ path }) => LEAVES_STATE.test(nameOf(path).name)) ||
    relations.some((path) => nameInCatalog(path) === 'pg_settings')
  );
}

/** Oids below are those of PostgreSQL's own types. */
const FIRST_OWN_OID = 16384;

export const isOwnType = (oid: number): boolean => oid >= FIRST_OWN_OID;

/** What is said in a grammar that we do not read: it may do anything, and leave anything. */
export function unread(found: Classification): Classification {
  if (found.kind === 'begin' || found.kind === 'end') return found;
  return Object.freeze({
    ...common(found),
    kind: 'session',
    because: 'setting-changes-grammar',
    runsUnseen: true,
  });
}

/** The same, but that it runs code which nobody looks into. */
function unseen(found: Classification): Classification {
  return Object.freeze({ ...found, origin: originOf(found), runsUnseen: true });
}

const NOT_READ: Harm = { kind: 'write', because: 'catalog-not-read', detail: '' };

function strict(found: Classification, { kind, because, detail }: Harm): Classification {
  const runsUnseen = CODE.has(found.because) || (CODE.has(because) && !detail.startsWith('pg_catalog.'));
  return Object.freeze({
    ...common(found),
    kind,
    because,
    ...(detail === '' ? {} : { detail }),
    ...(runsUnseen ? { runsUnseen } : {}),
  });
}

/** What says that code is run which nobody looks into, or may be. */
const CODE: ReadonlySet<SqlReason> = new Set(['function-not-known', 'function-volatile', 'catalog-not-read']);

function asRead(found: Classification, because: SqlReason | undefined): Classification {
  return because === undefined ? found : Object.freeze({ ...common(found), kind: 'read', because });
}

/** What it was before its names were looked up: the same for all who say it, at any time, under any search_path. */
export function originOf(found: Classification): Classification {
  return found.origin ?? found;
}

function common(found: Classification): {
  readonly origin: Classification;
  readonly hint?: string;
  readonly settings: Classification['settings'];
  readonly sets?: readonly string[];
  readonly controlsTransaction: boolean;
  readonly endsTransaction: boolean;
} {
  const { hint, settings, sets, controlsTransaction, endsTransaction } = found;
  return {
    origin: originOf(found),
    ...(hint === undefined ? {} : { hint }),
    settings,
    ...(sets === undefined ? {} : { sets }),
    controlsTransaction,
    endsTransaction,
  };
}

type Outcome = Harm | { readonly kind: 'read'; readonly runsCode: boolean };

class Lookup {
  readonly #facts: CatalogFacts;
  readonly #path: SearchPath;
  readonly #roots: Key[] = [];
  #missing: Harm | undefined = undefined;

  constructor(facts: CatalogFacts, path: SearchPath) {
    this.#facts = facts;
    this.#path = path;
  }

  outcomeOf(references: References, types: readonly number[]): Outcome {
    for (const oid of types) this.#roots.push(`t${oid}`);
    for (const path of references.relations) this.#relation(path, references.withQueries);
    for (const { path, args } of references.functions) this.#function(path, args);
    for (const name of references.newWords) this.#newWord(name);
    for (const path of references.types) this.#type(path);
    for (const name of references.attributes) this.#attribute(name);
    for (const name of references.columnCalls) this.#columnCall(name);
    this.#textWithin(references);
    const reached = this.#reach(references.operators.flatMap((path) => this.#ofTypes(path)));
    const harm = reached.harm?.kind === 'session' ? reached.harm : (this.#missing ?? reached.harm);
    const { ofAll } = this.#facts;
    return harm ?? ofAll.harm ?? { kind: 'read', runsCode: reached.runsCode || ofAll.runsCode };
  }

  /**
   * Whether a text that is for the primary may leave something in its session unseen: it names a function that does, or a
   * relation with triggers, rules, defaults or checks that do. A relation that is not known is new, or the session's own.
   */
  runsUnseen(touches: References, found: Classification): boolean {
    if (leavesByName(touches)) return true;
    for (const { path, args } of touches.functions) {
      if (!this.#call(path, args) && functionVerdict(path) === 'function-not-known') return true;
    }
    for (const name of touches.newWords) this.#newWord(name);
    for (const path of touches.relations) this.#relation(path, touches.withQueries);
    for (const path of touches.types) this.#type(path);
    for (const name of touches.attributes) this.#attribute(name);
    for (const name of touches.columnCalls) this.#columnCall(name);
    this.#textWithin(touches);
    for (const key of this.#roots) if (key.startsWith('r')) this.#roots.push(writingKey(key));
    for (const path of touches.cascades)
      for (const key of this.#relationKeys(path)) this.#roots.push(cascadingKey(key));
    const verdicts = found.among ?? [found];
    // Where no table is named, or an index is, whatever computes what is kept of one is run.
    if (this.#isOfUnnamedTable(touches) && verdicts.some(({ because }) => because === 'maintains'))
      return true;
    if (verdicts.some(isSeenByTriggers)) this.#roots.push(DEFINING);
    for (const path of touches.operators) for (const { key } of this.#operators(path)) this.#roots.push(key);
    // Casts, where what they are of is reached.
    const { harm } = this.#reach([], 'needsInWrites');
    const { ofAll } = this.#facts;
    if (harm?.kind === 'session' || ofAll.harm !== undefined || ofAll.runsCode) return true;
    return this.#facts.runsUnseen(this.#roots);
  }

  #isOfUnnamedTable({ relations }: References): boolean {
    return relations.length === 0 || relations.some((path) => this.#relationKeys(path).length === 0);
  }

  /** What casts to text, explicitly, what it is given. */
  #textWithin({ operators, functions }: References): void {
    const paths = [...operators, ...functions.map(({ path }) => path)];
    if (paths.some((path) => CASTING_TO_TEXT.has(path.at(-1) ?? ''))) this.#roots.push(TEXT);
  }

  /** What one operator or cast gives can be what another is picked by. */
  #reach(operators: readonly OperatorFact[], needs: 'needs' | 'needsInWrites' = 'needs'): Reached {
    const { casts } = this.#facts;
    for (;;) {
      const reached = this.#facts.reach(this.#roots);
      const before = this.#roots.length;
      for (const operator of operators) {
        if (!reached.keys.has(operator.key) && operator.operands.some((type) => reached.keys.has(type)))
          this.#roots.push(operator.key);
      }
      for (const cast of casts) {
        if (!reached.keys.has(cast.key) && cast[needs].every((type) => reached.keys.has(type)))
          this.#roots.push(cast.key);
      }
      if (this.#roots.length === before) return reached;
    }
  }

  #relation(path: Path, withQueries: readonly string[]): void {
    const { schema, name } = nameOf(path);
    const found = this.#relationKeys(path);
    const mayBeQuery = schema === undefined && withQueries.includes(name);
    if (found.length === 0 && !mayBeQuery) this.#miss('relation-not-known', path);
    this.#roots.push(...found);
  }

  #relationKeys(path: Path): readonly Key[] {
    const { schema, name } = nameOf(path);
    return this.#first(this.#facts.relations.get(name), schema).map(({ key }) => key);
  }

  #function(path: Path, args: number): void {
    const isKnown = this.#call(path, args) || functionVerdict(path) === 'harmless';
    if (!isKnown) this.#miss('function-not-known', path);
  }

  /** A function, or a cast: `type(value)`. Gives whether there is one. */
  #call(path: Path, args: number): boolean {
    const { schema, name } = nameOf(path);
    const before = this.#roots.length;
    for (const { key, argsMin, argsMax } of this.#visible(this.#facts.functions.get(name), schema))
      if (args >= argsMin && args <= argsMax) this.#roots.push(key);
    const types = args === 1 ? this.#first(this.#facts.types.get(name), schema) : NONE;
    for (const { key } of types) this.#roots.push(key);
    return this.#roots.length > before;
  }

  /** What is neither is a column. */
  #columnCall(name: string): void {
    this.#call([name], 1);
  }

  #newWord(name: string): void {
    for (const { key } of this.#visible(this.#facts.functions.get(name), undefined)) this.#roots.push(key);
  }

  #type(path: Path): void {
    const { schema, name } = nameOf(path);
    const found = this.#first(this.#facts.types.get(name), schema);
    if (found.length === 0) this.#miss('type-not-known', path);
    for (const { key } of found) this.#roots.push(key);
  }

  #attribute(name: string): void {
    const verdict = functionVerdict([name]);
    // A cast of the database's own may make of a row what a function of PostgreSQL's takes.
    if (this.#facts.casts.length > 0 && verdict !== 'harmless' && verdict !== 'function-not-known')
      this.#missing ??= harmOfBuiltin(verdict, name);
    for (const { key, takesRow, argsMin, argsMax } of this.#visible(
      this.#facts.functions.get(name),
      undefined,
    )) {
      if (takesRow && argsMin <= 1 && argsMax >= 1) this.#roots.push(key);
    }
    // A cast of the row: to a domain over it.
    for (const { key } of this.#first(this.#facts.types.get(name), undefined)) this.#roots.push(key);
  }

  #operators(path: Path): readonly OperatorFact[] {
    const { schema, name } = nameOf(path);
    const found = this.#visible(this.#facts.operators.get(name), schema);
    if (found.length === 0 && !this.#facts.builtinOperators.has(name)) this.#miss('operator-not-known', path);
    return found;
  }

  /**
   * Those that can be picked only where there is something of a type that they are for. Others are picked for what has no type
   * of its own too (a literal, NULL, a parameter): all but those that take two such operands, under a bare name by which
   * PostgreSQL has an operator of two operands itself, which is preferred or makes the expression ambiguous.
   */
  #ofTypes(path: Path): readonly OperatorFact[] {
    const { schema, name } = nameOf(path);
    const hasRival = schema === undefined && this.#facts.builtinBinary.has(name);
    const isOfTypes = ({ operands }: OperatorFact): boolean => hasRival && operands.length === 2;
    const found = this.#operators(path);
    for (const operator of found) if (!isOfTypes(operator)) this.#roots.push(operator.key);
    return found.filter(isOfTypes);
  }

  #miss(because: SqlReason, path: Path): void {
    this.#missing ??= { kind: 'write', because, detail: path.join('.') };
  }

  /** All of them that the name can reach. */
  #visible<Fact extends { readonly schema: string }>(
    facts: readonly Fact[] = [],
    schema: string | undefined,
  ): readonly Fact[] {
    if (schema !== undefined) return facts.filter((fact) => fact.schema === schema);
    const path = this.#path;
    return path === 'any' ? facts : facts.filter((fact) => path.includes(fact.schema));
  }

  /** The first of them that the name can reach, and those that are the first for whom that is closed. */
  #first<Fact extends { readonly schema: string }>(
    facts: readonly Fact[] = [],
    schema: string | undefined,
  ): readonly Fact[] {
    if (schema !== undefined || this.#path === 'any') return this.#visible(facts, schema);
    const found: Fact[] = [];
    for (const name of this.#path) {
      const here = facts.filter((fact) => fact.schema === name);
      found.push(...here);
      if (here.length > 0 && this.#facts.openSchemas.has(name)) break;
    }
    return found;
  }
}

/** A database's name in front must be the session's own. */
function nameOf(path: Path): { readonly schema: string | undefined; readonly name: string } {
  return { schema: path.at(-2), name: path.at(-1) ?? '' };
}

const CASTING_TO_TEXT: ReadonlySet<string> = new Set(['||', 'quote_literal', 'quote_nullable']);
/** `pg_catalog.text`. */
const TEXT: Key = 't25';
const NONE: readonly { readonly key: Key }[] = [];

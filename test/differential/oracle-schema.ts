/**
 * Random definitions for the oracle: functions of each volatility with overloads, defaults and variadic ones, those behind
 * operators, casts, aggregates, policies and domains, views on views, rules, partitions, unlogged and foreign relations,
 * sequences; in three schemas, under few names, so that namesakes meet. What is volatile writes, or only may.
 */
import type { Chance } from './oracle-chance.ts';

export const SCHEMAS = ['public', 's1', 's2'] as const;

/** Functions of these names are declared harmless and write all the same: standbys refuse them, and the router rescues that. */
export const LIAR = 'liar';

/** Everything that was made, by what it can be used as; `INT` for an integer expression. */
export interface OracleSchema {
  readonly statements: readonly string[];
  /** Of rows (id int, n int): tables, views, and the like. */
  readonly relations: readonly string[];
  /** Of one integer each; with the numbers of arguments that they take. */
  readonly functions: readonly { readonly name: string; readonly args: readonly number[] }[];
  readonly operators: readonly string[];
  readonly domains: readonly string[];
  readonly aggregates: readonly string[];
}

const NAMES = ['alpha', 'beta', 'gamma', 'delta'] as const;
const WRITES = 'INSERT INTO public.log VALUES (1)';

export function oracleSchema(chance: Chance): OracleSchema {
  return new Maker(chance).make();
}

class Maker {
  readonly #chance: Chance;
  readonly #statements: string[] = [];
  readonly #relations: string[] = [];
  readonly #functions: { readonly name: string; readonly args: readonly number[] }[] = [];
  readonly #operators: string[] = [];
  readonly #domains: string[] = [];
  readonly #aggregates: string[] = [];
  readonly #taken = new Set<string>();

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  make(): OracleSchema {
    for (const schema of SCHEMAS)
      this.#statements.push(`DROP SCHEMA IF EXISTS ${schema} CASCADE`, `CREATE SCHEMA ${schema}`);
    this.#statements.push(
      'CREATE TABLE public.log (n int)',
      'CREATE SEQUENCE public.counter',
      'CREATE TYPE public.pair AS (a int, b int)',
      'CREATE TYPE public.other AS (a int, b int)',
    );
    this.#relations.push('public.counter_view');
    this.#statements.push(
      "CREATE VIEW public.counter_view AS SELECT 1 AS id, nextval('public.counter')::int AS n",
    );
    for (let count = 0; count < 14; count += 1) this.#function();
    for (let count = 0; count < 4; count += 1) this.#domain();
    for (let count = 0; count < 9; count += 1) this.#table();
    for (let count = 0; count < 5; count += 1) this.#operator();
    for (let count = 0; count < 2; count += 1) this.#aggregate();
    this.#casts();
    this.#madeTypes();
    for (let count = 0; count < 12; count += 1) this.#view();
    this.#liar();
    return {
      statements: this.#statements,
      relations: this.#relations,
      functions: this.#functions,
      operators: this.#operators,
      domains: this.#domains,
      aggregates: this.#aggregates,
    };
  }

  /** A volatile one writes, mostly; the others read. */
  #declared(body: string): string {
    const volatility = this.#chance.one(['VOLATILE', '', 'STABLE', 'IMMUTABLE']);
    const writes = (volatility === 'VOLATILE' || volatility === '') && this.#chance.in(70);
    const security = this.#chance.in(20) ? 'SECURITY DEFINER' : '';
    if (this.#chance.in(50)) {
      const text = `BEGIN ${writes ? `${WRITES};` : ''} RETURN ${body}; END`;
      return `LANGUAGE plpgsql ${volatility} ${security} AS $$ ${text} $$`;
    }
    return `LANGUAGE sql ${volatility} ${security} AS $$ ${writes ? `${WRITES};` : ''} SELECT ${body} $$`;
  }

  #name(kind: string, names: readonly string[] = NAMES): string | undefined {
    const name = `${this.#chance.one(SCHEMAS)}.${this.#chance.one(names)}`;
    const key = `${kind} ${name}`;
    if (this.#taken.has(key)) return undefined;
    this.#taken.add(key);
    return name;
  }

  #function(): void {
    const chance = this.#chance;
    const args = chance.below(3);
    const name = this.#name(`function ${args}`);
    if (name === undefined) return;
    const form = chance.below(6);
    const list = Array.from({ length: args }, () => 'int');
    if (form === 0) {
      const variadic = this.#name(`function v`, ['several']);
      if (variadic === undefined) return;
      this.#statements.push(`CREATE FUNCTION ${variadic}(VARIADIC int[]) RETURNS int ${this.#declared('1')}`);
      this.#functions.push({ name: variadic, args: [1, 2, 3] });
      return;
    }
    if (form === 1) {
      const filled = this.#name(`function d`, ['filled']);
      if (filled === undefined) return;
      const value = chance.in(50) ? "nextval('public.counter')" : '7';
      this.#statements.push(
        `CREATE FUNCTION ${filled}(int, d bigint DEFAULT ${value}) RETURNS int ${this.#declared('1')}`,
      );
      this.#functions.push({ name: filled, args: [1, 2] });
      return;
    }
    this.#functions.push({ name, args: [args] });
    // Only for another type: whoever calls it means a namesake further on in the search_path.
    if (form === 3 && args > 0) {
      const others = ['text', ...list.slice(1)].join(', ');
      this.#statements.push(
        `CREATE FUNCTION ${name}(${others}) RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'`,
      );
      return;
    }
    this.#statements.push(`CREATE FUNCTION ${name}(${list.join(', ')}) RETURNS int ${this.#declared('1')}`);
    // An overload for another type, of another volatility.
    if (form === 2 && args > 0) {
      const types = ['text', ...list.slice(1)].join(', ');
      this.#statements.push(`CREATE FUNCTION ${name}(${types}) RETURNS int ${this.#declared('1')}`);
    }
  }

  #domain(): void {
    const name = this.#name('type', ['lucky', 'plain']);
    if (name === undefined) return;
    const check = this.#chance.one(['VALUE > -99', 'VALUE > random() - 99', `${this.#call('VALUE')} > -99`]);
    this.#statements.push(`CREATE DOMAIN ${name} AS int CHECK (${check})`);
    this.#domains.push(name);
  }

  #table(): void {
    const chance = this.#chance;
    const name = this.#name('relation', ['t', 'u', 'v', 'w', 'x']);
    if (name === undefined) return;
    const more = chance.one(['', '', ', p public.pair', `, l ${this.#domains[0] ?? 'int'}`]);
    const unlogged = (percent: number): string => (chance.in(percent) ? 'UNLOGGED' : '');
    switch (chance.below(5)) {
      case 0:
        this.#statements.push(
          `CREATE TABLE ${name} (id int, n int${more}) PARTITION BY RANGE (id)`,
          `CREATE ${unlogged(30)} TABLE ${name}_a PARTITION OF ${name} FOR VALUES FROM (0) TO (9)`,
          `CREATE TABLE ${name}_b PARTITION OF ${name} FOR VALUES FROM (9) TO (99)`,
        );
        break;
      case 1:
        this.#statements.push(
          `CREATE TABLE ${name} (id int, n int${more})`,
          `CREATE ${unlogged(40)} TABLE ${name}_c () INHERITS (${name})`,
        );
        break;
      case 2:
        this.#statements.push(
          `CREATE TABLE ${name} (id int, n int${more})`,
          `CREATE POLICY p ON ${name} FOR SELECT USING (${this.#call('id')} > -99)`,
          `ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY`,
          `ALTER TABLE ${name} FORCE ROW LEVEL SECURITY`,
        );
        break;
      default:
        this.#statements.push(`CREATE ${unlogged(25)} TABLE ${name} (id int, n int${more})`);
    }
    const columns = more === '' ? '' : more.startsWith(', p') ? ', ROW(1, 2)::public.pair' : ', 3';
    this.#statements.push(`INSERT INTO ${name} VALUES (1, 2${columns})`);
    if (chance.in(20)) this.#statements.push(`CREATE RULE r AS ON DELETE TO ${name} DO ALSO ${WRITES}`);
    this.#relations.push(name);
  }

  #operator(): void {
    const name = this.#name('operator', ['<+>', '<=>', '##']);
    if (name === undefined) return;
    const [schema = '', symbol = ''] = name.split('.');
    const type = this.#chance.one(['int', 'public.pair']);
    const behind = `${schema}.behind_${this.#statements.length}`;
    this.#statements.push(
      `CREATE FUNCTION ${behind}(${type}, ${type}) RETURNS int ${this.#declared('1')}`,
      `CREATE OPERATOR ${schema}.${symbol} (LEFTARG = ${type}, RIGHTARG = ${type}, FUNCTION = ${behind})`,
    );
    this.#operators.push(type === 'int' ? `INT OPERATOR(${name}) INT` : `PAIR OPERATOR(${name}) PAIR`);
    this.#operators.push(type === 'int' ? `INT ${symbol} INT` : `PAIR ${symbol} PAIR`);
  }

  #aggregate(): void {
    const name = this.#name('aggregate', ['summing', 'counting']);
    if (name === undefined) return;
    this.#statements.push(
      `CREATE FUNCTION ${name}_step(int, int) RETURNS int ${this.#declared('1')}`,
      `CREATE AGGREGATE ${name}(int) (SFUNC = ${name}_step, STYPE = int, INITCOND = '0')`,
    );
    this.#aggregates.push(name);
  }

  #casts(): void {
    const context = (): string => this.#chance.one(['', 'AS ASSIGNMENT', 'AS IMPLICIT']);
    this.#statements.push(
      `CREATE FUNCTION public.pair_int(public.pair) RETURNS int ${this.#declared('1')}`,
      `CREATE CAST (public.pair AS int) WITH FUNCTION public.pair_int(public.pair) ${context()}`,
      `CREATE FUNCTION public.pair_other(public.pair) RETURNS public.other ${this.#declared('ROW(1, 2)::public.other')}`,
      `CREATE CAST (public.pair AS public.other) WITH FUNCTION public.pair_other(public.pair) ${context()}`,
      `CREATE FUNCTION public.of_row(public.log) RETURNS int ${this.#declared('1')}`,
      `CREATE FUNCTION public.same_pair(public.pair, public.pair) RETURNS boolean ${this.#declared('true')}`,
      'CREATE OPERATOR public.= (LEFTARG = public.pair, RIGHTARG = public.pair, FUNCTION = public.same_pair)',
      "CREATE TYPE public.mood AS ENUM ('glad')",
      `CREATE FUNCTION public.mood_json(public.mood) RETURNS json ${this.#declared("'1'::json")}`,
      `CREATE CAST (public.mood AS json) WITH FUNCTION public.mood_json(public.mood) ${context()}`,
      "CREATE TABLE public.moods AS SELECT 1 AS id, 1 AS n, 'glad'::public.mood AS m",
    );
    this.#relations.push('public.moods');
    this.#relations.push('public.log_rows');
    this.#statements.push('CREATE VIEW public.log_rows AS SELECT 1 AS id, n FROM public.log');
  }

  /** Operators and casts of types that come with others: of a table's rows, of arrays, of multiranges. */
  #madeTypes(): void {
    this.#statements.push(
      'CREATE TABLE public.places AS SELECT 1 AS id, 2 AS n',
      'CREATE TYPE public.span AS RANGE (subtype = text)',
      `CREATE FUNCTION public.place_int(public.places) RETURNS int ${this.#declared('1')}`,
      'CREATE CAST (public.places AS int) WITH FUNCTION public.place_int(public.places)',
      // Syntax to our grammar.
      `CREATE FUNCTION public.json_query(jsonb, text) RETURNS int ${this.#declared('1')}`,
    );
    for (const type of ['places', 'pair[]', 'span_multirange']) {
      const behind = `public.same_${type.replace('[]', 's')}`;
      this.#statements.push(
        `CREATE FUNCTION ${behind}(public.${type}, public.${type}) RETURNS boolean ${this.#declared('true')}`,
        `CREATE OPERATOR public.= (LEFTARG = public.${type}, RIGHTARG = public.${type}, FUNCTION = ${behind})`,
      );
    }
    this.#relations.push('public.places');
  }

  #view(): void {
    const chance = this.#chance;
    const name = this.#name('relation', ['a1', 'a2', 'a3', 'a4', 'a5', 'a6']);
    if (name === undefined) return;
    const from = chance.one(this.#relations.filter((relation) => relation.includes('.')));
    const n = chance.one([
      'n',
      'n',
      this.#call('n'),
      'n + random()::int',
      `n::${chance.one([...this.#domains, 'int'])}::int`,
    ]);
    const what = chance.in(15) ? 'MATERIALIZED VIEW' : 'VIEW';
    const options = what === 'VIEW' && chance.in(20) ? 'WITH (security_invoker = true)' : '';
    this.#statements.push(`CREATE ${what} ${name} ${options} AS SELECT id, ${n} AS n FROM ${from}`);
    this.#relations.push(name);
  }

  #liar(): void {
    this.#statements.push(
      `CREATE FUNCTION public.does() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN ${WRITES}; RETURN 1; END $$`,
      `CREATE FUNCTION public.${LIAR}() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN public.does(); END $$`,
    );
    this.#functions.push({ name: `public.${LIAR}`, args: [0] });
  }

  /** A call of something made before. */
  #call(argument: string): string {
    const fitting = this.#functions.filter(({ args, name }) => args.includes(1) && name.includes('.'));
    return fitting.length === 0 ? argument : `${this.#chance.one(fitting).name}(${argument})`;
  }
}

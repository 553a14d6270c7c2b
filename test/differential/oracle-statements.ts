/** Random statements over the definitions of an oracle-schema: reads of most shapes, and a few that are none. */
import type { Chance } from './oracle-chance.ts';
import type { OracleSchema } from './oracle-schema.ts';

export const SEARCH_PATHS = [
  'public',
  's1, public',
  's2, s1',
  'public, s2, s1',
  '"$user", public',
  '',
] as const;

export function oracleStatement(chance: Chance, schema: OracleSchema): string {
  return new Speaker(chance, schema).statement();
}

const OF_MADE_TYPES = [
  'SELECT x = x FROM public.places AS x',
  'SELECT x::int FROM public.places AS x',
  'SELECT ARRAY[ROW(1, 2)::public.pair] = ARRAY[ROW(3, 4)::public.pair]',
  'SELECT array_agg(p) = array_agg(p) FROM (SELECT ROW(1, 2)::public.pair AS p) AS q',
  "SELECT public.span_multirange(public.span('a', 'b')) = public.span_multirange(public.span('a', 'c'))",
  "SELECT range_agg(s) = range_agg(s) FROM (SELECT public.span('a', 'b') AS s) AS q",
  "SELECT json_query('{}'::jsonb, '$.a')",
] as const;

const DEPTH_MAX = 3;

class Speaker {
  readonly #chance: Chance;
  readonly #schema: OracleSchema;

  constructor(chance: Chance, schema: OracleSchema) {
    this.#chance = chance;
    this.#schema = schema;
  }

  statement(): string {
    const chance = this.#chance;
    const query = this.#query(0);
    switch (chance.below(27)) {
      case 0:
        return `EXPLAIN ${query}`;
      case 1:
        return `WITH q AS (${query}) SELECT * FROM q`;
      case 2:
        return `SELECT count(*) FROM (${query}) AS q`;
      case 3:
        return `${query} UNION ALL ${this.#query(0)}`;
      case 4:
        return `TABLE ${this.#relation()}`;
      case 5:
        return `${query} FOR UPDATE`;
      case 6:
        return chance.one([
          'INSERT INTO public.log VALUES (1)',
          'DELETE FROM public.log',
          'SELECT 1; SELECT 2',
        ]);
      case 7:
        return `SELECT log.of_row FROM public.log`;
      case 8:
        return `SELECT ${this.#aggregate()} FROM ${this.#relation()} AS r`;
      case 10:
        return `SELECT ${chance.one(['to_json(m)', 'jsonb_agg(m)', 'row_to_json(r)', 'jsonb_build_array(m)'])} FROM public.moods AS r`;
      case 11:
        return `SELECT table_to_xml('${this.#relation()}', true, false, '') IS NULL`;
      case 12:
        return chance.one(OF_MADE_TYPES);
      case 13:
        return `SELECT ${this.#untyped()}`;
      case 9:
        return `SELECT last_value FROM ${chance.one(['public.counter', 'counter'])}`;
      default:
        return query;
    }
  }

  #query(depth: number): string {
    const chance = this.#chance;
    const relation = this.#relation();
    const base = `SELECT ${this.#int(depth)} AS id, ${this.#int(depth)} AS n FROM ${relation} AS r`;
    switch (chance.below(7)) {
      case 0:
        return `SELECT ${this.#int(DEPTH_MAX - 1, false)} AS id, 1 AS n`;
      case 1:
        return `SELECT r.id, q.n FROM ${relation} AS r JOIN ${this.#relation()} AS q USING (id)`;
      case 2:
        return `${base} WHERE ${this.#condition(depth)} ORDER BY 1`;
      case 3:
        return `${base} WHERE r.n IN (SELECT n FROM ${this.#relation()})`;
      case 4:
        return `SELECT DISTINCT r.id, r.n FROM ${relation} AS r`;
      default:
        return base;
    }
  }

  /** An operator between literals that have no type of their own: which is meant, PostgreSQL finds out. */
  #untyped(): string {
    const form = this.#chance.one([...this.#schema.operators, 'PAIR = PAIR', 'PAIR || PAIR']);
    return form.replace(/INT/g, "'1'").replace(/PAIR/g, "'(1,2)'");
  }

  #condition(depth: number): string {
    const chance = this.#chance;
    const one = this.#int(depth + 1);
    switch (chance.below(5)) {
      case 0:
        return `${one} BETWEEN 0 AND 5`;
      case 1:
        return `${this.#pair(depth)} = ${this.#pair(depth)}`;
      case 2:
        return `EXISTS (${this.#query(depth + 1)})`;
      case 3:
        return `CASE ${one} WHEN 1 THEN true ELSE false END`;
      default:
        return `${one} > 0`;
    }
  }

  #int(depth: number, hasRow = true): string {
    const chance = this.#chance;
    if (depth >= DEPTH_MAX)
      return hasRow && chance.in(60) ? chance.one(['r.id', 'r.n']) : String(chance.below(9));
    switch (chance.below(12)) {
      case 0:
      case 1:
      case 2: {
        const { name, args } = chance.one(this.#schema.functions);
        const list = Array.from({ length: chance.one(args) }, () => this.#int(depth + 1, hasRow));
        return `${this.#spoken(name)}(${list.join(', ')})`;
      }
      case 3:
        return this.#operator(depth, hasRow);
      case 4:
        return this.#schema.domains.length === 0
          ? '1'
          : `${this.#int(depth + 1, hasRow)}::${this.#spoken(chance.one(this.#schema.domains))}::int`;
      case 5:
        return `CAST(${this.#pair(depth)} AS int)`;
      case 6:
        return chance.one(['random()::int', 'length(now()::text)', 'pg_backend_pid()', 'abs(1)']);
      case 7:
        return `coalesce(${this.#int(depth + 1, hasRow)}, ${this.#int(depth + 1, hasRow)})`;
      case 8:
        return `((${this.#pair(depth)})::public.other).a`;
      default:
        return hasRow ? chance.one(['r.id', 'r.n']) : '1';
    }
  }

  #pair(depth: number): string {
    return `ROW(${this.#int(depth + 1, false)}, 2)::public.pair`;
  }

  #operator(depth: number, hasRow: boolean): string {
    const { operators } = this.#schema;
    if (operators.length === 0) return '1 + 1';
    const form = this.#chance.one([...operators, 'INT + INT', 'INT * INT']);
    return `(${form
      .replace(/INT/g, () => this.#int(depth + 1, hasRow))
      .replace(/PAIR/g, () => this.#pair(DEPTH_MAX - 1))})`;
  }

  #aggregate(): string {
    const { aggregates } = this.#schema;
    const name = this.#chance.one([
      ...aggregates.map((aggregate) => this.#spoken(aggregate)),
      'max',
      'count',
    ]);
    return `${name}(${this.#int(1)})`;
  }

  #relation(): string {
    return this.#spoken(this.#chance.one(this.#schema.relations));
  }

  /** With its schema, or without: then the search_path decides what it is, if anything. */
  #spoken(name: string): string {
    return this.#chance.in(50) ? name : (name.split('.').at(-1) ?? name);
  }
}

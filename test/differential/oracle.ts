/**
 * The oracle: what the router would send to a standby is run on one, and must not be refused there as a write; and what it
 * would not, is run on one too: where the standby takes it, the router must have had a reason beyond not knowing.
 */
import type { TestContext } from 'node:test';
import { Client } from 'pg';
import { CATALOG_QUERIES, readCatalog } from '../../src/router/catalog-queries.ts';
import { refusalOf } from '../../src/router/refusal.ts';
import {
  CatalogFacts,
  type Classification,
  type Classifier,
  loadClassifier,
  Resolvers,
  searchPathOf,
} from '../../src/sql/index.ts';
import { aPrimary, aStandby, type TestMember } from '../support/postgres.ts';
import { eventually } from '../support/eventually.ts';
import { Chance } from './oracle-chance.ts';
import { LIAR, type OracleSchema, oracleSchema } from './oracle-schema.ts';
import { oracleStatement, SEARCH_PATHS } from './oracle-statements.ts';

export interface OracleOptions {
  readonly statements: number;
  readonly seed: number;
  /** Ends before all statements when so much time has passed. */
  readonly limitMs: number;
}

export interface OracleResult {
  readonly statements: number;
  readonly schemas: number;
  /** Those for a standby, by whether it took them. */
  readonly reads: number;
  readonly rescued: number;
  /** Those for the primary that a standby took, by reason. */
  readonly strict: ReadonlyMap<string, number>;
  /** Refused on a standby in spite of what the router knows, or sent to the primary for no reason but that it does not. */
  readonly findings: readonly string[];
}

const STATEMENTS_A_SCHEMA = 1500;
const FINDINGS_MAX = 20;

/**
 * Runs each text by itself, and tells of each the SQLSTATE and message by which it failed, or nothing. All in one go, since
 * a round trip costs more than most of them.
 */
const RUN_ALL = `
CREATE SCHEMA oracle;
CREATE FUNCTION oracle.run_all(texts text[]) RETURNS SETOF text LANGUAGE plpgsql AS $run$
DECLARE one text; state text; said text;
BEGIN
  FOREACH one IN ARRAY texts LOOP
    BEGIN
      EXECUTE one;
      RETURN NEXT '';
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT;
      RETURN NEXT state || ' ' || said;
    END;
  END LOOP;
END $run$`;

/** The routine that raises an error is not told in SQL; in tests, messages are English. */
const OF_UNLOGGED = 'cannot access temporary or unlogged relations during recovery';
const SYNC_MS = 20_000;

/** Reasons that say no more than that the router does not know. */
const IGNORANCE: ReadonlySet<string> = new Set([
  'relation-not-known',
  'type-not-known',
  'operator-not-known',
  'function-not-known',
  'node-not-known',
  'statement-not-known',
  'catalog-not-read',
]);

export async function consultOracle(t: TestContext, options: OracleOptions): Promise<OracleResult> {
  const primary = await aPrimary(t, 'n1', { parameters: { shared_buffers: '32MB', fsync: false } });
  await primary.control.ensureSlots({ ensure: ['n2'] });
  const standby = await aStandby(t, 'n2', primary);
  const oracle = new Oracle(await loadClassifier(), {
    maker: await connected(t, primary),
    reader: await connected(t, standby),
  });
  await oracle.prepare();
  return await oracle.run(options);
}

async function connected(t: TestContext, { address }: TestMember): Promise<Client> {
  const client = new Client({ ...address, user: 'app', password: 'app', database: 'app' });
  client.on('error', () => undefined);
  await client.connect();
  t.after(() => client.end());
  await client.query("SET client_min_messages = 'error'; SET statement_timeout = '60s'");
  return client;
}

interface Clients {
  /** At the primary. */
  readonly maker: Client;
  /** At the standby. */
  readonly reader: Client;
}

class Oracle {
  readonly #classifier: Classifier;
  readonly #clients: Clients;
  readonly #strict = new Map<string, number>();
  readonly #findings: string[] = [];
  #reads = 0;
  #rescued = 0;

  constructor(classifier: Classifier, clients: Clients) {
    this.#classifier = classifier;
    this.#clients = clients;
  }

  async prepare(): Promise<void> {
    await this.#clients.maker.query(RUN_ALL);
  }

  async run({ statements, seed, limitMs }: OracleOptions): Promise<OracleResult> {
    const until = performance.now() + limitMs;
    const isOver = (): boolean => this.#findings.length >= FINDINGS_MAX || performance.now() > until;
    let [asked, schemas] = [0, 0];
    for (; asked < statements && !isOver(); schemas += 1) {
      const chance = new Chance(seed + schemas);
      const schema = await this.#make(chance);
      const resolvers = await this.#read();
      for (const path of SEARCH_PATHS) {
        const length = Math.min(STATEMENTS_A_SCHEMA / SEARCH_PATHS.length, statements - asked);
        const texts = Array.from({ length }, () => oracleStatement(chance, schema));
        if (length > 0 && !isOver()) asked += await this.#ask(resolvers, path, texts);
      }
    }
    const findings = this.#findings.map((finding) => `seed ${seed} and on: ${finding}`);
    return {
      statements: asked,
      schemas,
      reads: this.#reads,
      rescued: this.#rescued,
      strict: this.#strict,
      findings,
    };
  }

  /** What cannot be made, such as a view of a relation that could not be, is left out. */
  async #make(chance: Chance): Promise<OracleSchema> {
    const { maker, reader } = this.#clients;
    const schema = oracleSchema(chance);
    await maker.query('SET search_path = public');
    for (const statement of schema.statements) await maker.query(statement).catch(() => undefined);
    const [row] = (await maker.query<{ lsn: string }>('SELECT pg_current_wal_lsn() AS lsn')).rows;
    await eventually(
      'the standby has the definitions',
      async () =>
        (await reader.query<{ is: boolean }>(`SELECT pg_last_wal_replay_lsn() >= '${row?.lsn ?? ''}' AS is`))
          .rows[0],
      { holds: (seen) => seen?.is === true, withinMs: SYNC_MS },
    );
    return schema;
  }

  async #read(): Promise<Resolvers> {
    const answers: (string | undefined)[][][] = [];
    for (const text of CATALOG_QUERIES) {
      const types = { getTypeParser: () => (value: string) => value };
      const { rows } = await this.#clients.maker.query<(string | null)[]>({ text, rowMode: 'array', types });
      answers.push(rows.map((row) => row.map((value) => value ?? undefined)));
    }
    return new Resolvers(new CatalogFacts(readCatalog(answers)));
  }

  async #ask(resolvers: Resolvers, path: string, texts: readonly string[]): Promise<number> {
    const { reader } = this.#clients;
    await reader.query(`SET search_path = ${path === '' ? "''" : path}`);
    const { rows } = await reader.query<{ said: string }>('SELECT oracle.run_all($1) AS said', [texts]);
    const resolver = resolvers.under(searchPathOf({ text: path, role: 'app' }));
    for (const [index, sql] of texts.entries()) {
      const found = resolver.resolve(this.#classifier.classify(sql));
      this.#judge(found, { sql, path, said: rows[index]?.said ?? 'nothing' });
    }
    return rows.length;
  }

  #judge(
    { kind, because, detail = '' }: Classification,
    { sql, path, said }: { readonly sql: string; readonly path: string; readonly said: string },
  ): void {
    if (kind === 'read') {
      this.#reads += 1;
      const [code = ''] = said.split(' ');
      const routine = said.includes(OF_UNLOGGED) ? 'get_relation_info' : '';
      if (refusalOf({ severity: 'ERROR', code, message: said, routine }) !== 'refused-as-write') return;
      if (sql.includes(LIAR)) this.#rescued += 1;
      else this.#findings.push(`${because}, and refused with ${said} under ${path}: ${sql}`);
    } else if (said === '') {
      this.#strict.set(because, (this.#strict.get(because) ?? 0) + 1);
      if (IGNORANCE.has(because))
        this.#findings.push(`${because} ${detail}, and taken by a standby under ${path}: ${sql}`);
    }
  }
}

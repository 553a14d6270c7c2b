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
  return await oracle.run(options);
}

async function connected(t: TestContext, { address }: TestMember): Promise<Client> {
  const client = new Client({ ...address, user: 'app', password: 'app', database: 'app' });
  client.on('error', () => undefined);
  await client.connect();
  t.after(() => client.end());
  await client.query("SET client_min_messages = 'error'; SET statement_timeout = '10s'");
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

  async run({ statements, seed, limitMs }: OracleOptions): Promise<OracleResult> {
    const until = performance.now() + limitMs;
    const isOver = (): boolean => this.#findings.length >= FINDINGS_MAX || performance.now() > until;
    let [asked, schemas] = [0, 0];
    for (; asked < statements && !isOver(); schemas += 1) {
      const chance = new Chance(seed + schemas);
      const schema = await this.#make(chance);
      const resolvers = await this.#read();
      for (
        let count = 0;
        count < STATEMENTS_A_SCHEMA && asked < statements && !isOver();
        count += 1, asked += 1
      ) {
        const path = SEARCH_PATHS[Math.floor(count / (STATEMENTS_A_SCHEMA / SEARCH_PATHS.length))] ?? '';
        const sql = oracleStatement(chance, schema);
        await this.#ask(resolvers, path, sql).catch((cause: unknown) => {
          throw new Error(`seed ${seed + schemas}, ${sql}`, { cause });
        });
      }
    }
    const findings = this.#findings.map((finding) => `seed ${seed}: ${finding}`);
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

  async #ask(resolvers: Resolvers, path: string, sql: string): Promise<void> {
    const found = resolvers
      .under(searchPathOf({ text: path, role: 'app' }))
      .resolve(this.#classifier.classify(sql));
    const refusal = await this.#refusal(path, sql);
    if (found.kind === 'read') {
      this.#reads += 1;
      if (refusal !== 'refused-as-write') return;
      if (sql.includes(LIAR)) this.#rescued += 1;
      else this.#findings.push(`${found.because}, and refused as a write under ${path}: ${sql}`);
    } else if (refusal === undefined) {
      this.#strict.set(found.because, (this.#strict.get(found.because) ?? 0) + 1);
      if (IGNORANCE.has(found.because))
        this.#findings.push(
          `${found.because} ${found.detail ?? ''}, and taken by a standby under ${path}: ${sql}`,
        );
    }
  }

  /** Why the standby does not take it; undefined: it does. */
  async #refusal(path: string, sql: string): Promise<string | undefined> {
    const { reader } = this.#clients;
    try {
      // One text is one transaction, in which nothing stays.
      await reader.query(`BEGIN; SET LOCAL search_path = ${path === '' ? "''" : path}; ${sql}; ROLLBACK`);
      return undefined;
    } catch (cause) {
      await reader.query('ROLLBACK');
      const { code, routine } = readError(cause);
      return refusalOf({ severity: 'ERROR', code, message: '', routine }) ?? code;
    }
  }
}

function readError(cause: unknown): { readonly code: string; readonly routine: string } {
  if (!(cause instanceof Error) || !('code' in cause)) throw cause;
  const routine = 'routine' in cause ? String(cause.routine) : '';
  return { code: String(cause.code), routine };
}

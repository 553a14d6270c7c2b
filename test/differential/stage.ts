/**
 * Where conversations are compared: three real servers, one router that pools by transaction and one by session, and
 * a database for each way with equal tables, made anew before every conversation. Writes are acknowledged when all
 * servers show them (`remote_apply`), so that a read may go to any of them and must find the same. Neighbours use
 * the pooled connections all the while, so that these change hands between the statements of a conversation.
 */
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { sql } from '../support/sql.ts';
import { aRouter, aStage, type RunningRouter, type Stage } from '../support/router.ts';
import { WireClient, type WireLogin } from '../support/wire-client.ts';
import { difference } from './compare.ts';
import { play } from './player.ts';
import { asks, type Conversation, messageOf, renderStep } from './steps.ts';

const WAYS = ['direct', 'transaction', 'session'] as const;
type Way = (typeof WAYS)[number];

/** No server is lost here: what a busy machine delays is not taken for that. */
const PATIENT = ['datacenter: dc1', 'lease: { ttl: 60s }'];

/** The statements that make the tables of a conversation, in a schema of its own. */
export function freshTables(schema: string): string {
  return [
    `DROP SCHEMA IF EXISTS ${schema} CASCADE`,
    `CREATE SCHEMA ${schema}`,
    `CREATE TABLE ${schema}.t (id int PRIMARY KEY, v text)`,
    `INSERT INTO ${schema}.t SELECT i, 'row ' || i FROM generate_series(1, 5) i`,
    `CREATE TABLE ${schema}.d (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)`,
    `CREATE TABLE ${schema}.empty ()`,
    `CREATE SEQUENCE ${schema}.q`,
  ].join('; ');
}

export interface Arena {
  readonly stage: Stage;
  /** What differs, for people; undefined: nothing. */
  readonly compare: (conversation: Conversation) => Promise<string | undefined>;
}

export async function anArena(t: TestContext): Promise<Arena> {
  const stage = await aStage(t);
  await sql(stage.nodes.n1, "ALTER SYSTEM SET synchronous_standby_names = '2 (n2, n3)'");
  await sql(stage.nodes.n1, "ALTER SYSTEM SET synchronous_commit = 'remote_apply'");
  await sql(stage.nodes.n1, 'SELECT pg_reload_conf()');
  for (const way of WAYS) await sql(stage.nodes.n1, `CREATE DATABASE ${way} OWNER app`);
  const weights = 'weights: { local: 1, remote: 1 }';
  const pooled = await aRouter(t, stage, { router: ['default_pool_size: 6', weights], top: PATIENT });
  const sticky = await aRouter(t, stage, { router: ['pool_mode: session', weights], top: PATIENT });
  const logins: Readonly<Record<Way, WireLogin>> = {
    direct: loginAt(stage.nodes.n1.address, 'direct'),
    transaction: loginAt(pooled, 'transaction'),
    session: loginAt(sticky, 'session'),
  };
  const tables = await Promise.all(WAYS.map((way) => aTableMaker(t, logins[way])));
  await aNeighbourhood(t, pooled);
  return {
    stage,
    compare: async (conversation) => {
      await Promise.all(tables.map((client) => client.query(freshTables('s'))));
      const [expected, ...seen] = await Promise.all(WAYS.map((way) => play(conversation, logins[way])));
      if (expected === undefined) throw new Error('no conversation was played');
      const parts = seen.flatMap((lines, index) => {
        const name = WAYS[index + 1] ?? '';
        const found = difference(expected, lines, name);
        return found === undefined ? [] : [`in ${name} mode:\n${found}`];
      });
      return parts.length === 0 ? undefined : `${renderConversation(conversation)}\n${parts.join('\n')}`;
    },
  };
}

function renderConversation({ startup, steps }: Conversation): string {
  return [`startup ${JSON.stringify(startup)}`, ...steps.map(renderStep)].join('\n');
}

function loginAt(
  { host, port }: { readonly host: string; readonly port: number },
  database: string,
): WireLogin {
  return { host, port, user: 'app', password: 'app', database, parameters: { search_path: 's' } };
}

/**
 * Makes the tables of one database anew, by the way that it is for: a router learns late of what is made past it, and then a
 * statement that a server has prepared for the table before may be refused (docs/differences.md). Waits for no lock, since
 * after a conversation nobody may hold one.
 */
async function aTableMaker(
  t: TestContext,
  { host, port, user, password, database }: WireLogin,
): Promise<Client> {
  const client = new Client({ host, port, user, password, database });
  client.on('error', () => undefined);
  await client.connect();
  t.after(() => client.end());
  await client.query("SET lock_timeout = '10s'; SET client_min_messages = 'warning'");
  return client;
}

/** Clients of the same pool, with settings, statements and names that nobody else is to see. */
async function aNeighbourhood(t: TestContext, router: RunningRouter): Promise<void> {
  const stopping = new AbortController();
  const neighbours = await Promise.all(
    [1, 2].map((number) =>
      WireClient.connect({
        ...loginAt(router, 'transaction'),
        // What connections are started with is that of the conversations: else they would share none.
        parameters: { search_path: 's', application_name: `neighbour ${number}` },
      }),
    ),
  );
  // Once before anybody comes: the pooled connections have what a conversation is not to see.
  await Promise.all(neighbours.map(live));
  const lives = neighbours.map(async (client, number) => {
    while (!stopping.signal.aborted && !client.isClosed) await live(client, number);
    await client.end();
  });
  t.after(async () => {
    stopping.abort();
    await Promise.all(lives);
  });
}

/** What a neighbour does, once. */
async function live(client: WireClient, number: number): Promise<void> {
  for (const doing of NEIGHBOURLY) {
    await sleep(PAUSE_MS);
    client.send(doing(number).flatMap((step) => messageOf(step) ?? []));
    await client.answered();
  }
}

/** Of a neighbour, so that those who are compared have the most of the processor. */
const PAUSE_MS = 2;

const NEIGHBOURLY: readonly ((number: number) => ReturnType<typeof asks>)[] = [
  (number) => asks(`SET work_mem = '${number + 20}MB'`),
  () => asks("SET TimeZone = 'Asia/Tokyo'; SET search_path = pg_catalog"),
  (number) => asks(`BEGIN; SELECT set_config('app.x', 'neighbour ${number}', false); COMMIT`),
  () => [{ kind: 'parse', name: 's1', sql: 'SELECT 99 AS neighbour', types: [] }, { kind: 'sync' }],
  () => [{ kind: 'parse', name: '', sql: 'SELECT $1::int AS neighbour', types: [] }, { kind: 'sync' }],
  () => asks('SELECT pg_advisory_xact_lock(1000)'),
  () => asks('SELECT count(*) FROM pg_class'),
  () => [{ kind: 'close', what: 'statement', name: 's1' }, { kind: 'sync' }],
];

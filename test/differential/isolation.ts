/**
 * Isolation of clients: more clients than server connections, each with settings, temporary tables, prepared
 * statements, locks, cursors and LISTEN of its own, under the same names as everybody else's. Each must see exactly
 * what it sees when it is alone with PostgreSQL: that is the oracle.
 */
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { sql } from '../support/sql.ts';
import { aRouter, aStage } from '../support/router.ts';
import type { WireLogin } from '../support/wire-client.ts';
import { type CampaignOptions, type CampaignResult, checked } from './campaign.ts';
import { difference } from './compare.ts';
import { statefulConversations } from './generate-stateful.ts';
import { play } from './player.ts';
import { freshTables } from './stage.ts';
import { asks, type Conversation, renderStep, type Step } from './steps.ts';

const CLIENTS = 8;
const CONNECTIONS = 3;

/** Plays rounds of it; starts its own servers. */
export async function isolationCampaign(t: TestContext, options: CampaignOptions): Promise<CampaignResult> {
  const stage = await aStage(t);
  await stage.remove('n2');
  await stage.remove('n3');
  const { n1 } = stage.nodes;
  const app = { user: 'app', password: 'app' };
  for (const database of ['alone', 'shared']) {
    await sql(n1, `CREATE DATABASE ${database} OWNER app`);
    // Where search_path was forgotten, clients would meet in each other's tables.
    const { username: user, password } = n1.settings.authentication.superuser;
    await sql(n1, 'DROP SCHEMA public', { user, password, database });
  }
  const router = await aRouter(t, stage, [`default_pool_size: ${CONNECTIONS}`]);
  const login = (database: string): WireLogin => ({
    ...(database === 'alone' ? n1.address : { host: router.host, port: router.port }),
    ...app,
    database,
    parameters: {},
  });
  const schemas = Array.from({ length: CLIENTS }, (_, client) => freshTables(`s${client}`)).join('; ');
  const compare = async (all: readonly Conversation[]): Promise<string | undefined> => {
    const text = `SET client_min_messages = 'error'; ${schemas}`;
    await Promise.all(['alone', 'shared'].map((database) => sql(n1, text, { ...app, database })));
    const own = all.map(asClient);
    const shared = await Promise.all(own.map((each) => play(each, login('shared'))));
    for (const [client, each] of own.entries()) {
      const found = difference(await play(each, login('alone')), shared[client] ?? [], 'among others');
      if (found !== undefined) return `client ${client}:\n${each.steps.map(renderStep).join('\n')}\n${found}`;
    }
    return undefined;
  };
  const all = fc.array(statefulConversations(), { minLength: CLIENTS, maxLength: CLIENTS });
  return await checked(all, compare, options);
}

/**
 * Locks and channels are seen by all clients of a database, and rightly: each client has its own. So are tables; their
 * schema is SET, since clients that start with other parameters than each other share no connection.
 */
function asClient({ steps, ...rest }: Conversation, client: number): Conversation {
  const own = (text: string): string =>
    text.replace(/advisory_(\w*)\((\d)\)/g, `advisory_$1(${client}$2)`).replace(/\bch\b/g, `ch${client}`);
  const inOwnSchema = asks(`SET search_path = s${client}`);
  const all = steps.flatMap((step, index): readonly Step[] => {
    const before = steps[index - 1];
    const isAfterReset = step.kind === 'await' && before?.kind === 'query' && before.sql.endsWith(' ALL');
    const mine = 'sql' in step ? { ...step, sql: own(step.sql) } : step;
    return isAfterReset ? [mine, ...inOwnSchema] : [mine];
  });
  return { ...rest, steps: [...inOwnSchema, ...all] };
}

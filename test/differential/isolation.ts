/**
 * Isolation of clients: more clients than server connections, each with settings, temporary tables, prepared
 * statements, locks, cursors and LISTEN of its own, under the same names as everybody else's. Each must see exactly
 * what it sees when it is alone with PostgreSQL: that is the oracle.
 */
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { sql } from '../support/postgres.ts';
import { aRouter, aStage } from '../support/router.ts';
import type { WireLogin } from '../support/wire-client.ts';
import { type CampaignOptions, type CampaignResult, checked } from './campaign.ts';
import { difference } from './compare.ts';
import { statefulConversations } from './generate-stateful.ts';
import { play } from './player.ts';
import { freshTables } from './stage.ts';
import { type Conversation, renderStep } from './steps.ts';

const CLIENTS = 8;
const CONNECTIONS = 3;

/** Plays rounds of it; starts its own servers. */
export async function isolationCampaign(t: TestContext, options: CampaignOptions): Promise<CampaignResult> {
  const stage = await aStage(t);
  await stage.remove('n2');
  await stage.remove('n3');
  const { n1 } = stage.nodes;
  const app = { user: 'app', password: 'app' };
  for (const database of ['alone', 'shared']) await sql(n1, `CREATE DATABASE ${database} OWNER app`);
  const router = await aRouter(t, stage, [`default_pool_size: ${CONNECTIONS}`]);
  const login = (database: string, client: number): WireLogin => ({
    ...(database === 'alone' ? n1.address : { host: router.host, port: router.port }),
    ...app,
    database,
    parameters: { search_path: `s${client}` },
  });
  const schemas = Array.from({ length: CLIENTS }, (_, client) => freshTables(`s${client}`)).join('; ');
  const compare = async (all: readonly Conversation[]): Promise<string | undefined> => {
    const text = `SET client_min_messages = 'error'; ${schemas}`;
    await Promise.all(['alone', 'shared'].map((database) => sql(n1, text, { ...app, database })));
    const own = all.map(asClient);
    const shared = await Promise.all(own.map((each, client) => play(each, login('shared', client))));
    for (const [client, each] of own.entries()) {
      const found = difference(
        await play(each, login('alone', client)),
        shared[client] ?? [],
        'among others',
      );
      if (found !== undefined) return `client ${client}:\n${each.steps.map(renderStep).join('\n')}\n${found}`;
    }
    return undefined;
  };
  const all = fc.array(statefulConversations(), { minLength: CLIENTS, maxLength: CLIENTS });
  return await checked(all, compare, options);
}

/** Locks and channels are seen by all clients of a database, and rightly: each client has its own. */
function asClient(conversation: Conversation, client: number): Conversation {
  const own = (text: string): string =>
    text.replace(/advisory_(\w*)\((\d)\)/g, `advisory_$1(${client}$2)`).replace(/\bch\b/g, `ch${client}`);
  return {
    ...conversation,
    steps: conversation.steps.map((step) => ('sql' in step ? { ...step, sql: own(step.sql) } : step)),
  };
}

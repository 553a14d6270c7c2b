/** One statement at a member, on a connection that is kept for the next for a moment: a new one costs a server process. */
import { Client, type ClientConfig } from 'pg';
import type { TestMember } from './postgres.ts';

/** As whom, where it is not the superuser; such a connection is not kept. */
export interface SqlLogin {
  readonly user: string;
  readonly password: string;
  readonly database?: string;
  readonly ssl?: ClientConfig['ssl'];
}

/** Polls come again within this time. */
const KEPT_MS = 300;

interface Kept {
  readonly client: Client;
  readonly timer: NodeJS.Timeout;
}

/** By member; who takes one has it alone. */
const kept = new Map<TestMember, Kept>();

/** Over TCP. The session is as new each time. */
export async function sql(
  member: TestMember,
  text: string,
  as?: SqlLogin,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const client = (as === undefined ? take(member) : undefined) ?? (await connected(member, as));
  let isFit = false;
  try {
    const { rows } = await client.query<Record<string, unknown>>(text);
    if (as === undefined) await client.query('DISCARD ALL');
    isFit = as === undefined;
    return rows;
  } finally {
    if (isFit) keep(member, client);
    else await client.end();
  }
}

async function connected({ address, settings }: TestMember, as?: SqlLogin): Promise<Client> {
  const superuser = { user: 'postgres', password: settings.authentication.superuser.password };
  const client = new Client({
    ...address,
    database: 'postgres',
    connectionTimeoutMillis: 5000,
    ...(as ?? superuser),
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function take(member: TestMember): Client | undefined {
  const found = kept.get(member);
  if (found === undefined) return undefined;
  clearTimeout(found.timer);
  kept.delete(member);
  return found.client;
}

function keep(member: TestMember, client: Client): void {
  void take(member)?.end();
  const forget = (): void => {
    if (kept.get(member)?.client === client) void take(member)?.end();
  };
  kept.set(member, { client, timer: setTimeout(forget, KEPT_MS) });
  // Its server has stopped.
  client.once('end', forget);
}

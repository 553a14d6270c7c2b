/** What a pg client is answered, in one word; and two clients of one router. */
import type { TestContext } from 'node:test';
import type { Client } from 'pg';
import { aClient, type RunningRouter } from './router.ts';

export async function pair(t: TestContext, router: RunningRouter): Promise<readonly [Client, Client]> {
  return [await aClient(t, router.as()), await aClient(t, router.as())];
}

/** The first column of the first row. */
export async function value(client: Client, text: string, values: unknown[] = []): Promise<unknown> {
  return Object.values((await client.query<Record<string, unknown>>(text, values)).rows[0] ?? {})[0];
}

/** The SQLSTATE that it fails with. */
export async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => 'no error',
    (cause: unknown) => (cause instanceof Error && 'code' in cause ? cause.code : cause),
  );
}

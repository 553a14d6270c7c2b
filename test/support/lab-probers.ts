/**
 * Who acknowledges writes, and when: each database server of a lab is written to directly, over and over, each row with a
 * number of its own. So the time without writes is what a client without any router would see, and two writers at once, or
 * an acknowledged row that is gone, cannot hide.
 */
import pg from 'pg';
import { pause } from '../../src/base/index.ts';
import { ACCOUNTS, type DbHost, type LabLayout } from '../../src/lab/index.ts';

const EVERY_MS = 20;
const CONNECT_MS = 1000;
const SETTLED_MS = 500;
/** A commit that waits for a standby is not given up before a failover is over. */
const QUERY_MS = 15_000;

interface Ack {
  /** `performance.now()` when the client had the answer. */
  readonly at: number;
  readonly host: string;
  readonly id: number;
}

/** What was seen from one instant on. */
export interface Seen {
  /** Longest time without any acknowledgement, from the instant itself on. Milliseconds. */
  readonly gapMs: number;
  /** Times that acknowledgements went over from one server to another; two writers at once are many. */
  readonly changes: number;
  readonly ids: readonly number[];
}

export class Probers {
  readonly #acks: Ack[] = [];
  readonly #running: Promise<void>[] = [];
  #id = 0;
  #isStopped = false;

  private constructor() {}

  /** The table is made at `primary`. */
  static async start(layout: LabLayout, primary: DbHost): Promise<Probers> {
    const client = await connected(primary);
    await client.query('DROP TABLE IF EXISTS probe; CREATE TABLE probe (id bigint PRIMARY KEY)');
    await client.end();
    const probers = new Probers();
    for (const host of layout.dbHosts) probers.#running.push(probers.#write(host));
    return probers;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  /** Whether this server acknowledges writes: not only until a moment ago. */
  async areAnswered(host: DbHost): Promise<boolean> {
    await pause(SETTLED_MS);
    const since = performance.now() - SETTLED_MS / 2;
    return this.#acks.some((ack) => ack.at >= since && ack.host === host.name);
  }

  /** From `from` to now; what was seen before is forgotten. */
  take(from: number): Seen {
    const acks = this.#acks.filter(({ at }) => at >= from);
    this.#acks.length = 0;
    let [gapMs, last] = [0, from];
    for (const { at } of acks) {
      gapMs = Math.max(gapMs, at - last);
      last = at;
    }
    const changes = acks.filter(({ host }, index) => index > 0 && host !== acks[index - 1]?.host).length;
    return { gapMs: Math.max(gapMs, performance.now() - last), changes, ids: acks.map(({ id }) => id) };
  }

  /** Those of `ids` that the server does not have. */
  async missing(host: DbHost, ids: readonly number[]): Promise<readonly number[]> {
    const client = await connected(host);
    try {
      const { rows } = await client.query<{ id: number }>(
        'SELECT id::int FROM unnest($1::bigint[]) AS id WHERE id NOT IN (SELECT id FROM probe)',
        [ids],
      );
      return rows.map(({ id }) => id);
    } finally {
      await client.end();
    }
  }

  async #write(host: DbHost): Promise<void> {
    let client: pg.Client | undefined;
    while (!this.#isStopped) {
      const id = (this.#id += 1);
      try {
        client ??= await connected(host);
        await client.query('INSERT INTO probe VALUES ($1)', [id]);
        this.#acks.push({ at: performance.now(), host: host.name, id });
      } catch (cause) {
        // A standby says so and can be asked again.
        const isStandby = cause instanceof pg.DatabaseError && cause.code === '25006';
        if (!isStandby) {
          client?.end().catch(() => undefined);
          client = undefined;
        }
      }
      await pause(EVERY_MS);
    }
    await client?.end().catch(() => undefined);
  }
}

async function connected({ postgres }: DbHost): Promise<pg.Client> {
  const { username, password, database } = ACCOUNTS.application;
  const client = new pg.Client({
    ...postgres,
    user: username,
    password,
    database,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: QUERY_MS,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

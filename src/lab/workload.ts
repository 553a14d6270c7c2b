/**
 * Clients of the demo, on node-postgres: writers that remember every acknowledged row and every error, and readers
 * that ask each answering server for its own address, so that the shares of reads are what the servers say and not
 * what a router claims.
 */
import { setMaxListeners } from 'node:events';
import pg from 'pg';
import { describe, MatriarchError, pause, systemClock, withDeadline } from '../base/index.ts';
import { ACCOUNTS } from './files.ts';
import type { AppHost } from './hosts.ts';

/** Answers of reads by server address. */
export type Shares = ReadonlyMap<string, number>;

/** A write as its client saw it. */
export interface WriteError {
  readonly atMs: number;
  readonly host: string;
  readonly code: string;
  readonly message: string;
}

/** What the writers of one run saw; times are monotonic milliseconds. */
export interface WriteLedger {
  readonly acknowledged: ReadonlySet<number>;
  readonly errors: readonly WriteError[];
  /** Connections that the router closed on a client; the promise is none. */
  readonly dropped: number;
  readonly byServer: Shares;
  /** The longest time without any acknowledged write between two instants. */
  readonly longestGap: { readonly fromMs: number; readonly toMs: number };
}

const CONNECT_MS = 40_000;
const QUERY_MS = 60_000;
const WRITE_PAUSE_MS = 20;

/** A connection of the application account to a router, with deadlines. */
export async function connectApplication(host: AppHost): Promise<pg.Client> {
  const client = new pg.Client({
    host: host.router.host,
    port: host.router.port,
    user: ACCOUNTS.application.username,
    password: ACCOUNTS.application.password,
    database: ACCOUNTS.application.database,
    application_name: `demo@${host.name}`,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: QUERY_MS,
  });
  // A lost connection reaches the query in flight; without a listener an idle one would end the process.
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Makes the table that the writers fill. */
export async function prepareLedger(host: AppHost): Promise<void> {
  const client = await connectApplication(host);
  try {
    await client.query('DROP TABLE IF EXISTS ledger');
    await client.query(
      'CREATE TABLE ledger (id bigint PRIMARY KEY, host text NOT NULL, written timestamptz NOT NULL DEFAULT now())',
    );
  } finally {
    await client.end();
  }
}

export interface ReadLoad {
  readonly count: number;
  readonly clients: number;
  /** Rows of pgbench_accounts to choose from. */
  readonly rows: number;
  readonly signal: AbortSignal;
}

/** Runs `count` single-row reads through a host's router over `clients` connections. */
export async function measureReads(
  host: AppHost,
  { count, clients, rows, signal }: ReadLoad,
): Promise<Shares> {
  const shares = new Map<string, number>();
  let left = count;
  const reader = async (): Promise<void> => {
    const client = await connectApplication(host);
    try {
      while (left > 0 && !signal.aborted) {
        left -= 1;
        const id = 1 + ((left * 7919) % rows);
        const answer = await client.query<{ server: string }>(
          'SELECT abalance, host(inet_server_addr()) AS server FROM pgbench_accounts WHERE aid = $1',
          [id],
        );
        count1(shares, answer.rows[0]?.server ?? 'no row');
      }
    } finally {
      await client.end();
    }
  };
  await Promise.all(Array.from({ length: clients }, reader));
  return shares;
}

/** Writers on every host, running until stopped. */
export class Writers {
  readonly #acknowledged = new Set<number>();
  readonly #errors: WriteError[] = [];
  readonly #byServer = new Map<string, number>();
  readonly #running: Promise<void>[] = [];
  readonly #stop = new AbortController();
  #nextId: number;
  #dropped = 0;
  #lastAckMs = systemClock.now();
  #gap = { fromMs: 0, toMs: 0 };

  /** Rows are numbered from `firstId`, so that one run's rows are told from another's. */
  constructor(firstId: number) {
    this.#nextId = firstId;
    // Every writer's pause listens for the stop.
    setMaxListeners(0, this.#stop.signal);
  }

  /** Monotonic milliseconds of the last acknowledgement. */
  get lastAckMs(): number {
    return this.#lastAckMs;
  }

  start(hosts: readonly AppHost[], clientsPerHost: number): void {
    for (const host of hosts) {
      for (let index = 0; index < clientsPerHost; index += 1) this.#running.push(this.#write(host));
    }
  }

  async stop(): Promise<WriteLedger> {
    this.#stop.abort();
    await withDeadline(Promise.all(this.#running), QUERY_MS + CONNECT_MS, 'the end of the demo’s writers');
    return {
      acknowledged: this.#acknowledged,
      errors: this.#errors,
      dropped: this.#dropped,
      byServer: this.#byServer,
      longestGap: this.#gap,
    };
  }

  async #write(host: AppHost): Promise<void> {
    let client: pg.Client | undefined;
    while (!this.#stop.signal.aborted) {
      const id = this.#nextId;
      this.#nextId += 1;
      try {
        client ??= await connectApplication(host);
        const answer = await client.query<{ server: string }>(
          'INSERT INTO ledger (id, host) VALUES ($1, $2) RETURNING host(inet_server_addr()) AS server',
          [id, host.name],
        );
        this.#acknowledge(id, answer.rows[0]?.server ?? 'no row');
      } catch (cause) {
        this.#errors.push({
          atMs: systemClock.now(),
          host: host.name,
          code: codeOf(cause),
          message: describe(cause),
        });
        if (codeOf(cause) === 'connection') client = await this.#discard(client);
        await pause(WRITE_PAUSE_MS * 5, this.#stop.signal);
      }
      await pause(WRITE_PAUSE_MS, this.#stop.signal);
    }
    await client?.end().catch((cause: unknown) =>
      this.#errors.push({
        atMs: systemClock.now(),
        host: host.name,
        code: 'end',
        message: describe(cause),
      }),
    );
  }

  async #discard(client: pg.Client | undefined): Promise<undefined> {
    if (client === undefined) return undefined;
    this.#dropped += 1;
    await client.end().catch(() => {});
    return undefined;
  }

  #acknowledge(id: number, server: string): void {
    const now = systemClock.now();
    if (now - this.#lastAckMs > this.#gap.toMs - this.#gap.fromMs && this.#acknowledged.size > 0) {
      this.#gap = { fromMs: this.#lastAckMs, toMs: now };
    }
    this.#lastAckMs = now;
    this.#acknowledged.add(id);
    count1(this.#byServer, server);
  }
}

/** Rows of the ledger as the primary has them now, read through a router inside a writing transaction. */
export async function readLedger(host: AppHost): Promise<ReadonlySet<number>> {
  const client = await connectApplication(host);
  try {
    await client.query('BEGIN');
    const answer = await client.query<{ id: string }>('SELECT id FROM ledger');
    await client.query('COMMIT');
    return new Set(answer.rows.map((row) => Number(row.id)));
  } finally {
    await client.end();
  }
}

/** SQLSTATE of a server's error; `connection` for anything that ended the connection itself. */
function codeOf(cause: unknown): string {
  if (cause instanceof pg.DatabaseError && cause.code !== undefined) return cause.code;
  return cause instanceof MatriarchError ? cause.code : 'connection';
}

function count1(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

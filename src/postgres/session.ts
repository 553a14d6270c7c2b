/**
 * SQL with hard deadlines over `pg`. After a timeout the socket is destroyed and the next call connects anew: a client of
 * `pg` that has timed out stays wedged (node-postgres issue 3399), and the agent must never wait for a hung server.
 */
import { Socket } from 'node:net';
import { Client, DatabaseError, type QueryResult } from 'pg';
import { describe, formatAddress, type Log, MatriarchError, withDeadline } from '../base/index.ts';
import { isNodeError } from './node-error.ts';
import type { Credential } from './types.ts';

export interface Target {
  /** A host, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly role: Credential;
  readonly database: string;
  /** `true`: a walsender that takes replication commands instead of SQL. */
  readonly replication?: boolean;
}

export type Rows = readonly Readonly<Record<string, unknown>>[];

/** Sends one statement. Without `values` it goes as a simple query. */
export type Ask = (sql: string, values?: readonly unknown[]) => Promise<Rows>;

/** Whether an `Ask` failed because the server refused the statement with one of these SQLSTATEs. The connection is still good. */
export function refused(cause: unknown, sqlstates: readonly string[]): boolean {
  return cause instanceof DatabaseError && cause.code !== undefined && sqlstates.includes(cause.code);
}

/** One connection for one piece of work, with one deadline for both; closed in any case. */
export async function withConnection<T>(
  target: Target,
  deadlineMs: number,
  work: (ask: Ask) => Promise<T>,
): Promise<T> {
  const line = new Line(target);
  try {
    return await withDeadline(
      line.open().then(() => work((sql, values) => line.ask(sql, values))),
      deadlineMs,
      `PostgreSQL at ${describeTarget(target)}`,
    );
  } catch (cause) {
    throw translate(target, cause);
  } finally {
    line.destroy();
  }
}

/** Whether the server says anything at all inside the deadline, a refusal too. A full backlog of its socket is silence. */
export async function isAnswering(target: Target, deadlineMs: number): Promise<boolean> {
  try {
    await withConnection(target, deadlineMs, (ask) => ask('SELECT 1'));
    return true;
  } catch (failed) {
    const cause = failed instanceof MatriarchError ? failed.cause : failed;
    const isOverdue = cause instanceof MatriarchError && cause.code === 'deadline-exceeded';
    return !isOverdue && !(isNodeError(cause) && cause.code === 'EAGAIN');
  }
}

/** The kept connection. Calls run one after another, in order; when one gets no answer, those behind it on the connection fail too. */
export class Session {
  readonly #target: Target;
  readonly #log: Log;
  #line: Line | undefined;

  constructor(target: Target, log: Log) {
    this.#target = target;
    this.#log = log;
  }

  /** Throws `postgres-unreachable` (no answer: the connection is dropped) or `postgres-sql-failed`. */
  async ask(sql: string, values: readonly unknown[], deadlineMs: number): Promise<Rows> {
    const line = this.#openLine();
    try {
      return await withDeadline(
        line.open().then(() => line.ask(sql, values)),
        deadlineMs,
        `PostgreSQL at ${describeTarget(this.#target)}`,
      );
    } catch (cause) {
      const error = translate(this.#target, cause);
      if (error.code !== 'postgres-sql-failed') this.#dropLine(line, describe(cause));
      throw error;
    }
  }

  drop(because: string): void {
    if (this.#line !== undefined) this.#dropLine(this.#line, because);
  }

  #openLine(): Line {
    if (this.#line?.isOpen !== true) {
      this.drop('closed by the server');
      this.#line = new Line(this.#target);
    }
    return this.#line;
  }

  /** Only the one that failed: a newer connection, which others wait on already, stays. */
  #dropLine(line: Line, because: string): void {
    if (this.#line !== line) return;
    this.#log.debug('postgres-connection-dropped', { because });
    line.destroy();
    this.#line = undefined;
  }
}

/** A client and the socket under it, so that it can be ended without its help. */
class Line {
  readonly #socket = new Socket();
  readonly #client: Client;
  #connecting: Promise<unknown> | undefined;
  isOpen = true;

  constructor(target: Target) {
    const replication = target.replication === true ? { replication: 'true' } : {};
    this.#client = new Client({
      host: target.host,
      port: target.port,
      user: target.role.username,
      password: target.role.password,
      database: target.database,
      application_name: 'matriarch agent',
      ssl: false,
      keepAlive: true,
      options: '',
      stream: () => this.#socket,
      ...replication,
    });
    this.#client.on('error', () => this.destroy());
    this.#client.on('end', () => this.destroy());
  }

  async open(): Promise<void> {
    this.#connecting ??= this.#client.connect();
    await this.#connecting;
  }

  async ask(sql: string, values?: readonly unknown[]): Promise<Rows> {
    const result: QueryResult<Record<string, unknown>> =
      values === undefined ? await this.#client.query(sql) : await this.#client.query(sql, [...values]);
    return result.rows;
  }

  destroy(): void {
    this.isOpen = false;
    this.#socket.destroy();
  }
}

/** A refusal of an open connection is the statement's fault; everything else is the connection's. */
function translate(target: Target, cause: unknown): MatriarchError {
  if (cause instanceof MatriarchError && cause.code !== 'deadline-exceeded') return cause;
  if (cause instanceof DatabaseError && cause.severity === 'ERROR') {
    const message = `PostgreSQL at ${describeTarget(target)}: ${cause.message} (${cause.code ?? 'no SQLSTATE'})`;
    return new MatriarchError('postgres-sql-failed', message, { cause });
  }
  const message = `PostgreSQL at ${describeTarget(target)} cannot be asked: ${describe(cause)}`;
  return new MatriarchError('postgres-unreachable', message, { cause });
}

function describeTarget({ host, port }: Target): string {
  return host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : formatAddress({ host, port });
}

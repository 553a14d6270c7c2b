/**
 * Clients that have done nothing, or one thing, for too long: which limit they have passed, and what they are told before
 * they are disconnected. Each limit of 0 is none. What each counts, as PgBouncer's of the same name:
 *
 * - client_idle_timeout: since the client was last heard or answered, while it has nothing outstanding and is in no
 *   transaction; from its welcome on, not while it is still being let in.
 * - idle_transaction_timeout: the same in a transaction, also one that no server knows of yet.
 * - query_timeout: while its statement is at a server, all tries together.
 * - transaction_timeout: since the transaction began; one statement is one too, from when it was sent.
 *
 * A client that waits for the router (a free connection, a primary, the end of a PAUSE, or any of them for its welcome) is
 * not idle, and its statement does not run: query_wait_timeout and hold_timeout say how long that may take. Nor does its
 * transaction go on meanwhile, unless a server has begun it and holds locks for it. Pure.
 */
import type { RouterConfig } from '../config/index.ts';
import { type ErrorFields, SQLSTATE, type TransactionStatus } from '../wire/index.ts';

export type TimeLimits = Pick<
  RouterConfig,
  'client_idle_timeout' | 'idle_transaction_timeout' | 'transaction_timeout' | 'query_timeout'
>;

/** Since when (monotonic ms) a client is as it is. */
export class ClientTimes {
  #transactionSince: number | undefined = undefined;
  #statementSince: number | undefined = undefined;
  #waitingSince: number | undefined = undefined;
  #quietSince: number | undefined = undefined;
  #isBegunThere = false;

  /** The transaction began, but for what it has waited before a server knew of it; undefined outside of one. */
  get transactionSince(): number | undefined {
    return this.#transactionSince;
  }

  /** A statement was sent, but for what it has waited since, to be sent anew; undefined while none is on its way. */
  get statementSince(): number | undefined {
    return this.#statementSince;
  }

  /** It waits for the router to send a statement, or to welcome it. */
  get waitingSince(): number | undefined {
    return this.#waitingSince;
  }

  /** It was last heard or answered; undefined before its welcome. */
  get quietSince(): number | undefined {
    return this.#quietSince;
  }

  /** A server has begun the transaction that the client waits in. */
  get isBegunThere(): boolean {
    return this.#isBegunThere;
  }

  heard(now: number): void {
    if (this.#quietSince !== undefined) this.#quietSince = now;
  }

  /** What the client wants has no server yet; `isBegunThere`: its transaction has one. */
  waits(isBegunThere: boolean, now: number): void {
    this.#waitingSince ??= now;
    this.#isBegunThere = isBegunThere;
  }

  sent(now: number): void {
    const waited = now - (this.#waitingSince ?? now);
    this.#waitingSince = undefined;
    this.#statementSince = this.#statementSince === undefined ? now : this.#statementSince + waited;
    if (this.#transactionSince !== undefined && !this.#isBegunThere) this.#transactionSince += waited;
  }

  answered(status: TransactionStatus, now: number): void {
    this.#quietSince = now;
    this.#waitingSince = undefined;
    this.#statementSince = undefined;
    if (status === 'I') this.#transactionSince = undefined;
    else this.#transactionSince ??= now;
  }
}

/** What a client that is past a limit is told; undefined: it is not. */
export function overdue(times: ClientTimes, limits: TimeLimits, now: number): ErrorFields | undefined {
  const { transactionSince, statementSince, quietSince } = times;
  const isWaiting = times.waitingSince !== undefined;
  const goesOn = !isWaiting || times.isBegunThere;
  if (goesOn && isOver(transactionSince ?? statementSince, limits.transaction_timeout, now)) {
    return terminated(SQLSTATE.transactionTimeout, 'transaction timeout', 'transaction_timeout');
  }
  if (isWaiting) return undefined;
  if (statementSince !== undefined) {
    if (!isOver(statementSince, limits.query_timeout, now)) return undefined;
    return terminated(SQLSTATE.queryCanceled, 'statement timeout', 'query_timeout');
  }
  if (transactionSince === undefined) {
    if (!isOver(quietSince, limits.client_idle_timeout, now)) return undefined;
    return terminated(SQLSTATE.idleSessionTimeout, 'idle-session timeout', 'client_idle_timeout');
  }
  if (!isOver(quietSince, limits.idle_transaction_timeout, now)) return undefined;
  const code = SQLSTATE.idleInTransactionTimeout;
  return terminated(code, 'idle-in-transaction timeout', 'idle_transaction_timeout');
}

function isOver(since: number | undefined, limitMs: number, now: number): boolean {
  return limitMs > 0 && since !== undefined && now - since >= limitMs;
}

function terminated(code: string, what: string, key: keyof TimeLimits): ErrorFields {
  return {
    severity: 'FATAL',
    code,
    message: `terminating connection due to ${what}`,
    hint: `The router's limit is router.${key}.`,
  };
}

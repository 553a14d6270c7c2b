/**
 * Clients that have done nothing, or one thing, for too long: which limit they have passed, and what they are told before
 * they are disconnected. Each limit of 0 is none. Pure.
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
  #answeredAt = 0;

  /** The transaction began; undefined outside of one. */
  get transactionSince(): number | undefined {
    return this.#transactionSince;
  }

  /** A statement was sent; undefined while none runs. */
  get statementSince(): number | undefined {
    return this.#statementSince;
  }

  /** The last answer was told, or the session began. */
  get answeredAt(): number {
    return this.#answeredAt;
  }

  sent(now: number): void {
    this.#statementSince ??= now;
  }

  answered(status: TransactionStatus, now: number): void {
    this.#answeredAt = now;
    this.#statementSince = undefined;
    if (status === 'I') this.#transactionSince = undefined;
    else this.#transactionSince ??= now;
  }
}

/** What a client that is past a limit is told; undefined: it is not. */
export function overdue(times: ClientTimes, limits: TimeLimits, now: number): ErrorFields | undefined {
  const { transactionSince, statementSince, answeredAt } = times;
  if (isOver(transactionSince, limits.transaction_timeout, now)) {
    return terminated(SQLSTATE.transactionTimeout, 'transaction timeout', 'transaction_timeout');
  }
  if (statementSince !== undefined) {
    if (!isOver(statementSince, limits.query_timeout, now)) return undefined;
    return terminated(SQLSTATE.queryCanceled, 'statement timeout', 'query_timeout');
  }
  if (transactionSince === undefined) {
    if (!isOver(answeredAt, limits.client_idle_timeout, now)) return undefined;
    return terminated(SQLSTATE.idleSessionTimeout, 'idle-session timeout', 'client_idle_timeout');
  }
  if (!isOver(answeredAt, limits.idle_transaction_timeout, now)) return undefined;
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

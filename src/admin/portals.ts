/**
 * Prepared statements and portals of a console's session, as the manual's "Extended Query" has them: the unnamed ones
 * are replaced silently, named ones not; portals end with their transaction.
 */
import type { Answer } from './answer.ts';
import type { AdminCommand } from './command.ts';
import { type AdminFailure, FAILURE } from './failures.ts';

export interface Statement {
  /** undefined: an empty text. */
  readonly command: AdminCommand | undefined;
}

export interface Portal extends Statement {
  /** 0 text, 1 binary: none, one for all columns, or one a column. */
  readonly formats: readonly number[];
  /** Its rows once it has run, and how many of them were sent. */
  run: { readonly answer: Extract<Answer, { readonly kind: 'rows' }>; sent: number } | undefined;
}

const STATEMENTS_MAX = 1000;
const PORTALS_MAX = 1000;

export class Portals {
  readonly #statements = new Map<string, Statement>();
  readonly #portals = new Map<string, Portal>();

  /** undefined: it is prepared. */
  prepare(name: string, statement: Statement): AdminFailure | undefined {
    if (name !== '' && this.#statements.has(name)) return FAILURE.statementExists(name);
    if (this.#statements.size >= STATEMENTS_MAX)
      return FAILURE.tooMany('prepared statements', STATEMENTS_MAX);
    this.#statements.set(name, statement);
    return undefined;
  }

  /** undefined: it is bound. */
  bind(name: string, portal: Portal): AdminFailure | undefined {
    if (name !== '' && this.#portals.has(name)) return FAILURE.portalExists(name);
    if (this.#portals.size >= PORTALS_MAX) return FAILURE.tooMany('portals', PORTALS_MAX);
    this.#portals.set(name, portal);
    return undefined;
  }

  statement(name: string): Statement | undefined {
    return this.#statements.get(name);
  }

  portal(name: string): Portal | undefined {
    return this.#portals.get(name);
  }

  close(kind: 'statement' | 'portal', name: string): void {
    if (kind === 'statement') this.#statements.delete(name);
    else this.#portals.delete(name);
  }

  /** DEALLOCATE: undefined means all. */
  deallocate(name: string | undefined): AdminFailure | undefined {
    if (name === undefined) this.#statements.clear();
    else if (!this.#statements.delete(name)) return FAILURE.noStatement(name);
    return undefined;
  }

  /** A simple query: the unnamed ones go. */
  dropUnnamed(): void {
    this.#statements.delete('');
    this.#portals.delete('');
  }

  transactionEnded(): void {
    this.#portals.clear();
  }
}

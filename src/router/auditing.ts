/** An audit of a session's connection under way, and the settings that it is about: see audit.ts. Pure. */
import { Query } from '../wire/index.ts';
import { type Audit, auditSql, namesToAsk, readAudit } from './audit.ts';
import type { Link } from './link.ts';

const NOT_TOLD: Audit = { pins: ['state-not-told'], changes: [], hasTemporarySchema: false };

export class Auditing {
  /** The connection was asked what state and settings are there; settings asked for by name. */
  #link: Link | undefined = undefined;
  #asked: readonly string[] = [];
  /** The question has failed, once already. */
  #hasFailed = false;
  /** Settings that may be others than they are known to be, or not the session's to make. */
  readonly #doubted = new Set<string>();

  get isUnderWay(): boolean {
    return this.#link !== undefined;
  }

  isOf(link: Link): boolean {
    return this.#link === link;
  }

  doubt(link: Link, names: Iterable<string>): void {
    link.isSuspect = true;
    for (const name of names) this.#doubted.add(name);
  }

  begin(link: Link): void {
    link.isSuspect = false;
    this.#hasFailed = false;
    this.#asked = namesToAsk(link.settings, this.#doubted);
    this.#link = link;
    link.sendOwn(Query(auditSql(this.#asked)));
  }

  /**
   * The connection has answered. A question that failed by what is the client's, a short statement_timeout or a cancel that
   * came late, is put once more (undefined). If that fails too, what is in doubt stays so, for the next.
   */
  end(link: Link): Audit | undefined {
    if (link.ownError !== undefined) return this.#failed(link);
    const context = { names: this.#asked, known: link.settings, doubted: this.#doubted };
    const audit = readAudit(link.probedRow, context);
    this.forget(link);
    return audit;
  }

  #failed(link: Link): Audit | undefined {
    if (this.#hasFailed) {
      this.#link = undefined;
      return NOT_TOLD;
    }
    this.begin(link);
    this.#hasFailed = true;
    return undefined;
  }

  /** Nothing is to be learnt from it any more. */
  forget(link: Link): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#doubted.clear();
  }
}

/** An audit of a session's connection under way, and the settings that it is about: see audit.ts. Pure. */
import { Query } from '../wire/index.ts';
import { type Audit, auditSql, namesToAsk, readAudit } from './audit.ts';
import type { Link } from './link.ts';

export class Auditing {
  /** The connection was asked what state and settings are there; settings asked for by name. */
  #link: Link | undefined = undefined;
  #asked: readonly string[] = [];
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
    this.#asked = namesToAsk(link.settings, this.#doubted);
    this.#link = link;
    link.sendOwn(Query(auditSql(this.#asked)));
  }

  /** The connection has answered. */
  end(link: Link): Audit {
    const row = link.ownError === undefined ? link.probedRow : undefined;
    const context = { names: this.#asked, known: link.settings, doubted: this.#doubted };
    const audit = readAudit(row, context);
    this.forget(link);
    return audit;
  }

  /** Nothing is to be learnt from it any more. */
  forget(link: Link): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#doubted.clear();
  }
}

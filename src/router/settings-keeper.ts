/**
 * Which settings of a client are to follow it to other servers: those whose statement succeeded outside of a
 * transaction, or in one that was committed. Where that cannot be told, the session is pinned instead. Pure.
 */
import type { SettingStatement } from '../sql/index.ts';
import type { TransactionStatus } from '../wire/index.ts';
import type { Link } from './link.ts';
import type { Placement } from './placement.ts';
import type { PreparedStatements } from './prepared.ts';
import type { Unit } from './unit.ts';

export class SettingsKeeper {
  readonly #placement: Placement;
  readonly #prepared: PreparedStatements;
  /** Settings made in the open transaction; they count if it commits. */
  #pending: SettingStatement[] = [];
  #hasSavepoint = false;

  constructor(placement: Placement, prepared: PreparedStatements) {
    this.#placement = placement;
    this.#prepared = prepared;
  }

  /** A unit was answered; `before` is the state of the transaction before it, `link.status` that after it. */
  finished(unit: Unit, link: Link, before: TransactionStatus): void {
    if (before === 'I') {
      this.#pending = [];
      this.#hasSavepoint = false;
    }
    if (unit.hasSavepoint) this.#hasSavepoint = true;
    if (unit.settings.length > 0 && unit.executes) this.#made(unit, link, before);
    // COMMIT AND CHAIN ends a transaction too, though another is open after it.
    if (before !== 'I' && (link.status === 'I' || unit.ends !== undefined)) this.#ended(unit, link, before);
  }

  #made(unit: Unit, link: Link, before: TransactionStatus): void {
    // Before or behind the COMMIT or ROLLBACK in the same unit? It may hold even if the unit failed.
    if (unit.controlsTransaction) this.#placement.pinnedTo = link;
    else if (unit.isFailed || before === 'E') return;
    else if (before === 'I' && link.status === 'I') this.#record(unit.settings, link);
    else this.#pending.push(...unit.settings);
  }

  #ended(unit: Unit, link: Link, before: TransactionStatus): void {
    const settings = this.#pending;
    const hadSavepoint = this.#hasSavepoint;
    this.#pending = [];
    this.#hasSavepoint = false;
    // COMMIT of a failed transaction is a ROLLBACK.
    if (unit.isFailed || before === 'E' || unit.ends !== 'commit' || settings.length === 0) return;
    // A ROLLBACK TO SAVEPOINT may have taken some back: then the session is not carried to other servers.
    if (hadSavepoint) this.#placement.pinnedTo = link;
    else this.#record(settings, link);
  }

  #record(settings: readonly SettingStatement[], link: Link): void {
    for (const statement of settings) {
      if (!this.#placement.settings.record(statement)) this.#placement.pinnedTo = link;
      if (statement.clears !== 'everything') continue;
      this.#prepared.forgetAll();
      for (const other of this.#placement.links.values()) other.prepared.clear();
      this.#placement.pinnedTo = undefined;
    }
    link.settingsVersion = this.#placement.settings.version;
  }
}

/**
 * Which settings of a client are to follow it to other servers: those whose statement succeeded outside of a
 * transaction, or in one that was committed. Where that cannot be told, the session is pinned instead. Pure.
 */
import type { SettingStatement } from '../sql/index.ts';
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

  /** A unit was answered; `link.status` is the state of the transaction after it. */
  finished(unit: Unit, link: Link, wasInTransaction: boolean): void {
    const settings = unit.isFailed ? [] : unit.settings;
    if (!wasInTransaction) {
      this.#pending = [];
      this.#hasSavepoint = false;
      if (link.status === 'I') {
        if (settings.length > 0) this.#record(settings, link);
        return;
      }
    }
    if (unit.hasSavepoint) this.#hasSavepoint = true;
    if (settings.length > 0) this.#pending.push(...settings);
    if (link.status === 'I') this.#ended(unit, link);
  }

  #ended(unit: Unit, link: Link): void {
    const settings = this.#pending;
    this.#pending = [];
    if (unit.isFailed || unit.ends !== 'commit' || settings.length === 0) return;
    // A ROLLBACK TO SAVEPOINT may have taken some back: then the session is not carried to other servers.
    if (this.#hasSavepoint) this.#placement.isPinned = true;
    else this.#record(settings, link);
  }

  #record(settings: readonly SettingStatement[], link: Link): void {
    for (const statement of settings) {
      if (!this.#placement.settings.record(statement)) this.#placement.isPinned = true;
      if (statement.clears !== 'everything') continue;
      this.#prepared.forgetAll();
      for (const other of this.#placement.links.values()) other.prepared.clear();
      this.#placement.isPinned = false;
    }
    link.settingsVersion = this.#placement.settings.version;
  }
}

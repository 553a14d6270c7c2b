/**
 * Which settings of a client are to follow it to other servers: those whose statement succeeded outside of a
 * transaction, or in one that was committed. Where that cannot be told, the server is asked what holds. Pure.
 */
import { isTemporaryPath, type SettingStatement } from '../sql/index.ts';
import type { TransactionStatus } from '../wire/index.ts';
import type { Link } from './link.ts';
import type { Placement } from './placement.ts';
import type { PreparedStatements } from './prepared.ts';
import type { SessionOptions } from './session-types.ts';
import { lostByReset, namesOf, restrictedIn } from './settings.ts';
import type { Unit } from './unit.ts';

export class SettingsKeeper {
  readonly #placement: Placement;
  readonly #prepared: PreparedStatements;
  /** Of the process: makes the planning keys of one transaction different from all others'. */
  readonly #nonce: string;
  readonly #startPath: string | undefined;
  /** Settings made in the open transaction; they count if it commits. */
  #pending: SettingStatement[] = [];
  #hasSavepoint = false;
  /** It has set something for itself alone: perhaps who one is. */
  #hasLocal = false;
  /** What statements mean in the open transaction is its own affair, since it has set something. */
  #isOwnMeaning = false;
  #transactions = 0;
  /**
   * It has made something temporary. With the first of that, PostgreSQL makes the session's temporary schema, which is in
   * front of each search_path from then on, and looks up anew what statements name. A pooled connection may have one already.
   */
  #hasTemporary = false;

  constructor(
    placement: Placement,
    prepared: PreparedStatements,
    { processId, searchPath }: Pick<SessionOptions, 'processId' | 'searchPath'>,
  ) {
    this.#placement = placement;
    this.#prepared = prepared;
    this.#nonce = String(processId);
    this.#startPath = searchPath;
  }

  /** Which settings a statement is parsed under now, as a key: equal keys, equal meaning. */
  get planningKey(): string {
    const { planningKey } = this.#placement.settings;
    if (this.#isOwnMeaning) return `${this.#nonce} ${this.#transactions} ${planningKey}`;
    const isTemporary = this.#hasTemporary && this.#placement.pinnedTo !== undefined;
    return isTemporary ? `${this.#nonce} temporary ${planningKey}` : planningKey;
  }

  /** A transaction was begun that no server knows of yet. */
  began(): void {
    if (this.#pending.length > 0) this.#pending = [];
    this.#hasSavepoint = false;
    this.#hasLocal = false;
  }

  /** A unit was answered; `before` is the state of the transaction before it, `link.status` that after it. */
  finished(unit: Unit, link: Link, before: TransactionStatus): void {
    if (before === 'I') this.began();
    if (unit.hasSavepoint) this.#hasSavepoint = true;
    if (unit.executes && !unit.isFailed && unit.pinBecause.has('creates-temporary'))
      this.#hasTemporary = true;
    if (unit.setsLocally) this.#hasLocal = true;
    if (unit.creates && unit.executes && this.#mayBeTemporary(unit)) this.#placement.suspect(link);
    if (link.status === 'I') this.#isOwnMeaning = false;
    else if (unit.setsLocally || unit.settings.length > 0) this.#takeOwnMeaning();
    if (unit.settings.length > 0 && unit.executes) this.#made(unit, link, before);
    if (unit.sets.length > 0 && unit.executes) this.#placement.doubt(link, unit.sets);
    // COMMIT AND CHAIN ends a transaction too, though another is open after it.
    if (before !== 'I' && (link.status === 'I' || unit.ends !== undefined || unit.endsAmong))
      this.#ended(unit, link, before);
  }

  /** What is created by a bare name may be temporary now, by a search_path that is known or may be. */
  #mayBeTemporary({ settings }: Unit): boolean {
    if (this.#hasLocal) return true;
    const made = [...this.#pending, ...settings].flatMap(({ changes }) => changes);
    const paths = made.flatMap(({ name, value }) => (name === 'search_path' ? [value] : []));
    paths.push(this.#placement.settings.own.get('search_path') ?? this.#startPath);
    return paths.some((path) => path !== undefined && isTemporaryPath(path));
  }

  #takeOwnMeaning(): void {
    this.#isOwnMeaning = true;
    this.#transactions += 1;
  }

  #made(unit: Unit, link: Link, before: TransactionStatus): void {
    // Before or behind the COMMIT or ROLLBACK in the same unit? It may hold even if the unit failed.
    if (unit.hasMixedFate) {
      this.#placement.doubt(link, namesOf(unit.settings));
      this.#sayAgain(unit.settings, link);
    } else if (unit.isFailed || before === 'E') {
      // DISCARD ALL is not taken back with what failed behind it.
      if (this.#prepared.hasDiscarded) this.#placement.record(unit.settings.filter(isDiscard), link);
      // What was made before a savepoint, or behind a ROLLBACK to one, holds if the transaction goes on.
      if (link.status !== 'I') this.#placement.doubt(link, namesOf(unit.settings));
    } else if (before === 'I' && link.status === 'I') this.#placement.record(unit.settings, link);
    else this.#pending.push(...unit.settings, ...this.#sayAgain(unit.settings, link));
  }

  /**
   * In an open transaction: what the client began with and has reset now is not what the server went back to. It is said
   * again in the same transaction, so that it holds as long as the reset does.
   */
  #sayAgain(made: readonly SettingStatement[], link: Link): readonly SettingStatement[] {
    if (link.status !== 'T') return [];
    const again = lostByReset(this.#placement.startSettings, made);
    for (const { text } of again) link.ask(text);
    return again;
  }

  /** By what the unit had executed, if that was not skipped behind an error. */
  #ended(unit: Unit, link: Link, before: TransactionStatus): void {
    const settings = this.#pending;
    const [hadSavepoint, hadLocal] = [this.#hasSavepoint, this.#hasLocal];
    const { ends, endsAmong, isFailed } = unit;
    // COMMIT of a failed transaction is a ROLLBACK, unless that went back to a savepoint before.
    const isFailure = before === 'E' && !unit.hasSavepoint;
    const isKnown = !endsAmong && !isFailed;
    if (isKnown || link.status === 'I') this.began();
    if (settings.length === 0 || (isKnown && (ends === 'rollback' || isFailure))) return;
    // A ROLLBACK TO SAVEPOINT may have taken some back.
    if (!isKnown || hadSavepoint || ends === undefined) this.#placement.doubt(link, namesOf(settings));
    else {
      this.#placement.record(settings, link);
      if (hadLocal) this.#placement.suspect(link, restrictedIn(namesOf(settings)));
    }
  }
}

function isDiscard({ clears }: SettingStatement): boolean {
  return clears === 'everything';
}

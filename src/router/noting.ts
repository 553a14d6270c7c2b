/** What a message adds to the unit of work: need, intent, and which statement it speaks of. Pure. */
import type { SettingStatement } from '../sql/index.ts';
import { FRONTEND, isHead, readBind, readBindNames, readClose, readDescribe } from '../wire/index.ts';
import type { Intending } from './intending.ts';
import { type Deed, type Forgets, forgottenIn, type Mention, mentionIn } from './mentions.ts';
import { type PinReason, UNKNOWN_INTENT } from './route.ts';
import type { Session } from './session.ts';
import { namesOf } from './settings.ts';
import type { Statement } from './statement.ts';
import type { Tally } from './tally.ts';
import { isAboutTransaction } from './unit-facts.ts';
import type { Wishing } from './wishing.ts';

interface NotingParts {
  readonly session: Session;
  readonly tally: Tally;
  readonly intending: Intending;
  readonly wishing: Wishing;
}

export class Noting {
  readonly #session: Session;
  readonly #tally: Tally;
  readonly #intending: Intending;
  readonly #wishing: Wishing;

  constructor({ session, tally, intending, wishing }: NotingParts) {
    this.#session = session;
    this.#tally = tally;
    this.#intending = intending;
    this.#wishing = wishing;
  }

  /** The statement that it makes or uses. */
  note(tag: number, message: Buffer): Statement | undefined {
    const { unit, prepared, portals } = this.#session;
    unit.mention = undefined;
    switch (tag) {
      case FRONTEND.Parse: {
        this.#tally.clientParses += 1;
        const statement = prepared.parse(message);
        unit.mention = mentionIn(statement.classification, prepared, statement);
        unit.require(this.#wishing.intentOf(this.#wishing.resolve(statement.classification, statement)));
        if (isAboutTransaction(statement.classification)) unit.isAboutTransaction = true;
        if (!statement.isKept) this.#leavesState(statement.name);
        return statement;
      }
      case FRONTEND.Bind: {
        this.#tally.binds += 1;
        const bound = (isHead(message) ? readBindNames : readBind)(message);
        const statement = prepared.get(bound.statement);
        portals.bound(bound.portal, statement, unit.serial);
        // Made by PREPARE in SQL, or not at all: who knows what it does.
        if (statement === undefined) this.#intending.unknown('statement-unknown');
        else this.#bind(bound.portal, statement);
        return statement;
      }
      case FRONTEND.Describe: {
        const described = readDescribe(message);
        unit.describes = true;
        if (described.kind === 'portal') return undefined;
        const statement = prepared.get(described.name);
        if (statement === undefined) return undefined;
        // The server looks up what EXECUTE runs.
        if (statement.isMomentary) unit.mention = mentionIn(statement.classification, prepared, statement);
        unit.require(this.#wishing.intentOf(this.#wishing.resolve(statement.classification, statement)));
        return statement;
      }
      case FRONTEND.Execute: {
        unit.executes = true;
        const deeds = portals.executed(message);
        if (deeds.length > 0) this.#execute(deeds);
        return undefined;
      }
      case FRONTEND.Close: {
        const closed = readClose(message);
        if (closed.kind === 'portal') {
          portals.closed(closed.name);
          return undefined;
        }
        const statement = prepared.get(closed.name);
        prepared.close(closed.name);
        return statement;
      }
      case FRONTEND.CopyDone:
      case FRONTEND.CopyFail:
        portals.copies.ended();
        return undefined;
      case FRONTEND.Query: // in the middle of a batch: unusual, so no cleverness
      case FRONTEND.FunctionCall:
        if (tag === FRONTEND.Query) unit.willEnd(this.#wishing.intentOf(this.#intending.query(message)).ends);
        else this.#intending.count('write', 'calls-function');
        unit.intend(UNKNOWN_INTENT);
        unit.executes = true;
        return undefined;
      default:
        return undefined;
    }
  }

  /** The unit prepares what is kept by its server only: that had better be the primary. */
  #leavesState(statement: string): void {
    const { unit } = this.#session;
    unit.raise('primary', 'state-not-carried');
    unit.mayLeaveState = true;
    unit.pinBecause.add(statement === '' ? 'unnamed-past-limit' : 'statements-past-limit');
  }

  /** What it sets, and what binds the session to its server, is done by the Execute of the portal, which may not come. */
  #bind(portal: string, statement: Statement): void {
    const { unit, portals } = this.#session;
    const { mayPin } = unit;
    const reasons = unit.pinBecause.size;
    const settings = this.#intend(statement);
    const deed = portals.deedOf(portal);
    if (deed === undefined) return;
    if (settings !== undefined) deed.settings = settings;
    if (unit.mayPin) deed.pins = Array.from(unit.pinBecause).slice(reasons);
    for (const reason of deed.pins ?? NO_REASONS) unit.pinBecause.delete(reason);
    unit.mayPin = mayPin;
  }

  /** Gives the settings that it would make. */
  #intend(statement: Statement): SettingStatement[] | undefined {
    const { unit } = this.#session;
    const before = unit.settings.length;
    this.#intending.run(statement);
    return unit.settings.length > before ? unit.settings.splice(before) : undefined;
  }

  /** One of these is run. Of several what they set is to be asked for. */
  #execute(deeds: readonly Deed[]): void {
    const { unit, prepared } = this.#session;
    const isKnown = deeds.length === 1;
    let lends: Mention['lends'] = [];
    let forgets: Forgets | undefined;
    for (const deed of deeds) {
      const { statement, pins } = deed;
      let { settings } = deed;
      if (pins !== undefined) unit.mayPin = true;
      for (const reason of pins ?? NO_REASONS) unit.pinBecause.add(reason);
      // Of what was bound in an earlier unit, nobody has heard in this one; and EXECUTE may run another statement now.
      if (deed.serial !== unit.serial) {
        settings = this.#intend(statement) ?? NO_SETTINGS;
        lends = [...lends, ...(unit.mention?.lends ?? [])];
      }
      const { ends } = statement.intent;
      if (isKnown) {
        unit.settings.push(...settings);
        unit.willEnd(ends);
        forgets = forgottenIn(statement.classification, prepared);
      } else {
        unit.sets.push(...namesOf(settings));
        unit.isSuspect = true;
        if (ends !== undefined) unit.endsAmong = true;
      }
    }
    if (forgets !== undefined) prepared.willForget(forgets.name, forgets.isDiscard);
    unit.mention = lends.length > 0 || forgets !== undefined ? { lends, forgets } : undefined;
  }
}

const NO_SETTINGS: readonly SettingStatement[] = [];
const NO_REASONS: readonly PinReason[] = [];

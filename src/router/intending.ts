/**
 * What a message would do, as intents and facts of the unit of work that it is in: told by the class of its text, and of
 * the prepared statements that this runs in turn. Where that leads is placement.ts's. Pure.
 */
import type { Classification, Classifier } from '../sql/index.ts';
import { isHead, QUERY_TEXT_START, readQueryEnd } from '../wire/index.ts';
import { forgottenBy, mentionIn, mentionInText, NESTING_MAX } from './mentions.ts';
import { type RouteReason, UNKNOWN_AT_STATE, UNKNOWN_INTENT } from './route.ts';
import type { Session } from './session.ts';
import type { SessionEffects } from './session-types.ts';
import type { Statement } from './statement.ts';
import { noteFacts, noteSpoken } from './unit-facts.ts';
import type { Wishing } from './wishing.ts';

export interface IntendingParts {
  readonly classifier: Classifier;
  readonly effects: SessionEffects;
  readonly wishing: Wishing;
}

export class Intending {
  readonly #session: Session;
  readonly #classifier: Classifier;
  readonly #effects: SessionEffects;
  readonly #wishing: Wishing;

  constructor(session: Session, { classifier, effects, wishing }: IntendingParts) {
    this.#session = session;
    this.#classifier = classifier;
    this.#effects = effects;
    this.#wishing = wishing;
  }

  /** A Bind: the statement is about to be run. */
  run(statement: Statement): void {
    this.#session.unit.mention = mentionIn(statement.classification, this.#session.prepared);
    this.#intend(statement.classification, [statement]);
  }

  classify(query: Buffer): Classification {
    const end = isHead(query) ? query.length : readQueryEnd(query);
    return this.#classifier.classifyBytes(query, QUERY_TEXT_START, end);
  }

  query(message: Buffer): Classification {
    const classification = this.classify(message);
    const { unit, prepared, portals } = this.#session;
    const isAlone = unit.kind === 'query';
    prepared.forgetUnnamed(!isAlone);
    portals.closed('');
    unit.mention = (isAlone ? mentionInText : mentionIn)(classification, prepared);
    unit.forgets = forgottenBy(classification, prepared);
    unit.isSeveral = classification.speaksOf !== undefined;
    this.#wishing.query = message;
    if (!this.#makes(classification)) this.#intend(classification, []);
    return classification;
  }

  /** A PREPARE alone in its query: the session keeps what it makes, as if that had been prepared by the protocol. */
  #makes(classification: Classification): boolean {
    const { unit, prepared } = this.#session;
    const { prepares, detail, kind, because } = classification;
    const isAlone = unit.kind === 'query' && !unit.isRest;
    if (!isAlone || prepares === undefined || detail === undefined) return false;
    unit.makes = prepared.make(detail, prepares);
    if (unit.makes === undefined) return false;
    this.#wishing.prepare(classification, unit.makes);
    this.count(kind, because);
    return true;
  }

  /** A simple query that forgets what only the session has is answered here. */
  get isForgottenHere(): boolean {
    const { unit } = this.#session;
    const [forgets] = unit.forgets;
    return forgets !== undefined && !unit.isSeveral && this.#session.forgetHere(forgets);
  }

  /** `via` are the prepared statements by which it is run, each by the one before. */
  #intend(text: Classification, via: readonly Statement[]): void {
    const { unit, prepared } = this.#session;
    const classification = this.#wishing.resolve(text, via.at(-1));
    this.count(classification.kind, classification.because);
    const isExecute = classification.because === 'executes-prepared';
    const named = isExecute ? prepared.get(classification.detail ?? '') : undefined;
    // DISCARD ALL cannot be run so; and those that run each other are run by none.
    const isMeant =
      named !== undefined && !via.includes(named) && named.classification.because !== 'discards-all';
    const isRun = isMeant && via.length < NESTING_MAX;
    if (isRun && classification.kind === 'write' && classification.isPlain === true) {
      this.#wishing.note(classification, via.at(-1));
    } else {
      this.#wishing.intend(classification, via.at(-1));
      noteFacts(unit, classification);
    }
    if (isRun) this.#intend(named.classification, [...via, named]);
    else if (isMeant) this.unknown('executes-prepared');
    if (classification.speaksOf !== undefined) noteSpoken(unit, prepared, classification.speaksOf);
    if (unit.settings.length > 0) this.#intendSettings();
  }

  unknown(because: RouteReason): void {
    this.#session.unit.intend(because === 'statement-unknown' ? UNKNOWN_AT_STATE : UNKNOWN_INTENT);
    this.#session.unit.isSuspect = true;
    this.count('write', because);
  }

  /** In a transaction whose server is gone nothing is routed any more. */
  count(kind: Classification['kind'], because: RouteReason): void {
    if (this.#session.standing.limbo === undefined) this.#effects.routed(kind, because);
  }

  /** What cannot be recorded keeps the session where it was made: that had better be the primary. */
  #intendSettings(): void {
    const { unit } = this.#session;
    if (unit.hasMixedFate || !this.#session.canRecord(unit.settings))
      unit.raise('primary', 'state-not-carried');
  }
}

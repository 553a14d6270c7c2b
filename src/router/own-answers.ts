/**
 * Units of work that a session answers without a server: what is only about a transaction that no server knows of yet.
 * What may be answered so, and how, is prelude.ts's to say; here the client is told, and the session goes on. Pure.
 */
import type { Classification } from '../sql/index.ts';
import { ReadyForQuery } from '../wire/index.ts';
import type { ClientEar } from './client-ear.ts';
import type { Losses } from './losses.ts';
import type { Placement } from './placement.ts';
import type { Session } from './session.ts';
import type { SessionOptions } from './session-types.ts';
import { type Settings, valuesOf } from './settings.ts';
import type { SettingsKeeper } from './settings-keeper.ts';
import { countUnit } from './tally.ts';

interface Parts {
  readonly ear: ClientEar;
  readonly losses: Losses;
  readonly keeper: SettingsKeeper;
  readonly placement: Placement;
}

export class OwnAnswers {
  readonly #session: Session;
  readonly #parts: Parts;
  readonly #options: SessionOptions;
  /** Without a SET its transactions are serializable: it began so, or a standby has refused one for it. Not reported by servers. */
  isSerializableByDefault: boolean;

  constructor(session: Session, parts: Parts, options: SessionOptions) {
    this.#session = session;
    this.#parts = parts;
    this.#options = options;
    this.isSerializableByDefault = options.isSerializable === true;
  }

  /** The session's default for transactions that do not say whether they only read; servers report it from 14 on. */
  get isReadOnlyByDefault(): boolean {
    return this.#parts.ear.heard('default_transaction_read_only') === 'on';
  }

  /** Its transactions are serializable where they do not say what they are: standbys refuse all that it reads. */
  get isSerializable(): boolean {
    if (!this.isSerializableByDefault) return false;
    return valuesOf(this.settings).get('default_transaction_isolation') === undefined;
  }

  /** What the client has set. */
  get settings(): Settings {
    return this.#parts.placement.settings;
  }

  /** Answers the unit, whose only statement is `found` if it is a simple query; false: it is a server's affair. */
  answer(found: Classification | undefined, now: number): boolean {
    const { ear, losses, keeper } = this.#parts;
    const { unit, standing, times, prepared, intake } = this.#session;
    if (this.#session.transaction !== undefined || losses.hasPinLost) return false;
    const { status } = standing;
    const { isReadOnlyByDefault } = this;
    const answer = standing.prelude.answer(unit, found, { status, isReadOnlyByDefault });
    if (answer === undefined) return false;
    if (status === 'I') keeper.began();
    if (status === 'I') standing.prelude.wish(unit.wish, unit.freshness);
    const isOver = status === 'T' && answer.status === 'I';
    countUnit(this.#options.tally, times, { now, isOver });
    standing.answeredHere(answer.status);
    times.answered(answer.status, now);
    for (const reply of answer.replies) this.#options.effects.toClient(reply);
    this.#options.effects.toClient(ReadyForQuery(answer.status));
    prepared.settle();
    unit.end();
    ear.tellLater();
    intake.resume();
    return true;
  }
}

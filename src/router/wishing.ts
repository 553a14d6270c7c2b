/**
 * What decides beside a statement's class where its unit of work runs: wishes, earlier refusals by standbys, and the
 * transaction that is to begin with it. Changes the unit's need and wish; a need only ever gets stricter. Pure.
 */
import { type Freshness, stricterFreshness, type Wishes } from '../routing/index.ts';
import { type Classification, type Classifier, originOf, unread } from '../sql/index.ts';
import { isHead, NoticeResponse, QUERY_TEXT_START, readParseText, readQueryEnd } from '../wire/index.ts';
import { type Intent, intentOf } from './route.ts';
import type { Session } from './session.ts';
import type { SessionConfig, SessionOptions } from './session-types.ts';
import type { Statement } from './statement.ts';
import { noteFound } from './unit-facts.ts';
import { type SessionRouting, Wisher } from './wisher.ts';

/** Encodings of clients in which a byte behind the first of a character can be one of ASCII. */
const HIDING: ReadonlySet<string> = new Set('SJIS SHIFT_JIS_2004 BIG5 GBK UHC GB18030 JOHAB'.split(' '));

const NO_TYPES: readonly number[] = [];

const AS_ALWAYS: Freshness = { level: undefined, staleness: undefined };

export class Wishing {
  /** The simple query that is looked at. */
  query: Buffer | undefined = undefined;
  /** Backslashes escape quotes; bytes of characters can look like quotes and backslashes. */
  #isEscaping = false;
  #hidesBytes = false;
  readonly #session: Session;
  readonly #classifier: Classifier;
  readonly #routing: SessionRouting;
  readonly #wisher: Wisher;
  readonly #config: () => SessionConfig;

  constructor(session: Session, { classifier, config, routing, world, effects }: SessionOptions) {
    this.#session = session;
    this.#classifier = classifier;
    this.#routing = routing;
    this.#config = config;
    this.#wisher = new Wisher(routing, {
      rules: () => config().rules,
      isMember: (name) => world.isMember(name),
      tell: (fields) => effects.toClient(NoticeResponse(fields)),
    });
  }

  /** The server has reported a setting that decides how it reads SQL. */
  heard(name: string, value: string): void {
    if (name === 'standard_conforming_strings') this.#isEscaping = value === 'off';
    else if (name === 'client_encoding') this.#hidesBytes = HIDING.has(value.toUpperCase());
  }

  /** What a statement is by the definitions of its database; `statement`: the one that is prepared or run. */
  resolve(found: Classification, statement?: Statement): Classification {
    if (this.#isEscaping || this.#hidesBytes) return unread(found);
    const { unit, own, pin, isBeingAsked } = this.#session;
    const isUnknown = isBeingAsked || pin?.because.includes('settings-unknown') === true;
    const isPathKnown = unit.settings.length === 0 && !isUnknown;
    return this.#routing.definitions.resolve(
      found,
      statement?.types ?? NO_TYPES,
      isPathKnown ? own.settings : undefined,
    );
  }

  /** What a statement needs; a BEGIN that does not say what it is, is what the session's transactions are. */
  intentOf(found: Classification): Intent {
    const isReadOnly =
      found.kind === 'begin' &&
      found.transaction.access === 'default' &&
      this.#session.own.isReadOnlyByDefault;
    if (isReadOnly) return intentOf({ ...found, transaction: { ...found.transaction, access: 'read-only' } });
    return intentOf(found);
  }

  /** The unit is about to do what the statement says. */
  intend(found: Classification, statement: Statement | undefined): void {
    const { unit } = this.#session;
    unit.intend(this.intentOf(found));
    noteFound(unit, found);
    this.note(found, statement);
  }

  /** The unit prepares by SQL what is to be run later. */
  prepare(found: Classification, { classification }: Statement): void {
    const { unit } = this.#session;
    unit.require(intentOf(this.resolve(classification)));
    noteFound(unit, found);
    this.note(found, undefined);
  }

  /** Where the statement is wished to run; and a read that a standby has refused is not sent to one again. */
  note(found: Classification, statement: Statement | undefined): void {
    const { unit, own, prepared, now } = this.#session;
    if (found.hint !== undefined || !this.#wisher.isSilent(own.settings)) {
      const wished = this.#wisher.of(found, own.settings, () => this.#digest(statement));
      if (wished?.wishes.route !== undefined && unit.wish?.kind !== 'primary') {
        unit.wish = wished.wishes.route;
        unit.wishFrom = wished.from;
      }
      if (wished !== undefined || unit.freshness !== undefined) this.#freshen(wished?.wishes);
    } else if (unit.freshness !== undefined) this.#freshen(undefined);
    const { refused, database, definitions } = this.#routing;
    if (found.kind !== 'read' || refused.size === 0) return;
    if (refused.has(database, originOf(found), { now, epoch: prepared.epoch + definitions.generation }))
      unit.raise('primary', 'refused-by-standby');
  }

  /** One more statement of the unit wishes to be read so fresh. */
  #freshen(wishes: Wishes | undefined): void {
    const { unit } = this.#session;
    const own: Freshness = { level: wishes?.consistency, staleness: wishes?.maxStaleness };
    const before = unit.freshness ?? (unit.isMixed ? AS_ALWAYS : undefined);
    const level = this.#routing.consistency;
    unit.freshness = before === undefined ? own : stricterFreshness(before, own, level);
  }

  /** The unit is about to be placed: what its transaction needs goes with it. */
  settle(): void {
    const { unit, standing, own, transaction } = this.#session;
    const { prelude } = standing;
    const isDefault =
      transaction === undefined && (prelude.isOpen ? !prelude.saysIsolation : unit.need === 'read');
    if (isDefault && own.isSerializable) unit.raise('primary', 'serializable');
    if (prelude.isOpen) {
      const isRead = unit.need === 'read' && !unit.hasOther && unit.found !== undefined;
      if (isRead && prelude.isUndecided && this.#config().first_statement_decides) prelude.decide();
      if (unit.wish === undefined && prelude.wished !== undefined) {
        unit.wish = prelude.wished;
        unit.wishFrom = 'transaction';
      }
      unit.freshness ??= prelude.freshness;
      unit.raise(prelude.need, 'its-transaction');
    }
    if (unit.need !== 'read') return;
    const { consistency, maxStaleness } = this.#routing;
    if (maxStaleness !== undefined && unit.freshness?.staleness === undefined)
      unit.freshness = { level: unit.freshness?.level, staleness: maxStaleness };
    if (unit.wish?.kind === 'primary') unit.raise('primary', 'wished');
    else if ((unit.freshness?.level ?? consistency) === 'strong') unit.raise('primary', 'strong');
  }

  #digest(statement: Statement | undefined): string | undefined {
    const text = statement?.message ?? this.query;
    // What is too long to be looked at has no digest.
    if (text === undefined || isHead(text)) return undefined;
    if (statement !== undefined) {
      const { start, end } = readParseText(statement.message);
      return this.#classifier.digest(statement.message, start, end);
    }
    return this.#classifier.digest(text, QUERY_TEXT_START, readQueryEnd(text));
  }
}

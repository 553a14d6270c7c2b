/**
 * Which servers a session's reads may be served by, as it must not go back in time: keeps what the session has seen, judges
 * the servers that are chosen for a read, and says whether it is worth waiting for one. What is judged how is routing's
 * consistency.ts; who is tried after whom is placement.ts. Pure.
 */
import { NO_CONNECTION_YET, type PositionBook, Seen, type Verdict } from '../routing/index.ts';
import type { Link } from './link.ts';
import type { Need } from './route.ts';
import type { Unit } from './unit.ts';
import type { SessionRouting } from './wisher.ts';

/** How a read came by its server where the first choice did not do at once. */
export type ReadOutcome = 'waited' | 'elsewhere' | 'at-primary' | 'not-proven';

/** What is known of the servers; one for all sessions of a router. */
export interface ReadKnowledge {
  readonly book: PositionBook;
  /** Longest time that a read waits for a server. */
  readonly readWaitMs: number;
  /** What sessions of the role and database have written. */
  readonly writtenBy: (who: { readonly user: string; readonly database: string }) => Seen;
}

/** Of a session. */
export interface ReadsOptions {
  readonly routing: Pick<SessionRouting, 'user' | 'database' | 'consistency'>;
  readonly knowledge: ReadKnowledge;
  readonly effects: ReadEffects;
}

export interface ReadEffects {
  /** These members are asked where they are; the session looks again when one has answered, or after a while. */
  readonly awaitPositions: (members: readonly string[]) => void;
  readonly judged: (outcome: ReadOutcome) => void;
}

export class Reads {
  readonly #options: ReadsOptions;
  readonly #knowledge: ReadKnowledge;
  readonly #seen = new Seen();
  readonly #written: Seen;
  /** The read that is chosen for, or the transaction that it begins, counts for what is to be seen later. */
  #counts = false;
  #isProven = true;
  /** What others had written when the unit began. */
  readonly #writtenBefore = new Seen();

  constructor(options: ReadsOptions) {
    this.#options = options;
    this.#knowledge = options.knowledge;
    this.#written = options.knowledge.writtenBy(options.routing);
  }

  /** The unit may be read at the member, on the link if there is one already. */
  judge(unit: Unit, member: string, link: Link | undefined, now: number): Verdict {
    const { book } = this.#knowledge;
    const connectedAt = link?.connectedAt ?? NO_CONNECTION_YET;
    const { freshness } = unit;
    const level = freshness?.level ?? this.#options.routing.consistency;
    if (level !== 'eventual') {
      const own = book.judge(this.#seen, member, connectedAt);
      if (own !== 'met') return own;
    }
    if (level === 'shared') {
      if (!unit.isJudged) this.#writtenBefore.copy(this.#written);
      unit.isJudged = true;
      const others = book.judge(this.#writtenBefore, member, connectedAt);
      if (others !== 'met') return others;
    }
    if (freshness?.staleness === undefined) return 'met';
    return book.judgeStaleness(freshness.staleness, member, { connectedAt, now });
  }

  /** It is not fit, or not known to be: whether to wait, while it and the server that was read last are asked. */
  mayWait(unit: Unit, member: string, verdict: Verdict, now: number): boolean {
    const { book, readWaitMs } = this.#knowledge;
    unit.readWaitsSince ??= now;
    const isOver = now - unit.readWaitsSince >= readWaitMs;
    if (isOver || (verdict === 'late' && !book.isInStep(member, readWaitMs))) return false;
    const { last, unconfirmed } = this.#seen;
    this.#options.effects.awaitPositions([
      member,
      last.member,
      unconfirmed.member,
      this.#writtenBefore.last.member,
    ]);
    return true;
  }

  /** The unit is read at a server that is fit for it, or that is the last one to be tried, or that it cannot leave. */
  chosen(unit: Unit, verdict: Verdict, isLast: boolean): void {
    this.#isProven = verdict === 'met';
    const isEventual = (unit.freshness?.level ?? this.#options.routing.consistency) === 'eventual';
    this.#counts = (this.#isProven || isLast) && !isEventual;
  }

  /** A server has answered the unit, or was lost when it had perhaps done it: what it has shown is to be seen from here on. */
  answered(unit: Unit, need: Need, link: Link, now: number): void {
    const { book } = this.#knowledge;
    const { member } = link;
    if (need === 'primary') {
      book.noteWrite(this.#seen, member, now);
      if (unit.writes || unit.need !== need) book.noteWrite(this.#written, member, now);
    } else if (need === 'read') {
      if (this.#counts) book.noteRead(this.#seen, member, now);
      if (unit.readWaitsSince !== undefined || unit.isPassedOver)
        this.#options.effects.judged(this.#outcome(unit));
    }
  }

  #outcome(unit: Unit): ReadOutcome {
    if (!this.#isProven) return 'not-proven';
    if (unit.lastResort !== undefined) return 'at-primary';
    return unit.isPassedOver ? 'elsewhere' : 'waited';
  }
}

/**
 * Which servers a session's reads may be served by, as it must not go back in time: keeps what the session has seen, judges
 * the server that is chosen for a read, waits for it where it will be fit soon, and else finds another: any that is fit as
 * it stands, then, when the wait is over, the primary. The rules of judging are routing's consistency.ts. Pure.
 */
import { NO_CONNECTION_YET, type PositionBook, Seen, type Verdict } from '../routing/index.ts';
import type { Link } from './link.ts';
import type { Need } from './route.ts';
import type { Unit } from './unit.ts';
import type { SessionRouting } from './wisher.ts';
import type { World } from './world.ts';

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

/** What the session has at servers; the placement. */
export interface Held {
  readonly links: readonly Link[];
  readonly pinnedTo: Link | undefined;
}

/** Of a session. */
export interface ReadsOptions {
  readonly world: World;
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
  readonly #seen = new Seen();
  readonly #written: Seen;
  /** The read that is chosen for, or the transaction that it begins, counts for what is to be seen later. */
  #counts = false;
  #isProven = true;
  /** What others had written when the unit began. */
  readonly #writtenBefore = new Seen();

  constructor(options: ReadsOptions) {
    this.#options = options;
    this.#written = options.knowledge.writtenBy(options.routing);
  }

  /** Goes from the server that was chosen to one that is fit to be read from; true: it is worth waiting for one. */
  isAwaited(unit: Unit, held: Held, now: number): boolean {
    const { member } = unit;
    if (member === undefined) return false;
    const verdict = this.#judge(unit, member, held, now);
    const isLast = member === unit.lastResort;
    if (verdict === 'met' || isLast || member === held.pinnedTo?.member) {
      this.#chosen(unit, verdict, isLast);
      return false;
    }
    const { book, readWaitMs } = this.#options.knowledge;
    if (book.isInStep(member, readWaitMs) && this.#waits(unit, member, now)) return true;
    const other = this.#fitInstead(unit, held, now);
    if (other === undefined && this.#waits(unit, member, now)) return true;
    unit.isPassedOver = true;
    unit.placeBecause = other === undefined ? 'nobody-has-it' : 'has-what-was-seen';
    unit.member = other ?? this.#lastResort(unit, now);
    return this.isAwaited(unit, held, now);
  }

  /**
   * Whether a read that only the primary may serve waits for it to show what the session has seen at a standby: a commit that
   * waits for standbys to have it. What may write is not kept waiting.
   */
  isPrimaryAwaited(unit: Unit, held: Held, now: number): boolean {
    const { member } = unit;
    if (member === undefined || !unit.isRead || unit.lastResort === member) return false;
    const { book, readWaitMs } = this.#options.knowledge;
    const verdict = this.#judge(unit, member, held, now);
    if (verdict !== 'met' && book.isInStep(member, readWaitMs) && this.#waits(unit, member, now)) return true;
    unit.lastResort = member;
    this.#chosen(unit, verdict, true);
    return false;
  }

  #judge(unit: Unit, member: string, { links }: Held, now: number): Verdict {
    const { book } = this.#options.knowledge;
    let connectedAt = NO_CONNECTION_YET;
    for (const link of links) if (link.member === member) ({ connectedAt } = link);
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

  /** Whether there is time left; then all who could tell more are asked. */
  #waits(unit: Unit, member: string, now: number): boolean {
    const { book, readWaitMs } = this.#options.knowledge;
    unit.readWaitsSince ??= now;
    if (now - unit.readWaitsSince >= readWaitMs) return false;
    const { last, unconfirmed } = this.#seen;
    const written = this.#writtenBefore.last.member;
    this.#options.effects.awaitPositions([
      member,
      last.member,
      unconfirmed.member,
      written,
      book.primary ?? '',
    ]);
    return true;
  }

  /** Another server that is fit as it stands. */
  #fitInstead(unit: Unit, held: Held, now: number): string | undefined {
    const out = new Set([...unit.excluded, unit.member ?? '']);
    for (;;) {
      const member = this.#options.world.reader(out, unit.wish);
      if (member === undefined || this.#judge(unit, member, held, now) === 'met') return member;
      out.add(member);
    }
  }

  /** The primary, known to show all that was seen or not: once. */
  #lastResort(unit: Unit, now: number): string | undefined {
    const primary = this.#options.world.primary(now);
    if (unit.lastResort !== undefined || primary.kind === 'none') return undefined;
    unit.lastResort = primary.member;
    return primary.member;
  }

  /** The unit is read at a server that is fit for it, or that is the last one to be tried, or that it cannot leave. */
  #chosen(unit: Unit, verdict: Verdict, isLast: boolean): void {
    this.#isProven = verdict === 'met';
    const isEventual = (unit.freshness?.level ?? this.#options.routing.consistency) === 'eventual';
    this.#counts = (this.#isProven || isLast) && !isEventual;
  }

  /** A server has answered the unit, or was lost when it had perhaps done it: what it has shown is to be seen from here on. */
  answered(unit: Unit, need: Need, link: Link, now: number): void {
    const { book } = this.#options.knowledge;
    const { member } = link;
    const isJudged = need === 'read' || (unit.isRead && unit.lastResort === member);
    if (isJudged) {
      if (this.#counts) book.noteRead(this.#seen, member, now);
      if (unit.readWaitsSince !== undefined || unit.isPassedOver)
        this.#options.effects.judged(this.#outcome(unit));
    } else if (need === 'primary') {
      book.noteWrite(this.#seen, member, now);
      if (unit.writes || unit.need !== need) book.noteWrite(this.#written, member, now);
    }
  }

  #outcome(unit: Unit): ReadOutcome {
    if (!this.#isProven) return 'not-proven';
    if (!unit.isPassedOver) return 'waited';
    return unit.lastResort === undefined ? 'elsewhere' : 'at-primary';
  }
}

/**
 * How far a standby is behind, by comparison with where the primary was when. The clock alone cannot tell: where nothing
 * is written nothing is replayed, and nobody is late. Both measures are lower bounds: what is said was so at least. Pure.
 */
import type { Position } from './position.ts';

export interface Lag {
  /** What the primary had written before the standby was asked, and the standby had not replayed. */
  readonly bytes: number;
  /** How long ago the first of that was seen at the primary; 0: there is none. */
  readonly ms: number;
}

interface Mark {
  readonly lsn: number;
  /** Monotonic ms by which the primary had written up to `lsn`. */
  readonly at: number;
}

/** When they are so many, those are forgotten that are nearer to the next than this part of their age. */
const MARKS_MAX = 1024;
const FINENESS = 32;
/** A primary of which nothing was heard for longer is not compared with. */
const FRESH_MS = 3000;

/** Where one primary was when, newest last; begins anew with each primary and timeline. */
export class WalTrail {
  #marks: Mark[] = [];
  #of = '';
  #heardAt = Number.NEGATIVE_INFINITY;

  /** `member` is the primary, and says that it is here. */
  note(member: string, { answeredAt, timeline, writeLsn }: Position): void {
    if (writeLsn === undefined) return;
    const of = `${timeline} ${member}`;
    if (of !== this.#of) this.#marks = [];
    this.#of = of;
    this.#heardAt = answeredAt;
    if (writeLsn === this.#marks.at(-1)?.lsn) return;
    if (this.#marks.length >= MARKS_MAX) this.#marks = thinned(this.#marks, answeredAt);
    this.#marks.push({ lsn: writeLsn, at: answeredAt });
  }

  /** There is no contact with it: it is not compared with until it is heard of again. */
  silent(member: string): void {
    if (this.#of.endsWith(` ${member}`)) this.#heardAt = Number.NEGATIVE_INFINITY;
  }

  /** Undefined: there is no primary to compare with, or the standby does not say where it is. */
  lagOf({ askedAt, replayLsn }: Position): Lag | undefined {
    if (replayLsn === undefined || askedAt - this.#heardAt > FRESH_MS) return undefined;
    const known = this.#marks.findLast(({ at }) => at <= askedAt);
    if (known === undefined) return undefined;
    const missed = this.#marks.find(({ lsn }) => lsn > replayLsn);
    return {
      bytes: Math.max(0, known.lsn - replayLsn),
      ms: missed === undefined ? 0 : Math.max(0, askedAt - missed.at),
    };
  }
}

/** As fine as `FINENESS` allows: what is long ago need not be known to the second. */
function thinned(marks: readonly Mark[], now: number): Mark[] {
  const kept: Mark[] = [];
  let next = Number.POSITIVE_INFINITY;
  for (const mark of marks.toReversed()) {
    if (next - mark.at < (now - mark.at) / FINENESS) continue;
    kept.push(mark);
    next = mark.at;
  }
  return kept.reverse();
}

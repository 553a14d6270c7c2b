/**
 * Whether a server may serve a session's next read: has it all that the session must see? The argument is in
 * docs/adr/0007-session-consistency.md; each rule here names the step back in time that it prevents. Pure.
 *
 * What a session must see is not a position in the WAL, since asking for that would cost each write a round trip. It is
 * *the position of one server after one instant*: of the server that served the session last, after its answer. Any answer
 * that this server gives to a question sent later is a number for it.
 *
 * A server has it all in either of two ways. By *position*: it has all of the WAL up to there. Or by *transactions*: all that
 * could have been shown, those below the `xmax` of a snapshot, have ended for it, being below its `xmin`, and it is done with
 * their redo (see below). WAL alone asks for too much: reads set hint bits, whose WAL is sent once the WAL writer flushes it, so
 * that a session which reads at a primary would find no standby in step where nothing is written. Transactions alone do: one
 * that stays open hides the end of all that are younger. What shows before its transaction has ended, a sequence, is not read
 * at standbys. What the session has written itself is asked for by position in any case: VACUUM shows without a transaction.
 *
 * Of a standby, an answer has two positions. What it has replayed is a *lower* bound of what it shows: redo of a commit first
 * ends the transaction for readers, then removes the files that it drops (TRUNCATE, DROP, REFRESH MATERIALIZED VIEW), and only
 * then counts the record as replayed. That is what tells whether a session may be served. What it has received is an *upper*
 * bound, since the record being redone lies within it; or what it has replayed, while no record is being redone. That is what
 * tells what a session has seen. With one number for both, a session that saw the commit at one standby was served at another
 * that had replayed as much and did not show it.
 */
import type { Staleness } from './consistency-level.ts';

/** What a server said of itself in one answer. Positions are bytes, as numbers (< 2^53). */
export interface NodePosition {
  /** Monotonic ms, before the question was sent: it was so then or later. */
  readonly askedAt: number;
  /** Monotonic ms: since then, without a break, the server process that has answered was there. */
  readonly connectedAt: number;
  readonly isPrimary: boolean;
  readonly timeline: number;
  /** Of a primary the end of what was put into WAL, of a standby the end of what was replayed: it has all up to this. */
  readonly lsn: number;
  /** It has shown nothing behind this: of a primary the same, of a standby the end of what it has received. Undefined: it cannot tell. */
  readonly boundLsn: number | undefined;
  /** Of a snapshot older than `boundLsn`, which is older than `lsn`: all transactions below `xmin` had ended, none from `xmax` on had. */
  readonly xmin: number;
  readonly xmax: number;
}

/** An answer, with what earlier ones add to it. */
interface Told extends NodePosition {
  /** Redo of the transactions below is done with: no record was being redone, or the one that was has been replayed since. */
  readonly doneXmin: number;
}

/** `unknown`: it may be met, and an answer that is not there yet would tell. */
export type Verdict = 'met' | 'late' | 'unknown';

const NEVER = -1;
const NO_TRANSACTION = 0;
/** No position and no transaction is as far. */
const UNRESOLVED = Number.POSITIVE_INFINITY;

/** All that `member` showed at `at`. */
class Mark {
  member = '';
  at = NEVER;
  timeline = 0;
  /** Once known: where the WAL and the transactions end that could have been shown. */
  lsn = UNRESOLVED;
  xmax = UNRESOLVED;

  set(member: string, at: number): void {
    this.member = member;
    this.at = at;
    this.lsn = UNRESOLVED;
    this.xmax = UNRESOLVED;
  }

  copy(other: Mark): void {
    this.member = other.member;
    this.at = other.at;
    this.timeline = other.timeline;
    this.lsn = other.lsn;
    this.xmax = other.xmax;
  }
}

/** What a session must see. One object lives as long as its session: what is noted in it allocates nothing. */
export class Seen {
  /** Of the server that served it last. Nothing older is kept: that server was fit, so it had all of that. */
  readonly last = new Mark();
  /** Of the last standby, while no primary has shown all of that. */
  readonly unconfirmed = new Mark();
  /** Of the primary that has served the last statement which was not judged: a write, or what may be one. */
  readonly written = new Mark();

  copy(other: Seen): void {
    this.last.copy(other.last);
    this.unconfirmed.copy(other.unconfirmed);
    this.written.copy(other.written);
  }
}

/** A server and the connection that would be read on: there since `connectedAt`. */
export const NO_CONNECTION_YET = Number.NEGATIVE_INFINITY;

/** Answers of the primary that are kept, to tell of what time a standby is: the older, the further apart. */
const TRAIL_LENGTH = 64;
/** Members that are gone are forgotten only beyond it: what they have said still holds for what they have shown. */
const MEMBERS_MAX = 64;

/** What all members said last, and what follows for reads. One for all sessions of a router. */
export class PositionBook {
  #primary: string | undefined = undefined;
  readonly #positions = new Map<string, Told>();
  /** Of the primary, the oldest first. */
  readonly #trail: NodePosition[] = [];

  get primary(): string | undefined {
    return this.#primary;
  }

  /** `primary` is the member that is the primary, as far as the cluster's view goes, be that late. */
  viewChanged(primary: string | undefined, isMember: (name: string) => boolean): void {
    this.#primary = primary;
    if (this.#positions.size <= MEMBERS_MAX) return;
    for (const name of this.#positions.keys()) if (!isMember(name)) this.#positions.delete(name);
  }

  /** A member has answered. */
  told(member: string, position: NodePosition): void {
    const before = this.#positions.get(member);
    // A standby that cannot tell its timeline tells an older one.
    const known = isSameServer(position, before) ? (before?.timeline ?? 0) : 0;
    const timeline = Math.max(position.timeline, known);
    this.#positions.set(member, { ...position, timeline, doneXmin: doneBelow(position, before) });
    if (member !== this.#primary || !position.isPrimary) return;
    this.#trail.push(position);
    if (this.#trail.length > TRAIL_LENGTH) this.#thin(position.askedAt);
  }

  /** A write, or what was not judged, was answered by the primary at `at`. */
  noteWrite(seen: Seen, member: string, at: number): void {
    this.#note(seen.last, member, at);
    seen.written.copy(seen.last);
  }

  /** A read that was judged fit was answered by the member at `at`. */
  noteRead(seen: Seen, member: string, at: number): void {
    this.#note(seen.last, member, at);
    if (member === this.#primary) seen.unconfirmed.at = NEVER;
    else this.#note(seen.unconfirmed, member, at);
  }

  /** Whether a read on the member, on a connection that is there since `connectedAt`, sees all of it. */
  judge({ last, unconfirmed, written }: Seen, member: string, connectedAt: number): Verdict {
    if (last.at === NEVER) return 'met';
    const position = this.#positions.get(member);
    // What a primary has shown, it or its successor shows; but for what was lost with it.
    if (member === this.#primary) return this.#judgeShown(unconfirmed, member, position);
    const isConfirmed = unconfirmed.at === NEVER || unconfirmed.member === member;
    // The same server, and not started again since: a standby that starts shows for a while less than it had shown.
    if (last.member === member && isConfirmed && isOfBefore(last.at, connectedAt, position)) return 'met';
    if (!this.#resolve(last) || position === undefined || connectedAt > position.askedAt) return 'unknown';
    if (position.isPrimary) {
      const shown = this.#judgeShown(unconfirmed, member, position);
      if (shown !== 'met') return shown;
    }
    if (hasWal(position, last)) return 'met';
    if (hasEnded(position, last) && this.#hasWritten(position, written)) return 'met';
    return position.askedAt > last.at ? 'late' : 'unknown';
  }

  /**
   * Whether a primary shows what a standby has shown. That may be a commit which its session still waits with, for standbys
   * to have it: it is in the primary's WAL, and in no snapshot of it.
   */
  #judgeShown(mark: Mark, member: string, position: Told | undefined): Verdict {
    if (mark.at === NEVER || mark.member === member) return 'met';
    if (position?.isPrimary !== true || !this.#resolveShown(mark)) return 'unknown';
    if (position.xmin >= mark.xmax) return 'met';
    return position.askedAt > mark.at ? 'late' : 'unknown';
  }

  /** All WAL of what was written: VACUUM and the like do more than their transactions show, and a primary what it waits with. */
  #hasWritten(position: Told, mark: Mark): boolean {
    return mark.at === NEVER || (this.#resolve(mark) && hasWal(position, mark));
  }

  /** Whether the member is not further behind the primary than that. */
  judgeStaleness(
    allowed: Staleness,
    member: string,
    { connectedAt, now }: { readonly connectedAt: number; readonly now: number },
  ): Verdict {
    if (member === this.#primary) return 'met';
    const position = this.#positions.get(member);
    const newest = this.#trail.at(-1);
    if (position === undefined || newest === undefined || connectedAt > position.askedAt) return 'unknown';
    const isIn = now - this.#asOf(position) <= allowed.ms && bytesBehind(position, newest) <= allowed.bytes;
    const isFresh = now - newest.askedAt <= FRESH_MS && now - position.askedAt <= FRESH_MS;
    if (isIn) return isFresh || allowed.ms < Number.POSITIVE_INFINITY ? 'met' : 'unknown';
    return position.askedAt > now - Math.min(allowed.ms, FRESH_MS) ? 'late' : 'unknown';
  }

  /** It will have what the primary has now within `ms`, to judge by what it had when it was asked last. */
  isInStep(member: string, ms: number): boolean {
    const position = this.#positions.get(member);
    // One of many may not have been asked yet; where nobody answers there is nothing to wait for.
    if (position === undefined) return this.#positions.size > 0;
    const before = this.#trail.findLast(({ askedAt }) => askedAt <= position.askedAt - ms);
    return before === undefined || hasAll(position, before);
  }

  /** The instant of which the member shows what the primary had then, or later. */
  #asOf(position: Told): number {
    const shown = this.#trail.findLast((one) => hasAll(position, one));
    return shown?.askedAt ?? Number.NEGATIVE_INFINITY;
  }

  /** Takes out the answer that is closest to its neighbours for its age. */
  #thin(now: number): void {
    let [least, at] = [Number.POSITIVE_INFINITY, 0];
    for (let index = 1; index < this.#trail.length - 1; index += 1) {
      const [before = 0, after = 0] = [this.#trail[index - 1]?.askedAt, this.#trail[index + 1]?.askedAt];
      const density = (after - before) / (now - before);
      if (density < least) [least, at] = [density, index];
    }
    this.#trail.splice(at, 1);
  }

  #note(mark: Mark, member: string, at: number): void {
    mark.set(member, at);
    mark.timeline = this.#positions.get(member)?.timeline ?? 0;
  }

  /** Finds the ends for a mark, if an answer is there that gives one. */
  #resolve(mark: Mark): boolean {
    if (mark.lsn !== UNRESOLVED && mark.xmax !== UNRESOLVED) return true;
    const own = this.#ownAfter(mark);
    const withWal = own?.boundLsn === undefined ? this.#primaryAfter(mark) : own;
    mark.lsn = Math.min(mark.lsn, withWal?.boundLsn ?? UNRESOLVED);
    mark.timeline = Math.max(mark.timeline, own?.timeline ?? 0, withWal?.timeline ?? 0);
    return this.#resolveShown(mark) || mark.lsn !== UNRESOLVED;
  }

  /** Finds the end of the transactions that were shown. The primary cannot tell: what it still waits with is shown by standbys. */
  #resolveShown(mark: Mark): boolean {
    const own = mark.xmax === UNRESOLVED ? this.#ownAfter(mark) : undefined;
    mark.xmax = Math.min(mark.xmax, own?.xmax ?? UNRESOLVED);
    mark.timeline = Math.max(mark.timeline, own?.timeline ?? 0);
    return mark.xmax !== UNRESOLVED;
  }

  /** Not the answer of a standby that was started again: it may be behind what it had shown. */
  #ownAfter(mark: Mark): NodePosition | undefined {
    const own = this.#positions.get(mark.member);
    const isGood =
      own !== undefined && own.askedAt > mark.at && (own.isPrimary || own.connectedAt <= mark.at);
    return isGood ? own : undefined;
  }

  /** No standby has ever shown what the primary did not have. */
  #primaryAfter(mark: Mark): NodePosition | undefined {
    const position = this.#primary === undefined ? undefined : this.#positions.get(this.#primary);
    const isGood =
      position?.isPrimary === true && position.askedAt > mark.at && position.timeline >= mark.timeline;
    return isGood ? position : undefined;
  }
}

/**
 * Whether the connection is to the incarnation of the server that was there at `at`: by itself, or since the server has
 * answered on one that was there at `at` and after it. Without the latter a late standby, which has received far more than
 * it shows, would be left by each session that comes back to it on a newer connection.
 */
function isOfBefore(at: number, connectedAt: number, position: NodePosition | undefined): boolean {
  if (connectedAt <= at) return true;
  return position !== undefined && position.connectedAt <= at && connectedAt <= position.askedAt;
}

/** A position is no bound on the present for longer. */
const FRESH_MS = 1000;

interface End {
  readonly timeline: number;
  readonly lsn: number;
  readonly xmax: number;
}

/**
 * Equal positions past the end of a common timeline are of different histories, and so are equal transactions, so the timeline
 * counts. A server on a newer one that has passed the position has either all up to it, or it is lost for everybody.
 */
function hasWal({ timeline, lsn }: Told, end: End): boolean {
  return timeline >= end.timeline && lsn >= end.lsn;
}

function hasEnded({ timeline, doneXmin }: Told, end: End): boolean {
  return timeline >= end.timeline && doneXmin >= end.xmax;
}

/** All that a primary showed when it answered. */
function hasAll(position: Told, primary: NodePosition): boolean {
  return hasWal(position, primary) || hasEnded(position, primary);
}

/** The record that was being redone at an answer is the one behind what was replayed then. */
function doneBelow(position: NodePosition, before: Told | undefined): number {
  if (position.lsn === position.boundLsn) return position.xmin;
  if (before === undefined || !isSameServer(position, before)) return NO_TRANSACTION;
  return position.lsn > before.lsn ? before.xmin : before.doneXmin;
}

/** It was not started again between the two. */
function isSameServer(position: NodePosition, before: NodePosition | undefined): boolean {
  return before !== undefined && position.connectedAt <= before.askedAt;
}

function bytesBehind(position: NodePosition, newest: NodePosition): number {
  return position.timeline < newest.timeline ? Number.POSITIVE_INFINITY : newest.lsn - position.lsn;
}

const PAGE_BYTES = 8192;
const SHORT_HEADER_BYTES = 24;
const LONG_HEADER_BYTES = 40;
/** The smallest size of a WAL segment; larger ones begin at multiples of it too. */
const SEGMENT_BYTES_MIN = 1024 ** 2;

/**
 * The end of the last record, where a primary says where the next would be put: at the beginning of a page that is behind
 * the page's header, which a standby that has replayed everything never reaches. No record ends within a header's length of
 * the beginning of a segment's page without having begun before that page, so nothing of it is given away.
 */
export function recordEnd(insertLsn: number): number {
  if (insertLsn % PAGE_BYTES === SHORT_HEADER_BYTES) return insertLsn - SHORT_HEADER_BYTES;
  if (insertLsn % SEGMENT_BYTES_MIN === LONG_HEADER_BYTES) return insertLsn - LONG_HEADER_BYTES;
  return insertLsn;
}

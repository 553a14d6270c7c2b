/**
 * What all sessions of a router know together about how far the servers are, and where reads wait for one of them: those who
 * wait look again whenever a server has answered, and after a while without an answer. Servers that somebody waits for are
 * asked at once, but not without a pause.
 */
import { background, type Clock, type Log } from '../base/index.ts';
import {
  type Position,
  PositionBook,
  readStaleness,
  recordEnd,
  Seen,
  type Staleness,
} from '../routing/index.ts';
import type { ReadKnowledge } from './reads.ts';

/** What waits. It has left the room when it is called, and comes back if it must. */
export interface ReadWaiter {
  readonly lookAgain: (now: number) => void;
}

export interface ReadRoomOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: () => { readonly read_wait: number; readonly max_staleness?: string | undefined };
  /** Asks a member where it is; the answer comes by `told`. */
  readonly ask: (member: string) => Promise<unknown>;
}

/** A server is asked again this long after its last answer, at the soonest. */
const PACE_MS = 2;
const TICK_MS = 5;
/** Roles and databases whose writes are remembered each by itself; what is beyond it, together. */
const GROUPS_MAX = 10_000;

export class ReadRoom implements ReadKnowledge {
  readonly book = new PositionBook();
  readonly #options: ReadRoomOptions;
  readonly #written = new Map<string, Seen>();
  #waiting = new Set<ReadWaiter>();
  readonly #wanted = new Set<string>();
  readonly #toldAt = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined = undefined;
  #pacing: NodeJS.Timeout | undefined = undefined;
  #stalenessText: string | undefined = undefined;
  #staleness: Staleness | undefined = undefined;

  constructor(options: ReadRoomOptions) {
    this.#options = options;
  }

  get readWaitMs(): number {
    return this.#options.settings().read_wait;
  }

  /** Of reads that do not say it. */
  get maxStaleness(): Staleness | undefined {
    const { max_staleness: text } = this.#options.settings();
    if (text !== this.#stalenessText) {
      this.#stalenessText = text;
      this.#staleness = text === undefined ? undefined : readStaleness(text);
    }
    return this.#staleness;
  }

  writtenBy({ user, database }: { readonly user: string; readonly database: string }): Seen {
    const isRoom = this.#written.size < GROUPS_MAX;
    const key = `${database}\0${user}`;
    const known = this.#written.get(key) ?? (isRoom ? undefined : this.#written.get(''));
    if (known !== undefined) return known;
    const written = new Seen();
    this.#written.set(isRoom ? key : '', written);
    return written;
  }

  /** The session waits until a member has told where it is, or for a while. */
  wait(waiter: ReadWaiter, members: readonly string[]): void {
    this.#waiting.add(waiter);
    this.#timer ??= setInterval(() => this.#wake(), TICK_MS);
    for (const member of members) if (member !== '') this.#wanted.add(member);
    this.#ask();
  }

  /** A member has answered. */
  told(member: string, position: Position): void {
    const lsn = position.isInRecovery ? position.replayLsn : position.insertLsn;
    if (lsn === undefined) return;
    this.book.told(
      member,
      position.isInRecovery
        ? { ...position, isPrimary: false, lsn }
        : { ...position, isPrimary: true, lsn: recordEnd(lsn), boundLsn: recordEnd(lsn) },
    );
    this.#toldAt.set(member, this.#options.clock.now());
    if (this.#waiting.size > 0) this.#wake();
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#pacing);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    const now = this.#options.clock.now();
    for (const waiter of waiting) waiter.lookAgain(now);
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #ask(): void {
    const now = this.#options.clock.now();
    for (const member of this.#wanted) {
      if (now - (this.#toldAt.get(member) ?? 0) < PACE_MS) continue;
      this.#wanted.delete(member);
      background(this.#options.log, `asking ${member} for a read`, this.#options.ask(member));
    }
    if (this.#wanted.size === 0) return;
    this.#pacing ??= setTimeout(() => {
      this.#pacing = undefined;
      this.#ask();
    }, PACE_MS);
  }
}

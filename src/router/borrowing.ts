/**
 * A client's borrowing: which kind of connection it asks for, at whom it waits, and since when. Of two kinds: those of
 * all its pool, on which what is `carried` of its start-up is set, and its own, which were started with that too, for the
 * work in which a reset has to go back to it at once.
 */
import type { Clock } from '../base/index.ts';
import type { PoolRequest } from '../pool/index.ts';
import type { Link } from './link.ts';
import type { Login } from './login.ts';
import { isCongested } from './pool-room.ts';
import type { ServerPool, Servers } from './servers.ts';
import type { BorrowFailure, OpenFailure } from './session-types.ts';
import type { Beginning, StartUp } from './start-up.ts';

/** A client's wish for a connection of one kind, used over and over. */
export interface BorrowRequest extends PoolRequest<Link> {
  readonly login: Login;
  readonly startUp: StartUp;
  /** With what a connection for it begins, beside user and database. */
  readonly parameters: Beginning['parameters'];
  /** The pools that it has borrowed of, by member. */
  readonly pools: Map<string, ServerPool>;
  /** The pool that it waits at has lent nothing for too long. */
  readonly crowded: () => void;
  /** None could be opened. */
  readonly failed: (member: string, failure: OpenFailure) => void;
}

export interface BorrowingParts {
  readonly servers: Servers;
  readonly clock: Clock;
  readonly login: Login;
  readonly startUp: StartUp;
}

export interface BorrowingEvents {
  /** What was waited for has come. */
  readonly lent: (link: Link, waitMs: number) => void;
  /** The pool that it waits at has lent nothing for too long. */
  readonly crowded: () => void;
  readonly failed: (member: string, reason: BorrowFailure) => void;
}

export class Borrowing {
  readonly #parts: BorrowingParts;
  readonly #ofAll: BorrowRequest;
  readonly #ofItsOwn: BorrowRequest;
  /** The member whose connection is awaited, with what, and since when. */
  #awaited = '';
  #asked: BorrowRequest;
  #since: number | undefined = undefined;

  constructor(parts: BorrowingParts, { lent, crowded, failed }: BorrowingEvents) {
    this.#parts = parts;
    const { login, startUp, clock } = parts;
    this.#ofAll = {
      login,
      startUp,
      pools: new Map(),
      ...startUp.shared,
      lent: (link) => lent(link, this.#waited(clock.now())),
      crowded,
      waitedTooLong: (waitedMs) => {
        this.#since = undefined;
        failed(this.#awaited, { kind: 'full', waitedMs });
      },
      failed: (member, reason) => {
        this.#since = undefined;
        failed(member, reason);
      },
    };
    const isOne = startUp.own === startUp.shared;
    this.#ofItsOwn = isOne ? this.#ofAll : { ...this.#ofAll, ...startUp.own };
    this.#asked = this.#ofAll;
  }

  /** Since when a connection is awaited (monotonic ms). */
  get since(): number | undefined {
    return this.#since;
  }

  /** A connection now, or later through `lent`. */
  borrow(member: string, isOwnWanted: boolean, now: number): Link | undefined {
    this.#asked = isOwnWanted ? this.#ofItsOwn : this.#ofAll;
    const link = this.#parts.servers.borrow(member, this.#asked, now);
    this.#awaited = member;
    this.#since = link === undefined ? now : undefined;
    return link;
  }

  stopWaiting(): void {
    this.#since = undefined;
    this.#parts.servers.stopWaiting(this.#awaited, this.#asked);
  }

  isCongested(member: string, now: number): boolean {
    return isCongested(this.#ofAll.pools.get(member), now);
  }

  #waited(now: number): number {
    const waitMs = now - (this.#since ?? now);
    this.#since = undefined;
    return waitMs;
  }
}

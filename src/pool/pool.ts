/**
 * The server connections of one node, database and role: lends them to clients, first come first served, and opens and
 * closes them as plan.ts says. It knows nothing of sockets or of the protocol: the router opens connections for it.
 *
 *   opening -> free <-> lent -> gone
 *
 * Invariants: a connection is lent to at most one client; nobody is served before who came earlier, even where only a
 * connection of another variant (other start-up parameters) is free: that one is closed to make room.
 */
import { assert, backoffMs } from '../base/index.ts';
import { connectionsToOpen, isOverfull, isWaitOver, type PoolLimits, wearOf, wornOutAt } from './plan.ts';

/** What a pool remembers of a connection; made and changed by the pool only. */
export interface Seat {
  readonly openedAt: number;
  readonly wornOutAt: number;
  readonly generation: number;
  /** When it was lent last. */
  usedAt: number;
  freeSince: number;
  isLent: boolean;
}

/** A server connection as the pool sees it. */
export interface Poolable {
  /** Its start-up parameters; it serves only requests of the same variant. */
  readonly variant: string;
  seat: Seat | undefined;
}

/** A client that wants a connection. Compared by identity. */
export interface PoolRequest<S extends Poolable> {
  readonly variant: string;
  /** The pool has one now; called only after `take` gave none. */
  readonly lent: (connection: S) => void;
  /** No connection became free in time. */
  readonly waitedTooLong: (waitedMs: number) => void;
}

export interface PoolOptions<S extends Poolable, R extends PoolRequest<S>> {
  readonly limits: () => PoolLimits;
  /** Connections that other limits still allow. */
  readonly roomElsewhere: () => number;
  /** Has a free connection of another pool closed, for one that is needed here; false: there is none. */
  readonly makeRoom: () => boolean;
  /** Begins to open a connection as `request` would; ends in `opened` or `openFailed`. */
  readonly open: (request: R) => void;
  /** The connection is of no more use; it has been taken out of the pool. */
  readonly close: (connection: S) => void;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Between attempts to reach minSize that fail, such as those with a password that was changed. */
const FILL_BACKOFF = { firstMs: 100, maxMs: 15_000 };

export class Pool<S extends Poolable, R extends PoolRequest<S>> {
  readonly #options: PoolOptions<S, R>;
  /** The one used last is lent next: it is the warmest, and those that are not needed grow old. */
  readonly #free: S[] = [];
  readonly #all = new Set<S>();
  readonly #waiting = new Map<R, number>();
  readonly #opening: R[] = [];
  #generation = 0;
  #lentAt = Number.NEGATIVE_INFINITY;
  #pausedSince: number | undefined = undefined;
  /** As whom connections are opened when nobody waits. */
  #pattern: R | undefined = undefined;
  /** Rounds of openings that failed since one succeeded. */
  #failedRounds = 0;
  #fillAgainAt = Number.NEGATIVE_INFINITY;

  constructor(options: PoolOptions<S, R>) {
    this.#options = options;
  }

  /** Connections, those being opened among them. */
  get size(): number {
    return this.#all.size + this.#opening.length;
  }

  get free(): number {
    return this.#free.length;
  }

  get lent(): number {
    return this.#all.size - this.#free.length;
  }

  get opening(): number {
    return this.#opening.length;
  }

  /** Those that wait, the first come first. */
  get requests(): readonly R[] {
    return [...this.#waiting.keys()];
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get isPaused(): boolean {
    return this.#pausedSince !== undefined;
  }

  get connections(): Iterable<S> {
    return this.#all;
  }

  /** It is closed as soon as it is free. */
  isOld({ seat }: S): boolean {
    return seat !== undefined && seat.generation !== this.#generation;
  }

  /** Some of its connections are still to be closed. */
  get hasOld(): boolean {
    for (const connection of this.#all) if (this.isOld(connection)) return true;
    return false;
  }

  /** When it lent a connection last. */
  get lentAt(): number {
    return this.#lentAt;
  }

  /** How long the first in the queue has waited, in ms. */
  oldestWaitMs(now: number): number {
    for (const since of this.#waiting.values()) return now - since;
    return 0;
  }

  /** A connection at once, or undefined: then the request waits until it is served, given up or withdrawn. */
  take(request: R, now: number): S | undefined {
    this.#pattern = request;
    // Who was first may have left without anybody being served since; `request` itself is not to be served from within.
    if (this.#waiting.size > 0) this.#serve(now);
    if (this.#waiting.size === 0 && !this.isPaused) {
      const connection = this.#takeFree(request.variant, now);
      if (connection !== undefined) return connection;
    }
    this.#waiting.set(request, now);
    if (!this.isPaused) this.#openMissing(now);
    return undefined;
  }

  isWaiting(request: R): boolean {
    return this.#waiting.has(request);
  }

  /** The request is not wanted any more. */
  withdraw(request: R): void {
    this.#waiting.delete(request);
  }

  /** A connection comes back, fit for anybody. */
  giveBack(connection: S, now: number): void {
    const { seat } = connection;
    if (seat === undefined) return;
    assert(seat.isLent, 'a connection was given back twice');
    seat.isLent = false;
    seat.freeSince = now;
    const isWorn = now >= seat.wornOutAt || seat.generation !== this.#generation;
    if (isWorn || this.#isSurplus()) this.#discard(connection);
    else this.#free.push(connection);
    if (this.#waiting.size > 0) this.#serve(now);
  }

  /** Whether a lowered limit closes what comes back; where nobody waits, `tick` does. */
  #isSurplus(): boolean {
    return this.#waiting.size > 0 && isOverfull(this.#options.limits(), this.#all.size);
  }

  /** The connection that was asked for with `request` is open. */
  opened(connection: S, request: R, now: number): void {
    this.#openingEnded(request);
    this.#failedRounds = 0;
    this.#fillAgainAt = Number.NEGATIVE_INFINITY;
    connection.seat = {
      openedAt: now,
      wornOutAt: wornOutAt(this.#options.limits(), now, this.#options.random()),
      generation: this.#generation,
      usedAt: now,
      freeSince: now,
      isLent: false,
    };
    this.#all.add(connection);
    this.#free.push(connection);
    this.#serve(now);
  }

  /** It could not be opened. The caller tells whom it concerns, after this. */
  openFailed(request: R, now: number): void {
    this.#openingEnded(request);
    // Those that were opened together fail together, and count once.
    if (now < this.#fillAgainAt) return;
    this.#fillAgainAt = now + backoffMs(this.#failedRounds, FILL_BACKOFF, this.#options.random());
    this.#failedRounds += 1;
  }

  /** All who wait, first come first; they wait no more. */
  takeWaiting(): readonly R[] {
    const waiting = [...this.#waiting.keys()];
    this.#waiting.clear();
    return waiting;
  }

  /** The connection is gone, or its user has spoiled it. */
  remove(connection: S, now: number): void {
    if (!this.#forget(connection)) return;
    if (this.#waiting.size > 0) this.#serve(now);
  }

  /** Lends nothing until `resume`. How long that takes is not held against those who wait. */
  pause(now: number): void {
    this.#pausedSince ??= now;
  }

  resume(now: number): void {
    const pausedSince = this.#pausedSince ?? now;
    this.#pausedSince = undefined;
    // What is there already keeps its place in a Map.
    for (const [request, since] of this.#waiting)
      this.#waiting.set(request, since + now - Math.max(since, pausedSince));
    this.#serve(now);
  }

  /** Every connection that is open now is closed as soon as it is free. */
  reconnect(): void {
    this.#generation += 1;
    for (const connection of this.#free.slice()) this.#discard(connection);
  }

  /** Time passes: who has waited too long is told, what is worn out is closed, what is missing is opened. */
  tick(now: number): void {
    const limits = this.#options.limits();
    for (const [request, since] of this.#waiting) {
      if (this.isPaused || !isWaitOver(limits, since, now)) break;
      this.#waiting.delete(request);
      request.waitedTooLong(now - since);
    }
    for (const connection of this.#free.slice()) {
      const { seat } = connection;
      if (seat === undefined) continue;
      const isOld = seat.generation !== this.#generation;
      const wear = wearOf({ ...seat, isOld }, limits, { now, open: this.#all.size });
      if (wear !== undefined) this.#discard(connection);
    }
    this.#serve(now);
  }

  /** Gives what is free to who waits, in order, and opens what is missing. */
  #serve(now: number): void {
    if (this.isPaused) return;
    for (const request of this.#waiting.keys()) {
      const connection = this.#takeFree(request.variant, now);
      if (connection === undefined) break;
      this.#waiting.delete(request);
      request.lent(connection);
    }
    this.#openMissing(now);
  }

  #openMissing(now: number): void {
    let count = this.#toOpen(now);
    if (count === 0 && this.#waiting.size > this.#opening.length && this.#clearOne())
      count = this.#toOpen(now);
    for (const request of this.#patterns(count)) {
      this.#opening.push(request);
      this.#options.open(request);
    }
  }

  /** What is free here is of another variant, since somebody waits: it makes room for who comes first. */
  #clearOne(): boolean {
    const [useless] = this.#free;
    if (useless === undefined) return this.#options.roomElsewhere() <= 0 && this.#options.makeRoom();
    this.#discard(useless);
    return true;
  }

  /** Closes the connection that has been free for longest; false: none is free. */
  closeOneFree(): boolean {
    const [coldest] = this.#free;
    if (coldest === undefined) return false;
    this.#discard(coldest);
    return true;
  }

  #toOpen(now: number): number {
    return connectionsToOpen(this.#options.limits(), {
      lent: this.lent,
      idle: this.#free.length,
      opening: this.#opening.length,
      waiting: this.#waiting.size,
      oldestWaitMs: this.oldestWaitMs(now),
      roomElsewhere: this.#options.roomElsewhere(),
      isFillingPaused: now < this.#fillAgainAt,
    });
  }

  /** As whom to open: those for whom none is being opened, then as the last client was. */
  #patterns(count: number): readonly R[] {
    if (count === 0) return [];
    const waiting = [...this.#waiting.keys()].filter((request) => !this.#opening.includes(request));
    const chosen = waiting.slice(0, count);
    const pattern = this.#pattern;
    if (pattern === undefined) return chosen;
    return [...chosen, ...Array.from({ length: count - chosen.length }, () => pattern)];
  }

  #takeFree(variant: string, now: number): S | undefined {
    for (let index = this.#free.length - 1; index >= 0; index -= 1) {
      const connection = this.#free[index];
      if (connection?.variant !== variant) continue;
      if (index === this.#free.length - 1) this.#free.pop();
      else this.#free.splice(index, 1);
      const { seat } = connection;
      if (seat !== undefined) {
        seat.isLent = true;
        seat.usedAt = now;
      }
      this.#lentAt = now;
      return connection;
    }
    return undefined;
  }

  #openingEnded(request: R): void {
    const index = this.#opening.indexOf(request);
    if (index >= 0) this.#opening.splice(index, 1);
  }

  #discard(connection: S): void {
    if (this.#forget(connection)) this.#options.close(connection);
  }

  #forget(connection: S): boolean {
    if (!this.#all.delete(connection)) return false;
    connection.seat = undefined;
    const index = this.#free.indexOf(connection);
    if (index >= 0) this.#free.splice(index, 1);
    return true;
  }
}

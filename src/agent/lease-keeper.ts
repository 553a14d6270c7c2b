/**
 * The lease and the leader key, the only writer of both in this process. One lease carries the member key and, while
 * we lead, the leader key (as Patroni does). The keep-alive has a timer of its own: never behind SQL, jobs or the loop.
 *
 * What is believed of the two is a value with rules of its own (ha/lease.ts); here the store is asked. What the members pledge
 * while it is silent comes in by `cover` (agent/failsafe.ts).
 */
import { type Clock, failure, type Log, pause, rethrowBug, type Timers } from '../base/index.ts';
import type { LeaseConfig } from '../config/index.ts';
import { type Compare, type Dcs, DcsError, unchanged } from '../dcs/index.ts';
import {
  deadlineOf,
  type Instant,
  isCovered,
  isCoveredByPledges,
  keyEnded,
  keyGivenAway,
  keyLost,
  keySeen,
  keyTaken,
  type LeaseState,
  type Lock,
  leaseExtended,
  leaseGone,
  lockOf,
  membersPledged,
  noLease,
  primaryGone,
  raceUnclear,
} from '../ha/index.ts';
import type { ClusterView, KeyLayout } from '../topology/index.ts';

export interface LeaseKeeperOptions {
  readonly dcs: Dcs;
  readonly layout: KeyLayout;
  readonly name: string;
  readonly lease: LeaseConfig;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** The leader key's life was extended: PostgreSQL is safe until `deadline`. */
  readonly onExtended: (deadline: number) => void;
  /** The lease is new (keys on the old one are gone), or leadership was lost. */
  readonly onChange: () => void;
  /** A pledge binds now: the key is not taken, and not kept where it was. */
  readonly isBound: () => boolean;
}

const CALL_MS = 1000;
/** A store that was not heard for so long is `unknown` to a member that holds nothing. */
const CONTACT_AGE_MAX_MS = 4000;

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  #state: LeaseState = noLease;
  #isFailing = false;
  #racing = 0;
  /** How often the key was given away. */
  #releases = 0;
  #onUnconfirmed: () => void = () => {};
  readonly counts = { alive: 0, lost: 0, failed: 0 };

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** The lease that keys hang on; undefined before the first grant and after a loss. */
  get lease(): string | undefined {
    return this.#state.lease;
  }

  /** We hold the leader key, as far as our own transactions and the store have told. */
  get isHolder(): boolean {
    return this.#state.heldSince !== undefined;
  }

  /** Revision of the leader key as we hold it; undefined while we do not, or it has ended in the store. */
  get heldSince(): number | undefined {
    return this.#state.isToRetake ? undefined : this.#state.heldSince;
  }

  /** Differs from reign to reign; undefined while we do not lead. */
  get reign(): number | undefined {
    return this.#state.reign;
  }

  /** The pledges of the members cover us, more than the lease does. */
  get isFailsafe(): boolean {
    return this.isHolder && isCoveredByPledges(this.#state, this.#options.lease.fence_margin);
  }

  /** How long ago the keep-alive was sent that the store has confirmed last. */
  get unconfirmedMs(): number {
    return this.#state.isToRetake ? Number.POSITIVE_INFINITY : this.#options.clock.now() - this.#state.sentAt;
  }

  /** The key has been asked for, and what came of that is not known. */
  get isRacing(): boolean {
    return this.#racing > 0 || this.#options.clock.now() < this.#state.unclearUntil;
  }

  /** Calls `listener` whenever a leader's keep-alive has failed. */
  whenUnconfirmed(listener: () => void): void {
    this.#onUnconfirmed = listener;
  }

  /** All members have pledged, from `sentAt` on; false when that changes nothing, as for a belief that has ended. */
  cover(sentAt: number, ttlMs: number): boolean {
    const before = this.#state;
    this.#state = membersPledged(before, { sentAt, ttlMs }, this.#at());
    if (this.#state === before) return false;
    this.#options.onExtended(this.deadline);
    return true;
  }

  #at(): Instant {
    return { now: this.#options.clock.now(), marginMs: this.#options.lease.fence_margin };
  }

  /** PostgreSQL must not write after this instant (monotonic), for the present keep-alive. */
  get deadline(): number {
    return deadlineOf(this.#state, this.#options.lease.fence_margin);
  }

  /** Holder, with time left. */
  isSafe(atLeastMs: number): boolean {
    return this.isHolder && this.#options.clock.now() + atLeastMs < this.deadline;
  }

  /** Grants and keeps alive until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, timers, lease } = this.#options;
    while (!signal.aborted) {
      const startedAt = clock.now();
      const isDone = this.lease === undefined ? await this.#grant() : await this.#keepAlive(this.lease);
      if (isDone === 'again') continue;
      if (isDone === 'done' && this.#state.isToRetake) await this.#retake();
      const period = isDone === 'failed' ? Math.min(200, lease.keep_alive) : lease.keep_alive;
      await pause(Math.max(0, startedAt + period - clock.now()), signal, timers);
    }
  }

  /** Leadership is lost when a view that is not older than it names another holder, or none. */
  heed(view: ClusterView): void {
    this.#become(
      keySeen(this.#state, view, this.#options.name, this.#at()),
      'the view names another holder, or none',
    );
  }

  /** The lock as decided upon: our own knowledge first, else the view, which may be older than what we did. */
  lock(view: ClusterView, contactAt: number): Lock {
    const { name, clock, lease } = this.#options;
    const now = clock.now();
    const isFresh = now - contactAt < CONTACT_AGE_MAX_MS;
    return lockOf(this.#state, view, { name, now, marginMs: lease.fence_margin, isFresh });
  }

  /** PostgreSQL is known to be no primary any more: the loss needs no further action. */
  forgetLoss(): void {
    this.#state = primaryGone(this.#state);
  }

  /**
   * Takes the leader key: create-if-absent, as long as the keys `sync` and `failsafe` are as they were at these revisions (0:
   * absent), or re-attaches one that names us to our lease. Never overwrites another holder. False when another has it, when one
   * of them has changed, when a pledge binds, or when the outcome could not be learned.
   */
  async acquire(syncRevision: number, failsafeRevision = 0, more: readonly Compare[] = []): Promise<boolean> {
    const { clock, isBound } = this.#options;
    const { lease } = this;
    if (lease === undefined || clock.now() >= this.deadline || isBound()) return false;
    this.#racing += 1;
    try {
      return await this.#race(lease, [
        unchanged(this.#options.layout.sync, syncRevision),
        unchanged(this.#options.layout.failsafe, failsafeRevision),
        ...more,
      ]);
    } finally {
      this.#racing -= 1;
    }
  }

  async #race(lease: string, unchangedKeys: readonly Compare[]): Promise<boolean> {
    const { dcs, layout, name, log, clock } = this.#options;
    const put = [{ op: 'put', key: layout.leader, value: name, lease }] as const;
    try {
      const result = await dcs.transact(
        {
          when: [{ key: layout.leader, is: 'value', value: name }],
          then: put,
          otherwise: { when: [{ key: layout.leader, is: 'absent' }, ...unchangedKeys], then: put },
        },
        { timeoutMs: CALL_MS },
      );
      if (result.outcome === 'refused') return false;
      // Our lease was replaced meanwhile: the key hangs on one that nobody keeps alive any more.
      if (this.lease !== lease) return await this.verify();
      this.#take(result.revision);
      log.info('leader-key-acquired', { revision: result.revision, reattached: result.branch === 'then' });
      return true;
    } catch (cause) {
      if (!(cause instanceof DcsError)) throw cause;
      log.warn('leader-key-acquire-unclear', { outcome: cause.outcome, ...failure(cause) });
      if (cause.reason === 'lease-not-found') this.#leaseGone();
      if (cause.outcome !== 'unknown') return false;
      this.#state = raceUnclear(this.#state, clock.now());
      return await this.verify();
    }
  }

  /** The key has ended in the store while pledges covered us: it is taken anew, as long as they do and nobody else has it. */
  async #retake(): Promise<void> {
    const { dcs, layout, name, log } = this.#options;
    const { lease } = this;
    if (lease === undefined) return;
    if (!isCovered(this.#state, this.#at())) {
      this.#become(keyLost(this.#state), 'the key has ended, and no pledge covers us any more');
      return;
    }
    const put = [{ op: 'put', key: layout.leader, value: name, lease }] as const;
    try {
      const result = await dcs.transact(
        {
          when: [{ key: layout.leader, is: 'absent' }],
          then: put,
          otherwise: { when: [{ key: layout.leader, is: 'value', value: name }], then: put },
        },
        { timeoutMs: CALL_MS },
      );
      if (!this.#state.isToRetake || this.lease !== lease) return;
      if (result.outcome === 'refused' || !isCovered(this.#state, this.#at())) {
        this.#become(keyLost(this.#state), 'the key has ended, and was not taken anew in time');
        return;
      }
      this.#take(result.revision);
      log.info('leader-key-retaken', { revision: result.revision });
    } catch (cause) {
      if (!(cause instanceof DcsError)) throw cause;
      log.warn('leader-key-retake-unclear', { outcome: cause.outcome, ...failure(cause) });
    }
  }

  /** A linearizable look: does the key name us, on our lease? Corrects what we believe either way. */
  async verify(): Promise<boolean> {
    const { dcs, layout, name, log, isBound } = this.#options;
    const { lease } = this;
    const releases = this.#releases;
    try {
      const entry = await dcs.get(layout.leader, { timeoutMs: CALL_MS });
      // Read before the key was given away, and so of a reign that is over.
      if (releases !== this.#releases) return false;
      const isOurs =
        entry !== undefined && entry.value === name && lease !== undefined && entry.lease === lease;
      // One that came true after all, when this member had pledged not to lead: decide gives it back.
      if (isOurs && isBound()) return false;
      if (isOurs && this.heldSince === undefined) this.#take(entry.modRevision);
      const isNobodys = entry === undefined || entry.value === name;
      if (!isOurs)
        this.#become(
          isNobodys ? keyEnded(this.#state, this.#at()) : keyLost(this.#state),
          'a linearizable read shows another holder, or none',
        );
      return isOurs;
    } catch (cause) {
      rethrowBug(cause);
      log.warn('leader-key-unverified', failure(cause));
      return false;
    }
  }

  /**
   * Deletes the key if it is still the one that we took. The caller has proved that PostgreSQL is stopped. True when it is
   * gone; when that is not known, it is not held all the same: a key that still names us has to be taken again.
   */
  async release(): Promise<boolean> {
    const { dcs, layout, log } = this.#options;
    const { revision, state } = keyGivenAway(this.#state);
    this.#state = state;
    this.#releases += 1;
    if (revision === undefined) return true;
    try {
      const result = await dcs.transact(
        {
          when: [{ key: layout.leader, is: 'mod-revision', modRevision: revision }],
          then: [{ op: 'delete', key: layout.leader }],
        },
        { timeoutMs: CALL_MS },
      );
      this.#state = { ...this.#state, releasedAt: result.revision };
      log.info('leader-key-released', { revision: result.revision });
      return true;
    } catch (cause) {
      rethrowBug(cause);
      log.warn('leader-key-release-failed', failure(cause));
      return false;
    }
  }

  #take(revision: number): void {
    this.#state = keyTaken(this.#state, revision);
    this.#options.onExtended(this.deadline);
  }

  /** The next state; a loss is told, and wakes the loop. */
  #become(next: LeaseState, becauseLost: string): void {
    const wasHolder = this.isHolder;
    this.#state = next;
    if (!wasHolder || this.isHolder) return;
    this.#options.log.error('lease-lost', { because: becauseLost });
    this.#options.onChange();
  }

  #leaseGone(): void {
    const wasHolder = this.isHolder;
    this.#become(leaseGone(this.#state, this.#at()), 'the store no longer knows the lease');
    if (!wasHolder) this.#options.onChange();
  }

  async #grant(): Promise<'done' | 'failed'> {
    const { dcs, lease, clock } = this.#options;
    const sentAt = clock.now();
    try {
      const granted = await dcs.grantLease(lease.ttl, { timeoutMs: CALL_MS });
      this.#extended({ ...granted, sentAt });
      this.#options.onChange();
      return 'done';
    } catch (cause) {
      this.#failed(cause);
      return 'failed';
    }
  }

  async #keepAlive(lease: string): Promise<'done' | 'failed' | 'again'> {
    const { dcs, clock, log } = this.#options;
    const sentAt = clock.now();
    try {
      const result = await dcs.keepAlive(lease, { timeoutMs: CALL_MS });
      if (result.outcome === 'lost') {
        this.counts.lost += 1;
        log.warn('lease-unknown-to-store', { lease });
        this.#leaseGone();
        return 'again';
      }
      this.counts.alive += 1;
      this.#extended({ lease, sentAt, ttlMs: result.ttlMs });
      return 'done';
    } catch (cause) {
      this.counts.failed += 1;
      this.#failed(cause);
      return 'failed';
    }
  }

  #extended(answer: { readonly lease: string; readonly sentAt: number; readonly ttlMs: number }): void {
    this.#state = leaseExtended(this.#state, answer);
    if (this.#isFailing) this.#options.log.info('keep-alive-restored', {});
    this.#isFailing = false;
    if (this.isHolder) this.#options.onExtended(this.deadline);
  }

  #failed(cause: unknown): void {
    if (!(cause instanceof DcsError)) throw cause;
    if (!this.#isFailing) this.#options.log.warn('keep-alive-failing', failure(cause));
    this.#isFailing = true;
    if (this.isHolder) this.#onUnconfirmed();
  }
}

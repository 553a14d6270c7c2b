/**
 * The lease and the leader key, the only writer of both in this process. One lease carries the member key and, while
 * we lead, the leader key (as Patroni does). The keep-alive has a timer of its own: never behind SQL, jobs or the loop.
 *
 * `deadline` is counted from the instant the last answered keep-alive was SENT (ha/fence.ts says why). We believe to
 * hold the key only from our own applied transaction until the store, or the clock, says otherwise.
 */
import { type Clock, failure, type Log, pause, rethrowBug, type Timers } from '../base/index.ts';
import type { LeaseConfig } from '../config/index.ts';
import { type Dcs, DcsError } from '../dcs/index.ts';
import { fenceDeadline, type Lock } from '../ha/index.ts';
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
}

const CALL_MS = 1000;
/** A store that was not heard for so long is `unknown` to a member that holds nothing. */
const CONTACT_AGE_MAX_MS = 4000;

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  #lease: string | undefined;
  /** When the last answered keep-alive (or the grant) was sent, and what life it gave. */
  #sentAt = 0;
  #ttlMs = 0;
  #holdsSince: number | undefined;
  #isLost = false;
  #releasedAtRevision = 0;
  #isFailing = false;
  readonly counts = { alive: 0, lost: 0, failed: 0 };

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** The lease that keys hang on; undefined before the first grant and after a loss. */
  get lease(): string | undefined {
    return this.#lease;
  }

  /** We hold the leader key, as far as our own transactions and the store have told. */
  get isHolder(): boolean {
    return this.#holdsSince !== undefined;
  }

  /** PostgreSQL must not write after this instant (monotonic), for the present keep-alive. */
  get deadline(): number {
    const { lease } = this.#options;
    return fenceDeadline({ sentAt: this.#sentAt, ttlMs: this.#ttlMs, marginMs: lease.fence_margin });
  }

  /** Holder, with time left. */
  isSafe(atLeastMs: number): boolean {
    return (
      this.isHolder && this.#lease !== undefined && this.#options.clock.now() + atLeastMs < this.deadline
    );
  }

  /** Grants and keeps alive until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, timers, lease } = this.#options;
    while (!signal.aborted) {
      const startedAt = clock.now();
      const isDone = this.#lease === undefined ? await this.#grant() : await this.#keepAlive(this.#lease);
      if (isDone === 'again') continue;
      const period = isDone === 'failed' ? Math.min(200, lease.keep_alive) : lease.keep_alive;
      await pause(Math.max(0, startedAt + period - clock.now()), signal, timers);
    }
  }

  /** Leadership is lost when a view that is not older than it names another holder, or none. */
  heed(view: ClusterView): void {
    if (this.#holdsSince === undefined || view.revision < this.#holdsSince) return;
    if (view.leader !== this.#options.name) this.#lose('the view names another holder, or none');
  }

  /** The lock as decided upon: our own knowledge first, else the view, which may be older than what we did. */
  lock(view: ClusterView, contactAt: number): Lock {
    const { name, clock } = this.#options;
    const isFresh = view.revision > 0 && clock.now() - contactAt < CONTACT_AGE_MAX_MS;
    if (this.#holdsSince !== undefined)
      return { is: clock.now() < this.deadline ? 'mine' : 'unknown', deadline: this.deadline };
    if (this.#isLost) return { is: 'lost' };
    if (!isFresh || view.revision < this.#releasedAtRevision) return { is: 'unknown', deadline: undefined };
    if (view.leader === undefined) return { is: 'none' };
    return view.leader === name ? { is: 'named' } : { is: 'other', leader: view.leader };
  }

  /** PostgreSQL is known to be no primary any more: the loss needs no further action. */
  forgetLoss(): void {
    this.#isLost = false;
  }

  /**
   * Takes the leader key: create-if-absent, or (nested) re-attaches one that names us to our lease. Never overwrites
   * another holder. False when another has it or the outcome could not be learned.
   */
  async acquire(): Promise<boolean> {
    const { dcs, layout, name, log } = this.#options;
    const lease = this.#lease;
    if (lease === undefined || this.#options.clock.now() >= this.deadline) return false;
    const put = [{ op: 'put', key: layout.leader, value: name, lease }] as const;
    try {
      const result = await dcs.transact(
        {
          when: [{ key: layout.leader, is: 'value', value: name }],
          then: put,
          otherwise: { when: [{ key: layout.leader, is: 'absent' }], then: put },
        },
        { timeoutMs: CALL_MS },
      );
      if (result.outcome === 'refused') return false;
      // Our lease was replaced meanwhile: the key hangs on one that nobody keeps alive any more.
      if (this.#lease !== lease) return await this.verify();
      this.#hold(result.revision);
      log.info('leader-key-acquired', { revision: result.revision, reattached: result.branch === 'then' });
      return true;
    } catch (cause) {
      if (!(cause instanceof DcsError)) throw cause;
      log.warn('leader-key-acquire-unclear', { outcome: cause.outcome, ...failure(cause) });
      if (cause.reason === 'lease-not-found') this.#leaseGone();
      return cause.outcome === 'unknown' && (await this.verify());
    }
  }

  /** A linearizable look: does the key name us, on our lease? Corrects what we believe either way. */
  async verify(): Promise<boolean> {
    const { dcs, layout, name, log } = this.#options;
    const lease = this.#lease;
    try {
      const entry = await dcs.get(layout.leader, { timeoutMs: CALL_MS });
      const isOurs =
        entry !== undefined && entry.value === name && lease !== undefined && entry.lease === lease;
      if (isOurs && this.#holdsSince === undefined) this.#hold(entry.modRevision);
      if (!isOurs && this.#holdsSince !== undefined)
        this.#lose('a linearizable read shows another holder, or none');
      return isOurs;
    } catch (cause) {
      rethrowBug(cause);
      log.warn('leader-key-unverified', failure(cause));
      return false;
    }
  }

  /** Deletes the key if it names us. The caller has proved that PostgreSQL is stopped. True when it is gone. */
  async release(): Promise<boolean> {
    const { dcs, layout, name, log } = this.#options;
    try {
      const result = await dcs.transact(
        {
          when: [{ key: layout.leader, is: 'value', value: name }],
          then: [{ op: 'delete', key: layout.leader }],
        },
        { timeoutMs: CALL_MS },
      );
      this.#holdsSince = undefined;
      this.#isLost = false;
      this.#releasedAtRevision = result.revision;
      log.info('leader-key-released', { revision: result.revision });
      return true;
    } catch (cause) {
      rethrowBug(cause);
      log.warn('leader-key-release-failed', failure(cause));
      return false;
    }
  }

  #hold(revision: number): void {
    this.#holdsSince = revision;
    this.#isLost = false;
    this.#options.onExtended(this.deadline);
  }

  #lose(because: string): void {
    this.#holdsSince = undefined;
    this.#isLost = true;
    this.#options.log.error('lease-lost', { because });
    this.#options.onChange();
  }

  #leaseGone(): void {
    this.#lease = undefined;
    if (this.#holdsSince !== undefined) this.#lose('the store no longer knows the lease');
    else this.#options.onChange();
  }

  async #grant(): Promise<'done' | 'failed'> {
    const { dcs, lease, clock } = this.#options;
    const sentAt = clock.now();
    try {
      const granted = await dcs.grantLease(lease.ttl, { timeoutMs: CALL_MS });
      this.#lease = granted.lease;
      this.#extended(sentAt, granted.ttlMs);
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
      this.#extended(sentAt, result.ttlMs);
      return 'done';
    } catch (cause) {
      this.counts.failed += 1;
      this.#failed(cause);
      return 'failed';
    }
  }

  #extended(sentAt: number, ttlMs: number): void {
    this.#sentAt = sentAt;
    this.#ttlMs = ttlMs;
    if (this.#isFailing) this.#options.log.info('keep-alive-restored', {});
    this.#isFailing = false;
    if (this.#holdsSince !== undefined) this.#options.onExtended(this.deadline);
  }

  #failed(cause: unknown): void {
    if (!(cause instanceof DcsError)) throw cause;
    if (!this.#isFailing) this.#options.log.warn('keep-alive-failing', failure(cause));
    this.#isFailing = true;
  }
}

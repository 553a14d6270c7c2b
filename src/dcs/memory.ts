/**
 * A store in memory, for tests: revisions, leases on a given clock, resumable watches, compaction, and faults
 * that a test switches on for one client. Kept honest by the conformance suite that real etcd passes too.
 * Events reach watchers in a microtask after the call that made them, never inside it.
 */
import type { Clock } from '../base/index.ts';
import type { Dcs, DcsMember, WatchHandler, WatchOptions } from './dcs.ts';
import { DcsError } from './dcs-error.ts';
import { MemoryStore } from './memory-store.ts';
import { MemoryWatch } from './memory-watch.ts';

/**
 * What happens to a client's calls. `cut`: nothing goes out (outcome `not-sent`), watches hear nothing.
 * `answers-lost`: changes are made, but the client learns only `unknown`. `requests-lost`: not made, also `unknown`.
 */
export type MemoryFault = 'none' | 'cut' | 'answers-lost' | 'requests-lost';

/** One client of the store; faults are its own, as a network partition is. */
export interface MemoryClient extends Dcs {
  readonly setFault: (fault: MemoryFault) => void;
}

/** The store itself, with the handles that only a test has. */
export interface MemoryDcs {
  readonly connect: () => MemoryClient;
  /** Ends leases and sends contacts that are due by the clock; every call does it first, too. */
  readonly tick: () => void;
  /** Forgets the history up to now, so that a watch that was cut must start from a snapshot. */
  readonly compact: () => void;
  /** Ends the timer; clients reject from then on. */
  readonly close: () => void;
}

/** `tickEveryMs`: tick by a timer (for a real clock); without it the test moves its clock and calls `tick`. */
export function createMemoryDcs(options: {
  readonly clock: Clock;
  readonly tickEveryMs?: number;
}): MemoryDcs {
  const { clock, tickEveryMs } = options;
  const store = new MemoryStore(clock);
  const clients = new Set<Client>();
  const tick = (): void => {
    store.expireLeases();
    for (const client of clients) client.wake();
  };
  store.onChange = () => {
    for (const client of clients) client.wake();
  };
  const timer = tickEveryMs === undefined ? undefined : setInterval(tick, tickEveryMs).unref();
  return {
    connect: () => {
      const client = new Client(store, clock);
      clients.add(client);
      return client.door(() => clients.delete(client));
    },
    tick,
    compact: () => store.compact(),
    close: () => {
      clearInterval(timer);
      for (const client of clients) client.close();
      clients.clear();
    },
  };
}

/** The one member that this store pretends to have. */
const MEMBER: DcsMember = { id: '1', name: 'memory', clientUrls: [], isLeader: true };

class Client {
  readonly #store: MemoryStore;
  readonly #clock: Clock;
  readonly #watches = new Set<MemoryWatch>();
  #fault: MemoryFault = 'none';
  #isClosed = false;

  constructor(store: MemoryStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  door(onClose: () => void): MemoryClient {
    const store = this.#store;
    return {
      range: async (prefix) => await this.#read(() => store.range(prefix)),
      get: async (key) => await this.#read(() => store.get(key)),
      transact: async (transaction) => await this.#change(() => store.transact(transaction)),
      grantLease: async (ttlMs) => await this.#repeatable(() => store.grantLease(ttlMs)),
      keepAlive: async (lease) => await this.#repeatable(() => store.keepAlive(lease)),
      revokeLease: async (lease) => await this.#repeatable(() => store.revokeLease(lease)),
      watch: async (prefix, handler, options) => await this.#watch(prefix, handler, options),
      members: async () => await this.#read(() => [MEMBER]),
      moveLeader: async (toId) => await this.#change(() => requireMember(toId)),
      close: async () => {
        this.close();
        onClose();
        await Promise.resolve();
      },
      setFault: (fault) => {
        this.#fault = fault;
        for (const watch of this.#watches) watch.setCut(this.#isUnreachable());
      },
    };
  }

  /** Something changed, or time passed. */
  wake(): void {
    for (const watch of this.#watches) watch.wake();
  }

  close(): void {
    this.#isClosed = true;
    for (const watch of this.#watches) watch.fail(this.#error('not-sent'));
  }

  async #watch(prefix: string, handler: WatchHandler, options: WatchOptions): Promise<void> {
    if (this.#isClosed) throw this.#error('not-sent');
    const watch = new MemoryWatch(this.#store, this.#clock, { prefix, handler, options });
    this.#watches.add(watch);
    watch.setCut(this.#isUnreachable());
    try {
      await watch.ended;
    } finally {
      this.#watches.delete(watch);
    }
  }

  async #read<T>(run: () => T): Promise<T> {
    await this.#travel();
    if (this.#isUnreachable()) throw this.#error('not-sent');
    this.#store.expireLeases();
    return run();
  }

  /** As the real client does it: nobody knows the result of one try, but trying again does no harm. */
  async #repeatable<T>(run: () => T): Promise<T> {
    return await this.#read(run);
  }

  async #change<T>(run: () => T): Promise<T> {
    await this.#travel();
    if (this.#fault === 'cut' || this.#isClosed) throw this.#error('not-sent');
    if (this.#fault === 'requests-lost') throw this.#error('unknown');
    this.#store.expireLeases();
    const result = run();
    if (this.#fault === 'answers-lost') throw this.#error('unknown');
    return result;
  }

  /** No answer comes in the tick of the call, as over a network. */
  async #travel(): Promise<void> {
    await Promise.resolve();
  }

  #isUnreachable(): boolean {
    return this.#fault !== 'none' || this.#isClosed;
  }

  #error(outcome: 'not-sent' | 'unknown'): DcsError {
    if (this.#isClosed) return new DcsError(outcome, 'closed', 'this connection to the store was closed');
    return new DcsError(outcome, 'timeout', `fault switched on by the test: ${this.#fault}`);
  }
}

function requireMember(id: string): void {
  if (id !== MEMBER.id) throw new DcsError('refused', 'bad-request', `no member ${id}`);
}

/** The state of the store in memory: keys, revisions, history since the last compaction, leases. Synchronous. */
import type { Clock } from '../base/index.ts';
import type {
  Compare,
  KeepAliveResult,
  KeyValue,
  Snapshot,
  Transaction,
  TransactionResult,
  WatchEvent,
  Write,
} from './dcs.ts';
import { DcsError } from './dcs-error.ts';

export interface Revision {
  readonly revision: number;
  readonly events: readonly WatchEvent[];
}

interface Lease {
  readonly ttlMs: number;
  endsAt: number;
}

/** Revisions kept for watches that were cut; older ones are compacted away, as by etcd's automatic compaction. */
const HISTORY_MAX = 10_000;

export class MemoryStore {
  readonly #clock: Clock;
  readonly #entries = new Map<string, KeyValue>();
  readonly #leases = new Map<string, Lease>();
  #history: Revision[] = [];
  #revision = 1;
  #compacted = 0;
  #lastLease = 0;
  /** Called after each revision. */
  onChange: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  range(prefix: string): Snapshot {
    const entries = [...this.#entries.values()].filter((entry) => entry.key.startsWith(prefix));
    entries.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { revision: this.#revision, entries };
  }

  get(key: string): KeyValue | undefined {
    return this.#entries.get(key);
  }

  transact(transaction: Transaction): TransactionResult {
    const { when, then, otherwise } = transaction;
    this.#check(then);
    if (otherwise !== undefined) this.#check(otherwise.then);
    if (when.every((compare) => this.#holds(compare))) {
      this.#apply(then);
      return { outcome: 'applied', branch: 'then', revision: this.#revision };
    }
    if (otherwise?.when.every((compare) => this.#holds(compare)) === true) {
      this.#apply(otherwise.then);
      return { outcome: 'applied', branch: 'otherwise', revision: this.#revision };
    }
    return { outcome: 'refused', revision: this.#revision };
  }

  /** Whole seconds, rounded up, as etcd grants them. */
  grantLease(ttlMs: number): { readonly lease: string; readonly ttlMs: number } {
    this.#lastLease += 1;
    const lease = String(this.#lastLease);
    const granted = Math.max(1, Math.ceil(ttlMs / 1000)) * 1000;
    this.#leases.set(lease, { ttlMs: granted, endsAt: this.#clock.now() + granted });
    return { lease, ttlMs: granted };
  }

  keepAlive(id: string): KeepAliveResult {
    const lease = this.#leases.get(id);
    if (lease === undefined) return { outcome: 'lost' };
    lease.endsAt = this.#clock.now() + lease.ttlMs;
    return { outcome: 'alive', ttlMs: lease.ttlMs };
  }

  revokeLease(id: string): void {
    if (!this.#leases.delete(id)) return;
    const keys = [...this.#entries.values()].filter((entry) => entry.lease === id).map((entry) => entry.key);
    this.#apply(keys.map((key) => ({ op: 'delete', key })));
  }

  /** Revokes what has ended by the clock. */
  expireLeases(): void {
    const now = this.#clock.now();
    for (const [id, lease] of this.#leases) if (lease.endsAt <= now) this.revokeLease(id);
  }

  compact(): void {
    this.#compacted = this.#revision;
    this.#history = [];
  }

  /** Changes under `prefix` after `revision`, or undefined when they are compacted away. */
  since(prefix: string, revision: number): readonly Revision[] | undefined {
    if (revision < this.#compacted) return undefined;
    const later = this.#history.filter((change) => change.revision > revision);
    return later
      .map((change) => ({
        ...change,
        events: change.events.filter((event) => keyOf(event).startsWith(prefix)),
      }))
      .filter((change) => change.events.length > 0);
  }

  /** What etcd refuses outright: one key changed twice, or a lease that does not exist. */
  #check(writes: readonly Write[]): void {
    if (new Set(writes.map((write) => write.key)).size < writes.length) {
      throw new DcsError('refused', 'bad-request', 'a transaction may change a key only once');
    }
    for (const write of writes) {
      if (write.op === 'put' && write.lease !== undefined && !this.#leases.has(write.lease)) {
        throw new DcsError('refused', 'lease-not-found', `no lease ${write.lease}`);
      }
    }
  }

  #holds(compare: Compare): boolean {
    const entry = this.#entries.get(compare.key);
    if (compare.is === 'absent') return entry === undefined;
    if (compare.is === 'value') return entry?.value === compare.value;
    return (entry?.modRevision ?? 0) === compare.modRevision;
  }

  #apply(writes: readonly Write[]): void {
    const revision = this.#revision + 1;
    const events = writes.flatMap((write) => this.#write(write, revision));
    // A transaction that deletes nothing and puts nothing makes no revision.
    if (events.length === 0) return;
    this.#revision = revision;
    this.#history.push({ revision, events });
    if (this.#history.length > HISTORY_MAX) this.#compacted = this.#history.shift()?.revision ?? 0;
    this.onChange();
  }

  #write(write: Write, revision: number): readonly WatchEvent[] {
    const before = this.#entries.get(write.key);
    if (write.op === 'delete') {
      if (!this.#entries.delete(write.key)) return [];
      return [{ type: 'delete', key: write.key, modRevision: revision }];
    }
    const entry: KeyValue = {
      key: write.key,
      value: write.value,
      createRevision: before?.createRevision ?? revision,
      modRevision: revision,
      lease: write.lease,
    };
    this.#entries.set(write.key, entry);
    return [{ type: 'put', entry }];
  }
}

const keyOf = (event: WatchEvent): string => (event.type === 'put' ? event.entry.key : event.key);

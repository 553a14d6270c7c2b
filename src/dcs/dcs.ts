/**
 * The distributed configuration store, as this system needs it: linearizable reads, compare-and-swap, leases
 * and a resumable watch. `etcd.ts` is the real one (v3 JSON gateway), `memory.ts` a fake kept honest by the same
 * conformance suite. Every call has a deadline; nothing is retried behind the caller's back except reads.
 *
 * Outcomes of a write are three, and the types keep them apart: it happened, it was refused (a compare failed),
 * or nobody knows (`DcsError` with `outcome: 'unknown'`: sent, no answer). Who does not know reads again.
 */

/** One key with its value, as etcd stores it. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  /** The lease the key hangs on, as etcd's decimal string; undefined for a key without one. */
  readonly lease: string | undefined;
}

/** All keys under a prefix at one revision of the store. */
export interface Snapshot {
  readonly revision: number;
  readonly entries: readonly KeyValue[];
}

/** A guard of a transaction. `absent`: no such key. `value`: exists with that value. `modRevision`: unchanged since. */
export type Compare =
  | { readonly key: string; readonly is: 'absent' }
  | { readonly key: string; readonly is: 'value'; readonly value: string }
  | { readonly key: string; readonly is: 'mod-revision'; readonly modRevision: number };

/** The key is as it was at this revision of its own; 0 or undefined: absent. */
export function unchanged(key: string, revision: number | undefined): Compare {
  return revision === undefined || revision === 0
    ? { key, is: 'absent' }
    : { key, is: 'mod-revision', modRevision: revision };
}

/** A change. A put without `lease` detaches the key from any lease. */
export type Write =
  | { readonly op: 'put'; readonly key: string; readonly value: string; readonly lease?: string }
  | { readonly op: 'delete'; readonly key: string };

/** Applied if all of `when` hold; `otherwise` (optional) is a second transaction tried at the same instant. */
export interface Transaction {
  readonly when: readonly Compare[];
  readonly then: readonly Write[];
  readonly otherwise?: { readonly when: readonly Compare[]; readonly then: readonly Write[] };
}

/** `applied` tells which branch ran; `refused`: no guard held, nothing changed. */
export type TransactionResult =
  | { readonly outcome: 'applied'; readonly branch: 'then' | 'otherwise'; readonly revision: number }
  | { readonly outcome: 'refused'; readonly revision: number };

/** `lost`: the store no longer knows the lease, so every key on it is gone or going. */
export type KeepAliveResult =
  | { readonly outcome: 'alive'; readonly ttlMs: number }
  | { readonly outcome: 'lost' };

/** What a watch reports. Events of one revision arrive together and in order; no revision is reported twice. */
export type WatchEvent =
  | { readonly type: 'put'; readonly entry: KeyValue }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: number };

export interface WatchHandler {
  /** The prefix as a whole, at first and whenever the history between was lost (compaction, long absence). */
  readonly snapshot: (snapshot: Snapshot) => void;
  /** All changes of one revision. */
  readonly changes: (revision: number, events: readonly WatchEvent[]) => void;
  /**
   * Proof of contact: the store answered a linearizable read that was sent at `sentAt` (monotonic ms), so what
   * was reported up to `revision` is all there was at that instant. Called about every `contactEveryMs`.
   */
  readonly contact: (sentAt: number, revision: number) => void;
  /** The watch lost its connection and is looking for another endpoint; it resumes by itself. */
  readonly disconnected: (because: string) => void;
}

export interface WatchOptions {
  readonly contactEveryMs: number;
  readonly signal: AbortSignal;
}

/** One member of the store's own cluster. */
export interface DcsMember {
  readonly id: string;
  readonly name: string;
  readonly clientUrls: readonly string[];
  readonly isLeader: boolean;
}

export interface Call {
  /** Longest wait for the whole call, over all endpoints that are tried. */
  readonly timeoutMs: number;
}

/** Rejects with `DcsError` only. */
export interface Dcs {
  /** Every key that starts with `prefix`, linearizable. */
  readonly range: (prefix: string, call: Call) => Promise<Snapshot>;
  /** One key, linearizable. */
  readonly get: (key: string, call: Call) => Promise<KeyValue | undefined>;
  readonly transact: (transaction: Transaction, call: Call) => Promise<TransactionResult>;
  /** A new lease; `ttlMs` is what the store granted, which may be more than was asked. */
  readonly grantLease: (
    ttlMs: number,
    call: Call,
  ) => Promise<{ readonly lease: string; readonly ttlMs: number }>;
  readonly keepAlive: (lease: string, call: Call) => Promise<KeepAliveResult>;
  readonly revokeLease: (lease: string, call: Call) => Promise<void>;
  /**
   * Watches a prefix until the signal aborts. Never gives up: endpoints are tried in turn, with back-off. Rejects
   * if the handler throws (with what it threw), or with `closed` when the client is closed under it.
   */
  readonly watch: (prefix: string, handler: WatchHandler, options: WatchOptions) => Promise<void>;
  readonly members: (call: Call) => Promise<readonly DcsMember[]>;
  /** Asks the store's leader to hand over to the member with that id. */
  readonly moveLeader: (toId: string, call: Call) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** One watch on the store in memory: reports in microtasks, resumes after a cut, starts anew after a compaction. */
import { type Clock, type Deferred, deferred } from '../base/index.ts';
import type { WatchHandler, WatchOptions } from './dcs.ts';
import type { MemoryStore } from './memory-store.ts';

export class MemoryWatch {
  readonly #store: MemoryStore;
  readonly #clock: Clock;
  readonly #prefix: string;
  readonly #handler: WatchHandler;
  readonly #options: WatchOptions;
  readonly #ended: Deferred<void> = deferred();
  #revision: number | undefined;
  #contactDueAt: number;
  #isCut = false;
  #isScheduled = false;

  constructor(
    store: MemoryStore,
    clock: Clock,
    watch: { readonly prefix: string; readonly handler: WatchHandler; readonly options: WatchOptions },
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#prefix = watch.prefix;
    this.#handler = watch.handler;
    this.#options = watch.options;
    this.#contactDueAt = clock.now();
    const { signal } = watch.options;
    if (signal.aborted) this.#ended.resolve();
    else signal.addEventListener('abort', () => this.#ended.resolve(), { once: true });
    this.wake();
  }

  /** Resolves when the signal aborts, rejects when the handler throws or the client is closed. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** The client was closed: the watch ends with this error. */
  fail(cause: Error): void {
    this.#isCut = true;
    this.#ended.reject(cause);
  }

  setCut(isCut: boolean): void {
    if (isCut && !this.#isCut && !this.#options.signal.aborted) this.#handler.disconnected('connection-lost');
    this.#isCut = isCut;
    this.wake();
  }

  /** Reports what there is to report, soon. */
  wake(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      try {
        this.#report();
      } catch (cause) {
        this.#ended.reject(cause);
      }
    });
  }

  #report(): void {
    if (this.#isCut || this.#options.signal.aborted) return;
    const changes =
      this.#revision === undefined ? undefined : this.#store.since(this.#prefix, this.#revision);
    if (changes === undefined) {
      const snapshot = this.#store.range(this.#prefix);
      this.#revision = snapshot.revision;
      this.#handler.snapshot(snapshot);
    }
    for (const change of changes ?? []) {
      if (this.#options.signal.aborted) return;
      this.#revision = change.revision;
      this.#handler.changes(change.revision, change.events);
    }
    const now = this.#clock.now();
    if (now < this.#contactDueAt || this.#options.signal.aborted) return;
    this.#contactDueAt = now + this.#options.contactEveryMs;
    this.#handler.contact(now, this.#revision ?? 0);
  }
}

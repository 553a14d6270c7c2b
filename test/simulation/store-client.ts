/**
 * One agent's `Dcs` over the model store. A read or what may be repeated is tried at other members until the deadline; a
 * change is sent once, and what is not heard of by then is `unknown`: it may have been made, or be made yet. The watch is a
 * stream in order from one member, resumed at another; contact is a linearizable read.
 */
import type { Clock } from '../../src/base/index.ts';
import { type Call, type Dcs, DcsError, type WatchHandler, type WatchOptions } from '../../src/dcs/index.ts';
import type { MemoryStore } from '../../src/dcs/memory-store.ts';
import type { Event, Process } from './events.ts';
import type { Site } from './network.ts';
import type { Store, StoreMember } from './store.ts';

const TRY_AGAIN_MS = 100;
/** A watch that hears nothing for so long looks for another member. */
const SILENCE_MS = 1500;

export interface Caller {
  readonly site: Site;
  readonly process: Process;
  readonly clock: Clock;
}

export function storeClient(store: Store, caller: Caller): Dcs {
  const client = new Client(store, caller);
  return {
    range: async (prefix, call) => await client.repeat((data) => data.range(prefix), call),
    get: async (key, call) => await client.repeat((data) => data.get(key), call),
    transact: async (transaction, call) => await client.change((data) => data.transact(transaction), call),
    grantLease: async (ttlMs, call) =>
      await client.repeat((data) => {
        const granted = data.grantLease(ttlMs);
        store.leases.add(granted.lease);
        return granted;
      }, call),
    keepAlive: async (lease, call) => await client.repeat((data) => data.keepAlive(lease), call),
    revokeLease: async (lease, call) => await client.repeat((data) => data.revokeLease(lease), call),
    watch: async (prefix, handler, options) => await client.watch(prefix, handler, options),
    members: async (call) =>
      await client.repeat(
        () =>
          store.members.map(({ site }, index) => ({
            id: String(index),
            name: site.name,
            clientUrls: [`http://${site.name}:2379`],
            isLeader: store.leader?.site === site,
          })),
        call,
      ),
    moveLeader: async (toId, call) =>
      await client.change(() => {
        const to = store.members[Number(toId)];
        if (to !== undefined) store.moveLeader(to);
      }, call),
    close: async () => await Promise.resolve(),
  };
}

class Client {
  readonly #store: Store;
  readonly #caller: Caller;

  constructor(store: Store, caller: Caller) {
    this.#store = store;
    this.#caller = caller;
  }

  async repeat<T>(request: (data: MemoryStore) => T, { timeoutMs }: Call): Promise<T> {
    const { events } = this.#store;
    const endsAt = events.now + timeoutMs;
    return await new Promise<T>((resolve, reject) => {
      const limit = events.after(timeoutMs, this.#caller.process, () => {
        if (next !== undefined) next.run = undefined;
        reject(new DcsError('not-sent', 'timeout', 'no member of the store answered'));
      });
      let next: Event | undefined;
      const attempt = (): void => {
        const isSent = this.#send(request, (answer) => {
          limit.run = undefined;
          if (next !== undefined) next.run = undefined;
          if ('value' in answer) resolve(answer.value);
          else reject(answer.error);
        });
        // One that is lost under way is noticed only in time for another try.
        const waitMs = isSent ? timeoutMs / 3 : TRY_AGAIN_MS;
        if (events.now + waitMs < endsAt) next = events.after(waitMs, this.#caller.process, attempt);
      };
      attempt();
    });
  }

  async change<T>(request: (data: MemoryStore) => T, { timeoutMs }: Call): Promise<T> {
    const { events } = this.#store;
    return await new Promise<T>((resolve, reject) => {
      let isSent = false;
      const limit = events.after(timeoutMs, this.#caller.process, () => {
        const outcome = isSent ? 'unknown' : 'not-sent';
        reject(new DcsError(outcome, 'timeout', 'no member of the store answered'));
      });
      const attempt = (): void => {
        if (limit.run === undefined) return;
        isSent = this.#send(request, (answer) => {
          limit.run = undefined;
          if ('value' in answer) resolve(answer.value);
          else reject(answer.error);
        });
        if (!isSent) events.after(TRY_AGAIN_MS, this.#caller.process, attempt);
      };
      attempt();
    });
  }

  /** False when there is nobody to send to. `answered` is called if request and answer both arrive. */
  #send<T>(
    request: (data: MemoryStore) => T,
    answered: (answer: { readonly value: T } | { readonly error: DcsError }) => void,
  ): boolean {
    const { events, network } = this.#store;
    const { site, process } = this.#caller;
    const endpoint = this.#store.endpointOf(site);
    if (endpoint === undefined) return false;
    const there = network.delay(site, endpoint.site) + this.#toLeader(endpoint) + this.#store.slowMs;
    events.after(there, undefined, () => {
      const answer = this.#store.apply(endpoint, request);
      if (answer === undefined || !network.isOpen(endpoint.site, site) || this.#store.hiddenFrom.has(site))
        return;
      const back = network.delay(endpoint.site, site) + this.#toLeader(endpoint);
      events.after(back, process, () => answered(answer));
    });
    return true;
  }

  #toLeader(endpoint: StoreMember): number {
    const { leader, network } = this.#store;
    return leader === undefined ? 0 : network.delay(endpoint.site, leader.site);
  }

  async watch(prefix: string, handler: WatchHandler, options: WatchOptions): Promise<void> {
    await new Promise<void>((resolve) => {
      const watch = new Watch(this.#store, this.#caller, { prefix, handler, options });
      options.signal.addEventListener(
        'abort',
        () => {
          watch.end();
          resolve();
        },
        { once: true },
      );
      void this.#contacts(watch, options, handler);
    });
  }

  /** A read now and then; only one that brings nothing newer than what was reported proves anything. */
  async #contacts(
    watch: Watch,
    { contactEveryMs, signal }: WatchOptions,
    handler: WatchHandler,
  ): Promise<void> {
    const { events } = this.#store;
    const { process, clock } = this.#caller;
    while (!signal.aborted) {
      const sentAt = clock.now();
      try {
        const revision = await this.repeat(() => this.#store.revision, { timeoutMs: contactEveryMs });
        watch.whenAt(revision, () => handler.contact(sentAt, revision));
      } catch (cause) {
        if (!(cause instanceof DcsError)) throw cause;
      }
      await new Promise<void>((resolve) =>
        events.after(contactEveryMs - (clock.now() - sentAt), process, resolve),
      );
    }
  }
}

interface WatchRequest {
  readonly prefix: string;
  readonly handler: WatchHandler;
  readonly options: WatchOptions;
}

/** A stream of revisions in order. */
class Watch {
  readonly #store: Store;
  readonly #caller: Caller;
  readonly #what: WatchRequest;
  readonly #tell = (): void => this.#send();
  #endpoint: StoreMember | undefined;
  #stream = 0;
  /** Reported so far, and sent so far; undefined before the first snapshot. */
  #reported: number | undefined;
  #sent = 0;
  #arrivesAt = 0;
  #waiting: { readonly revision: number; readonly then: () => void }[] = [];

  constructor(store: Store, caller: Caller, what: WatchRequest) {
    this.#store = store;
    this.#caller = caller;
    this.#what = what;
    store.watchers.add(this.#tell);
    this.#look();
  }

  end(): void {
    this.#store.watchers.delete(this.#tell);
  }

  whenAt(revision: number, then: () => void): void {
    if ((this.#reported ?? 0) >= revision) then();
    else this.#waiting.push({ revision, then });
  }

  /** Looks after the stream: begins one where there is none or where the one there is brings nothing any more. */
  #look(): void {
    if (this.#what.options.signal.aborted) return;
    const { events, network } = this.#store;
    const { site, process } = this.#caller;
    const isGood =
      this.#endpoint !== undefined &&
      !this.#store.hiddenFrom.has(site) &&
      this.#store.servesNow(this.#endpoint) &&
      network.isOpenBothWays(site, this.#endpoint.site);
    if (isGood) {
      this.#send();
      events.after(SILENCE_MS, process, () => this.#look());
      return;
    }
    if (this.#endpoint !== undefined) this.#what.handler.disconnected('connection-lost');
    this.#stream += 1;
    this.#endpoint = this.#store.endpointOf(site);
    this.#sent = this.#reported ?? 0;
    this.#arrivesAt = 0;
    if (this.#endpoint !== undefined && this.#reported === undefined) this.#snapshot(this.#endpoint);
    else this.#send();
    events.after(this.#endpoint === undefined ? 200 : SILENCE_MS, process, () => this.#look());
  }

  #snapshot(endpoint: StoreMember): void {
    const { events, network } = this.#store;
    const { site, process } = this.#caller;
    const snapshot = this.#store.data.range(this.#what.prefix);
    this.#sent = snapshot.revision;
    const stream = this.#stream;
    events.after(network.delay(endpoint.site, site), process, () => {
      if (stream !== this.#stream) return;
      this.#reported = snapshot.revision;
      this.#what.handler.snapshot(snapshot);
      this.#release();
      this.#send();
    });
  }

  /** Sends what is new, in order, as long as the way is open; what falls into a cut is sent again by the next stream. */
  #send(): void {
    const endpoint = this.#endpoint;
    const { events, network, history } = this.#store;
    const { site, process } = this.#caller;
    if (!process.isAlive) return this.end();
    if (endpoint === undefined || this.#reported === undefined) return;
    if (!this.#store.servesNow(endpoint) || !network.isOpen(endpoint.site, site)) return;
    if (this.#store.hiddenFrom.has(site)) return;
    const first = history[0]?.revision ?? 0;
    for (let index = Math.max(0, this.#sent + 1 - first); index < history.length; index += 1) {
      const change = history[index];
      if (change === undefined) return;
      this.#sent = change.revision;
      this.#arrivesAt = Math.max(this.#arrivesAt, events.now + network.delay(endpoint.site, site));
      const stream = this.#stream;
      events.after(this.#arrivesAt - events.now, process, () => {
        if (stream !== this.#stream || this.#what.options.signal.aborted) return;
        this.#reported = change.revision;
        this.#what.handler.changes(change.revision, change.events);
        this.#release();
      });
    }
  }

  #release(): void {
    const reported = this.#reported ?? 0;
    const due = this.#waiting.filter(({ revision }) => revision <= reported);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter(({ revision }) => revision > reported);
    for (const { then } of due) then();
  }
}

/**
 * A watch that does not lose anything and does not fall silent unnoticed. It resumes after the last revision it
 * reported, on another endpoint if need be, and starts from a snapshot where history was compacted.
 *
 * The gateway cannot ask a watch for its progress, so liveness is a linearizable read of the same prefix (keys
 * only) on the endpoint of the watch: no answer, and the watch moves; an answer that holds more than the watch has
 * reported, and the watch has a short time to catch up, else it moves.
 */
import { backoffMs, type Clock, type Deferred, deferred, type Log, pause } from '../base/index.ts';
import type { WatchEvent, WatchHandler, WatchOptions } from './dcs.ts';
import { DcsError } from './dcs-error.ts';
import { type Json, prefixRange, rangeAnswer, watchAnswer } from './etcd-codec.ts';
import type { Endpoint } from './etcd-endpoints.ts';
import { openStream } from './etcd-http.ts';
import { LineReader } from './etcd-lines.ts';
import type { EtcdTransport } from './etcd-transport.ts';
import { Progress } from './progress.ts';

export interface WatchDeps {
  readonly transport: EtcdTransport;
  readonly clock: Clock;
  readonly log: Log;
  /** Longest wait for one request over all endpoints. */
  readonly timeoutMs: number;
}

/** How long reports may lag behind what a read of the same endpoint shows. */
const CATCH_UP_MS = 500;
const RETRY = { firstMs: 50, maxMs: 2000 };
/** Share of one endpoint in `timeoutMs`, but never less. */
const SHARE_MIN_MS = 250;

/** Resolves when the signal aborts. Rejects if the handler throws, or when the client is closed under it. */
export async function watchEtcd(
  prefix: string,
  handler: WatchHandler,
  options: WatchOptions,
  deps: WatchDeps,
): Promise<void> {
  await new Watch(prefix, handler, options, deps).run();
}

/** Why a watch on one endpoint ended. `compacted`: the history after the last report is gone. */
type Break = { readonly because: string; readonly kind: 'move' | 'compacted' };

class Watch {
  readonly #prefix: string;
  readonly #handler: WatchHandler;
  readonly #options: WatchOptions;
  readonly #deps: WatchDeps;
  readonly #shareMs: number;
  /** Everything up to this revision was reported; undefined before the first snapshot and after a compaction. */
  #revision: number | undefined;
  /** Key -> mod revision as reported, to compare with a read. */
  readonly #reported = new Map<string, number>();
  /** Failed tries in a row; 0 again with the first contact. */
  #attempt = 0;
  /** `disconnected` was called and there was no contact since: it is not said twice. */
  #isTold = false;

  constructor(prefix: string, handler: WatchHandler, options: WatchOptions, deps: WatchDeps) {
    this.#prefix = prefix;
    this.#handler = handler;
    this.#options = options;
    this.#deps = deps;
    this.#shareMs = Math.max(SHARE_MIN_MS, deps.timeoutMs / deps.transport.endpoints.all.length);
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    const { transport } = this.#deps;
    const over = AbortSignal.any([signal, transport.closing]);
    while (!signal.aborted) {
      const ended = await this.#once(over);
      if (signal.aborted) return;
      transport.refuseIfClosed();
      if (ended.kind === 'compacted') this.#revision = undefined;
      if (!this.#isTold) this.#handler.disconnected(ended.because);
      this.#isTold = true;
      // The first try elsewhere comes at once: a lost member costs no waiting.
      if (this.#attempt > 0) await pause(backoffMs(this.#attempt - 1, RETRY, jitter(this.#deps.clock)), over);
      this.#attempt += 1;
    }
  }

  async #once(over: AbortSignal): Promise<Break> {
    try {
      this.#revision ??= await this.#snapshot();
    } catch (cause) {
      if (!(cause instanceof DcsError)) throw cause;
      return { kind: 'move', because: cause.reason };
    }
    const [endpoint] = this.#deps.transport.endpoints.inOrder();
    if (endpoint === undefined || over.aborted) return { kind: 'move', because: 'over' };
    return await this.#follow(endpoint, this.#revision, over);
  }

  async #snapshot(): Promise<number> {
    const body = prefixRange(this.#prefix);
    const timeoutMs = this.#deps.timeoutMs;
    const answer = await this.#deps.transport.call({ ...READ, body, timeoutMs });
    this.#reported.clear();
    for (const entry of answer.kvs) this.#reported.set(entry.key, entry.modRevision);
    if (!this.#options.signal.aborted) {
      this.#handler.snapshot({ revision: answer.header.revision, entries: answer.kvs });
    }
    return answer.header.revision;
  }

  /** Reports changes from one endpoint until it fails, falls silent or falls behind. */
  async #follow(endpoint: Endpoint, after: number, over: AbortSignal): Promise<Break> {
    const ended = deferred<Break>();
    const stop = new AbortController();
    const end = (because: string): void => ended.resolve({ kind: 'move', because });
    // A server that stops ends its streams first: whoever came back at once would only be turned away.
    const lost = (because: string): void => {
      end(because);
      if (!over.aborted) this.#deps.transport.endpoints.failed(endpoint, because);
    };
    const progress = new Progress();
    const lines = new LineReader((line) => {
      const cut = this.#line(line, progress);
      if (cut !== undefined) ended.resolve(cut);
    });
    const body = { create_request: { ...prefixRange(this.#prefix), start_revision: String(after + 1) } };
    const stream = openStream(endpoint.pool, '/v3/watch', JSON.stringify(body), {
      data: (chunk, status) => {
        if (status !== 200) end(`http-status-${status}`);
        else settle(ended, () => lines.push(chunk));
      },
      end: () => lost('stream-ended'),
      failed: () => lost('connection-lost'),
    });
    const onOver = (): void => end('over');
    over.addEventListener('abort', onOver, { once: true });
    endpoint.onSuspect.add(end);
    this.#prove(endpoint, progress, stop.signal).then(end, ended.reject);
    try {
      return await ended.promise;
    } finally {
      stop.abort();
      stream.abort();
      endpoint.onSuspect.delete(end);
      over.removeEventListener('abort', onOver);
    }
  }

  /** One line of the stream; a `Break` when the server ended the watch or said what we do not understand. */
  #line(line: string, progress: Progress): Break | undefined {
    const parsed = watchAnswer.safeParse(parseLine(line));
    if (!parsed.success) return { kind: 'move', because: 'bad-answer' };
    const { result } = parsed.data;
    if (result.compact_revision > 0) return { kind: 'compacted', because: 'compacted' };
    if (result.canceled) return { kind: 'move', because: 'canceled' };
    for (const [revision, events] of byRevision(result.events)) {
      if (revision <= (this.#revision ?? 0)) continue;
      this.#report(revision, events);
    }
    progress.moved(result.created);
    return undefined;
  }

  #report(revision: number, events: readonly WatchEvent[]): void {
    this.#revision = revision;
    for (const event of events) {
      if (event.type === 'put') this.#reported.set(event.entry.key, event.entry.modRevision);
      else this.#reported.delete(event.key);
    }
    this.#handler.changes(revision, events);
  }

  /** Asks the endpoint again and again; resolves with what is wrong with it, or 'stopped'. */
  async #prove(endpoint: Endpoint, progress: Progress, stop: AbortSignal): Promise<string> {
    if (!(await progress.until(() => progress.isCreated, this.#shareMs, stop))) {
      if (!stop.aborted) this.#deps.transport.endpoints.failed(endpoint, 'watch-not-created');
      return 'watch-not-created';
    }
    while (!stop.aborted) {
      const sentAt = this.#deps.clock.now();
      const problem = await this.#contact(endpoint, progress, { sentAt, stop });
      if (problem !== undefined) return problem;
      await pause(this.#options.contactEveryMs - (this.#deps.clock.now() - sentAt), stop);
    }
    return 'stopped';
  }

  async #contact(
    endpoint: Endpoint,
    progress: Progress,
    { sentAt, stop }: { readonly sentAt: number; readonly stop: AbortSignal },
  ): Promise<string | undefined> {
    const before = this.#revision ?? 0;
    const read = await this.#readKeys(endpoint);
    if (stop.aborted) return undefined;
    if (typeof read === 'string') return read;
    if (read.revision < before) {
      // A linearizable read cannot be older than what was reported before it: this is another store's history.
      this.#deps.log.error('dcs-store-went-back', {
        endpoint: endpoint.url,
        from: before,
        to: read.revision,
      });
      return 'store-went-back';
    }
    if (!(await progress.until(() => this.#holds(read), CATCH_UP_MS, stop))) {
      if (!stop.aborted) this.#deps.transport.endpoints.failed(endpoint, 'watch-behind');
      return 'watch-behind';
    }
    this.#attempt = 0;
    this.#isTold = false;
    this.#handler.contact(sentAt, this.#revision ?? 0);
    return undefined;
  }

  async #readKeys(endpoint: Endpoint): Promise<Read | string> {
    try {
      const body: Json = { ...prefixRange(this.#prefix), keys_only: true };
      const answer = await this.#deps.transport.callAt(endpoint, { ...READ, body, timeoutMs: this.#shareMs });
      const keys = new Map(answer.kvs.map((entry) => [entry.key, entry.modRevision]));
      return { revision: answer.header.revision, keys };
    } catch (cause) {
      if (!(cause instanceof DcsError)) throw cause;
      return cause.reason;
    }
  }

  /** True when all that the read shows was reported: either by revision, or because nothing of ours differs. */
  #holds(read: Read): boolean {
    if ((this.#revision ?? 0) >= read.revision) return true;
    if (read.keys.size !== this.#reported.size) return false;
    for (const [key, modRevision] of read.keys) if (this.#reported.get(key) !== modRevision) return false;
    return true;
  }
}

/** In [0, 1): the part of the clock below a millisecond, which no two processes share. */
const jitter = (clock: Clock): number => clock.now() % 1;

interface Read {
  readonly revision: number;
  readonly keys: ReadonlyMap<string, number>;
}

const READ = { kind: 'repeatable', path: '/v3/kv/range', answer: rangeAnswer } as const;

/** Runs what may throw (the caller's handler) in a callback of the socket; the watch then ends with that error. */
function settle(ended: Deferred<Break>, run: () => void): void {
  try {
    run();
  } catch (cause) {
    ended.reject(cause);
  }
}

/** A response never cuts a revision in two, and its events are in order. */
function byRevision(events: readonly WatchEvent[]): ReadonlyMap<number, readonly WatchEvent[]> {
  const groups = new Map<number, WatchEvent[]>();
  for (const event of events) {
    const revision = event.type === 'put' ? event.entry.modRevision : event.modRevision;
    const group = groups.get(revision);
    if (group === undefined) groups.set(revision, [event]);
    else group.push(event);
  }
  return groups;
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // Not JSON: the schema refuses `undefined`.
    return undefined;
  }
}

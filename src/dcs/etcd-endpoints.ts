/**
 * The etcd members as places to send to. One is current: the last that answered. One that failed is suspect for
 * a while that doubles with each failure; suspects are tried last, so that a hung member costs one wait, not one
 * per call. No quorum logic here: a member that cannot reach the others fails linearizable calls, and so is suspect.
 */
import { type Dispatcher, Pool } from 'undici';
import type { Clock, Log } from '../base/index.ts';
import type { EtcdTls } from './etcd-tls.ts';

const SUSPECT_FIRST_MS = 1000;
const SUSPECT_MAX_MS = 30_000;
/** Enough for every watch and call of one process at once. */
const CONNECTIONS_MAX = 32;

const JSON_BODY = { 'content-type': 'application/json' };

export interface Endpoint {
  readonly url: string;
  readonly pool: Dispatcher;
  /** Called when the endpoint becomes suspect, so that a watch on it can move at once. */
  readonly onSuspect: Set<(because: string) => void>;
}

export interface EndpointDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly tls?: EtcdTls;
  /** Of each request. */
  readonly headers?: () => Readonly<Record<string, string>>;
}

interface Health {
  failures: number;
  suspectUntil: number;
}

export class Endpoints {
  readonly all: readonly Endpoint[];
  readonly #health = new Map<Endpoint, Health>();
  readonly #clock: Clock;
  readonly #log: Log;
  #current = 0;

  constructor(urls: readonly string[], deps: EndpointDeps) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.all = urls.map((url) => ({
      url,
      // The connect timeout only frees the socket; how long a call waits is decided per call.
      pool: new Pool(new URL(url).origin, {
        connections: CONNECTIONS_MAX,
        pipelining: 1,
        connect: { timeout: 10_000, ...deps.tls },
      }).compose(
        (dispatch) => (request, handler) =>
          dispatch({ ...request, headers: { ...JSON_BODY, ...deps.headers?.() } }, handler),
      ),
      onSuspect: new Set<(because: string) => void>(),
    }));
    for (const endpoint of this.all) this.#health.set(endpoint, { failures: 0, suspectUntil: 0 });
  }

  /** In the order to try: from the current one on, suspects at the end, the one suspected longest ago first. */
  inOrder(): readonly Endpoint[] {
    const ring = [...this.all.slice(this.#current), ...this.all.slice(0, this.#current)];
    const suspects = ring.filter((endpoint) => this.isSuspect(endpoint));
    suspects.sort((a, b) => this.#of(a).suspectUntil - this.#of(b).suspectUntil);
    return [...ring.filter((endpoint) => !this.isSuspect(endpoint)), ...suspects];
  }

  isSuspect(endpoint: Endpoint): boolean {
    return this.#of(endpoint).suspectUntil > this.#clock.now();
  }

  /** The first configured one (on this host), when it is not in use although nothing speaks against it. */
  homeToTry(): Endpoint | undefined {
    const [home] = this.all;
    return home !== undefined && this.#current !== 0 && !this.isSuspect(home) ? home : undefined;
  }

  answered(endpoint: Endpoint): void {
    const health = this.#of(endpoint);
    if (health.failures > 0) this.#log.info('dcs-endpoint-answers', { endpoint: endpoint.url });
    health.failures = 0;
    health.suspectUntil = 0;
    // A late answer of another endpoint does not take the place of one that works.
    const current = this.all[this.#current];
    if (current === undefined || this.isSuspect(current)) this.prefer(endpoint);
  }

  prefer(endpoint: Endpoint): void {
    this.#current = Math.max(0, this.all.indexOf(endpoint));
  }

  failed(endpoint: Endpoint, because: string): void {
    const health = this.#of(endpoint);
    if (health.failures === 0) this.#log.warn('dcs-endpoint-suspect', { endpoint: endpoint.url, because });
    // Many calls that fail together are one failure.
    if (!this.isSuspect(endpoint)) {
      const lastsMs = Math.min(SUSPECT_MAX_MS, SUSPECT_FIRST_MS * 2 ** Math.min(health.failures, 10));
      health.suspectUntil = this.#clock.now() + lastsMs;
      health.failures += 1;
    }
    for (const listener of endpoint.onSuspect) listener(because);
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map(async (endpoint) => await endpoint.pool.destroy()));
  }

  #of(endpoint: Endpoint): Health {
    return this.#health.get(endpoint) ?? { failures: 0, suspectUntil: 0 };
  }
}

/**
 * Calls to etcd as a cluster: which endpoint, how long, and what may be tried again where. A repeatable call
 * (a read, a keep-alive) goes on to the next endpoint when one fails or takes more than its share of the time.
 * A change is sent again only if provably no byte of it left; otherwise the caller hears `unknown`.
 */
import type { z } from 'zod';
import { background, type Clock, type Log, pause } from '../base/index.ts';
import { DcsError } from './dcs-error.ts';
import { encode, type Json } from './etcd-codec.ts';
import { type Endpoint, type EndpointDeps, Endpoints } from './etcd-endpoints.ts';
import { type Failure, failureIn } from './etcd-failure.ts';
import { post } from './etcd-http.ts';
import { type EtcdLogin, LOGIN_PATH, tokenAnswer } from './etcd-login.ts';

/** `change` is not sent twice; `repeatable` may be, because twice is as good as once. */
export type CallKind = 'repeatable' | 'change';

export interface CallOptions<T> {
  readonly path: string;
  readonly body: Json;
  readonly kind: CallKind;
  readonly timeoutMs: number;
  readonly answer: z.ZodType<T>;
}

type Attempt<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly mayHaveHappened: boolean };

interface Waits {
  readonly leftMs: number;
  readonly shareMs: number;
}

const ROUND_PAUSE_MS = 100;

export class EtcdTransport {
  readonly endpoints: Endpoints;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #login: EtcdLogin;
  readonly #closing = new AbortController();
  #isGoingHome = false;

  constructor(urls: readonly string[], deps: EndpointDeps & { readonly login: EtcdLogin }) {
    this.#login = deps.login;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.endpoints = new Endpoints(urls, { ...deps, headers: () => deps.login.headers });
  }

  /** Tries endpoints until one answers or the time is up. Rejects with `DcsError`. */
  async call<T>(options: CallOptions<T>): Promise<T> {
    const deadline = this.#clock.now() + options.timeoutMs;
    const problems = new Map<string, Failure>();
    for (;;) {
      const order = this.endpoints.inOrder();
      for (const [index, endpoint] of order.entries()) {
        const leftMs = deadline - this.#clock.now();
        if (leftMs <= 0) throw outOfTime(options, problems);
        const attempt = await this.#attempt(endpoint, options, {
          leftMs,
          shareMs: leftMs / this.#shares(order.slice(index)),
        });
        if (attempt.kind === 'done') {
          this.#considerHome();
          return attempt.value;
        }
        const { failure } = attempt;
        if (failure.isDefinite)
          throw new DcsError('refused', failure.reason, `etcd refused: ${failure.detail}`);
        if (attempt.mayHaveHappened && options.kind === 'change') {
          throw new DcsError(
            'unknown',
            failure.reason,
            `${endpoint.url}: ${failure.detail}; the change may have happened`,
          );
        }
        problems.set(endpoint.url, failure);
      }
      const leftMs = deadline - this.#clock.now();
      if (leftMs <= ROUND_PAUSE_MS) throw outOfTime(options, problems);
      await pause(ROUND_PAUSE_MS, this.closing);
    }
  }

  /** One attempt at one endpoint, for calls about that endpoint. Rejects with `DcsError`. */
  async callAt<T>(endpoint: Endpoint, options: CallOptions<T>): Promise<T> {
    const attempt = await this.#attempt(endpoint, options, {
      leftMs: options.timeoutMs,
      shareMs: options.timeoutMs,
    });
    if (attempt.kind === 'done') return attempt.value;
    const { failure } = attempt;
    const outcome = failure.isDefinite
      ? 'refused'
      : attempt.mayHaveHappened && options.kind === 'change'
        ? 'unknown'
        : 'not-sent';
    throw new DcsError(outcome, failure.reason, `${endpoint.url}: ${failure.detail}`);
  }

  refuseIfClosed(): void {
    if (this.closing.aborted) throw new DcsError('not-sent', 'closed', 'this connection to etcd was closed');
  }

  /** Aborts when `close` is called. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.endpoints.close();
  }

  /** With a login before it where there is none yet, and with another one behind it where etcd has forgotten that. */
  async #attempt<T>(endpoint: Endpoint, options: CallOptions<T>, waits: Waits): Promise<Attempt<T>> {
    const refused = await this.#logIn(endpoint, waits);
    if (refused !== undefined) return refused;
    const attempt = await this.#send(endpoint, options, waits);
    if (attempt.kind === 'done' || !this.#login.isOverBy(attempt.failure)) return attempt;
    return (await this.#logIn(endpoint, waits)) ?? (await this.#send(endpoint, options, waits));
  }

  async #logIn(
    endpoint: Endpoint,
    waits: Waits,
  ): Promise<Extract<Attempt<never>, { kind: 'failed' }> | undefined> {
    const { question } = this.#login;
    if (question === undefined) return undefined;
    const call = {
      path: LOGIN_PATH,
      kind: 'repeatable',
      answer: tokenAnswer,
      timeoutMs: waits.leftMs,
    } as const;
    const attempt = await this.#send(endpoint, { ...call, body: question }, waits);
    if (attempt.kind === 'failed') return { ...attempt, mayHaveHappened: false };
    this.#login.keep(attempt.value.token);
    return undefined;
  }

  async #send<T>(endpoint: Endpoint, options: CallOptions<T>, waits: Waits): Promise<Attempt<T>> {
    this.refuseIfClosed();
    const result = await post(endpoint.pool, options.path, JSON.stringify(options.body), {
      sendMs: waits.shareMs,
      answerMs: options.kind === 'repeatable' ? waits.shareMs : waits.leftMs,
    });
    if (result.kind === 'failed') {
      if (!result.sent) this.refuseIfClosed();
      this.endpoints.failed(endpoint, result.because);
      const failure = { isDefinite: false, reason: result.because, detail: result.detail };
      return { kind: 'failed', failure, mayHaveHappened: result.sent };
    }
    const json = firstJson(result.text);
    const failure = failureIn(result.status, json);
    if (failure !== undefined && !failure.isDefinite) this.endpoints.failed(endpoint, failure.reason);
    else this.endpoints.answered(endpoint);
    if (failure !== undefined)
      return { kind: 'failed', failure, mayHaveHappened: failure.reason !== 'gateway-disabled' };
    const parsed = options.answer.safeParse(json);
    if (parsed.success) return { kind: 'done', value: parsed.data };
    const detail = `answer not understood: ${parsed.error.issues[0]?.message ?? ''}`;
    return {
      kind: 'failed',
      failure: { isDefinite: false, reason: 'bad-answer', detail },
      mayHaveHappened: true,
    };
  }

  /** Into how many parts the time is cut: one for each endpoint in good standing, one for all suspects together. */
  #shares(order: readonly Endpoint[]): number {
    const well = order.filter((endpoint) => !this.endpoints.isSuspect(endpoint)).length;
    return well === 0 ? order.length : well + (well < order.length ? 1 : 0);
  }

  /** After a detour: asks the endpoint of this host whether it is back, beside the calls, never in their way. */
  #considerHome(): void {
    const home = this.endpoints.homeToTry();
    if (home === undefined || this.#isGoingHome) return;
    this.#isGoingHome = true;
    background(this.#log, 'return to the first etcd endpoint', this.#goHome(home));
  }

  async #goHome(home: Endpoint): Promise<void> {
    const body = JSON.stringify({ key: encode('/'), count_only: true });
    const result = await post(home.pool, '/v3/kv/range', body, { sendMs: 1000, answerMs: 1000 });
    if (result.kind === 'answer' && result.status === 200) {
      this.endpoints.answered(home);
      this.endpoints.prefer(home);
    } else if (!this.closing.aborted) {
      this.endpoints.failed(home, 'still not back');
    }
    this.#isGoingHome = false;
  }
}

function outOfTime(options: CallOptions<unknown>, problems: ReadonlyMap<string, Failure>): DcsError {
  const list = [...problems].map(([url, failure]) => `${url}: ${failure.detail}`).join('; ');
  const reasons = [...problems.values()].map((failure) => failure.reason);
  const reason = reasons.includes('gateway-disabled') ? 'gateway-disabled' : (reasons.at(-1) ?? 'timeout');
  return new DcsError('not-sent', reason, `no answer from etcd within ${options.timeoutMs} ms (${list})`);
}

/** The body, or the first line of a body that is a stream; undefined when it is not JSON. */
function firstJson(text: string): unknown {
  const end = text.indexOf('\n');
  try {
    return JSON.parse(end < 0 ? text : text.slice(0, end));
  } catch {
    // Not JSON: the status alone must tell.
    return undefined;
  }
}

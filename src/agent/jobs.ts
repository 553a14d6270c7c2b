/**
 * The one owner of long work on PostgreSQL. At most one job counts at a time; starting another abandons the one before:
 * its signal aborts, its epoch is over, and whatever it still returns is discarded. The failure this prevents: a start
 * or clone that was given up finishes late and acts for a state that no longer exists.
 */
import { background, backoffMs, type Clock, failure, type Log, rethrowBug } from '../base/index.ts';
import type { JobKind } from '../ha/index.ts';

/** Handed to a job's work. */
export interface JobContext {
  /** Aborts when the job is abandoned. */
  readonly signal: AbortSignal;
  /** Asked right before each step that cannot be undone. */
  readonly isCurrent: () => boolean;
}

interface Failures {
  readonly kind: JobKind;
  readonly count: number;
  readonly retryAt: number;
}

export class Jobs {
  readonly #deps: {
    readonly clock: Clock;
    readonly log: Log;
    readonly onEnd: () => void;
    readonly random: () => number;
  };
  #epoch = 0;
  #turns = 0;
  #running: { readonly kind: JobKind; readonly epoch: number; readonly abort: AbortController } | undefined;
  /** Works that have not ended, abandoned ones included. */
  readonly #unended = new Set<Promise<void>>();
  #failures: Failures | undefined;

  constructor(deps: {
    readonly clock: Clock;
    readonly log: Log;
    readonly onEnd: () => void;
    readonly random: () => number;
  }) {
    this.#deps = deps;
  }

  get running(): JobKind | undefined {
    return this.#running?.kind;
  }

  /** Changes whenever a job begins, ends or is given up: what was seen of the server before that says nothing of after. */
  get turns(): number {
    return this.#turns;
  }

  /** Not before then should what failed be tried again; undefined after a success. */
  get retryAt(): number | undefined {
    return this.#failures?.retryAt;
  }

  /** How often in a row jobs of that kind have failed. */
  failuresOf(kind: JobKind): number {
    return this.#failures?.kind === kind ? this.#failures.count : 0;
  }

  /** Starts `work`; a job that runs is abandoned first. A rejection is logged, counted and backed off from. */
  start(kind: JobKind, work: (context: JobContext) => Promise<void>): void {
    this.abandon(`replaced by ${kind}`);
    this.#epoch += 1;
    this.#turns += 1;
    const epoch = this.#epoch;
    const abort = new AbortController();
    const context: JobContext = { signal: abort.signal, isCurrent: () => this.#epoch === epoch };
    this.#running = { kind, epoch, abort };
    const done = this.#run(kind, epoch, () => work(context)).finally(() => this.#unended.delete(done));
    this.#unended.add(done);
    background(this.#deps.log, `job ${kind}`, done);
  }

  /** Resolves when no work acts any more, not even one that was abandoned. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#unended);
  }

  /** Gives up on the running job, if any; the next epoch begins. */
  abandon(because: string): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#epoch += 1;
    this.#turns += 1;
    this.#running = undefined;
    this.#deps.log.warn('job-abandoned', { job: running.kind, epoch: running.epoch, because });
    running.abort.abort();
  }

  async #run(kind: JobKind, epoch: number, work: () => Promise<void>): Promise<void> {
    const { clock, log } = this.#deps;
    const since = clock.now();
    await Promise.resolve();
    try {
      await work();
      if (epoch !== this.#epoch) return;
      this.#failures = undefined;
      log.info('job-done', { job: kind, epoch, tookMs: Math.round(clock.now() - since) });
    } catch (cause) {
      rethrowBug(cause);
      if (epoch !== this.#epoch) return;
      const count = this.failuresOf(kind) + 1;
      const waitMs = backoffMs(count - 1, { firstMs: 500, maxMs: 15_000 }, this.#deps.random());
      this.#failures = { kind, count, retryAt: clock.now() + waitMs };
      log.error('job-failed', {
        job: kind,
        epoch,
        count,
        retryInMs: Math.round(waitMs),
        ...failure(cause),
      });
    }
    this.#running = undefined;
    this.#turns += 1;
    this.#deps.onEnd();
  }
}

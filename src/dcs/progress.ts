/** What a stream has brought so far, and a way to wait for more of it with an end to the wait. */
import { type Deferred, deferred } from '../base/index.ts';

export class Progress {
  isCreated = false;
  #waiter: Deferred<void> | undefined;

  moved(created: boolean): void {
    this.isCreated ||= created;
    this.#waiter?.resolve();
  }

  /** True as soon as `holds`; false when `ms` have passed or `stop` came. */
  async until(holds: () => boolean, ms: number, stop: AbortSignal): Promise<boolean> {
    const over = AbortSignal.any([stop, AbortSignal.timeout(Math.ceil(ms))]);
    while (!holds()) {
      if (over.aborted) return false;
      this.#waiter = deferred();
      const wake = this.#waiter.resolve;
      over.addEventListener('abort', () => wake(), { once: true });
      await this.#waiter.promise;
    }
    return true;
  }
}

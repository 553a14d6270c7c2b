/** What a stream has brought so far, and a way to wait for more of it, with an end to the wait. */
import { deferred } from '../base/index.ts';

export class Progress {
  /** The server has confirmed the watch. */
  isCreated = false;
  readonly #checks = new Set<() => void>();

  /** Something arrived. */
  moved(created: boolean): void {
    this.isCreated ||= created;
    for (const check of this.#checks) check();
  }

  /** True as soon as `holds`; what it is then when `ms` have passed or `stop` came. */
  async until(holds: () => boolean, ms: number, stop: AbortSignal): Promise<boolean> {
    if (holds() || stop.aborted) return holds();
    const ended = deferred<boolean>();
    const check = (): void => {
      if (holds()) ended.resolve(true);
    };
    const giveUp = (): void => ended.resolve(holds());
    const timer = setTimeout(giveUp, ms);
    stop.addEventListener('abort', giveUp, { once: true });
    this.#checks.add(check);
    try {
      return await ended.promise;
    } finally {
      clearTimeout(timer);
      stop.removeEventListener('abort', giveUp);
      this.#checks.delete(check);
    }
  }
}

/** What wakes the loop: a timer, and any event that may change a decision. Many events before a cycle make one cycle. */
import type { Timers } from '../base/index.ts';

export class Wake {
  readonly #timers: Timers;
  #isDue = false;
  #release: (() => void) | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Asks for a cycle as soon as the present one ends. */
  now(): void {
    this.#isDue = true;
    this.#release?.();
  }

  /** Resolves at the next `now` or after `ms`; at once if `now` was called since the last wait. */
  async wait(ms: number): Promise<void> {
    if (!this.#isDue) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          callOff();
          this.#release = undefined;
          resolve();
        };
        const callOff = this.#timers.after(ms, done);
        this.#release = done;
      });
    }
    this.#isDue = false;
  }
}

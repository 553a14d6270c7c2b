/**
 * How much of what a client says is heard, and sent on, at a stretch. A chunk can hold thousands of new statements, each of
 * which has to be parsed: heard or sent in one go they would keep every other client waiting. So after some milliseconds the
 * turn is over, what is left waits in the inbox or in the unit of work, and goes on when the event loop has served the
 * others. Pure.
 */
import type { SessionEffects } from './session-types.ts';

/** The clock is looked at after so many messages. */
const LOOK_EVERY = 16;

export class Turn {
  readonly #effects: Pick<SessionEffects, 'isTurnOver' | 'nextTurn'>;
  #since = 0;
  #heard = 0;
  #isOver = false;

  constructor(effects: Pick<SessionEffects, 'isTurnOver' | 'nextTurn'>) {
    this.#effects = effects;
  }

  /** Nothing more is to be heard until the next one. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Something may be heard from `now` on (monotonic ms). */
  begin(now: number): void {
    this.#since = now;
    this.#heard = 0;
  }

  /** What follows is done in an event that began at `now`. */
  at(now: number): void {
    this.#since = now;
  }

  /** The others have been served. */
  next(now: number): void {
    this.#isOver = false;
    this.begin(now);
  }

  /** A message is heard, or sent. */
  spend(): void {
    this.#heard += 1;
    if (this.#heard < LOOK_EVERY) return;
    this.#heard = 0;
    if (this.#isOver || !this.#effects.isTurnOver(this.#since)) return;
    this.#isOver = true;
    this.#effects.nextTurn();
  }
}

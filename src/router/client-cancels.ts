/**
 * A client's cancels of what it does: the server at work is told, and what has no server yet is answered here. A statement
 * of our own in front of the client's is not to be hit: then the server is told when it has answered that. Pure.
 */
import type { Link } from './link.ts';
import { REPLY } from './replies.ts';
import type { Session } from './session.ts';
import type { SessionEffects } from './session-types.ts';

const NONE: readonly (() => void)[] = [];

export class ClientCancels {
  readonly #session: Session;
  readonly #effects: Pick<SessionEffects, 'cancelAt'>;
  /** Who waits for the end of those that wait for the server's answer to our own. */
  #postponed = NONE;

  constructor(session: Session, effects: Pick<SessionEffects, 'cancelAt'>) {
    this.#session = session;
    this.#effects = effects;
  }

  /** `ended` is called once, when the cancel can hit nothing any more. */
  cancel(ended: () => void): void {
    const { unit } = this.#session;
    if (unit.kind === 'none' || unit.kind === 'start' || unit.phase === 'collecting') ended();
    else if (unit.phase === 'placing') {
      this.#session.fail(REPLY.canceled());
      ended();
    } else if (unit.link?.pipeline.isAtOwn === false) this.#effects.cancelAt(unit.link, ended);
    else this.#postponed = [...this.#postponed, ended];
  }

  /** The server has answered what we sent in front of the client's statement, and is at that now. */
  reached(link: Link): void {
    if (link !== this.#session.unit.link) this.drop();
    for (const ended of this.#taken()) this.#effects.cancelAt(link, ended);
  }

  /** There is nothing to cancel any more. */
  drop(): void {
    for (const ended of this.#taken()) ended();
  }

  #taken(): readonly (() => void)[] {
    const postponed = this.#postponed;
    this.#postponed = NONE;
    return postponed;
  }
}

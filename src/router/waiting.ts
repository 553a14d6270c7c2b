/**
 * A session that waits for better times: enters and leaves the room where clients are held, looks again from time to time,
 * says so when it takes long, gives up at the limit. How long each of these takes is patience.ts. Pure.
 */
import { NoticeResponse } from '../wire/index.ts';
import { Patience } from './patience.ts';
import { REPLY } from './replies.ts';
import type { HoldReason } from './route.ts';
import type { Session } from './session.ts';
import type { SessionEffects, SessionOptions } from './session-types.ts';

/** A server is known, but no connection to it was to be had. */
const NO_CONNECTION: ReadonlySet<HoldReason> = new Set(['primary-unreachable', 'no-server-reachable']);

export class Waiting {
  readonly #session: Session;
  readonly #effects: SessionEffects;
  readonly #patience: Patience;

  constructor(session: Session, options: SessionOptions) {
    this.#session = session;
    this.#effects = options.effects;
    this.#patience = new Patience(() => options.config().hold_timeout);
  }

  get isHolding(): boolean {
    return this.#patience.isHolding;
  }

  /** Waits, or goes on waiting for another reason. */
  hold(because: HoldReason, now: number): void {
    if (!this.#patience.hold(because, now)) return;
    if (this.#effects.hold(because)) return;
    this.#patience.end();
    this.#session.refuse(REPLY.holdFull(because));
  }

  end(outcome: 'went-on' | 'gave-up' | 'ended'): void {
    if (!this.#patience.isHolding) return;
    this.#patience.end();
    this.#effects.unhold(outcome);
  }

  tick(now: number): void {
    switch (this.#patience.due(now)) {
      case 'nothing':
        return;
      case 'retry':
        this.#session.placeAgain();
        return;
      case 'notice':
        // During the start nothing but the answer to it may be said.
        if (this.#session.unit.kind === 'start') return;
        this.#effects.toClient(NoticeResponse(REPLY.stillHeld(this.#patience.because)));
        return;
      case 'give-up':
        this.#giveUp(this.#patience.because, this.#patience.waitedMs(now));
    }
  }

  /** It was in vain. If servers were there and refused, what they said is the answer. */
  #giveUp(because: HoldReason, waitedMs: number): void {
    const session = this.#session;
    const { unit, transaction } = session;
    const isStart = unit.kind === 'start';
    if (!isStart && transaction !== undefined) session.lose(transaction, 'held-too-long');
    else if (unit.refusal !== undefined && NO_CONNECTION.has(because)) session.refuse(unit.refusal);
    else session.refuse((isStart ? REPLY.noServer : REPLY.heldTooLong)(because, waitedMs));
  }
}

/**
 * The gathered messages of a unit of work on their way to its server: in their order, and so many at a stretch as the turn
 * allows. A batch can be of thousands, and sent in one go it would keep every other client waiting. While it is on its way
 * the server may answer what it has already: what it reads over after an error is not sent, as when messages come one by
 * one. Pure.
 */
import { FRONTEND, isHead, Sync } from '../wire/index.ts';
import { dispatch } from './dispatch.ts';
import type { Link } from './link.ts';
import type { LongMessage } from './long-message.ts';
import { REQUEST } from './pipeline.ts';
import type { Session } from './session.ts';
import type { Turn } from './turn.ts';
import type { Unit } from './unit.ts';

export class Sending {
  readonly #session: Session;
  readonly #turn: Turn;
  readonly #long: LongMessage;

  constructor(session: Session, turn: Turn, long: LongMessage) {
    this.#session = session;
    this.#turn = turn;
    this.#long = long;
  }

  /** The unit has got its server. */
  begin(link: Link): void {
    const { unit, now } = this.#session;
    unit.sentCount = 0;
    // It may be a server that has made this event.
    this.#turn.at(now);
    this.#go(unit, link);
  }

  /** A new turn: what is left follows, unless its server may have been replaced meanwhile. */
  goOn(): void {
    const session = this.#session;
    const { unit } = session;
    const { link } = unit;
    if (session.isEnded || !unit.isSending || link === undefined) return;
    if (session.mayGoOn(link)) this.#go(unit, link);
    else session.lose(link, 'primary-unknown');
  }

  /** The unit is to be sent anew, elsewhere: what the server was sent of it gets an end. */
  giveUp(link: Link): void {
    if (this.#session.unit.isSending) link.send(Sync(), REQUEST.sync);
  }

  /** One message at least, so that the server owes something behind what was sent ahead of the unit. */
  #go(unit: Unit, link: Link): void {
    for (;;) {
      this.#next(unit, link);
      if (!unit.isSending) break;
      this.#turn.spend();
      if (this.#turn.isOver) return;
    }
    this.#sent(unit, link);
  }

  #next(unit: Unit, link: Link): void {
    const index = unit.sentCount;
    const message = unit.messages.at(index);
    unit.sentCount += 1;
    if (message === undefined || (link.pipeline.skipsToSync && message[0] !== FRONTEND.Sync)) return;
    dispatch(this.#session, link, message, unit.statements[index], unit.mentions[index]);
    if (isHead(message)) this.#long.begin(link);
  }

  /** All of it is sent; further messages of the unit go straight to `link`. */
  #sent(unit: Unit, link: Link): void {
    reopenForCopy(unit, link);
    reopenAfterError(unit, link);
    if (this.#long.link === link || (!unit.isClosed && unit.need === 'primary')) unit.stream();
  }
}

/** Syncs behind the Execute of a COPY are eaten by that; the client sends another after its CopyDone. */
export function reopenForCopy(unit: Unit, link: Link): void {
  if (unit.kind !== 'batch' || !unit.isClosed || !unit.isCopyOpen || unit.isSending) return;
  // Those among data are answered if that is bad.
  if (unit.isCopyFed || link.pipeline.forgetSyncs()) unit.isClosed = false;
}

/** A Query inside of a batch that has failed is skipped like the rest: the unit ends at a Sync that is still to come. */
export function reopenAfterError(unit: Unit, link: Link): boolean {
  if (unit.kind !== 'batch' || !unit.isClosed || !link.pipeline.skipsToSync || unit.isSending) return false;
  unit.isClosed = false;
  return true;
}

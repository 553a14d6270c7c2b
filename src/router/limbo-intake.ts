/** The client's messages while it is in a transaction whose server is gone: limbo.ts answers, here the client is told. Pure. */
import type { Classification } from '../sql/index.ts';
import { FRONTEND, ReadyForQuery } from '../wire/index.ts';
import type { Limbo, LimboAnswer } from './limbo.ts';
import { intentOf } from './route.ts';
import type { Session } from './session.ts';
import type { SessionEffects } from './session-types.ts';
import type { Statement } from './statement.ts';

/** How the intake reads messages. */
interface Reading {
  readonly classify: (query: Buffer) => Classification;
  readonly note: (tag: number, message: Buffer) => Statement | undefined;
}

export class LimboIntake {
  readonly #session: Session;
  readonly #effects: SessionEffects;
  readonly #reading: Reading;

  constructor(session: Session, effects: SessionEffects, reading: Reading) {
    this.#session = session;
    this.#effects = effects;
    this.#reading = reading;
  }

  /** The client is in a transaction whose server is gone: everything is answered here. */
  take(limbo: Limbo, tag: number, message: Buffer): void {
    const session = this.#session;
    switch (tag) {
      case FRONTEND.Query: {
        const classification = this.#reading.classify(message);
        this.#tell(limbo.query(classification.kind, intentOf(classification)), true);
        return;
      }
      case FRONTEND.Sync:
        this.#effects.toClient(ReadyForQuery(session.standing.status));
        return;
      case FRONTEND.Flush:
      case FRONTEND.CopyDone:
      case FRONTEND.CopyFail:
        return;
      default: {
        const statement = this.#reading.note(tag, message);
        const answer = limbo.extended(tag, message, statement);
        if (answer.error === undefined) session.prepared.confirm();
        else session.prepared.takeBack();
        this.#tell(answer, tag === FRONTEND.FunctionCall);
      }
    }
  }

  #tell(answer: LimboAnswer, endsUnit: boolean): void {
    const session = this.#session;
    session.standing.answeredInLimbo(answer.ended);
    if (answer.reply !== undefined) this.#effects.toClient(answer.reply);
    if (answer.error !== undefined) {
      session.say(answer.error);
      if (!endsUnit) session.standing.skipToSync();
    }
    if (endsUnit) this.#effects.toClient(ReadyForQuery(session.standing.status));
  }
}

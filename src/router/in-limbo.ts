/** The messages of a client that is in a transaction whose server is gone: everything is answered here. Pure. */
import type { Classification } from '../sql/index.ts';
import { FRONTEND, ReadyForQuery } from '../wire/index.ts';
import type { Limbo, LimboAnswer } from './limbo.ts';
import { intentOf } from './route.ts';
import type { Session } from './session.ts';
import type { SessionEffects } from './session-types.ts';
import type { Statement } from './statement.ts';

export interface LimboMessage {
  readonly tag: number;
  readonly message: Buffer;
  /** What a Query is; which statement another message makes or uses. */
  readonly classify: () => Classification;
  readonly note: () => Statement | undefined;
}

/** Answers a message, as PostgreSQL would in a failed transaction. */
export class InLimbo {
  readonly #session: Session;
  readonly #effects: SessionEffects;

  constructor(session: Session, effects: SessionEffects) {
    this.#session = session;
    this.#effects = effects;
  }

  take(limbo: Limbo, { tag, message, classify, note }: LimboMessage): void {
    switch (tag) {
      case FRONTEND.Query: {
        const classification = classify();
        this.#tell(limbo.query(classification.kind, intentOf(classification)), true);
        return;
      }
      case FRONTEND.Sync:
        this.#effects.toClient(ReadyForQuery(this.#session.standing.status));
        return;
      case FRONTEND.Flush:
      case FRONTEND.CopyDone:
      case FRONTEND.CopyFail:
        return;
      default: {
        const answer = limbo.extended(tag, message, note());
        if (answer.error === undefined) this.#session.prepared.confirm();
        else this.#session.prepared.takeBack();
        this.#tell(answer, tag === FRONTEND.FunctionCall);
      }
    }
  }

  #tell(answer: LimboAnswer, endsUnit: boolean): void {
    const { standing, times, now } = this.#session;
    standing.answeredInLimbo(answer.ended);
    times.answered(standing.status, now);
    if (answer.reply !== undefined) this.#effects.toClient(answer.reply);
    if (answer.error !== undefined) {
      this.#session.say(answer.error);
      if (!endsUnit) standing.skipToSync();
    }
    if (endsUnit) this.#effects.toClient(ReadyForQuery(standing.status));
  }
}

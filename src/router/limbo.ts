/**
 * A transaction whose server is gone, as the client sees it until it ends it: failed, exactly as PostgreSQL shows
 * a failed transaction. Every statement is refused with 25P02, ROLLBACK and COMMIT are answered here. The one
 * difference: a COMMIT before the client has heard of the loss is an error, never a quiet ROLLBACK. Pure.
 */
import {
  BACKEND,
  BindComplete,
  CloseComplete,
  CommandComplete,
  EmptyQueryResponse,
  type ErrorFields,
  FRONTEND,
  NoData,
  ParseComplete,
  readBindNames,
  readDescribe,
} from '../wire/index.ts';
import { REPLY } from './replies.ts';
import type { LossReason } from './route.ts';
import type { Statement } from './statement.ts';

/** What to say to one message. `ended`: the transaction is over, and the next status is I. */
export interface LimboAnswer {
  readonly reply: Buffer | undefined;
  readonly error: ErrorFields | undefined;
  readonly ended: boolean;
}

/** No parameters. */
const PARAMETER_DESCRIPTION = Buffer.from([BACKEND.ParameterDescription, 0, 0, 0, 6, 0, 0]);

export class Limbo {
  readonly #because: LossReason;
  #isTold: boolean;
  #bound: Statement | undefined = undefined;

  constructor(because: LossReason, isTold: boolean) {
    this.#because = because;
    this.#isTold = isTold;
  }

  /** A simple query; `intent` is what its classification says. */
  query(kind: string, intent: Statement['intent']): LimboAnswer {
    if (intent.ends !== undefined && kind === 'end') return this.#end(intent);
    if (kind === 'empty') return { reply: EmptyQueryResponse(), error: undefined, ended: false };
    return this.#refuse();
  }

  /** A message of the extended protocol; `statement` is the one it makes or uses. */
  extended(tag: number, message: Buffer, statement: Statement | undefined): LimboAnswer {
    const isEnd = statement?.classification.kind === 'end';
    switch (tag) {
      case FRONTEND.Parse:
        return isEnd ? say(ParseComplete()) : this.#refuse();
      case FRONTEND.Bind:
        this.#bound = isEnd && readBindNames(message).portal === '' ? statement : undefined;
        return this.#bound === undefined ? this.#refuse() : say(BindComplete());
      case FRONTEND.Describe:
        if (readDescribe(message).kind === 'portal') {
          return this.#bound === undefined ? this.#refuse() : say(NoData());
        }
        return isEnd ? say(Buffer.concat([PARAMETER_DESCRIPTION, NoData()])) : this.#refuse();
      case FRONTEND.Close:
        return say(CloseComplete());
      case FRONTEND.Execute:
        return this.#bound?.intent.ends === undefined ? this.#refuse() : this.#end(this.#bound.intent);
      default:
        return this.#refuse();
    }
  }

  /** The transaction that AND CHAIN asks for cannot be begun here: an error, lest the client believe it has one. */
  #end({ ends, chains }: Statement['intent']): LimboAnswer {
    if (chains === true || (ends === 'commit' && !this.#isTold)) {
      return { reply: undefined, error: REPLY.transactionLost(this.#because), ended: true };
    }
    return { reply: CommandComplete('ROLLBACK'), error: undefined, ended: true };
  }

  #refuse(): LimboAnswer {
    const error = this.#isTold ? REPLY.inFailedTransaction() : REPLY.transactionLost(this.#because);
    this.#isTold = true;
    return { reply: undefined, error, ended: false };
  }
}

function say(reply: Buffer): LimboAnswer {
  return { reply, error: undefined, ended: false };
}

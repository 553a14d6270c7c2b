/**
 * The queue of replies that a server connection still owes. Each entry is one message we sent, and whether its
 * reply is the client's (`forward`) or ours (`swallow`: a replayed setting, a Parse sent ahead, a probe). Replies
 * come in the order of the requests, so the head always says whose the next message is.
 *
 *   sent:   Parse(swallow) Bind Execute Sync
 *   owed:   [1 swallow]    [2]  [C]     [Z]        an ErrorResponse strikes out everything before the Sync
 *
 * Entries are small integers, so that a statement costs no allocation here. Pure.
 */
import { RingQueue } from '../base/index.ts';
import { BACKEND } from '../wire/index.ts';

/** What was sent, by what its reply looks like. `query` and `call` end with their own ReadyForQuery. */
export const REQUEST = {
  query: 0,
  parse: 1,
  bind: 2,
  describe: 3,
  execute: 4,
  close: 5,
  sync: 6,
  call: 7,
  /** An Execute that forgets prepared statements when it completes. */
  forget: 8,
} as const;
export type Request = (typeof REQUEST)[keyof typeof REQUEST];

/** Whose a reply is. `unexpected`: nobody asked for it, so the server does not keep to the protocol. */
export type Disposition = 'forward' | 'swallow' | 'unexpected';

const SWALLOW = 16;
const REQUEST_MASK = 15;

export class Pipeline {
  readonly #owed = new RingQueue<number>();
  /** An error was answered and the server now skips everything up to the next Sync. */
  #skipsToSync = false;

  /** Whether nothing is owed. */
  get isEmpty(): boolean {
    return this.#owed.size === 0;
  }

  /** An error was answered, and the server skips everything up to a Sync that was not sent yet. */
  get skipsToSync(): boolean {
    return this.#skipsToSync;
  }

  /** Notes a request that is being sent. What the server will skip is not noted, it gets no reply. */
  expect(request: Request, whose: 'forward' | 'swallow'): void {
    if (this.#skipsToSync) {
      if (request !== REQUEST.sync) return;
      this.#skipsToSync = false;
    }
    this.#owed.push(whose === 'swallow' ? request | SWALLOW : request);
  }

  /** Whose the messages at the head are, without taking anything: rows, notices, COPY data. */
  get head(): Disposition {
    const owed = this.#owed.peek();
    if (owed === undefined) return this.#skipsToSync ? 'forward' : 'unexpected';
    return owed >= SWALLOW ? 'swallow' : 'forward';
  }

  /** Among all that is owed, something is the client's. */
  get owesClient(): boolean {
    for (const owed of this.#owed) if (owed < SWALLOW) return true;
    return this.#skipsToSync;
  }

  /** What the next reply answers; undefined: nothing is owed. */
  get next(): number | undefined {
    const owed = this.#owed.peek();
    return owed === undefined ? undefined : owed & REQUEST_MASK;
  }

  /** Up to its next ReadyForQuery the server is at a statement of ours, not at what is ours among the client's. */
  get isAtOwn(): boolean {
    for (const owed of this.#owed) if (endsWithReady(owed)) return owed >= SWALLOW;
    return false;
  }

  /** Behind the reply that comes next others are owed, and not to a Sync. */
  get owesMore(): boolean {
    let index = 0;
    for (const owed of this.#owed) {
      if (index === 1) return (owed & REQUEST_MASK) !== REQUEST.sync;
      index += 1;
    }
    return false;
  }

  /** Takes one reply by its tag (any but notices, parameters and notifications); says whose it is. */
  reply(tag: number): Disposition {
    switch (tag) {
      case BACKEND.ParseComplete:
        return this.#take(REQUEST.parse);
      case BACKEND.BindComplete:
        return this.#take(REQUEST.bind);
      case BACKEND.CloseComplete:
        return this.#take(REQUEST.close);
      case BACKEND.RowDescription:
      case BACKEND.NoData:
        return this.#takeUnlessQuery(REQUEST.describe);
      case BACKEND.CommandComplete:
      case BACKEND.EmptyQueryResponse:
      case BACKEND.PortalSuspended:
        return this.#takeUnlessQuery(REQUEST.execute);
      case BACKEND.ErrorResponse:
        return this.#strike();
      case BACKEND.ReadyForQuery:
        return this.#ready();
      default: // rows, COPY in either direction, ParameterDescription, FunctionCallResponse: more follows
        return this.head;
    }
  }

  /**
   * Syncs that arrive at the server during COPY FROM STDIN are read and ignored there: they get no reply, and the client
   * sends another after its CopyDone. Forgets the first `most`, and says whether there were any; `failed`: without another
   * the server skips up to that now.
   */
  forgetSyncs(most = Number.POSITIVE_INFINITY, how?: 'failed'): boolean {
    let forgotten = 0;
    for (let left = this.#owed.size; left > 0; left -= 1) {
      const owed = this.#owed.shift();
      if (owed === undefined) break;
      const isSync = (owed & REQUEST_MASK) === REQUEST.sync;
      if (isSync && forgotten < most) forgotten += 1;
      else this.#owed.push(owed);
    }
    if (how === 'failed' && this.#owed.size === 0) this.#skipsToSync = true;
    return forgotten > 0;
  }

  /** From here on everything owed is ours: the client gets its answer from elsewhere. */
  swallowAll(): void {
    for (let left = this.#owed.size; left > 0; left -= 1) {
      const owed = this.#owed.shift();
      if (owed !== undefined) this.#owed.push(owed | SWALLOW);
    }
  }

  #take(request: Request): Disposition {
    const owed = this.#owed.peek();
    if (owed === undefined || (owed & REQUEST_MASK) !== request) return 'unexpected';
    this.#owed.shift();
    return owed >= SWALLOW ? 'swallow' : 'forward';
  }

  #takeUnlessQuery(request: Request): Disposition {
    const { next } = this;
    if (next === REQUEST.query) return this.head;
    return this.#take(request === REQUEST.execute && next === REQUEST.forget ? next : request);
  }

  /**
   * An error. After one of the extended protocol the server reads over everything up to the Sync, queries too, so these get
   * no reply; a query or a call has its own end. The error is the client's, unless all that it answers is ours.
   */
  #strike(): Disposition {
    const failed = this.#owed.peek();
    if (failed !== undefined && isOwnUnit(failed)) return failed >= SWALLOW ? 'swallow' : 'forward';
    for (;;) {
      const owed = this.#owed.peek();
      if (owed === undefined) {
        this.#skipsToSync = true;
        return 'forward';
      }
      if ((owed & REQUEST_MASK) === REQUEST.sync) return owed >= SWALLOW ? 'swallow' : 'forward';
      this.#owed.shift();
    }
  }

  #ready(): Disposition {
    for (;;) {
      const owed = this.#owed.shift();
      if (owed === undefined) return 'unexpected';
      if (endsWithReady(owed)) return owed >= SWALLOW ? 'swallow' : 'forward';
    }
  }
}

/** A query or a call: it ends with a ReadyForQuery of its own, also after an error. */
function isOwnUnit(owed: number): boolean {
  const request = owed & REQUEST_MASK;
  return request === REQUEST.query || request === REQUEST.call;
}

function endsWithReady(owed: number): boolean {
  return isOwnUnit(owed) || (owed & REQUEST_MASK) === REQUEST.sync;
}

/** A reply that carries no result yet. */
export function isPreamble(tag: number): boolean {
  switch (tag) {
    case BACKEND.ParseComplete:
    case BACKEND.BindComplete:
    case BACKEND.ParameterDescription:
    case BACKEND.RowDescription:
    case BACKEND.NoData:
    case BACKEND.CopyOutResponse:
      return true;
    default:
      return false;
  }
}

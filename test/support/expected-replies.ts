/**
 * What a client still waits for, exactly: a machine that knows which reply ends which message, what an error skips,
 * and when a server waits for COPY data. So a test knows when an answer is complete without waiting for silence,
 * also where the client asked by Flush. Manual: "Message Flow".
 */
import { BACKEND, FRONTEND } from '../../src/wire/index.ts';

/** The message that is to be answered; the tag of what the client sent. */
type Expected = number;

const ENDS: ReadonlyMap<Expected, readonly number[]> = new Map<number, readonly number[]>([
  [FRONTEND.Query, [BACKEND.ReadyForQuery]],
  [FRONTEND.FunctionCall, [BACKEND.ReadyForQuery]],
  [FRONTEND.Sync, [BACKEND.ReadyForQuery]],
  [FRONTEND.Parse, [BACKEND.ParseComplete]],
  [FRONTEND.Bind, [BACKEND.BindComplete]],
  [FRONTEND.Close, [BACKEND.CloseComplete]],
  [FRONTEND.Describe, [BACKEND.RowDescription, BACKEND.NoData]],
  [FRONTEND.Execute, [BACKEND.CommandComplete, BACKEND.EmptyQueryResponse, BACKEND.PortalSuspended]],
]);

const COPY_ENDS: ReadonlySet<number> = new Set<number>([FRONTEND.CopyDone, FRONTEND.CopyFail]);

const IS_EXTENDED: ReadonlySet<Expected> = new Set<number>([
  FRONTEND.Parse,
  FRONTEND.Bind,
  FRONTEND.Close,
  FRONTEND.Describe,
  FRONTEND.Execute,
]);

export class ExpectedReplies {
  readonly #queue: Expected[] = [];
  /** An error came in a batch whose Sync is not sent yet: the server ignores all before it. */
  #isSkipping = false;
  #isCopyIn = false;
  /** Extended messages were sent behind the last Sync. */
  #isInBatch = false;

  /** Nothing more will come unless the client says something. */
  get isQuiet(): boolean {
    return this.#queue.length === 0 || this.#isCopyIn;
  }

  get isCopyIn(): boolean {
    return this.#isCopyIn;
  }

  sent(tag: number): void {
    if (this.#isCopyIn) {
      // The copy goes on over Flush and Sync; anything else ends it, and its answer is due.
      if (tag !== FRONTEND.CopyData && tag !== FRONTEND.Flush && tag !== FRONTEND.Sync)
        this.#isCopyIn = false;
      return;
    }
    if (tag === FRONTEND.Sync) this.#isSkipping = false;
    if (tag === FRONTEND.Sync || IS_EXTENDED.has(tag)) this.#isInBatch = tag !== FRONTEND.Sync;
    if (!this.#isSkipping && (ENDS.has(tag) || this.#isAhead(tag))) this.#queue.push(tag);
  }

  received(tag: number): void {
    const [head] = this.#queue;
    if (head === undefined) {
      // All of the batch so far is answered, behind a Flush: the rest is ignored.
      if (tag === BACKEND.ErrorResponse && this.#isInBatch) this.#isSkipping = true;
      return;
    }
    if (tag === BACKEND.CopyInResponse) this.#copyBegan();
    if (tag === BACKEND.ErrorResponse) this.#failed(head);
    else if (ENDS.get(head)?.includes(tag) === true) this.#queue.shift();
    if (tag !== BACKEND.CopyInResponse && tag !== BACKEND.NoticeResponse && tag !== BACKEND.ParameterStatus)
      this.#isCopyIn = false;
    // The end of a COPY that was not begun is ignored.
    while (this.#queue[0] !== undefined && COPY_ENDS.has(this.#queue[0])) this.#queue.shift();
  }

  /** What was sent ahead: Syncs are ignored, the end of the data is the end, and anything else is an error to come. */
  #copyBegan(): void {
    while (this.#queue[1] === FRONTEND.Sync) this.#queue.splice(1, 1);
    const [, next] = this.#queue;
    if (next === undefined) this.#isCopyIn = true;
    else if (COPY_ENDS.has(next)) this.#queue.splice(1, 1);
  }

  /** The end of a COPY that is not begun yet, behind what may begin it. */
  #isAhead(tag: number): boolean {
    return COPY_ENDS.has(tag) && this.#queue.length > 0;
  }

  #failed(head: Expected): void {
    if (!IS_EXTENDED.has(head)) return;
    while (this.#queue.length > 0 && this.#queue[0] !== FRONTEND.Sync) this.#queue.shift();
    this.#isSkipping = this.#queue.length === 0;
  }
}

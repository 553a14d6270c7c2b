/** What is around a connection to a server: its socket, its pool, and the session that it is lent to. */
import type { ErrorFields } from '../wire/index.ts';
import type { Link } from './link.ts';
import type { LossReason } from './route.ts';

/** The socket's side, made by the shell. */
export interface Wire {
  /** Writes are gathered and go out at the end of the event. */
  readonly write: (bytes: Buffer) => void;
  readonly isClogged: boolean;
  readonly pauseReading: (isPaused: boolean) => void;
  readonly close: () => void;
}

/** The pool that a connection is of. */
export interface LinkPool {
  readonly giveBack: (link: Link, now: number) => void;
  readonly remove: (link: Link, now: number) => void;
}

/** How a connection ends without our doing. */
export type BrokenReason = Extract<
  LossReason,
  'connection-lost' | 'server-shut-down' | 'idle-in-transaction'
>;

/** What a link tells the session that it is lent to. */
export interface LinkOwner {
  /** Bytes have come, at `now` (monotonic ms); what they are is told next. */
  readonly arrived: (now: number) => void;
  /** Bytes of an answer for the client. May alias the chunk: use them before returning. */
  readonly forward: (link: Link, bytes: Buffer) => void;
  /** All the client's requests on this link are answered up to here: `bytes` are of the answer and end with ReadyForQuery. */
  readonly ready: (link: Link, bytes: Buffer) => void;
  /** Replies of our own are complete, and nothing is owed any more. */
  readonly isPreparedBy: (link: Link) => void;
  /** A statement of our own was accepted; the client's work, which was sent behind it, is next. */
  readonly ownAccepted: (link: Link) => void;
  /** A statement of our own was refused after the client's work was sent behind it. */
  readonly ownRefused: (link: Link) => void;
  /** An error as the client's answer; what to forward of it. Undefined: nothing, the session has decided otherwise. */
  readonly failed: (link: Link, fields: ErrorFields, message: Buffer) => Buffer | undefined;
  /** A Parse or Close of the client was carried out. */
  readonly confirmed: (link: Link) => void;
  readonly copyInBegan: (link: Link) => void;
  /** A statement of the client has ended without an error; `isInQuery`: it is one of a simple query. */
  readonly completed: (link: Link, isInQuery: boolean) => void;
  /** A notice: it belongs to the statement at work, if there is one. */
  readonly notice: (link: Link, message: Buffer) => void;
  /** Notifications: outside of the sequence of replies. */
  readonly asynchronous: (link: Link, message: Buffer) => void;
  readonly parameter: (link: Link, name: string, value: string) => void;
  /** The server has ended the connection because of what the client sent. */
  readonly outOfStep: (link: Link, message: Buffer) => void;
  /** FATAL, or nonsense: the connection is finished. */
  readonly broken: (link: Link, because: BrokenReason) => void;
}

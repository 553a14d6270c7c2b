/** Bounds of the protocol. All sizes are bytes; a length that is checked here is checked before anything is kept. */
import { FRONTEND } from './tag.ts';

/** What a `FrameReader` may hold. Messages that are passed on unread have no bound: they are never held. */
export interface FrameLimits {
  /** Largest message delivered whole, with its tag and length. */
  readonly wholeBytesMax: number;
}

/** So much of a 'head' message is delivered in one slice: names, and more text than the classifier looks at. */
export const MESSAGE_HEAD_BYTES = 32 * 1024;

/** Largest startup packet, without its length word. PostgreSQL's own bound. */
export const STARTUP_BYTES_MAX = 10_000;

/** Cancel keys: 4 bytes in protocol 3.0, up to 256 since 3.2. */
export const CANCEL_KEY_BYTES_MIN = 4;
/** See `CANCEL_KEY_BYTES_MIN`. */
export const CANCEL_KEY_BYTES_MAX = 256;

/** Largest whole message once authenticated, where the configuration says nothing else. */
export const FRAME_BYTES_MAX = 64 * 1024 * 1024;

/** Strangers get no more room than PostgreSQL gives an authentication token. */
export const LIMITS_BEFORE_AUTHENTICATION: FrameLimits = { wholeBytesMax: 64 * 1024 };

/** Highest iteration count for which we derive keys from a password: it blocks the event loop for about 0.3 s. */
export const SCRAM_ITERATIONS_MAX = 1_000_000;

/** Length words above these end a connection, as at PostgreSQL (PQ_LARGE_MESSAGE_LIMIT, PQ_SMALL_MESSAGE_LIMIT). */
const LARGE_LENGTH_MAX = 0x3ffffffe;
const SMALL_LENGTH_MAX = 10_000;

/** Messages of clients that may be large; all others carry a name at most. */
const LARGE: ReadonlySet<number> = new Set([
  FRONTEND.Bind,
  FRONTEND.CopyData,
  FRONTEND.FunctionCall,
  FRONTEND.Parse,
  FRONTEND.Query,
]);

/** Largest length word that PostgreSQL takes in a client's message; it counts itself but not the tag. */
export function lengthMaxOf(tag: number): number {
  return LARGE.has(tag) ? LARGE_LENGTH_MAX : SMALL_LENGTH_MAX;
}

/** Bounds of the protocol. All sizes are bytes; a length that is checked here is checked before anything is kept. */

/** What a `FrameReader` may hold. Messages that are passed on unread have no bound: they are never held. */
export interface FrameLimits {
  /** Largest message delivered whole, with its tag and length. */
  readonly wholeBytesMax: number;
}

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

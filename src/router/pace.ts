/**
 * Clients that stop, or all but stop, in the middle of a message that a server is reading: the server connection is of no
 * use to anybody until the rest has come. Time counts only while the client is read from: that the router pauses it, since
 * the server takes no more, is not its fault. Between messages other limits hold. Pure.
 */

/** So much must come in each `client_message_timeout`; so no message takes for ever, however slowly it drips. */
const BYTES_MIN = 1024 * 1024;

export interface PaceState {
  /** A server has a part of a message, and waits for the rest. */
  readonly isInMessage: boolean;
  readonly isPaused: boolean;
  /** 0: none. */
  readonly limitMs: number;
}

export class Pace {
  #bytes = 0;
  /** Since when (monotonic ms) the bytes are counted; undefined: not in a message. */
  #since: number | undefined = undefined;

  arrived(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Called every now and then; true: too little has come. */
  isTooSlow({ isInMessage, isPaused, limitMs }: PaceState, now: number): boolean {
    const isCounted = isInMessage && !isPaused && limitMs > 0;
    if (isCounted && this.#since !== undefined && this.#bytes < BYTES_MIN) {
      return now - this.#since >= limitMs;
    }
    this.#since = isCounted ? now : undefined;
    this.#bytes = 0;
    return false;
  }
}

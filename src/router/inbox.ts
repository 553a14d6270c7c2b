/**
 * What a client has sent ahead of its turn, copied out of the chunks that it came in. Bounded: past `isFull` the client is
 * not read from, so that one chunk more than that is held at most. Pure.
 */
import { RingQueue } from '../base/index.ts';

/** With so much waiting the client is not read from. */
const BACKLOG_BYTES_MAX = 256 * 1024;
/** What an entry takes beside its bytes: many tiny messages count by their number. */
const ENTRY_BYTES = 128;

/**
 * A whole message or the head of a long one; raw COPY data; more of a long message. Behind the latter two `missing` bytes
 * of the (last) message are still to come.
 */
export type Waiting =
  | { readonly kind: 'message'; readonly bytes: Buffer }
  | { readonly kind: 'copy' | 'rest'; readonly bytes: Buffer; readonly missing: number };

export class Inbox {
  readonly #queue = new RingQueue<Waiting>();
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#queue.size === 0;
  }

  /** Together with `elsewhere`, bytes of the same client that are held already. */
  isFull(elsewhere: number): boolean {
    return this.#bytes + elsewhere > BACKLOG_BYTES_MAX;
  }

  add(waiting: Waiting): void {
    this.#queue.push({ ...waiting, bytes: Buffer.from(waiting.bytes) });
    this.#bytes += waiting.bytes.length + ENTRY_BYTES;
  }

  peek(): Waiting | undefined {
    return this.#queue.peek();
  }

  shift(): void {
    const taken = this.#queue.shift();
    if (taken !== undefined) this.#bytes -= taken.bytes.length + ENTRY_BYTES;
  }
}

/**
 * COPY data of a client on its way to a server: passed on as it comes, in pieces that begin and end anywhere. A server that
 * has got a part of a message must get the rest of it, whatever becomes of the COPY: it would take what it is sent
 * next, by whoever has the connection then, for that rest. Pure.
 */
import type { Link } from './link.ts';

/** With more of a message missing than this, the connection is given up. */
const REST_BYTES_MAX = 64 * 1024;
const HEADER_BYTES = 5;

export class CopyStream {
  /** Announced, and not arrived. */
  #missing = 0;
  /** The connection that has got a part of a message, and how much of it it has not got. */
  #link: Link | undefined = undefined;
  #owed = 0;

  /** A message begins. */
  announce(bodyLength: number): void {
    this.#missing += bodyLength + HEADER_BYTES;
  }

  /** A piece has arrived; how much is missing of its last message. */
  arrive(bytes: Buffer): number {
    this.#missing -= bytes.length;
    return this.#missing;
  }

  /** Who has got a part of a message. */
  get link(): Link | undefined {
    return this.#link;
  }

  /** A piece is passed on, to nobody if nobody wants it; `owed` is missing of its last message. */
  pass(bytes: Buffer, owed: number, wanted: Link | undefined): void {
    const link = this.#link ?? wanted;
    link?.write(bytes);
    this.#link = owed > 0 ? link : undefined;
    this.#owed = owed;
  }

  /**
   * The unit of work on `link` is over, perhaps in the middle of a message. Then the server gets zeros for the rest, which
   * it reads over like all data behind a COPY that has failed, and the rest is dropped when it comes.
   */
  end(link: Link): void {
    if (link !== this.#link) return;
    this.#link = undefined;
    if (this.#owed > REST_BYTES_MAX) link.isOutOfStep = true;
    else link.write(Buffer.alloc(this.#owed));
  }
}

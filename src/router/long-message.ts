/**
 * Messages of a client that are too long to be held: the head is taken up like any message, and what follows is passed on
 * as it comes to the server that has got the head. A server that has a part of a message can be sent nothing else: it gets
 * the rest, or its connection is given up. Where nobody has the head (the unit of work was refused, or its server is gone)
 * the rest is dropped. Pure.
 */
import { FRONTEND, lengthMaxOf, ProtocolViolation, describeTag } from '../wire/index.ts';
import type { Link } from './link.ts';

/** Longer messages are long. Batches of more go to the primary as they come, so that none of them is run again. */
const LONG_BYTES = 256 * 1024;
/** Of a long Parse no copy is kept that could be brought to other servers: these are rarer still. */
const LONG_PARSE_BYTES = 1024 * 1024;

/** Whether a message of the client is long. Throws `ProtocolViolation` for one that PostgreSQL would not take. */
export function isLong(tag: number, bodyLength: number): boolean {
  const length = bodyLength + 4;
  const limit = lengthMaxOf(tag);
  if (length > limit) {
    throw new ProtocolViolation('over-limit', { message: describeTag(tag), tag, length, limit });
  }
  return length > (tag === FRONTEND.Parse ? LONG_PARSE_BYTES : LONG_BYTES);
}

export class LongMessage {
  #link: Link | undefined = undefined;

  /** Who has got the beginning of a message, and not yet its end. */
  get link(): Link | undefined {
    return this.#link;
  }

  /** The head was sent. */
  begin(link: Link): void {
    this.#link = link;
  }

  /** More of it has come, and `missing` is still to come. */
  pass(bytes: Buffer, missing: number): void {
    this.#link?.write(bytes);
    if (missing === 0) this.#link = undefined;
  }

  /** The unit of work on `link` is over: if that is in the middle of a message, nothing else can be sent on it. */
  end(link: Link): void {
    if (link !== this.#link) return;
    this.#link = undefined;
    link.isOutOfStep = true;
  }
}

/**
 * Builds one message. The length is filled in at the end, so that no builder has to count. A writer belongs
 * to one message: there is no shared buffer that a throw could leave half filled.
 */
import { assert } from '../base/index.ts';

const ROOM_BYTES_FIRST = 128;

/** A message under construction. */
export class MessageWriter {
  #bytes: Buffer;
  #size: number;
  readonly #lengthAt: number;

  /** `tag` is undefined for the untagged packets that open a connection. */
  constructor(tag: number | undefined, room = ROOM_BYTES_FIRST) {
    this.#bytes = Buffer.allocUnsafe(Math.max(room, ROOM_BYTES_FIRST));
    this.#lengthAt = tag === undefined ? 0 : 1;
    this.#size = this.#lengthAt + 4;
    if (tag !== undefined) this.#bytes[0] = tag;
  }

  byte(value: number): this {
    const start = this.#grow(1);
    this.#bytes[start] = value;
    return this;
  }

  int16(value: number): this {
    const start = this.#grow(2);
    this.#bytes.writeInt16BE(value, start);
    return this;
  }

  /** A count: Int16 in the manual, without sign in PostgreSQL. */
  count(value: number): this {
    const start = this.#grow(2);
    this.#bytes.writeUInt16BE(value, start);
    return this;
  }

  int32(value: number): this {
    const start = this.#grow(4);
    this.#bytes.writeInt32BE(value, start);
    return this;
  }

  /** UTF-8 and a NUL. A NUL inside would start a field of the sender's choice, so it is a bug of the caller. */
  cstring(value: string): this {
    assert(!value.includes('\0'), 'a string of the protocol cannot contain NUL');
    return this.text(value).byte(0);
  }

  /** UTF-8 without a terminator. */
  text(value: string): this {
    const bytes = Buffer.byteLength(value);
    const start = this.#grow(bytes);
    this.#bytes.write(value, start, bytes, 'utf8');
    return this;
  }

  bytes(value: Buffer): this {
    const start = this.#grow(value.length);
    value.copy(this.#bytes, start);
    return this;
  }

  /** The finished message. */
  end(): Buffer {
    this.#bytes.writeInt32BE(this.#size - this.#lengthAt, this.#lengthAt);
    return this.#bytes.subarray(0, this.#size);
  }

  /** Makes room for `bytes` more; returns where they go. May move the buffer: take `#bytes` only afterwards. */
  #grow(bytes: number): number {
    const start = this.#size;
    this.#size = start + bytes;
    if (this.#size <= this.#bytes.length) return start;
    const grown = Buffer.allocUnsafe(Math.max(this.#size, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, start);
    this.#bytes = grown;
    return start;
  }
}

/** A message without fields. */
export function emptyMessage(tag: number): Buffer {
  return new MessageWriter(tag).end();
}

/**
 * Reads the fields of one message, in order, within that message's own slice. Reading past the end throws
 * `ProtocolViolation` with message, field and offset; a parser ends with `expectEnd()`. No field is ever
 * looked for beyond the slice: a missing NUL must not make us read into the next message.
 */
import { ProtocolViolation } from './violation.ts';

export const TAG_AND_LENGTH_BYTES = 5;

/** A cursor over one message; made for it and thrown away with it. */
export class BodyReader {
  readonly #bytes: Buffer;
  readonly #message: string;
  #offset: number;

  /** `bytes` is the whole message; `start` where its fields begin (behind tag and length, unless said). */
  constructor(bytes: Buffer, message: string, start = TAG_AND_LENGTH_BYTES) {
    this.#bytes = bytes;
    this.#message = message;
    this.#offset = start;
  }

  /** Offset of the next field in the message. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether all fields are read. */
  get isAtEnd(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  byte(field: string): number {
    return this.#bytes[this.#take(1, field)] ?? 0;
  }

  int16(field: string): number {
    return this.#bytes.readInt16BE(this.#take(2, field));
  }

  /** A count: the manual's Int16, which PostgreSQL reads without sign (up to 65535 parameters). */
  count(field: string): number {
    return this.#bytes.readUInt16BE(this.#take(2, field));
  }

  int32(field: string): number {
    return this.#bytes.readInt32BE(this.#take(4, field));
  }

  /** A NUL-terminated string, decoded as UTF-8 (bytes that are not become U+FFFD: decide by it, do not send it on). */
  cstring(field: string): string {
    const start = this.#offset;
    this.skipCstring(field);
    return this.#offset - start === 1 ? '' : this.#bytes.toString('utf8', start, this.#offset - 1);
  }

  /** Steps over a NUL-terminated string without decoding it. */
  skipCstring(field: string): void {
    // Most names are empty: there is nothing to search.
    const isEmpty = this.#bytes[this.#offset] === 0;
    const end = isEmpty ? this.#offset : this.#bytes.indexOf(0, this.#offset);
    if (end === -1) throw this.violation('missing-terminator', field);
    this.#offset = end + 1;
  }

  /** The next `length` bytes; aliases the message. */
  bytes(length: number, field: string): Buffer {
    const start = this.#take(length, field);
    return this.#bytes.subarray(start, this.#offset);
  }

  skip(length: number, field: string): void {
    this.#take(length, field);
  }

  /** All that is left; aliases the message. */
  rest(): Buffer {
    const start = this.#offset;
    this.#offset = this.#bytes.length;
    return this.#bytes.subarray(start);
  }

  expectEnd(): void {
    if (this.#offset === this.#bytes.length) return;
    throw new ProtocolViolation('trailing-bytes', { message: this.#message, offset: this.#offset });
  }

  /** A violation at the next field, or at `offset`; for parsers that judge values. */
  violation(
    because: 'past-end' | 'missing-terminator' | 'bad-value',
    field: string,
    offset = this.#offset,
  ): ProtocolViolation {
    return new ProtocolViolation(because, { message: this.#message, field, offset });
  }

  #take(length: number, field: string): number {
    const start = this.#offset;
    if (length < 0) throw this.violation('bad-value', field);
    if (length > this.#bytes.length - start) throw this.violation('past-end', field);
    this.#offset = start + length;
    return start;
  }
}

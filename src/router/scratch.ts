/**
 * A buffer that is used over and over, by many sockets in turn, together with slices of its beginning. A slice costs more
 * to make than to fill, and most messages are short: so those are made once for each length, and kept.
 */

/** Longest slice that is kept. */
const KEPT_BYTES_MAX = 1024;

export class Scratch {
  readonly bytes: Buffer;
  /** By length; an array without holes. */
  readonly #beginnings: (Buffer | undefined)[] = Array.from({ length: KEPT_BYTES_MAX + 1 }, () => undefined);

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }

  /** Its first `length` bytes; good until it is used again. */
  beginning(length: number): Buffer {
    if (length > KEPT_BYTES_MAX) return this.bytes.subarray(0, length);
    const known = this.#beginnings[length];
    if (known !== undefined) return known;
    const made = this.bytes.subarray(0, length);
    this.#beginnings[length] = made;
    return made;
  }
}

/**
 * The messages of a unit of work, kept until its end so that a read can be run again. Those of the present event still lie
 * in the chunk that they arrived in; before that is overwritten they are copied behind one another into a store that is
 * used over and over, since a Buffer for each of them costs more than the copying. Pure.
 */
import { copyInto } from '../wire/index.ts';

const NOTHING = Buffer.alloc(0);
/** Room at first, and how much of it an idle session keeps. */
const STORE_BYTES_FIRST = 256;
const STORE_BYTES_KEPT_MAX = 1024;
const MESSAGES_KEPT_MAX = 64;

export class KeptMessages {
  #store = NOTHING;
  /** Where each message ends there. */
  readonly #ends: number[] = [];
  #storedCount = 0;
  #storedBytes = 0;
  /** Those behind them that are not copied yet: the first `#freshCount` of these. */
  readonly #fresh: Buffer[] = [];
  #freshCount = 0;
  #bytes = 0;

  get count(): number {
    return this.#storedCount + this.#freshCount;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Good until the next `clear`, or the next chunk. */
  at(index: number): Buffer | undefined {
    if (index >= this.#storedCount)
      return index < this.count ? this.#fresh[index - this.#storedCount] : undefined;
    return this.#store.subarray(this.#ends[index - 1] ?? 0, this.#ends[index]);
  }

  /** All of them, for one who looks at them together. */
  all(): readonly Buffer[] {
    return Array.from({ length: this.count }, (_, index) => this.at(index) ?? NOTHING);
  }

  add(message: Buffer): void {
    this.#fresh[this.#freshCount] = message;
    this.#freshCount += 1;
    this.#bytes += message.length;
  }

  /** The chunk that messages arrived in is about to be overwritten. */
  own(): void {
    if (this.#freshCount === 0) return;
    if (this.#bytes > this.#store.length) this.#grow();
    for (let index = 0; index < this.#freshCount; index += 1) {
      const message = this.#fresh[index] ?? NOTHING;
      this.#storedBytes = copyInto(this.#store, this.#storedBytes, message, 0, message.length);
      this.#ends[this.#storedCount] = this.#storedBytes;
      this.#storedCount += 1;
      this.#fresh[index] = NOTHING;
    }
    this.#freshCount = 0;
  }

  clear(): void {
    for (let index = 0; index < this.#freshCount; index += 1) this.#fresh[index] = NOTHING;
    this.#freshCount = 0;
    this.#storedCount = 0;
    this.#storedBytes = 0;
    this.#bytes = 0;
    if (this.#fresh.length > MESSAGES_KEPT_MAX) this.#fresh.length = 0;
    if (this.#ends.length > MESSAGES_KEPT_MAX) this.#ends.length = 0;
    if (this.#store.length > STORE_BYTES_KEPT_MAX) this.#store = NOTHING;
  }

  #grow(): void {
    const grown = Buffer.allocUnsafe(Math.max(STORE_BYTES_FIRST, this.#bytes, this.#store.length * 2));
    grown.set(this.#store.subarray(0, this.#storedBytes));
    this.#store = grown;
  }
}

/** A first-in first-out queue on a ring of slots that doubles when full: no shifting, no allocation once warm. */
export class RingQueue<T> {
  #slots: (T | undefined)[] = Array.from<T | undefined>({ length: 8 });
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(value: T): void {
    if (this.#size === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#size) & (this.#slots.length - 1)] = value;
    this.#size += 1;
  }

  /** The oldest value, left in place; undefined when empty. */
  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#slots[this.#head];
  }

  /** Takes the oldest value out; undefined when empty. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const value = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#size -= 1;
    return value;
  }

  clear(): void {
    while (this.#size > 0) this.shift();
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let index = 0; index < this.#size; index += 1) {
      const value = this.#slots[(this.#head + index) & (this.#slots.length - 1)];
      if (value !== undefined) yield value;
    }
  }

  #grow(): void {
    const next = Array.from<T | undefined>({ length: this.#slots.length * 2 });
    for (let index = 0; index < this.#size; index += 1) {
      next[index] = this.#slots[(this.#head + index) & (this.#slots.length - 1)];
    }
    this.#slots = next;
    this.#head = 0;
  }
}

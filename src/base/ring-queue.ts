/** A first-in first-out queue on a ring of slots that doubles when full: no shifting, no allocation once warm. */
const SLOTS_FIRST = 8;
/** With more than this it gives its room back when it is empty: there is one in everything that is idle. */
const SLOTS_KEPT_MAX = 1024;

export class RingQueue<T> {
  #slots = emptySlots<T>();
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
    this.#shrink();
    return value;
  }

  /** Takes the newest value out; undefined when empty. */
  pop(): T | undefined {
    if (this.#size === 0) return undefined;
    this.#size -= 1;
    const index = (this.#head + this.#size) & (this.#slots.length - 1);
    const value = this.#slots[index];
    this.#slots[index] = undefined;
    this.#shrink();
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

  /** Called when it is full: all slots are values. Copied as a whole, since one by one it takes milliseconds. */
  #grow(): void {
    const inOrder = this.#slots.slice(this.#head).concat(this.#slots.slice(0, this.#head));
    this.#slots = inOrder.concat(inOrder).fill(undefined, inOrder.length);
    this.#head = 0;
  }

  #shrink(): void {
    if (this.#size > 0 || this.#slots.length <= SLOTS_KEPT_MAX) return;
    this.#slots = emptySlots<T>();
    this.#head = 0;
  }
}

function emptySlots<T>(): (T | undefined)[] {
  return Array.from<T | undefined>({ length: SLOTS_FIRST });
}

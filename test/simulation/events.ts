/**
 * Virtual time: a queue of events (a binary heap by instant, then by order of entry) and the processes that they belong
 * to. An event of a process that is paused waits until that goes on; one of a process that has died is dropped, and
 * with it whatever the process would have done next.
 *
 * The agents are real asynchronous code. After each event of theirs the queue lets every promise settle before virtual
 * time moves, so what an agent does at an instant is done at that instant, in the same order in every run.
 */
export interface Event {
  readonly at: number;
  readonly order: number;
  readonly owner: Process | undefined;
  /** Undefined once called off or done. */
  run: (() => void) | undefined;
  /** It has turned out to concern nobody, so there are no promises to settle. */
  isIdle: boolean;
}

/** What can be paused and can die, alone or with its host. */
export class Process {
  readonly name: string;
  /** Runs real asynchronous code, so promises may follow its events. */
  readonly isAsync: boolean;
  isAlive = true;
  isPaused = false;
  readonly parked: Event[] = [];

  constructor(name: string, isAsync = false) {
    this.name = name;
    this.isAsync = isAsync;
  }

  get isRunning(): boolean {
    return this.isAlive && !this.isPaused;
  }
}

export class Events {
  now = 0;
  /** Events that were run. */
  count = 0;
  readonly #heap: Event[] = [];
  #order = 0;

  /** Calls `run` after `ms`, on behalf of `owner` if that lives and is not paused then. */
  after(ms: number, owner: Process | undefined, run: () => void): Event {
    const event: Event = { at: this.now + Math.max(0, ms), order: this.#order, owner, run, isIdle: false };
    this.#order += 1;
    this.#push(event);
    return event;
  }

  /** Looks again and again until `isSo`, and then calls `run`. */
  when(isSo: () => boolean, everyMs: () => number, owner: Process, run: () => void): void {
    const event = this.after(everyMs(), owner, () => {
      if (isSo()) return run();
      event.isIdle = true;
      this.when(isSo, everyMs, owner, run);
    });
  }

  resume(process: Process): void {
    process.isPaused = false;
    for (const { owner, run } of process.parked.splice(0)) if (run !== undefined) this.after(0, owner, run);
  }

  /** Runs event after event until `isOver`, or none is left. */
  async run(isOver: () => boolean): Promise<void> {
    // Cheaper than `queueMicrotask`, which makes an asynchronous resource each time.
    const settled = Promise.resolve();
    await new Promise<void>((resolve, reject) => {
      const turn = (): void => {
        try {
          while (!isOver()) {
            const event = this.#pop();
            if (event === undefined) break;
            const { owner, run } = event;
            if (run === undefined || owner?.isAlive === false) continue;
            this.now = event.at;
            if (owner?.isPaused === true) {
              owner.parked.push(event);
              continue;
            }
            event.run = undefined;
            this.count += 1;
            run();
            if (owner?.isAsync !== true || event.isIdle) continue;
            // The queue of ticks is asked only when no promise has anything left to do.
            settled.then(turnLater, reject);
            return;
          }
          resolve();
        } catch (cause) {
          reject(cause);
        }
      };
      const turnLater = (): void => process.nextTick(turn);
      turnLater();
    });
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || isBefore(parent, event)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = heap[childIndex];
      const right = heap[childIndex + 1];
      if (child !== undefined && right !== undefined && isBefore(right, child)) {
        childIndex += 1;
        child = right;
      }
      if (child === undefined || isBefore(last, child)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
    return first;
  }
}

const isBefore = (left: Event, right: Event): boolean =>
  left.at < right.at || (left.at === right.at && left.order < right.order);

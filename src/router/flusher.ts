/**
 * Which outboxes have something to be written at the end of the present event. One event can concern several sockets: a
 * server's answer frees its connection, which goes to the next client in the queue, whose statement is sent at once.
 */
import type { Outbox } from './outbox.ts';

export class Flusher {
  /** The first `#count` of these; an array that shrinks and grows costs more than what is flushed. */
  readonly #full: Outbox[] = [];
  #count = 0;

  /** `outbox` has its first bytes since it was flushed. */
  note(outbox: Outbox): void {
    this.#full[this.#count] = outbox;
    this.#count += 1;
  }

  /** Writes everything: one system call a socket. Called at the end of each event. */
  flush(): void {
    for (let index = 0; index < this.#count; index += 1) this.#full[index]?.flush();
    this.#count = 0;
  }
}

/**
 * Which outboxes have something to be written at the end of the present event. One event can concern several sockets: a
 * server's answer frees its connection, which goes to the next client in the queue, whose statement is sent at once.
 */
import type { Outbox } from './outbox.ts';

export class Flusher {
  readonly #full: Outbox[] = [];

  /** `outbox` has its first bytes since it was flushed. */
  note(outbox: Outbox): void {
    this.#full.push(outbox);
  }

  /** Writes everything: one system call a socket. Called at the end of each event. */
  flush(): void {
    if (this.#full.length === 0) return;
    for (const outbox of this.#full) outbox.flush();
    this.#full.length = 0;
  }
}

/**
 * Which outboxes have something to be written at the end of the present event. One event can concern several sockets: a
 * server's answer frees its connection, which goes to the next client in the queue, whose statement is sent at once.
 */
import type { Outbox } from './outbox.ts';
import { Scratch } from './scratch.ts';

/** Longest piece that is written from the scratch: most statements, most answers. */
const SCRATCH_BYTES = 1024;

export class Flusher {
  /** The first `#count` of these; an array that shrinks and grows costs more than what is flushed. */
  readonly #full: Outbox[] = [];
  #count = 0;
  #scratch = new Scratch(SCRATCH_BYTES);

  /** `outbox` has its first bytes since it was flushed. */
  note(outbox: Outbox): void {
    this.#full[this.#count] = outbox;
    this.#count += 1;
  }

  /** Room for bytes on their way to a socket, if they are few; good until the next call. */
  scratchFor(bytes: number): Buffer | undefined {
    return bytes > SCRATCH_BYTES ? undefined : this.#scratch.beginning(bytes);
  }

  /** A socket could not send at once what it was given there, and keeps it. */
  loseScratch(): void {
    this.#scratch = new Scratch(SCRATCH_BYTES);
  }

  /** Writes everything: one system call a socket. Called at the end of each event. */
  flush(): void {
    for (let index = 0; index < this.#count; index += 1) this.#full[index]?.flush();
    this.#count = 0;
  }
}

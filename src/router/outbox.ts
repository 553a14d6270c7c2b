/**
 * What is to be written to one socket, gathered over one event and written once: one system call a statement and
 * direction. The bytes are of read buffers that are used again, so they are copied when they are written, since a socket
 * may keep what it cannot send at once: into the flusher's scratch, which is free again at once in the usual case that it could.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { copyInto } from '../wire/index.ts';
import type { Flusher } from './flusher.ts';

const NOTHING = Buffer.alloc(0);
/** So many slots for pieces are kept. */
const PIECES_KEPT_MAX = 64;

export class Outbox {
  readonly #socket: Socket;
  readonly #flusher: Flusher | undefined;
  readonly #isPlain: boolean;
  /** What was gathered: the first `#count` of these. */
  readonly #pieces: Buffer[] = [];
  #count = 0;
  #bytes = 0;

  /** With a `flusher`, it is flushed at the end of the event by that. */
  constructor(socket: Socket, flusher?: Flusher) {
    this.#socket = socket;
    this.#flusher = flusher;
    this.#isPlain = !(socket instanceof TLSSocket);
  }

  add(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#count === 0) this.#flusher?.note(this);
    this.#pieces[this.#count] = bytes;
    this.#count += 1;
    this.#bytes += bytes.length;
  }

  /** Writes what was gathered; the bytes given to `add` may be overwritten afterwards. */
  flush(): void {
    if (this.#count === 0) return;
    const scratch = this.#mayLend ? this.#flusher?.scratchFor(this.#bytes) : undefined;
    const copy = scratch ?? Buffer.allocUnsafe(this.#bytes);
    let at = 0;
    for (let index = 0; index < this.#count; index += 1) {
      const piece = this.#pieces[index] ?? NOTHING;
      at = copyInto(copy, at, piece, 0, piece.length);
      this.#pieces[index] = NOTHING;
    }
    if (this.#count > PIECES_KEPT_MAX) this.#pieces.length = 0;
    this.#count = 0;
    this.#bytes = 0;
    this.#socket.write(copy);
    if (scratch !== undefined && this.#socket.writableLength > 0) this.#flusher?.loseScratch();
  }

  /** Whether the socket will most likely be done with its bytes when `write` returns. */
  get #mayLend(): boolean {
    return this.#isPlain && this.#socket.writableLength === 0;
  }
}

/**
 * What is to be written to one socket, gathered over one event and written once: one system call a statement and
 * direction. Neighbouring slices of one chunk are joined first. The bytes are of read buffers that are used again, so
 * they are copied when they are written, since a socket may keep what it cannot send at once.
 */
import type { Socket } from 'node:net';
import type { Flusher } from './flusher.ts';

export class Outbox {
  readonly #socket: Socket;
  readonly #flusher: Flusher | undefined;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  /** The newest piece, still growing: `#buffer[#start .. #end)`. */
  #source: ArrayBufferLike | undefined = undefined;
  #start = 0;
  #end = 0;

  /** With a `flusher`, it is flushed at the end of the event by that. */
  constructor(socket: Socket, flusher?: Flusher) {
    this.#socket = socket;
    this.#flusher = flusher;
  }

  add(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#bytes === 0) this.#flusher?.note(this);
    this.#bytes += bytes.length;
    if (this.#source === bytes.buffer && this.#end === bytes.byteOffset) {
      this.#end += bytes.length;
      return;
    }
    this.#close();
    this.#source = bytes.buffer;
    this.#start = bytes.byteOffset;
    this.#end = bytes.byteOffset + bytes.length;
  }

  /** Writes what was gathered; the bytes given to `add` may be overwritten afterwards. */
  flush(): void {
    if (this.#bytes === 0) return;
    this.#close();
    const pieces = this.#pieces;
    const [first] = pieces;
    if (first !== undefined && pieces.length === 1) this.#socket.write(copyOf(first));
    else this.#socket.write(Buffer.concat(pieces, this.#bytes));
    pieces.length = 0;
    this.#bytes = 0;
  }

  #close(): void {
    if (this.#source === undefined) return;
    this.#pieces.push(Buffer.from(this.#source, this.#start, this.#end - this.#start));
    this.#source = undefined;
  }
}

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafe(bytes.length);
  bytes.copy(copy);
  return copy;
}

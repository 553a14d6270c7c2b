/**
 * What is to be written to one socket, gathered over one event and written once: one system call a statement and
 * direction. Neighbouring slices of one chunk are joined first. The bytes are of read buffers that are used again, so
 * they are copied when they are written, since a socket may keep what it cannot send at once: into the flusher's scratch, which
 * is free again at once in the usual case that it could.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Flusher } from './flusher.ts';

export class Outbox {
  readonly #socket: Socket;
  readonly #flusher: Flusher | undefined;
  readonly #isPlain: boolean;
  /** Finished pieces before the newest. */
  #pieces: Buffer[] | undefined = undefined;
  #bytes = 0;
  /** All there is, while that is one slice. */
  #only: Buffer | undefined = undefined;
  /** The newest piece, still growing: `#source[#start .. #end)`. */
  #source: ArrayBufferLike | undefined = undefined;
  #start = 0;
  #end = 0;

  /** With a `flusher`, it is flushed at the end of the event by that. */
  constructor(socket: Socket, flusher?: Flusher) {
    this.#socket = socket;
    this.#flusher = flusher;
    this.#isPlain = !(socket instanceof TLSSocket);
  }

  add(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#bytes === 0) {
      this.#flusher?.note(this);
      this.#only = bytes;
    } else this.#only = undefined;
    this.#bytes += bytes.length;
    if (this.#source === bytes.buffer && this.#end === bytes.byteOffset) {
      this.#end += bytes.length;
      return;
    }
    if (this.#source !== undefined) {
      this.#pieces ??= [];
      this.#pieces.push(Buffer.from(this.#source, this.#start, this.#end - this.#start));
    }
    this.#source = bytes.buffer;
    this.#start = bytes.byteOffset;
    this.#end = bytes.byteOffset + bytes.length;
  }

  /** Writes what was gathered; the bytes given to `add` may be overwritten afterwards. */
  flush(): void {
    if (this.#source === undefined) return;
    const scratch = this.#mayLend ? this.#flusher?.scratchFor(this.#bytes) : undefined;
    const copy = scratch ?? Buffer.allocUnsafe(this.#bytes);
    this.#fill(copy);
    this.#pieces = undefined;
    this.#source = undefined;
    this.#only = undefined;
    this.#bytes = 0;
    this.#socket.write(copy);
    if (scratch !== undefined && this.#socket.writableLength > 0) this.#flusher?.loseScratch();
  }

  /** Whether the socket will most likely be done with its bytes when `write` returns. */
  get #mayLend(): boolean {
    return this.#isPlain && this.#socket.writableLength === 0;
  }

  #fill(copy: Buffer): void {
    if (this.#only !== undefined) {
      copy.set(this.#only);
      return;
    }
    if (this.#source === undefined) return;
    let at = 0;
    for (const piece of this.#pieces ?? []) at += piece.copy(copy, at);
    Buffer.from(this.#source, this.#start, this.#end - this.#start).copy(copy, at);
  }
}

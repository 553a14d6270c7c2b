/**
 * Cuts a stream of tagged messages at its message boundaries, in either direction.
 *
 *   | tag: 1 byte | length: int32, counts itself and the body | body |
 *
 * Headers are walked in place and nothing is allocated for a message that is passed on. At most one unfinished
 * message is held, and only one that is wanted whole; its room grows with the bytes that arrived, not with the
 * length that was promised, so a stranger cannot reserve memory with five bytes. Whatever `push` throws is
 * sticky: after it the place of the next header is unknown.
 */
import { assert } from '../base/index.ts';
import type { FrameLimits } from './limits.ts';
import { describeTag, ProtocolViolation } from './violation.ts';

/**
 * How a message is wanted: in one slice; as raw bytes that are never held; or complete, as the last of a run of such
 * bytes (`last`), so that the answer to a statement is one slice with the message that ends it.
 */
export type Delivery = 'whole' | 'pass' | 'last';

/** Receives what a `FrameReader` cuts, in the order of the stream. */
export interface FrameSink {
  /** Asked once at each header: in one slice (bounded), or as raw bytes (unbounded)? `bodyLength` is without the length word. */
  delivery(tag: number, bodyLength: number): Delivery;
  /** A complete message: tag, length, body. Aliases the pushed chunk unless it had to be joined. */
  whole(tag: number, message: Buffer): void;
  /** Bytes of one or more consecutive 'pass' messages, or of these and a 'last'; may begin or end inside one. Aliases the chunk. */
  pass(bytes: Buffer, endsWithLast: boolean): void;
}

const HEADER_BYTES = 5;
/** A message that spans chunks gets at least this much room at once. */
const JOIN_BYTES_FIRST = 4 * 1024;
const NOTHING = Buffer.alloc(0);

/** Cuts one connection's incoming bytes into messages; see the top of the file. */
export class FrameReader {
  readonly #limits: FrameLimits;
  #broken: unknown = undefined;
  #isBroken = false;
  #isPushing = false;

  /** Bytes of the current 'pass' message that are still to come. */
  #passRemaining = 0;

  /** The unfinished whole message, or the bytes of an unfinished header: `#held[0 .. #heldBytes)`. */
  #held: Buffer = NOTHING;
  #heldBytes = 0;
  /** Size of the unfinished whole message; 0 while its header is unfinished or nothing is held. */
  #heldTotal = 0;
  #isHeldLast = false;

  constructor(limits: FrameLimits) {
    this.#limits = limits;
  }

  /** A copy of what is held: the beginning of a message whose rest another reader is to get. */
  get unfinished(): Buffer {
    return Buffer.from(this.#held.subarray(0, this.#heldBytes));
  }

  /** Whether the bytes so far end exactly at the end of a message; false for ever once the stream is broken. */
  get isBetweenMessages(): boolean {
    return !this.#isBroken && this.#passRemaining === 0 && this.#heldBytes === 0;
  }

  /**
   * Takes the next bytes and tells `sink` about them before it returns; the chunk is not kept.
   * Throws `ProtocolViolation`, or what the sink threw, then and on every later call.
   */
  push(chunk: Buffer, sink: FrameSink): void {
    if (this.#isBroken) throw this.#broken;
    assert(!this.#isPushing, 'a sink must not push into the reader that called it');
    this.#isPushing = true;
    try {
      this.#walk(chunk, this.#resume(chunk, sink), sink);
    } catch (cause) {
      this.#isBroken = true;
      this.#broken = cause;
      this.#held = NOTHING;
      throw cause;
    } finally {
      this.#isPushing = false;
    }
  }

  /** Goes on with what the last chunk left unfinished; returns where the walk over whole headers starts. */
  #resume(chunk: Buffer, sink: FrameSink): number {
    if (this.#heldBytes === 0) return 0;
    let offset = 0;
    if (this.#heldTotal === 0) {
      offset = this.#hold(chunk, 0, HEADER_BYTES - this.#heldBytes);
      if (this.#heldBytes < HEADER_BYTES) return offset;
      const total = messageBytes(this.#held, 0);
      if (total < HEADER_BYTES) throw badLength(this.#held, 0);
      const tag = this.#held[0] ?? 0;
      const delivery = sink.delivery(tag, total - HEADER_BYTES);
      if (delivery === 'pass') {
        const header = this.#held.subarray(0, HEADER_BYTES);
        this.#release();
        this.#passRemaining = total - HEADER_BYTES;
        sink.pass(header, false);
        return offset;
      }
      this.#checkLimit(tag, total);
      this.#heldTotal = total;
      this.#isHeldLast = delivery === 'last';
    }
    offset = this.#hold(chunk, offset, this.#heldTotal - this.#heldBytes);
    if (this.#heldBytes < this.#heldTotal) return offset;
    const message = this.#held.subarray(0, this.#heldTotal);
    this.#release();
    if (this.#isHeldLast) sink.pass(message, true);
    else sink.whole(message[0] ?? 0, message);
    return offset;
  }

  /** Walks the headers of `chunk` from `start`, and gathers neighbouring 'pass' messages into one run. */
  #walk(chunk: Buffer, start: number, sink: FrameSink): void {
    const end = chunk.length;
    let runStart = start;
    let offset = start + Math.min(this.#passRemaining, end - start);
    this.#passRemaining -= offset - start;
    while (end - offset >= HEADER_BYTES) {
      const total = messageBytes(chunk, offset);
      if (total < HEADER_BYTES) {
        flush(chunk, runStart, offset, sink);
        throw badLength(chunk, offset);
      }
      const tag = chunk[offset] ?? 0;
      const delivery = sink.delivery(tag, total - HEADER_BYTES);
      if (delivery === 'pass') {
        const next = offset + total;
        offset = Math.min(next, end);
        this.#passRemaining = next - offset;
        continue;
      }
      if (delivery === 'last' && total <= end - offset) {
        offset += total;
        sink.pass(slice(chunk, runStart, offset), true);
        runStart = offset;
        continue;
      }
      flush(chunk, runStart, offset, sink);
      runStart = offset;
      this.#checkLimit(tag, total);
      this.#isHeldLast = delivery === 'last';
      if (total > end - offset) {
        this.#heldTotal = total;
        break;
      }
      offset += total;
      runStart = offset;
      sink.whole(tag, chunk.subarray(offset - total, offset));
    }
    flush(chunk, runStart, offset, sink);
    this.#hold(chunk, offset, end - offset);
  }

  /** Copies up to `wanted` bytes from `offset` behind what is held; returns the offset after them. */
  #hold(chunk: Buffer, offset: number, wanted: number): number {
    const bytes = Math.min(wanted, chunk.length - offset);
    if (bytes === 0) return offset;
    const needed = this.#heldBytes + bytes;
    if (needed > this.#held.length) {
      // Doubling: each byte is copied at most twice more, however small the chunks are.
      const room = Math.max(needed, Math.min(this.#held.length * 2, this.#heldTotal), HEADER_BYTES);
      const grown = Buffer.allocUnsafe(Math.max(room, Math.min(JOIN_BYTES_FIRST, this.#heldTotal)));
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    chunk.copy(this.#held, this.#heldBytes, offset, offset + bytes);
    this.#heldBytes = needed;
    return offset + bytes;
  }

  #release(): void {
    this.#held = NOTHING;
    this.#heldBytes = 0;
    this.#heldTotal = 0;
  }

  #checkLimit(tag: number, total: number): void {
    const limit = this.#limits.wholeBytesMax;
    if (total <= limit) return;
    throw new ProtocolViolation('over-limit', { message: describeTag(tag), tag, length: total - 1, limit });
  }
}

/** Size of the message whose header is at `offset`, tag included; below `HEADER_BYTES` if its length is impossible. */
function messageBytes(bytes: Buffer, offset: number): number {
  return bytes.readInt32BE(offset + 1) + 1;
}

function badLength(bytes: Buffer, offset: number): ProtocolViolation {
  const tag = bytes[offset] ?? 0;
  const length = bytes.readInt32BE(offset + 1);
  return new ProtocolViolation('bad-length', { message: describeTag(tag), tag, length });
}

function flush(chunk: Buffer, start: number, end: number, sink: FrameSink): void {
  if (end > start) sink.pass(slice(chunk, start, end), false);
}

function slice(chunk: Buffer, start: number, end: number): Buffer {
  return start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end);
}

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
import { type FrameLimits, MESSAGE_HEAD_BYTES } from './limits.ts';
import { describeTag, ProtocolViolation } from './violation.ts';

/**
/**
 * How a message is wanted: in one slice; as raw bytes that are never held; complete, as the last of a run of such bytes,
 * so that an answer is one slice with the message that ends it; or with its beginning in one slice and the rest as raw
 * bytes (for messages of more than `MESSAGE_HEAD_BYTES` only).
 */
export type Delivery = 'whole' | 'pass' | 'last' | 'head';

/** Receives what a `FrameReader` cuts, in the order of the stream. */
export interface FrameSink {
  /** Asked once at each header: in one slice (bounded), or as raw bytes (unbounded)? `bodyLength` is without the length word. */
  delivery(tag: number, bodyLength: number): Delivery;
  /** A complete message: tag, length, body. Aliases the pushed chunk unless it had to be joined. */
  whole(tag: number, message: Buffer): void;
  /** Bytes of one or more consecutive 'pass' messages, or of these and a 'last'; may begin or end inside one. Aliases the chunk. */
  pass(bytes: Buffer, endsWithLast: boolean): void;
  /** The first `MESSAGE_HEAD_BYTES` of a 'head' message of `total` bytes, tag and all. Aliases the chunk unless joined. */
  head?(tag: number, beginning: Buffer, total: number): void;
  /** More of that message; `missing` bytes of it are still to come. Aliases the chunk. */
  rest?(bytes: Buffer, missing: number): void;
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

  /** Size of a 'head' message whose beginning is being held, else 0; and what is still to come behind a beginning. */
  #headOf = 0;
  #restMissing = 0;

  constructor(limits: FrameLimits) {
    this.#limits = limits;
  }

  /** A copy of what is held: the beginning of a message whose rest another reader is to get. */
  get unfinished(): Buffer {
    return Buffer.from(this.#held.subarray(0, this.#heldBytes));
  }

  /** Whether the bytes so far end exactly at the end of a message; false for ever once the stream is broken. */
  get isBetweenMessages(): boolean {
    return !this.#isBroken && this.#passRemaining + this.#restMissing + this.#heldBytes === 0;
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
    if (this.#restMissing > 0) return this.#rest(chunk, 0, sink);
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
      if (delivery !== 'head') this.#checkLimit(tag, total);
      this.#beginHeld(delivery, total);
    }
    offset = this.#hold(chunk, offset, this.#heldTotal - this.#heldBytes);
    if (this.#heldBytes < this.#heldTotal) return offset;
    const message = this.#held.subarray(0, this.#heldTotal);
    const total = this.#headOf;
    this.#release();
    if (total > 0) return this.#head(message, total, { chunk, offset, sink });
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
      if (delivery !== 'head') this.#checkLimit(tag, total);
      if ((delivery === 'head' ? MESSAGE_HEAD_BYTES : total) > end - offset) {
        this.#beginHeld(delivery, total);
        break;
      }
      if (delivery === 'head') {
        const beginning = chunk.subarray(offset, offset + MESSAGE_HEAD_BYTES);
        offset = this.#head(beginning, total, { chunk, offset: offset + MESSAGE_HEAD_BYTES, sink });
        runStart = offset;
        continue;
      }
      offset += total;
      runStart = offset;
      sink.whole(tag, slice(chunk, offset - total, offset));
    }
    flush(chunk, runStart, offset, sink);
    this.#hold(chunk, offset, end - offset);
  }

  /** A message, or its beginning, is gathered from here on. */
  #beginHeld(delivery: 'whole' | 'last' | 'head', total: number): void {
    this.#heldTotal = delivery === 'head' ? MESSAGE_HEAD_BYTES : total;
    this.#headOf = delivery === 'head' ? total : 0;
    this.#isHeldLast = delivery === 'last';
  }

  /** Delivers the beginning of a message, and what follows it in the chunk; returns the offset after that. */
  #head(beginning: Buffer, total: number, at: { chunk: Buffer; offset: number; sink: FrameSink }): number {
    const { chunk, offset, sink } = at;
    assert(total > MESSAGE_HEAD_BYTES && sink.head !== undefined, 'only long messages have a head');
    this.#restMissing = total - MESSAGE_HEAD_BYTES;
    sink.head(beginning[0] ?? 0, beginning, total);
    return this.#rest(chunk, offset, sink);
  }

  #rest(chunk: Buffer, offset: number, sink: FrameSink): number {
    const bytes = Math.min(this.#restMissing, chunk.length - offset);
    this.#restMissing -= bytes;
    if (bytes > 0) sink.rest?.(chunk.subarray(offset, offset + bytes), this.#restMissing);
    return offset + bytes;
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
    this.#headOf = 0;
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

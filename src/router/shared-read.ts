/**
 * Reads of a socket into a buffer that many sockets share, instead of a fresh one for each read: a seventh of what a
 * statement costs the router. Node offers this (`onread`) to sockets that it connects, not to those that it accepts, so for
 * these its own slots are filled by hand; where a version of Node has no such slots, and for TLS, reads are as usual.
 * Bytes are good during the call only.
 *
 * A socket that always has more is read up to 32 times before the event loop comes to the others; megabytes at a stretch would
 * keep these waiting for as long as they take to be copied. So after some full buffers the others come first.
 */
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Scratch } from './scratch.ts';

type Received = (chunk: Buffer) => void;

/** What Node's `onread` sets on a socket: the buffer, and whom to call with the number of bytes in it. */
interface Slots {
  readonly buffer: symbol;
  readonly callback: symbol;
}

const SLOTS = slotsOf(new Socket());

/** Full buffers of one socket at a stretch. */
const FULL_READS_MAX = 4;

/** What Node is to call with the number of bytes that it has read into the buffer; false stops the reading. */
export function fairly(
  socketOf: () => Socket,
  scratch: Scratch,
  received: Received,
): (bytes: number) => boolean {
  let fullReads = 0;
  return (bytes) => {
    received(scratch.beginning(bytes));
    // What does not fill the buffer was all there was.
    fullReads = bytes < scratch.bytes.length ? 0 : fullReads + 1;
    if (fullReads < FULL_READS_MAX) return true;
    fullReads = 0;
    const socket = socketOf();
    setImmediate(() => {
      // Who has stopped it meanwhile will let it go on.
      if (!socket.isPaused() && !socket.destroyed) socket.resume();
    });
    return false;
  };
}

/** Calls `received` with what arrives; false: by way of a buffer for each read. */
export function readShared(socket: Socket, scratch: Scratch, received: Received): boolean {
  const handle: unknown = Reflect.get(socket, '_handle');
  const use: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'useUserBuffer') : undefined;
  const isPlain = !(socket instanceof TLSSocket);
  if (!isPlain || SLOTS === undefined || typeof use !== 'function' || socket.readableLength > 0) {
    socket.on('data', received);
    socket.resume();
    return false;
  }
  // What was read ahead of this call would be lost: nothing is read while the slots are filled.
  Reflect.set(socket, SLOTS.buffer, scratch.bytes);
  Reflect.set(
    socket,
    SLOTS.callback,
    fairly(() => socket, scratch, received),
  );
  Reflect.apply(use, handle, [scratch.bytes]);
  socket.resume();
  return true;
}

function slotsOf(socket: Socket): Slots | undefined {
  const symbols = Object.getOwnPropertySymbols(socket);
  const buffer = symbols.find(({ description }) => description === 'kBuffer');
  const callback = symbols.find(({ description }) => description === 'kBufferCb');
  return buffer === undefined || callback === undefined ? undefined : { buffer, callback };
}

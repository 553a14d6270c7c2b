/**
 * Reads of a socket into a buffer that many sockets share, instead of a fresh one for each read: a seventh of what a
 * statement costs the router. Node offers this (`onread`) to sockets that it connects, not to those that it accepts, so for
 * these its own slots are filled by hand; where a version of Node has no such slots, and for TLS, reads are as usual.
 * Bytes are good during the call only.
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
  Reflect.set(socket, SLOTS.callback, (bytes: number) => {
    received(scratch.beginning(bytes));
    return true;
  });
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

/**
 * The packets that open a connection: they have no tag byte, only a length and a code, and so they are read by
 * a reader of their own, bounded like PostgreSQL's. Manual: "Message Formats", CancelRequest, GSSENCRequest,
 * SSLRequest, StartupMessage.
 */
import { CANCEL_KEY_BYTES_MAX, CANCEL_KEY_BYTES_MIN, STARTUP_BYTES_MAX } from './limits.ts';
import { BodyReader } from './reader.ts';
import { ProtocolViolation } from './violation.ts';

/** What a new connection can begin with. */
export type StartupPacket =
  | Startup
  | { readonly kind: 'ssl-request' }
  | { readonly kind: 'gssenc-request' }
  | CancelTarget
  /** A version of the protocol whose fields we cannot know; PostgreSQL answers with SQLSTATE 0A000. */
  | { readonly kind: 'unsupported-protocol'; readonly protocol: ProtocolVersion };

/** The StartupMessage of protocol 3. */
export interface Startup {
  readonly kind: 'startup';
  readonly protocol: ProtocolVersion;
  /** All parameters but the protocol options, as sent; `user` may be missing. The last of equal names counts. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Names beginning with `_pq_.`: what we do not know among them is answered with NegotiateProtocolVersion. */
  readonly protocolOptions: readonly string[];
}

/** The CancelRequest: whose statement to cancel. */
export interface CancelTarget {
  readonly kind: 'cancel-request';
  readonly processId: number;
  readonly secretKey: Buffer;
}

/** Version of the protocol, e.g. 3.0. */
export interface ProtocolVersion {
  readonly major: number;
  readonly minor: number;
}

/** Codes in place of a protocol version; 1234 is the major version that will never be. */
export const STARTUP_CODE = {
  cancelRequest: 80877102,
  sslRequest: 80877103,
  gssencRequest: 80877104,
} as const;

const LENGTH_BYTES = 4;
const MESSAGE = 'StartupMessage';

/** Gathers the first packet of a connection; after an encryption request has been refused, also the next. */
export class StartupReader {
  #held: Buffer = Buffer.alloc(0);
  #broken: ProtocolViolation | undefined = undefined;

  /**
   * The packet, once complete, and the bytes behind it (aliasing the chunk); undefined while more must come.
   * Bytes behind an accepted SSLRequest were sent in the clear and must not be believed: refuse them.
   */
  push(chunk: Buffer): { readonly packet: StartupPacket; readonly rest: Buffer } | undefined {
    if (this.#broken !== undefined) throw this.#broken;
    try {
      return this.#push(chunk);
    } catch (cause) {
      if (cause instanceof ProtocolViolation) this.#broken = cause;
      throw cause;
    }
  }

  #push(chunk: Buffer): { readonly packet: StartupPacket; readonly rest: Buffer } | undefined {
    // Never more than one packet is kept, whatever the size of the chunk.
    const room = LENGTH_BYTES + STARTUP_BYTES_MAX - this.#held.length;
    const before = this.#held.length;
    const bytes = Buffer.concat([this.#held, chunk.subarray(0, room)]);
    if (bytes.length >= LENGTH_BYTES) {
      const total = packetBytes(bytes);
      if (bytes.length >= total) {
        this.#held = Buffer.alloc(0);
        return { packet: readStartup(bytes.subarray(0, total)), rest: chunk.subarray(total - before) };
      }
    }
    this.#held = bytes;
    return undefined;
  }
}

/** Parses one whole untagged packet. */
export function readStartup(packet: Buffer): StartupPacket {
  const reader = new BodyReader(packet, MESSAGE, LENGTH_BYTES);
  const code = reader.int32('protocol version');
  switch (code) {
    case STARTUP_CODE.sslRequest:
      reader.expectEnd();
      return { kind: 'ssl-request' };
    case STARTUP_CODE.gssencRequest:
      reader.expectEnd();
      return { kind: 'gssenc-request' };
    case STARTUP_CODE.cancelRequest:
      return readCancelRequest(reader);
  }
  const protocol = { major: code >>> 16, minor: code & 0xffff };
  if (protocol.major !== 3) return { kind: 'unsupported-protocol', protocol };
  return readParameters(reader, protocol);
}

function readCancelRequest(reader: BodyReader): CancelTarget {
  const processId = reader.int32('process ID');
  const key = reader.rest();
  if (key.length < CANCEL_KEY_BYTES_MIN || key.length > CANCEL_KEY_BYTES_MAX) {
    throw new ProtocolViolation('bad-value', { message: 'CancelRequest', field: 'secret key', offset: 12 });
  }
  return { kind: 'cancel-request', processId, secretKey: Buffer.from(key) };
}

function readParameters(reader: BodyReader, protocol: ProtocolVersion): Startup {
  const parameters = new Map<string, string>();
  const protocolOptions: string[] = [];
  for (;;) {
    const name = reader.cstring('parameter name');
    if (name === '') break;
    const value = reader.cstring('parameter value');
    if (name.startsWith('_pq_.')) protocolOptions.push(name);
    else parameters.set(name, value);
  }
  reader.expectEnd();
  return { kind: 'startup', protocol, parameters, protocolOptions };
}

/** Size of the packet that begins in `bytes`, its length word included. */
function packetBytes(bytes: Buffer): number {
  const length = bytes.readInt32BE(0);
  if (length < LENGTH_BYTES + 4) throw new ProtocolViolation('bad-length', { message: MESSAGE, length });
  if (length > LENGTH_BYTES + STARTUP_BYTES_MAX) {
    throw new ProtocolViolation('over-limit', { message: MESSAGE, length, limit: STARTUP_BYTES_MAX });
  }
  return length;
}

/**
 * TLS towards servers. `openServerSocket` connects, asks for TLS if that is wanted (SSLRequest), and gives the socket to
 * speak PostgreSQL's protocol on. Without TLS that is the socket as it was connected, with its shared read buffer.
 * Manual: "SSL Session Encryption"; libpq's `sslmode`.
 */
import { connect as connectTcp, type OnReadOpts, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import { isIP } from 'node:net';
import { endPointBinding } from '../auth/index.ts';
import { type Address, describe } from '../base/index.ts';
import { type ScramBinding, SSLRequest } from '../wire/index.ts';
import type { KeepAlive } from './keep-alive.ts';

/** What the configuration says, made once: contexts are costly. */
export interface ServerTls {
  readonly mode: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
  readonly context: SecureContext | undefined;
}

/** None at all. */
export const NO_TLS: ServerTls = { mode: 'disable', context: undefined };

export interface ServerSocketOptions {
  readonly address: Address;
  readonly tls: ServerTls;
  /** Where to read bytes that are not encrypted, once the socket is ready. */
  readonly onread?: OnReadOpts | undefined;
  readonly keepAlive?: KeepAlive | undefined;
}

export interface ServerSocketEvents {
  /** Connected, and encrypted if it is to be. */
  readonly ready: (socket: Socket, binding: ScramBinding) => void;
  /** Before `ready` only, once. */
  readonly failed: (because: string) => void;
}

const YES = 'S'.charCodeAt(0);
const NO = 'N'.charCodeAt(0);

/** Gives the socket at once, to be destroyed if nobody waits any more. Errors after `ready` are the receiver's. */
export function openServerSocket(options: ServerSocketOptions, events: ServerSocketEvents): Socket {
  const { tls, address, onread } = options;
  const isAsking = tls.mode !== 'disable';
  let isAsked = false;
  let isSettled = false;
  const fail = (because: string): void => {
    if (isSettled) return;
    isSettled = true;
    socket.destroy();
    events.failed(because);
  };
  const settle = (ready: Socket, binding: ScramBinding): void => {
    if (isSettled) return;
    isSettled = true;
    socket.off('error', failed);
    socket.off('close', closed);
    events.ready(ready, binding);
  };
  const answered = (chunk: Buffer): void => {
    isAsked = false;
    // Bytes behind the answer came in the clear, from anybody: they would be read as if they had been encrypted.
    if (chunk.length !== 1) fail('the server sent bytes ahead of the TLS handshake');
    else if (chunk[0] === YES) secure(socket, options, { fail, settle });
    else if (chunk[0] !== NO) fail('the server does not understand SSLRequest');
    else if (tls.mode === 'allow' || tls.mode === 'prefer') settle(socket, 'none');
    else fail('the server does not speak TLS, but server_tls_sslmode asks for it');
  };
  const socket = connectTcp({
    host: address.host,
    port: address.port,
    noDelay: true,
    keepAlive: true,
    ...options.keepAlive,
    ...(onread && { onread: isAsking ? firstTo(onread, () => (isAsked ? answered : undefined)) : onread }),
  });
  const failed = (cause: Error): void => fail(describe(cause));
  const closed = (): void => fail('the server closed the connection');
  socket.once('error', failed);
  socket.once('close', closed);
  socket.once('connect', () => {
    if (!isAsking) {
      settle(socket, 'none');
      return;
    }
    isAsked = true;
    if (onread === undefined) socket.once('data', (chunk) => answered(chunk));
    socket.write(SSLRequest());
  });
  return socket;
}

/** Reads as `onread` says, but what somebody else waits for. */
function firstTo(onread: OnReadOpts, waiting: () => ((chunk: Buffer) => void) | undefined): OnReadOpts {
  return {
    buffer: onread.buffer,
    callback: (bytes, buffer) => {
      const who = waiting();
      if (who === undefined) return onread.callback(bytes, buffer);
      who(Buffer.from(Buffer.from(buffer.buffer, buffer.byteOffset, bytes)));
      return true;
    },
  };
}

interface Outcome {
  readonly fail: (because: string) => void;
  readonly settle: (ready: Socket, binding: ScramBinding) => void;
}

function secure(socket: Socket, { address, tls }: ServerSocketOptions, { fail, settle }: Outcome): void {
  const { mode, context } = tls;
  const isFull = mode === 'verify-full';
  const encrypted = connectTls({
    socket,
    ...(context && { secureContext: context }),
    ...(isIP(address.host) === 0 && { servername: address.host }),
    ALPNProtocols: ['postgresql'],
    rejectUnauthorized: isFull || mode === 'verify-ca',
    checkServerIdentity: (_, certificate) =>
      isFull ? checkServerIdentity(address.host, certificate) : undefined,
  });
  const failed = (cause: Error): void => fail(`TLS: ${describe(cause)}`);
  const closed = (): void => fail('the server closed the connection');
  encrypted.once('error', failed);
  encrypted.once('close', closed);
  encrypted.once('secureConnect', () => {
    encrypted.off('error', failed);
    encrypted.off('close', closed);
    settle(encrypted, bindingOf(encrypted));
  });
}

function bindingOf(socket: TLSSocket): ScramBinding {
  const certificate = socket.getPeerX509Certificate();
  const endPoint = certificate === undefined ? undefined : endPointBinding(certificate.raw);
  return endPoint === undefined ? 'none' : { endPoint };
}

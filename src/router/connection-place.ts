/** Where a connection comes from and goes to, as the admin console and logs show it. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

export interface ConnectionPlace {
  /** `unix` for a Unix socket. */
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Such as `TLSv1.3/TLS_AES_256_GCM_SHA384`; empty without TLS. */
  readonly tls: string;
  /** Of the server's process; 0 for a client. */
  readonly processId: number;
}

export function placeOf(socket: Socket, processId = 0): ConnectionPlace {
  const { remoteAddress = 'unix', remotePort = 0, localAddress = 'unix', localPort = 0 } = socket;
  const tls = socket instanceof TLSSocket ? `${socket.getProtocol() ?? ''}/${socket.getCipher().name}` : '';
  return { address: remoteAddress, port: remotePort, localAddress, localPort, tls, processId };
}

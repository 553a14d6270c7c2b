/**
 * TLS towards clients: one `tls.Server` of Node that listens nowhere and is given sockets to encrypt. Changed certificates
 * mean another one of these; whom the old one has encrypted stays. Node tells only the new socket, so whose it is is found
 * by its addresses, of which no two living connections have the same.
 */
import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { endPointBinding } from '../auth/index.ts';
import { describe } from '../base/index.ts';
import type { RouterConfig } from '../config/index.ts';

export interface ClientTlsOptions {
  readonly mode: RouterConfig['client_tls_sslmode'];
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
  readonly protocols: RouterConfig['client_tls_protocols'];
  readonly ciphers: string | undefined;
}

/** The client's side of an encrypted connection. */
export interface TlsPeer {
  readonly socket: TLSSocket;
  /** Common names of a certificate that client_tls_ca_file stands for; undefined: none was shown, or another's. */
  readonly names: readonly string[] | undefined;
  /** It showed a certificate that nobody stands for. */
  readonly isForged: boolean;
  /** What both sides agreed to speak inside; undefined: the client did not say. */
  readonly alpn: string | undefined;
}

export interface TlsEvents {
  readonly secured: (peer: TlsPeer) => void;
  readonly failed: (because: string) => void;
}

/**
 * As a PostgreSQL server sends them. libpq reads with room for so much; of a longer record it leaves a part to OpenSSL, and a
 * driver that waits for the socket by itself (psycopg 3, ruby-pg) then waits for ever.
 */
const RECORD_BYTES_MAX = 8192;

export class ClientTls {
  readonly mode: ClientTlsOptions['mode'];
  /** tls-server-end-point of our certificate, if it has one. */
  readonly binding: Buffer | undefined;
  readonly #server: Server;
  readonly #waiting = new Map<string, TlsEvents>();
  readonly #asksForCertificates: boolean;

  /** Throws what Node throws of certificates and keys that do not fit. */
  constructor({ mode, cert, key, ca, protocols, ciphers }: ClientTlsOptions) {
    this.mode = mode;
    this.binding = endPointBinding(new X509Certificate(cert).raw);
    this.#asksForCertificates = ca !== undefined;
    this.#server = createServer({
      cert,
      key,
      ...(ca && { ca }),
      ...(ciphers !== undefined && { ciphers }),
      minVersion: protocols === 'tlsv1.3' ? 'TLSv1.3' : 'TLSv1.2',
      maxVersion: protocols === 'tlsv1.2' ? 'TLSv1.2' : 'TLSv1.3',
      requestCert: this.#asksForCertificates,
      // Judged when it is known what the client wants: it is told inside the protocol then.
      rejectUnauthorized: false,
      ALPNProtocols: ['postgresql'],
    });
    this.#server.on('secureConnection', (socket) => this.#secured(socket));
    this.#server.on('tlsClientError', (cause, socket) => this.#take(socket)?.failed(describe(cause)));
  }

  get isRequired(): boolean {
    return this.mode !== 'allow' && this.mode !== 'prefer';
  }

  get isCertificateRequired(): boolean {
    return this.mode === 'verify-ca' || this.mode === 'verify-full';
  }

  /** The socket is Node's from here on; bytes of the handshake that were read already are put back before. */
  upgrade(socket: Socket, events: TlsEvents): void {
    const key = keyOf(socket);
    if (key === undefined) {
      events.failed('the client is gone');
      return;
    }
    this.#waiting.set(key, events);
    socket.once('close', () => {
      if (this.#waiting.get(key) === events) this.#waiting.delete(key);
    });
    this.#server.emit('connection', socket);
  }

  #secured(socket: TLSSocket): void {
    const events = this.#take(socket);
    if (events === undefined) {
      socket.destroy();
      return;
    }
    socket.setMaxSendFragment(RECORD_BYTES_MAX);
    const { raw, subject } = socket.getPeerCertificate();
    const isShown = this.#asksForCertificates && Buffer.isBuffer(raw);
    const isTrusted = isShown && socket.authorized;
    events.secured({
      socket,
      names: isTrusted ? [subject.CN ?? []].flat() : undefined,
      isForged: isShown && !isTrusted,
      alpn: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined,
    });
  }

  #take(socket: Socket): TlsEvents | undefined {
    const key = keyOf(socket);
    if (key === undefined) return undefined;
    const events = this.#waiting.get(key);
    this.#waiting.delete(key);
    return events;
  }
}

/** Undefined of a socket that is closed. */
function keyOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string | undefined {
  if (remotePort === undefined) return undefined;
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

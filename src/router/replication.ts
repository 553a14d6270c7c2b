/**
 * A client that replicates (`replication` in its start-up packet: pg_basebackup, pg_receivewal, pg_recvlogical): it gets a
 * connection to the primary for itself, and from its login on the bytes go through unread, since walsenders speak a
 * protocol of their own inside of PostgreSQL's. Nothing is routed, pooled or run again: when either side ends, both do.
 */
import type { Socket } from 'node:net';
import { failure } from '../base/index.ts';
import {
  BackendKeyData,
  type ErrorFields,
  ErrorResponse,
  ParameterStatus,
  ReadyForQuery,
} from '../wire/index.ts';
import type { Admitted } from './admission.ts';
import { cancelAt } from './cancel.ts';
import { type ConnectionPlace, placeOf } from './connection-place.ts';
import type { Identity } from './identity.ts';
import type { Login } from './login.ts';
import { poolSettings } from './pool-settings.ts';
import { REPLY } from './replies.ts';
import { Scratch } from './scratch.ts';
import type { OpenFailure } from './session-types.ts';
import type { Shared } from './shared.ts';
import { READ_BUFFER_BYTES, Upstream } from './upstream.ts';

/** With so much unsent the server is not read from. */
const CLOGGED_BYTES = 256 * 1024;

export class ReplicationConnection {
  readonly processId: number;
  readonly secretKey: Buffer;
  readonly #shared: Shared;
  readonly #socket: Socket;
  readonly #login: Login;
  /** On the clock of the process. */
  readonly connectedAt: number;
  #upstream: Upstream | undefined = undefined;
  /** The member it was connected to. */
  #member: string | undefined = undefined;
  #isClosed = false;

  constructor(shared: Shared, { socket, login }: Admitted, { processId, secretKey }: Identity) {
    this.#shared = shared;
    this.#socket = socket;
    this.#login = login;
    this.processId = processId;
    this.secretKey = secretKey;
    this.connectedAt = shared.clock.now();
    socket.on('error', (cause) => shared.log.debug('client-connection-failed', failure(cause)));
    socket.on('close', () => this.#close());
  }

  get startUp(): { readonly user: string; readonly database: string; readonly applicationName: string } {
    const { user, database, parameters } = this.#login;
    return { user, database, applicationName: parameters.get('application_name') ?? '' };
  }

  /** With a database it may decode; without one it gets files and WAL. */
  get kind(): 'logical' | 'physical' {
    return this.#login.parameters.get('replication')?.toLowerCase() === 'database' ? 'logical' : 'physical';
  }

  get peer(): ConnectionPlace {
    return placeOf(this.#socket);
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** Its server connection, once that is open. */
  get server(): { readonly member: string; readonly place: ConnectionPlace } | undefined {
    if (this.#member === undefined || this.#upstream === undefined) return undefined;
    return { member: this.#member, place: this.#upstream.place };
  }

  /** Connects to the primary; `rest` is what the client has sent already. */
  start(rest: readonly Buffer[]): void {
    const { world, clock, config, log } = this.#shared;
    const primary = world.primary(clock.now());
    const address = primary.kind === 'primary' ? world.candidate(primary.member) : undefined;
    if (primary.kind === 'none' || address === undefined) {
      this.refuse(REPLY.noServer(primary.kind === 'none' ? primary.because : 'primary-unreachable', 0));
      return;
    }
    const { user, database, parameters, credential } = this.#login;
    const { serverDatabase } = poolSettings(config, database, user);
    const upstream = new Upstream(
      {
        address,
        parameters: [...parameters].map(([name, value]) => [
          name,
          name === 'database' ? serverDatabase : value,
        ]),
        credential,
        tls: this.#shared.access.now.serverTls,
        connectTimeoutMs: config.server_connect_timeout,
        // Its bytes are read at the pace of one client, so the buffer is its own.
        readBuffer: new Scratch(READ_BUFFER_BYTES),
      },
      {
        opened: ({ parameters: told }) => {
          this.#member = primary.member;
          this.#opened(upstream, told, rest);
        },
        failed: (reason) => this.#failed(reason),
        received: (chunk) => {
          this.#socket.write(Buffer.from(chunk));
          if (this.#socket.writableLength > CLOGGED_BYTES) upstream.pauseReading(true);
        },
        lost: () => this.destroy(),
        drained: () => void this.#socket.resume(),
      },
    );
    this.#upstream = upstream;
    log.info('replication-begins', { client: this.processId, user, member: primary.member });
  }

  cancel(ended: () => void): void {
    if (this.#upstream !== undefined) cancelAt(this.#upstream, ended);
    else ended();
  }

  /** The same as `refuse`, and its server does not go on working for nobody. */
  dismiss(fields: ErrorFields): void {
    this.cancel(() => undefined);
    this.refuse(fields);
  }

  /** Says why, and closes. What streams has no place where it could be said: that just ends. */
  refuse(fields: ErrorFields): void {
    if (this.#isClosed) return;
    this.#shared.counters.error(fields.code);
    if (this.#member === undefined) this.#socket.end(ErrorResponse(fields));
    else this.#socket.destroySoon();
    this.#close();
  }

  destroy(): void {
    this.#socket.destroySoon();
    this.#close();
  }

  #opened(upstream: Upstream, told: ReadonlyMap<string, string>, rest: readonly Buffer[]): void {
    for (const [name, value] of told) this.#socket.write(ParameterStatus(name, value));
    this.#socket.write(BackendKeyData(this.processId, this.secretKey));
    this.#socket.write(ReadyForQuery('I'));
    this.#socket.on('drain', () => upstream.pauseReading(false));
    this.#socket.on('data', (chunk) => this.#send(upstream, chunk));
    for (const bytes of rest) this.#send(upstream, bytes);
  }

  #send(upstream: Upstream, bytes: Buffer): void {
    upstream.write(bytes);
    upstream.flush();
    if (upstream.isClogged) this.#socket.pause();
  }

  #failed(reason: OpenFailure): void {
    if (reason.kind === 'refused') this.refuse({ ...reason.fields, severity: 'FATAL' });
    else this.refuse(REPLY.noServer('primary-unreachable', 0));
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#upstream?.close();
    this.#shared.forget(this);
  }
}

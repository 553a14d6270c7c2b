/**
 * Who is connected: accepts clients, finds the one that a cancel is for, and lets all of them go at the end.
 * What a connection does is its own affair (client.ts).
 */
import { randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { isAdminDatabase } from '../admin/index.ts';
import { type Address, type Clock, failure, listenOn, pause } from '../base/index.ts';
import { type CancelTarget, type ErrorFields, ErrorResponse } from '../wire/index.ts';
import { AdminConnection } from './admin-client.ts';
import { type Accepted, Admission, type Admitted } from './admission.ts';
import { ClientConnection } from './client.ts';
import type { Identity } from './identity.ts';
import { keepAliveOf } from './keep-alive.ts';
import type { Login } from './login.ts';
import { poolSettings } from './pool-settings.ts';
import { ReplicationConnection } from './replication.ts';
import { REPLY } from './replies.ts';
import type { Shared } from './shared.ts';
import { listenUnix, type UnixSocketPlace } from './unix-socket.ts';
import { replicationOf } from './walsender.ts';

/** A socket that is listened on. `close` resolves when the last connection by it is gone. */
export interface Listening {
  readonly server: Server;
  readonly close: () => Promise<void>;
}

export interface ListenerOptions {
  readonly clientsMax: () => number;
  readonly clock: Clock;
}

/** How long running statements get at the end. */
const STOP_GRACE_MS = 3000;
const STOP_LOOK_EVERY_MS = 25;
/** Connections above the limit that are heard as far as their first packet: cancels and refusals need a place too. */
const SPARE_CLIENTS = 100;
/** Places that clients of the admin console have of their own: they are wanted most when all others are taken. */
const ADMIN_PLACES = 10;
/** Cancel keys: protocol 3.2 has longer ones. */
const LONG_KEYS_SINCE_MINOR = 2;
const LONG_KEY_BYTES = 32;
const SHORT_KEY_BYTES = 4;
const LISTEN_BACKLOG = 1024;

export class Listener {
  readonly #options: ListenerOptions;
  /** Strangers, until they are clients. */
  readonly #admissions = new Set<Admission>();
  readonly #clients = new Map<number, ClientConnection>();
  readonly #replications = new Map<number, ReplicationConnection>();
  readonly #admins = new Map<number, AdminConnection>();
  readonly #disabled = new Set<string>();
  readonly #closings: (() => void)[] = [];

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  get clients(): Iterable<ClientConnection> {
    return this.#clients.values();
  }

  get replications(): Iterable<ReplicationConnection> {
    return this.#replications.values();
  }

  /** Connections, authenticated or not. */
  get size(): number {
    return this.#clients.size + this.#replications.size + this.#admins.size + this.#admissions.size;
  }

  /** Connections that are not authenticated yet. */
  get admissions(): number {
    return this.#admissions.size;
  }

  /** There are more clients than may be served, for one more of the database, which is counted already. */
  isFull(database: string): boolean {
    if (isAdminDatabase(database) && this.#admins.size < ADMIN_PLACES) return false;
    const max = this.#options.clientsMax();
    return this.size > max && this.#placesTaken > max;
  }

  /** All connections but those at places of the console's own. */
  get #placesTaken(): number {
    let admins = this.#admins.size;
    for (const { database } of this.#admissions) if (isAdminDatabase(database)) admins += 1;
    return this.size - Math.min(admins, ADMIN_PLACES);
  }

  /** Authenticated clients, the console's and those that replicate left out. */
  get clientCount(): number {
    return this.#clients.size;
  }

  /** Databases that take no new clients. */
  get disabled(): ReadonlySet<string> {
    return this.#disabled;
  }

  /** New clients of the database are refused, or served again. */
  disable(database: string, isDisabled: boolean): void {
    if (isDisabled) this.#disabled.add(database);
    else this.#disabled.delete(database);
  }

  /** Tells those clients why, and disconnects them. */
  endClients(
    fields: ErrorFields,
    isMeant: (client: ClientConnection | ReplicationConnection) => boolean,
  ): void {
    for (const client of [...this.#clients.values(), ...this.#replications.values()]) {
      if (isMeant(client)) client.dismiss(fields);
    }
  }

  /** No client is read from, or all are again. */
  suspend(isSuspended: boolean): void {
    for (const client of this.#clients.values()) client.suspend(isSuspended);
  }

  /** Accepts nobody any more. */
  close(): void {
    for (const close of this.#closings) close();
  }

  /** Disconnects clients that are past their limits. */
  checkTimes(now: number): void {
    for (const client of Array.from(this.#clients.values())) client.checkTimes(now);
  }

  /** Accepts clients from here on, at a socket of its own or an inherited one. */
  async listen(address: Address, shared: Shared, inherited?: Server): Promise<Listening> {
    const server = createServer({ noDelay: true, ...keepAliveOf(shared.config) }, (socket) =>
      this.#accept(shared, { socket, isLocal: false }),
    );
    await listenOn(server, { address, what: 'The router', inherited, backlog: LISTEN_BACKLOG });
    this.#closings.push(() => void server.close());
    return { server, close: async () => await closed(server) };
  }

  /** The same, on a Unix socket. */
  async listenLocal(place: UnixSocketPlace, shared: Shared): Promise<() => Promise<void>> {
    const server = createServer((socket) => this.#accept(shared, { socket, isLocal: true }));
    const unlock = await listenUnix(server, place);
    this.#closings.push(() => void server.close());
    return async () => {
      const over = closed(server);
      unlock();
      await over;
    };
  }

  forget({ processId }: Identity): void {
    this.#clients.delete(processId);
    this.#replications.delete(processId);
    this.#admins.delete(processId);
  }

  /**
   * A cancel is one-way: whoever sends it gets no answer, so nobody learns which keys exist. False: it is for nobody here.
   * Otherwise `ended` is called when it can hit nothing any more.
   */
  passOnCancel(target: CancelTarget, ended: () => void): boolean {
    const { processId } = target;
    const client =
      this.#clients.get(processId) ?? this.#replications.get(processId) ?? this.#admins.get(processId);
    if (client === undefined || client.secretKey.length !== target.secretKey.length) return false;
    if (!timingSafeEqual(client.secretKey, target.secretKey)) return false;
    client.cancel(ended);
    return true;
  }

  /** Lets everybody go: who is at work gets a while to finish. */
  async drain(): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.now() + STOP_GRACE_MS;
    for (const admission of Array.from(this.#admissions)) admission.refuse(REPLY.shutdown());
    for (const replication of Array.from(this.#replications.values())) replication.destroy();
    this.dismissAdmins();
    while (this.#clients.size > 0 && clock.now() < deadline) {
      for (const client of Array.from(this.#clients.values()))
        if (client.state !== 'active') client.refuse(REPLY.shutdown());
      if (this.#clients.size > 0) await pause(STOP_LOOK_EVERY_MS);
    }
    for (const client of Array.from(this.#clients.values())) client.refuse(REPLY.shutdown());
  }

  /** Lets the administrators go: they are meant to talk to the router that listens now. */
  dismissAdmins(): void {
    for (const admin of Array.from(this.#admins.values())) admin.refuse(REPLY.shutdown());
  }

  /** Ends everybody at once, without a word. */
  destroy(): void {
    for (const admission of Array.from(this.#admissions)) admission.destroy();
    for (const replication of Array.from(this.#replications.values())) replication.destroy();
    for (const admin of Array.from(this.#admins.values())) admin.destroy();
    for (const client of Array.from(this.#clients.values())) client.destroy();
  }

  #accept(shared: Shared, accepted: Accepted): void {
    const clientsMax = this.#options.clientsMax();
    const admission = new Admission(shared, accepted, {
      admitted: (admitted) => {
        const tooMany = this.#tooMany(shared, admitted.login);
        if (tooMany !== undefined) {
          dismiss(shared, admitted.socket, tooMany);
          return;
        }
        this.#begin(shared, admitted);
      },
      ended: (ended) => void this.#admissions.delete(ended),
    });
    // Beyond these nobody is even listened to.
    if (this.size >= clientsMax + SPARE_CLIENTS) admission.refuse(REPLY.tooManyClients(clientsMax));
    else this.#admissions.add(admission);
  }

  #begin(shared: Shared, admitted: Admitted): void {
    const identity = this.#newIdentity(admitted.login);
    if (isAdminDatabase(admitted.login.database)) {
      const admin = new AdminConnection(shared.admin(), admitted, identity);
      this.#admins.set(identity.processId, admin);
      admin.start(admitted.rest);
      return;
    }
    if (replicationOf(admitted.login.parameters.get('replication')) !== 'none') {
      const replication = new ReplicationConnection(shared, admitted, identity);
      this.#replications.set(identity.processId, replication);
      replication.start(admitted.rest);
      return;
    }
    const client = new ClientConnection(shared, admitted, identity);
    this.#clients.set(identity.processId, client);
    client.start(admitted.rest);
  }

  /** What a client is told of whose database or role there are as many as may be. */
  #tooMany({ config }: Shared, { database, user }: Login): ErrorFields | undefined {
    if (isAdminDatabase(database)) {
      // Others have come in meanwhile.
      const isFull = this.#admins.size >= ADMIN_PLACES && this.#placesTaken >= config.max_client_conn;
      return isFull ? REPLY.tooManyClients(config.max_client_conn) : undefined;
    }
    if (this.#disabled.has(database)) return REPLY.disabled(database);
    const { databaseClientsMax, userClientsMax } = poolSettings(config, database, user);
    if (databaseClientsMax === 0 && userClientsMax === 0) return undefined;
    let [ofDatabase, ofUser] = [0, 0];
    for (const { startUp } of this.#clients.values()) {
      if (startUp.database === database) ofDatabase += 1;
      if (startUp.user === user) ofUser += 1;
    }
    if (databaseClientsMax > 0 && ofDatabase >= databaseClientsMax) {
      return REPLY.tooManyFor('database', database, databaseClientsMax);
    }
    if (userClientsMax > 0 && ofUser >= userClientsMax) return REPLY.tooManyFor('role', user, userClientsMax);
    return undefined;
  }

  #isTaken(processId: number): boolean {
    return this.#clients.has(processId) || this.#replications.has(processId) || this.#admins.has(processId);
  }

  /** A process id that no client has, and a key that nobody can guess. */
  #newIdentity({ minor }: Login): Identity {
    let processId = randomInt(1, 2 ** 31 - 1);
    while (this.#isTaken(processId)) processId = randomInt(1, 2 ** 31 - 1);
    const keyBytes = minor >= LONG_KEYS_SINCE_MINOR ? LONG_KEY_BYTES : SHORT_KEY_BYTES;
    return { processId, secretKey: randomBytes(keyBytes) };
  }
}

/** The last word to whom nobody listens any more: it may be gone already, which must not end the router. */
function dismiss({ counters, log }: Shared, socket: Socket, fields: ErrorFields): void {
  socket.on('error', (cause) => log.debug('client-connection-failed', failure(cause)));
  socket.end(ErrorResponse(fields));
  socket.destroySoon();
  counters.error(fields.code);
}

/** Not an error if the console has closed it already. */
async function closed(server: Server): Promise<void> {
  if (!server.listening) return;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
}

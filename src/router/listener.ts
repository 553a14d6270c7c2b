/**
 * Who is connected: accepts clients, finds the one that a cancel is for, and lets all of them go at the end.
 * What a connection does is its own affair (client.ts).
 */
import { randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { type Address, type Clock, listenError, pause } from '../base/index.ts';
import { type CancelTarget, type ErrorFields, ErrorResponse } from '../wire/index.ts';
import { Admission, type Admitted } from './admission.ts';
import { ClientConnection } from './client.ts';
import type { Identity } from './identity.ts';
import { keepAliveOf } from './keep-alive.ts';
import type { Login } from './login.ts';
import { poolSettings } from './pool-settings.ts';
import { REPLY } from './replies.ts';
import { isReplication, ReplicationConnection } from './replication.ts';
import type { Shared } from './shared.ts';

export interface ListenerOptions {
  readonly clientsMax: () => number;
  readonly clock: Clock;
}

/** How long running statements get at the end. */
const STOP_GRACE_MS = 3000;
const STOP_LOOK_EVERY_MS = 25;
/** Connections above the limit that are heard as far as their first packet: cancels and refusals need a place too. */
const SPARE_CLIENTS = 100;
const LISTEN_BACKLOG = 1024;

export class Listener {
  readonly #options: ListenerOptions;
  /** Strangers, until they are clients. */
  readonly #admissions = new Set<Admission>();
  readonly #clients = new Map<number, ClientConnection>();
  readonly #replications = new Map<number, ReplicationConnection>();

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  get clients(): Iterable<ClientConnection> {
    return this.#clients.values();
  }

  /** Connections, authenticated or not. */
  get size(): number {
    return this.#clients.size + this.#replications.size + this.#admissions.size;
  }

  /** Connections that are not authenticated yet. */
  get admissions(): number {
    return this.#admissions.size;
  }

  /** There are more clients than may be served. */
  get isFull(): boolean {
    return this.size > this.#options.clientsMax();
  }

  /** Disconnects clients that are past their limits. */
  checkTimes(now: number): void {
    for (const client of Array.from(this.#clients.values())) client.checkTimes(now);
  }

  /** Accepts clients from here on; gives the function that stops it and resolves when the last of them is gone. */
  async listen(address: Address, shared: Shared): Promise<() => Promise<void>> {
    const server = createServer({ noDelay: true, ...keepAliveOf(shared.config) }, (socket) =>
      this.#accept(shared, socket),
    );
    await new Promise<void>((resolve, reject) => {
      const failed = (cause: Error): void => reject(listenError(cause, address, 'The router'));
      server.once('error', failed);
      server.listen({ ...address, backlog: LISTEN_BACKLOG }, () => {
        server.removeListener('error', failed);
        resolve();
      });
    });
    return async () =>
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
  }

  forget({ processId }: Identity): void {
    this.#clients.delete(processId);
    this.#replications.delete(processId);
  }

  /** A cancel is one-way: whoever sends it gets no answer, so nobody learns which keys exist. */
  passOnCancel(target: CancelTarget): void {
    const client = this.#clients.get(target.processId) ?? this.#replications.get(target.processId);
    if (client === undefined || client.secretKey.length !== target.secretKey.length) return;
    if (!timingSafeEqual(client.secretKey, target.secretKey)) return;
    client.cancel();
  }

  /** Lets everybody go: who is at work gets a while to finish. */
  async drain(): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.now() + STOP_GRACE_MS;
    for (const admission of Array.from(this.#admissions)) admission.refuse(REPLY.shutdown());
    for (const replication of Array.from(this.#replications.values())) replication.destroy();
    while (this.#clients.size > 0 && clock.now() < deadline) {
      for (const client of Array.from(this.#clients.values()))
        if (client.state !== 'active') client.refuse(REPLY.shutdown());
      if (this.#clients.size > 0) await pause(STOP_LOOK_EVERY_MS);
    }
    for (const client of Array.from(this.#clients.values())) client.refuse(REPLY.shutdown());
  }

  /** Ends everybody at once, without a word. */
  destroy(): void {
    for (const admission of Array.from(this.#admissions)) admission.destroy();
    for (const replication of Array.from(this.#replications.values())) replication.destroy();
    for (const client of Array.from(this.#clients.values())) client.destroy();
  }

  #accept(shared: Shared, socket: Socket): void {
    const clientsMax = this.#options.clientsMax();
    const admission = new Admission(shared, socket, {
      admitted: (admitted) => {
        const tooMany = this.#tooMany(shared, admitted.login);
        if (tooMany !== undefined) {
          admitted.socket.end(ErrorResponse(tooMany));
          shared.counters.error(tooMany.code);
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
    const identity = this.#newIdentity();
    if (isReplication(admitted.login)) {
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

  /** A process id that no client has, and a key that nobody can guess. */
  #newIdentity(): Identity {
    let processId = randomInt(1, 2 ** 31 - 1);
    while (this.#clients.has(processId) || this.#replications.has(processId))
      processId = randomInt(1, 2 ** 31 - 1);
    return { processId, secretKey: randomBytes(4) };
  }
}

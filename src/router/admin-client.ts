/**
 * A client of the admin console: its socket, and its session of `admin`, which decides everything. What the session
 * asks to know and to have done is the router's; nothing here goes to a server.
 */
import type { Socket } from 'node:net';
import {
  type AdminActions,
  type AdminFacts,
  type AdminOrder,
  AdminSession,
  adminAccess,
  type OrderOutcome,
  type RouteFacts,
  type RouteQuestion,
} from '../admin/index.ts';
import { failure, type Log } from '../base/index.ts';
import { type ErrorFields, ErrorResponse, ProtocolViolation } from '../wire/index.ts';
import type { Admitted } from './admission.ts';
import type { Identity } from './identity.ts';
import { Outbox } from './outbox.ts';
import { REPLY } from './replies.ts';

export interface AdminShared {
  /** Asked at the login. */
  readonly config: { readonly admin_users: readonly string[]; readonly stats_users: readonly string[] };
  readonly log: Log;
  readonly facts: () => AdminFacts;
  readonly routeOf: (question: RouteQuestion) => RouteFacts;
  readonly actions: AdminActions;
  /** The router says an error of its own to a client. */
  readonly countError: (sqlstate: string) => void;
  readonly forget: (client: Identity) => void;
}

export class AdminConnection {
  readonly processId: number;
  readonly secretKey: Buffer;
  readonly #shared: AdminShared;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #session: AdminSession | undefined;
  #isClosed = false;

  constructor(shared: AdminShared, { socket, login }: Admitted, { processId, secretKey }: Identity) {
    this.#shared = shared;
    this.#socket = socket;
    this.#outbox = new Outbox(socket);
    this.processId = processId;
    this.secretKey = secretKey;
    const access = adminAccess(login.user, shared.config);
    if (access !== undefined) {
      this.#session = new AdminSession({
        user: login.user,
        access,
        applicationName: login.parameters.get('application_name') ?? '',
        processId,
        secretKey,
        facts: shared.facts,
        routeOf: shared.routeOf,
        actions: { perform: (order, done) => this.#perform(order, done) },
        send: (bytes) => this.#outbox.add(bytes),
        backlog: (isFull) => void (isFull ? socket.pause() : socket.resume()),
        end: () => this.#end(),
      });
    }
    socket.on('error', (cause) => shared.log.debug('client-connection-failed', failure(cause)));
    socket.on('close', () => this.#close());
    shared.log.info('admin-connected', { user: login.user, access: access ?? 'none' });
  }

  /** Welcomes or refuses; `rest` is what the client has sent already. */
  start(rest: readonly Buffer[]): void {
    const session = this.#session;
    if (session === undefined) {
      this.refuse(REPLY.notAdmin());
      return;
    }
    session.start();
    this.#outbox.flush();
    this.#socket.on('data', (chunk) => this.#received(session, chunk));
    for (const bytes of rest) this.#received(session, bytes);
  }

  /** Another connection asks to cancel what this one waits for. */
  cancel(ended: () => void): void {
    this.#session?.cancel();
    this.#outbox.flush();
    ended();
  }

  /** Says why, and closes. */
  refuse(fields: ErrorFields): void {
    if (this.#isClosed) return;
    this.#shared.countError(fields.code);
    this.#outbox.add(ErrorResponse(fields));
    this.#end();
  }

  destroy(): void {
    this.#socket.destroySoon();
    this.#close();
  }

  #received(session: AdminSession, chunk: Buffer): void {
    if (this.#isClosed) return;
    try {
      session.receive(chunk);
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause;
      this.refuse(REPLY.protocolViolation(cause.message));
    }
    this.#outbox.flush();
  }

  /** What is done later is said then. */
  #perform(order: AdminOrder, done: (outcome: OrderOutcome) => void): void {
    const { log, actions } = this.#shared;
    log.info('admin-order', { client: this.processId, ...order });
    actions.perform(order, (outcome) => {
      done(outcome);
      if (!this.#isClosed) this.#outbox.flush();
    });
  }

  #end(): void {
    this.#outbox.flush();
    this.#socket.end();
    this.#socket.destroySoon();
    this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#session?.closed();
    this.#shared.forget(this);
  }
}

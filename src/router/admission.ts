/**
 * A connection that is not authenticated yet: its socket, its login, the look-up of its verifier, its time limit. It
 * ends as a client (`admitted`), as a cancel that is passed on, or closed. What a client does then is client.ts.
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { background, failure, pause, unreachable } from '../base/index.ts';
import { type ErrorFields, ErrorResponse, ProtocolViolation, type Verifier } from '../wire/index.ts';
import { ClientLogin, type Login, type LoginStep } from './login.ts';
import { Outbox } from './outbox.ts';
import { REPLY } from './replies.ts';
import type { Shared } from './shared.ts';

/** Who has been let in. */
export interface Admitted {
  readonly socket: Socket;
  readonly login: Login;
  /** What the client has sent behind its proof. */
  readonly rest: readonly Buffer[];
}

export interface AdmissionEvents {
  /** The socket is the receiver's from here on. */
  readonly admitted: (client: Admitted) => void;
  /** It is closed, or admitted: it need not be remembered any more. */
  readonly ended: (admission: Admission) => void;
}

const NONCE_BYTES = 18;
const LOOKUP_RETRY_MS = 200;

export class Admission {
  readonly #shared: Shared;
  readonly #socket: Socket;
  readonly #events: AdmissionEvents;
  readonly #outbox: Outbox;
  readonly #login: ClientLogin;
  readonly #timer: NodeJS.Timeout;
  #lookedUpUser: string | undefined = undefined;
  #isOver = false;

  constructor(shared: Shared, socket: Socket, events: AdmissionEvents) {
    this.#shared = shared;
    this.#socket = socket;
    this.#events = events;
    this.#outbox = new Outbox(socket);
    this.#login = new ClientLogin({
      serverNonce: randomBytes(NONCE_BYTES).toString('base64'),
      mockSecret: shared.mockSecret,
      reply: (bytes) => this.#outbox.add(bytes),
    });
    this.#timer = setTimeout(() => this.refuse(REPLY.loginTimeout()), shared.config.client_login_timeout);
    socket.on('data', this.#received);
    socket.on('error', this.#failed);
    socket.on('close', this.#closed);
  }

  /** Says why, and closes. */
  refuse(fields: ErrorFields): void {
    if (this.#isOver) return;
    this.#shared.counters.error(fields.code);
    this.#outbox.add(ErrorResponse(fields));
    this.#end('refused');
  }

  destroy(): void {
    this.#socket.destroy();
    this.#closed();
  }

  readonly #received = (chunk: Buffer): void => {
    if (this.#isOver) return;
    try {
      this.#step(this.#login.receive(chunk));
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause;
      this.refuse(REPLY.protocolViolation(cause.message));
    }
    if (!this.#isOver) this.#outbox.flush();
  };

  readonly #failed = (cause: Error): void => {
    this.#shared.log.debug('client-connection-failed', failure(cause));
  };

  readonly #closed = (): void => {
    if (this.#isOver) return;
    this.#shared.counters.login('gone');
    this.#over();
  };

  #step(step: LoginStep): void {
    const { counters, verifiers } = this.#shared;
    switch (step.kind) {
      case 'wait':
        return;
      case 'cancel':
        this.#shared.passOnCancel(step.target);
        this.#end('gone');
        return;
      case 'lookup':
        if (this.#shared.isFull()) this.refuse(REPLY.tooManyClients(this.#shared.config.max_client_conn));
        else background(this.#shared.log, 'verifier lookup', this.#lookup(step.user));
        return;
      case 'refused':
        counters.error(step.code);
        if (step.isProof && this.#lookedUpUser !== undefined) verifiers.forget(this.#lookedUpUser);
        this.#end('refused');
        return;
      case 'authenticated':
        this.#admit(step.login, step.rest);
        return;
    }
    unreachable(step);
  }

  /** While no server can be asked, the client waits as long as other work waits for a primary. */
  async #lookup(user: string): Promise<void> {
    this.#lookedUpUser = user;
    const { clock, config, verifiers, world } = this.#shared;
    const startedAt = clock.now();
    while (!this.#isOver) {
      let found: Verifier | undefined;
      try {
        found = await verifiers.lookup(user);
      } catch (cause) {
        const waited = clock.now() - startedAt;
        if (waited < config.hold_timeout) {
          await pause(LOOKUP_RETRY_MS);
          continue;
        }
        this.#shared.log.warn('verifier-lookup-gave-up', failure(cause));
        this.refuse(REPLY.noServer(world.isKnown ? 'no-server-reachable' : 'dcs-never-reached', waited));
        return;
      }
      if (this.#isOver) return;
      this.#login.lookedUp(found);
      this.#outbox.flush();
      return;
    }
  }

  #admit(login: Login, rest: readonly Buffer[]): void {
    this.#shared.counters.login('authenticated');
    this.#outbox.flush();
    this.#over();
    this.#socket.off('data', this.#received);
    this.#socket.off('error', this.#failed);
    this.#socket.off('close', this.#closed);
    this.#events.admitted({ socket: this.#socket, login, rest });
  }

  #end(outcome: 'refused' | 'gone'): void {
    this.#shared.counters.login(outcome);
    this.#outbox.flush();
    this.#socket.end();
    this.#socket.destroySoon();
    this.#over();
  }

  #over(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#events.ended(this);
  }
}

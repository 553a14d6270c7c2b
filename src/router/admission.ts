/**
 * A connection that is not authenticated yet: its socket, its encryption, its login, the look-up of its secret, its time
 * limit, and its delay after failures. It ends as a client (`admitted`), as a cancel that is passed on, or closed. What a
 * client does then is client.ts.
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { failureKey, type Secret } from '../auth/index.ts';
import { background, failure, MatriarchError, pause, unreachable } from '../base/index.ts';
import { type ErrorFields, ErrorResponse, ProtocolViolation } from '../wire/index.ts';
import type { TlsPeer } from './client-tls.ts';
import { demandOf, type ProofMethod } from './gate.ts';
import { ClientLogin, type Identified, type Login, type LoginStep } from './login.ts';
import { Outbox } from './outbox.ts';
import { questionFor } from './question.ts';
import { REPLY } from './replies.ts';
import type { ServerCredential } from './server-login.ts';
import type { Shared } from './shared.ts';

/** Who has connected. */
export interface Accepted {
  readonly socket: Socket;
  /** By the Unix socket. */
  readonly isLocal: boolean;
}

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
/** Of a name, for the table of failures; PostgreSQL looks at 63 bytes of it. */
const NAME_MAX = 64;

export class Admission {
  readonly #shared: Shared;
  readonly #events: AdmissionEvents;
  readonly #login: ClientLogin;
  readonly #timer: NodeJS.Timeout;
  /** Undefined: a Unix socket. */
  readonly #address: string | undefined;
  /** Of the certificates of now: they may change before the handshake. */
  readonly #tls: Shared['access']['now']['clientTls'];
  /** Another one once it is encrypted. */
  #socket: Socket;
  #outbox: Outbox;
  #peer: TlsPeer | undefined = undefined;
  #user = '';
  #database = '';
  #isOver = false;

  constructor(shared: Shared, { socket, isLocal }: Accepted, events: AdmissionEvents) {
    this.#shared = shared;
    this.#socket = socket;
    this.#events = events;
    this.#address = isLocal ? undefined : (socket.remoteAddress ?? '');
    this.#tls = isLocal ? undefined : shared.access.now.clientTls;
    this.#outbox = new Outbox(socket);
    this.#login = new ClientLogin({
      serverNonce: randomBytes(NONCE_BYTES).toString('base64'),
      tls: this.#tls === undefined ? 'none' : this.#tls.isRequired ? 'required' : 'offered',
      reply: (bytes) => this.#outbox.add(bytes),
    });
    this.#timer = setTimeout(() => this.refuse(REPLY.loginTimeout()), shared.config.client_login_timeout);
    this.#listen(socket);
  }

  /** Where it wants to; empty until it has said so. */
  get database(): string {
    return this.#database;
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

  #listen(socket: Socket): void {
    socket.on('data', this.#received);
    socket.on('error', this.#failed);
    socket.on('close', this.#closed);
  }

  #unlisten(socket: Socket): void {
    socket.off('data', this.#received);
    socket.off('error', this.#failed);
    socket.off('close', this.#closed);
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
    const { counters, verifiers, failures, clock } = this.#shared;
    switch (step.kind) {
      case 'wait':
        return;
      case 'secure':
        this.#secure(step.isDirect, step.hello);
        return;
      case 'cancel':
        // Open until the cancel can hit nothing any more, which is what libpq waits for.
        this.#socket.off('data', this.#received);
        this.#shared.passOnCancel(step.target, () => {
          if (!this.#isOver) this.#end('gone');
        });
        return;
      case 'identified':
        this.#database = step.who.database;
        if (this.#shared.isFull(this.#database))
          this.refuse(REPLY.tooManyClients(this.#shared.config.max_client_conn));
        else this.#identified(step.who);
        return;
      case 'refused':
        counters.error(step.code);
        this.#shared.log.info('login-refused', {
          user: this.#user.slice(0, NAME_MAX),
          from: this.#from,
          sqlstate: step.code,
        });
        if (step.isProof) {
          verifiers.forget(this.#user);
          failures.failed(this.#from, this.#user.slice(0, NAME_MAX), clock.now());
        }
        this.#end('refused');
        return;
      case 'authenticated':
        this.#admit(step.login, step.rest);
        return;
    }
    unreachable(step);
  }

  /** What failures are counted by. */
  get #from(): string {
    return this.#address === undefined ? '' : failureKey(this.#address);
  }

  #secure(isDirect: boolean, hello: Buffer): void {
    const tls = this.#tls;
    if (tls === undefined) return;
    this.#outbox.flush();
    const raw = this.#socket;
    raw.off('data', this.#received);
    raw.pause();
    if (hello.length > 0) raw.unshift(hello);
    tls.upgrade(raw, {
      failed: (because) => {
        this.#shared.log.debug('client-tls-failed', { because });
        this.destroy();
      },
      secured: (peer) => {
        if (this.#isOver) {
          peer.socket.destroy();
          return;
        }
        raw.off('error', this.#failed);
        raw.off('close', this.#closed);
        // Node closes it together with the other.
        raw.on('error', this.#failed);
        this.#peer = peer;
        this.#socket = peer.socket;
        this.#outbox = new Outbox(peer.socket);
        this.#listen(peer.socket);
        this.#login.secured(tls.binding);
        // Without it another protocol's server could be taken for this one (ALPACA); libpq sends it.
        if (isDirect && peer.alpn === undefined)
          this.refuse(
            REPLY.protocolViolation(
              'received direct SSL connection request without ALPN protocol negotiation extension',
            ),
          );
        else if (peer.isForged || (tls.isCertificateRequired && peer.names === undefined))
          this.refuse(REPLY.noCertificate());
      },
    });
  }

  #identified(who: Identified): void {
    this.#user = who.user;
    const { access } = this.#shared;
    const isTls = this.#peer !== undefined;
    const demand = demandOf(access.now, { ...who, address: this.#address, isTls, names: this.#peer?.names });
    switch (demand.kind) {
      case 'refuse':
        this.#step(this.#login.refuse(demand.fields));
        return;
      case 'admit':
        this.#step(this.#login.admit(credentialOf(this.#shared.verifiers.known(who.user))));
        return;
      case 'prove':
        background(this.#shared.log, 'asking a client for its proof', this.#ask(who.user, demand.method));
    }
  }

  async #ask(user: string, method: ProofMethod): Promise<void> {
    const { clock, failures } = this.#shared;
    const delayMs = failures.delayMs(this.#from, user.slice(0, NAME_MAX), clock.now());
    if (delayMs > 0) await pause(delayMs);
    const found = await this.#lookup(user);
    if (this.#isOver || found === 'gave-up') return;
    this.#login.ask(questionFor(this.#shared, { user, method, secret: found }));
    this.#outbox.flush();
  }

  /**
   * While no server can be asked, the client waits as long as other work waits for a primary. Where the servers refuse to
   * be asked, which is logged, waiting does not help, and nobody is known.
   */
  async #lookup(user: string): Promise<Secret | undefined | 'gave-up'> {
    const { clock, config, verifiers, world } = this.#shared;
    const startedAt = clock.now();
    while (!this.#isOver) {
      try {
        return await verifiers.lookup(user);
      } catch (cause) {
        if (cause instanceof MatriarchError && cause.code === 'router-lookup-refused') return undefined;
        const waited = clock.now() - startedAt;
        if (waited < config.hold_timeout) {
          await pause(LOOKUP_RETRY_MS);
          continue;
        }
        this.#shared.log.warn('verifier-lookup-gave-up', failure(cause));
        this.refuse(REPLY.noServer(world.isKnown ? 'no-server-reachable' : 'dcs-never-reached', waited));
        return 'gave-up';
      }
    }
    return 'gave-up';
  }

  #admit(login: Login, rest: readonly Buffer[]): void {
    this.#shared.counters.login('authenticated');
    this.#outbox.flush();
    this.#over();
    this.#unlisten(this.#socket);
    this.#shared.failures.succeeded(this.#from, this.#user.slice(0, NAME_MAX));
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

/** With what a role logs in to servers that has proved nothing to us but its name. */
function credentialOf(secret: Secret | undefined): ServerCredential {
  if (secret?.kind === 'plain') return { password: secret.password };
  return secret?.kind === 'md5' ? { md5Hash: secret.hash } : 'none';
}

/**
 * A client's way from its first byte to being authenticated, as a machine: bytes in, replies and one next step
 * out. Encryption is declined, SCRAM-SHA-256 is spoken against a verifier that the shell looks up. An unknown user
 * goes through the same exchange as a known one with a wrong password. No socket, clock or randomness. RFC 5802;
 * manual: "Start-up", "SASL Authentication".
 *
 *   startup -> (SSLRequest, GSSENCRequest: 'N') -> lookup -> first -> final -> authenticated
 */
import {
  AuthenticationOk,
  AuthenticationSASL,
  AuthenticationSASLContinue,
  AuthenticationSASLFinal,
  type CancelTarget,
  type Delivery,
  type ErrorFields,
  ErrorResponse,
  FRONTEND,
  FrameReader,
  type FrameSink,
  LIMITS_BEFORE_AUTHENTICATION,
  mockVerifier,
  NegotiateProtocolVersion,
  readSASLInitialResponse,
  readSASLResponse,
  SCRAM_SHA_256,
  type ScramServerExchange,
  type Startup,
  StartupReader,
  scramServerFinal,
  scramServerFirst,
  type Verifier,
} from '../wire/index.ts';
import { REPLY } from './replies.ts';

/** Who has logged in, and with what the router logs in to servers for it. */
export interface Login {
  readonly user: string;
  readonly database: string;
  /** All startup parameters, for every server connection of the session. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly clientKey: Buffer;
  readonly verifier: Verifier;
}

/** What the shell is to do next. `rest`: bytes the client sent ahead. */
export type LoginStep =
  | { readonly kind: 'wait' }
  | { readonly kind: 'lookup'; readonly user: string }
  | { readonly kind: 'cancel'; readonly target: CancelTarget }
  | { readonly kind: 'authenticated'; readonly login: Login; readonly rest: readonly Buffer[] }
  /** The reply says why; close. `isProof`: the password was wrong for the verifier that was used. */
  | { readonly kind: 'refused'; readonly code: string; readonly isProof: boolean };

export interface LoginOptions {
  /** Printable, fresh for each login. */
  readonly serverNonce: string;
  /** Of the process: makes verifiers for users who do not exist. */
  readonly mockSecret: Buffer;
  readonly reply: (bytes: Buffer) => void;
}

const WAIT: LoginStep = { kind: 'wait' };
const DECLINED = Buffer.from('N');
const MINOR_SPOKEN = 0;

export class ClientLogin implements FrameSink {
  readonly #options: LoginOptions;
  readonly #startupReader = new StartupReader();
  readonly #frames = new FrameReader(LIMITS_BEFORE_AUTHENTICATION);
  #startup: Startup | undefined = undefined;
  #verifier: Verifier | undefined = undefined;
  #isMock = false;
  #exchange: ScramServerExchange | undefined = undefined;
  #step: LoginStep = WAIT;
  readonly #rest: Buffer[] = [];

  constructor(options: LoginOptions) {
    this.#options = options;
  }

  /** Bytes of the client. Throws `ProtocolViolation`. */
  receive(chunk: Buffer): LoginStep {
    if (this.#startup !== undefined) return this.#framed(chunk);
    let bytes = chunk;
    for (;;) {
      const read = this.#startupReader.push(bytes);
      if (read === undefined) return WAIT;
      bytes = read.rest;
      const { packet } = read;
      switch (packet.kind) {
        case 'ssl-request':
        case 'gssenc-request':
          this.#options.reply(DECLINED);
          continue;
        case 'cancel-request':
          return { kind: 'cancel', target: packet };
        case 'unsupported-protocol': {
          const { major, minor } = packet.protocol;
          return this.#refuse(REPLY.unsupported(`unsupported frontend protocol ${major}.${minor}`));
        }
        case 'startup':
          this.#startup = packet;
          return this.#begin(packet, bytes);
      }
    }
  }

  /** The verifier of the user; undefined: there is no such user, or none that can log in with SCRAM. */
  lookedUp(verifier: Verifier | undefined): void {
    const user = this.#startup?.parameters.get('user') ?? '';
    this.#isMock = verifier === undefined;
    this.#verifier = verifier ?? mockVerifier(user, this.#options.mockSecret);
    this.#options.reply(AuthenticationSASL([SCRAM_SHA_256]));
  }

  delivery(): Delivery {
    return this.#step.kind === 'authenticated' ? 'pass' : 'whole';
  }

  whole(tag: number, message: Buffer): void {
    if (this.#step.kind === 'refused') return;
    if (tag !== FRONTEND.Password) {
      this.#step = this.#refuse(REPLY.protocolViolation('expected SASL response'));
    } else this.#step = this.#exchange === undefined ? this.#first(message) : this.#final(message);
  }

  /** What the client sent behind its proof is the session's, cut or whole. */
  pass(bytes: Buffer): void {
    this.#rest.push(Buffer.from(bytes));
  }

  #framed(chunk: Buffer): LoginStep {
    if (this.#step.kind === 'refused') return this.#step;
    // A client speaks next when it is asked to prove who it is: nothing of a stranger is kept until then.
    if (this.#verifier === undefined) return this.#spokeTooEarly();
    this.#frames.push(chunk, this);
    if (this.#step.kind === 'authenticated') this.#rest.push(this.#frames.unfinished);
    return this.#step;
  }

  #spokeTooEarly(): LoginStep {
    this.#step = this.#refuse(REPLY.protocolViolation('expected nothing before the authentication request'));
    return this.#step;
  }

  #begin(startup: Startup, rest: Buffer): LoginStep {
    if (startup.protocol.minor > MINOR_SPOKEN || startup.protocolOptions.length > 0) {
      this.#options.reply(NegotiateProtocolVersion(MINOR_SPOKEN, startup.protocolOptions));
    }
    const user = startup.parameters.get('user') ?? '';
    if (user === '') return this.#refuse(REPLY.noUser());
    if (rest.length > 0) return this.#spokeTooEarly();
    return { kind: 'lookup', user };
  }

  #first(message: Buffer): LoginStep {
    const { mechanism, data } = readSASLInitialResponse(message);
    if (mechanism !== SCRAM_SHA_256 || data === undefined || this.#verifier === undefined) {
      return this.#refuse(
        REPLY.protocolViolation('client selected an invalid SASL authentication mechanism'),
      );
    }
    const { serverNonce } = this.#options;
    const first = scramServerFirst(data, { verifier: this.#verifier, serverNonce });
    if (first.outcome === 'failed') return this.#refuse(REPLY.protocolViolation('malformed SCRAM message'));
    this.#exchange = first.exchange;
    this.#options.reply(AuthenticationSASLContinue(first.serverFirst));
    return WAIT;
  }

  #final(message: Buffer): LoginStep {
    const startup = this.#startup;
    if (this.#exchange === undefined || startup === undefined) return WAIT;
    const user = startup.parameters.get('user') ?? '';
    const final = scramServerFinal(this.#exchange, readSASLResponse(message));
    if (final.outcome === 'failed' || this.#isMock) {
      const isProof = final.outcome === 'failed' && final.because === 'wrong-proof' && !this.#isMock;
      return this.#refuse(REPLY.wrongPassword(user), isProof);
    }
    this.#options.reply(AuthenticationSASLFinal(final.serverFinal));
    this.#options.reply(AuthenticationOk());
    const login: Login = {
      user,
      database: startup.parameters.get('database') ?? user,
      parameters: startup.parameters,
      clientKey: final.clientKey,
      verifier: this.#exchange.verifier,
    };
    return { kind: 'authenticated', login, rest: this.#rest };
  }

  #refuse(fields: ErrorFields, isProof = false): LoginStep {
    this.#options.reply(ErrorResponse(fields));
    return { kind: 'refused', code: fields.code, isProof };
  }
}

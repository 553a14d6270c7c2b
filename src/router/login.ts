/**
 * A client's way from its first byte to being authenticated, as a machine: bytes in, replies and one next step out. The
 * shell encrypts, finds the host rule and looks up the secret; then the client is asked, with SCRAM-SHA-256 (bound to the
 * router's certificate if the client wants), md5 or for its password. An unknown user goes through the same exchange as a
 * known one with a wrong password. No socket, clock or randomness. RFC 5802; manual: "Start-up", "SASL Authentication".
 *
 *   startup -> (SSLRequest: 'S', secure; or 'N') -> identified -> exchange -> authenticated
 */
import { isMd5Answer, isPassword, type Secret } from '../auth/index.ts';
import { unreachable } from '../base/index.ts';
import {
  AuthenticationCleartextPassword,
  AuthenticationMD5Password,
  AuthenticationOk,
  AuthenticationSASL,
  type CancelTarget,
  type Delivery,
  type ErrorFields,
  ErrorResponse,
  FRONTEND,
  FrameReader,
  type FrameSink,
  LIMITS_BEFORE_AUTHENTICATION,
  NegotiateProtocolVersion,
  readPasswordMessage,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  type Startup,
  StartupReader,
  type Verifier,
} from '../wire/index.ts';
import { cutName } from './name.ts';
import { REPLY } from './replies.ts';
import { SaslExchange } from './sasl-exchange.ts';
import type { ServerCredential } from './server-login.ts';
import { replicationOf } from './walsender.ts';

/** Who has logged in, and with what the router logs in to servers for it. */
export interface Login {
  readonly user: string;
  readonly database: string;
  /** All startup parameters, for every server connection of the session. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly credential: ServerCredential;
  /** Minor version of the protocol that is spoken with the client. */
  readonly minor: number;
}

/** Who says that it comes. */
export interface Identified {
  readonly user: string;
  readonly database: string;
  /** Physical replication, for which host rules have a word of their own. */
  readonly isReplication: boolean;
}

/** What the shell is to do next. `rest`: bytes the client sent ahead. */
export type LoginStep =
  | { readonly kind: 'wait' }
  /** Encrypt, beginning with `hello` if that came already; then `secured`. `isDirect`: the client did not ask. */
  | { readonly kind: 'secure'; readonly isDirect: boolean; readonly hello: Buffer }
  /** Find what it has to do; then `admit`, `ask` or `refuse`. */
  | { readonly kind: 'identified'; readonly who: Identified }
  | { readonly kind: 'cancel'; readonly target: CancelTarget }
  | { readonly kind: 'authenticated'; readonly login: Login; readonly rest: readonly Buffer[] }
  /** The reply says why; close. `isProof`: the password was wrong, or there is no such user. */
  | { readonly kind: 'refused'; readonly code: string; readonly isProof: boolean };

export interface LoginOptions {
  /** Printable, fresh for each login. */
  readonly serverNonce: string;
  /** TLS is there for those who ask; `required`: nothing else. */
  readonly tls: 'none' | 'offered' | 'required';
  readonly reply: (bytes: Buffer) => void;
}

/** How the client is to prove who it is, and what must fit. `isMock`: there is no such user, so nothing fits. */
export type Question = { readonly isMock: boolean } & (
  | { readonly kind: 'scram'; readonly verifier: Verifier; readonly password?: string | undefined }
  | { readonly kind: 'md5'; readonly hash: string; readonly salt: Buffer }
  | { readonly kind: 'password'; readonly secret: Secret }
);

const WAIT: LoginStep = { kind: 'wait' };
const DECLINED = Buffer.from('N');
const ACCEPTED = Buffer.from('S');
/** 3.2 differs in the length of cancel keys only. */
const MINOR_SPOKEN = 2;
/** Before it an error was one text, behind a tag and without a length. */
const MAJOR_OF_FIELDS = 3;
/** First byte of a TLS handshake; a start-up packet of this length would be far too long. */
const TLS_HANDSHAKE = 0x16;

export class ClientLogin implements FrameSink {
  readonly #options: LoginOptions;
  #startupReader = new StartupReader();
  readonly #frames = new FrameReader(LIMITS_BEFORE_AUTHENTICATION);
  #isFirst = true;
  #isSecured = false;
  #hasAskedForTls = false;
  #hasAskedForGss = false;
  #binding: Buffer | undefined = undefined;
  #startup: Startup | undefined = undefined;
  #question: Question | undefined = undefined;
  #sasl: SaslExchange | undefined = undefined;
  #step: LoginStep = WAIT;
  readonly #rest: Buffer[] = [];

  constructor(options: LoginOptions) {
    this.#options = options;
  }

  /** Bytes of the client. Throws `ProtocolViolation`. */
  receive(chunk: Buffer): LoginStep {
    if (this.#startup !== undefined) return this.#framed(chunk);
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (isFirst && chunk[0] === TLS_HANDSHAKE && this.#options.tls !== 'none') {
      return { kind: 'secure', isDirect: true, hello: chunk };
    }
    const read = this.#startupReader.push(chunk);
    if (read === undefined) return WAIT;
    const { packet, rest } = read;
    switch (packet.kind) {
      case 'ssl-request':
        if (this.#isSecured || this.#hasAskedForTls) return this.#unsupported(1234, 5679);
        this.#hasAskedForTls = true;
        return this.#options.tls === 'none' ? this.#decline('SSL', rest) : this.#acceptTls(rest);
      case 'gssenc-request':
        if (this.#isSecured || this.#hasAskedForGss) return this.#unsupported(1234, 5680);
        this.#hasAskedForGss = true;
        return this.#decline('GSSAPI encryption', rest);
      case 'cancel-request':
        return { kind: 'cancel', target: packet };
      case 'unsupported-protocol':
        return this.#unsupported(packet.protocol.major, packet.protocol.minor);
      case 'startup':
        this.#startup = packet;
        return this.#begin(packet, rest);
    }
    return unreachable(packet);
  }

  /** The connection is encrypted from here on; `binding`: tls-server-end-point, if the certificate has one. */
  secured(binding: Buffer | undefined): void {
    this.#isSecured = true;
    this.#binding = binding;
    this.#startupReader = new StartupReader();
  }

  /** Asks the client to prove who it is. */
  ask(question: Question): void {
    this.#question = question;
    const { reply, serverNonce } = this.#options;
    switch (question.kind) {
      case 'scram':
        this.#sasl = new SaslExchange({
          verifier: question.verifier,
          serverNonce,
          binding: this.#binding,
          reply,
        });
        reply(
          AuthenticationSASL(
            this.#binding === undefined ? [SCRAM_SHA_256] : [SCRAM_SHA_256_PLUS, SCRAM_SHA_256],
          ),
        );
        return;
      case 'md5':
        reply(AuthenticationMD5Password(question.salt));
        return;
      case 'password':
        reply(AuthenticationCleartextPassword());
    }
  }

  /** Lets the client in without asking; `credential`: what is known of it. */
  admit(credential: ServerCredential): LoginStep {
    this.#options.reply(AuthenticationOk());
    const { user, database } = this.#who();
    const parameters = this.#startup?.parameters ?? new Map<string, string>();
    const minor = Math.min(this.#startup?.protocol.minor ?? 0, MINOR_SPOKEN);
    this.#step = {
      kind: 'authenticated',
      login: { user, database, parameters, credential, minor },
      rest: this.#rest,
    };
    return this.#step;
  }

  /** Says why it may not come in. */
  refuse(fields: ErrorFields, isProof = false): LoginStep {
    this.#options.reply(ErrorResponse(fields));
    this.#step = { kind: 'refused', code: fields.code, isProof };
    return this.#step;
  }

  delivery(): Delivery {
    return this.#step.kind === 'authenticated' ? 'pass' : 'whole';
  }

  whole(tag: number, message: Buffer): void {
    if (this.#step.kind === 'refused') return;
    if (this.#question === undefined) this.#spokeTooEarly();
    else if (tag !== FRONTEND.Password) {
      const what = this.#question.kind === 'scram' ? 'SASL' : 'password';
      this.refuse(REPLY.protocolViolation(`expected ${what} response`));
    } else this.#answered(this.#question, message);
  }

  /** What the client sent behind its proof is the session's, cut or whole. */
  pass(bytes: Buffer): void {
    this.#rest.push(Buffer.from(bytes));
  }

  #framed(chunk: Buffer): LoginStep {
    if (this.#step.kind === 'refused') return this.#step;
    // A client speaks next when it is asked to prove who it is: nothing of a stranger is kept until then.
    if (this.#question === undefined) return this.#spokeTooEarly();
    this.#frames.push(chunk, this);
    if (this.#step.kind === 'authenticated') this.#rest.push(this.#frames.unfinished);
    return this.#step;
  }

  #spokeTooEarly(): LoginStep {
    return this.refuse(REPLY.protocolViolation('expected nothing before the authentication request'));
  }

  #unsupported(major: number, minor: number): LoginStep {
    const asked = `unsupported frontend protocol ${major}.${minor}`;
    const fields = REPLY.unsupported(`${asked}: server supports 3.0 to 3.${MINOR_SPOKEN}`);
    if (major >= MAJOR_OF_FIELDS) return this.refuse(fields);
    this.#options.reply(Buffer.from(`E${fields.severity}:  ${fields.message}\n\0`));
    this.#step = { kind: 'refused', code: fields.code, isProof: false };
    return this.#step;
  }

  /** What comes with the request, before the answer, is refused as by PostgreSQL: it may be from somebody on the way. */
  #decline(what: 'SSL' | 'GSSAPI encryption', rest: Buffer): LoginStep {
    this.#options.reply(DECLINED);
    return rest.length > 0 ? this.refuse(REPLY.sentAheadOf(what)) : WAIT;
  }

  /** What came behind the request was not encrypted: anybody on the way may have put it there (CVE-2021-23222). */
  #acceptTls(rest: Buffer): LoginStep {
    if (rest.length > 0) return this.refuse(REPLY.sentAheadOf('SSL'));
    this.#options.reply(ACCEPTED);
    return { kind: 'secure', isDirect: false, hello: rest };
  }

  #begin(startup: Startup, rest: Buffer): LoginStep {
    if (startup.protocol.minor > MINOR_SPOKEN || startup.protocolOptions.length > 0) {
      const minor = Math.min(startup.protocol.minor, MINOR_SPOKEN);
      this.#options.reply(NegotiateProtocolVersion(minor, startup.protocolOptions));
    }
    const who = this.#who();
    const replication = startup.parameters.get('replication');
    if (replicationOf(replication) === 'invalid') return this.refuse(REPLY.notReplication(replication ?? ''));
    if (who.user === '') return this.refuse(REPLY.noUser());
    if (this.#options.tls === 'required' && !this.#isSecured) return this.refuse(REPLY.tlsRequired());
    if (rest.length > 0) return this.#spokeTooEarly();
    return { kind: 'identified', who };
  }

  #who(): Identified {
    const parameters = this.#startup?.parameters;
    const user = cutName(parameters?.get('user') ?? '');
    return {
      user,
      database: cutName(parameters?.get('database') ?? user),
      isReplication: replicationOf(parameters?.get('replication')) === 'physical',
    };
  }

  #answered(question: Question, message: Buffer): void {
    switch (question.kind) {
      case 'scram':
        this.#saslAnswered(question, message);
        return;
      case 'md5': {
        const isRight = isMd5Answer(readPasswordMessage(message), question.hash, question.salt);
        this.#judge(question, isRight, { md5Hash: question.hash });
        return;
      }
      case 'password': {
        const password = readPasswordMessage(message);
        this.#judge(question, isPassword(password, question.secret, this.#who().user), { password });
      }
    }
  }

  #saslAnswered(question: Question & { readonly kind: 'scram' }, message: Buffer): void {
    const outcome = this.#sasl?.receive(message) ?? { kind: 'going-on' };
    switch (outcome.kind) {
      case 'going-on':
        return;
      case 'refused':
        this.refuse(outcome.fields);
        return;
      case 'wrong':
        this.#judge(question, false, 'none');
        return;
      case 'right': {
        const { clientKey, serverFinal } = outcome;
        if (!question.isMock) this.#options.reply(serverFinal);
        const { password, verifier } = question;
        this.#judge(question, true, password === undefined ? { clientKey, verifier } : { password });
      }
    }
  }

  #judge({ isMock }: Question, isRight: boolean, credential: ServerCredential): void {
    if (isRight && !isMock) this.admit(credential);
    else this.refuse(REPLY.wrongPassword(this.#who().user), true);
  }
}

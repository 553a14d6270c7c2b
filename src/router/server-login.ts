/**
 * The router's login at a server, as a machine: bytes in, replies and an outcome out. SCRAM-SHA-256, bound to the
 * server's certificate where the server offers that, with a password or with the ClientKey of a client; md5 for those of
 * whom only that is known; or no authentication where the server asks for none. A server that was asked for SCRAM must
 * prove itself too before it is believed. No socket, clock or randomness.
 *
 * The router is a SCRAM client of its own here, with a nonce and a proof of its own: what a client has carried over is its
 * ClientKey, which depends on password, salt and iterations only. So -PLUS works on either hop, with or without the other.
 */
import { md5Answer, md5Secret } from '../auth/index.ts';
import {
  type Authentication,
  BACKEND,
  type Delivery,
  type ErrorFields,
  FrameReader,
  type FrameSink,
  LIMITS_BEFORE_AUTHENTICATION,
  PasswordMessage,
  readAuthentication,
  readBackendKeyData,
  readErrorFields,
  readParameterStatus,
  SASLInitialResponse,
  SASLResponse,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  type ScramBinding,
  type ScramClientStart,
  type ScramCredential,
  SQLSTATE,
  scramClientFinal,
  scramClientFirst,
  scramClientVerify,
} from '../wire/index.ts';

/** A server connection that is ready for its first query. */
export interface ServerReady {
  readonly parameters: ReadonlyMap<string, string>;
  readonly processId: number;
  readonly secretKey: Buffer;
}

export type ServerLoginOutcome =
  | { readonly kind: 'going-on' }
  | { readonly kind: 'ready'; readonly ready: ServerReady }
  | { readonly kind: 'refused'; readonly fields: ErrorFields };

/** With what the router logs in for a role. */
export type ServerCredential =
  | ScramCredential
  /** What is stored of an md5 password. */
  | { readonly md5Hash: string }
  /** Nothing is known: works where the server asks for nothing. */
  | 'none';

export interface ServerLoginOptions {
  readonly credential: ServerCredential;
  readonly user: string;
  readonly binding: ScramBinding;
  readonly isEncrypted: boolean;
  /** Printable, fresh for each login. */
  readonly nonce: string;
  readonly reply: (bytes: Buffer) => void;
}

const GOING_ON: ServerLoginOutcome = { kind: 'going-on' };

export class ServerLogin implements FrameSink {
  readonly #options: ServerLoginOptions;
  readonly #frames = new FrameReader(LIMITS_BEFORE_AUTHENTICATION);
  #start: ScramClientStart | undefined = undefined;
  #serverSignature: Buffer | undefined = undefined;
  #isProven = false;
  readonly #parameters = new Map<string, string>();
  #processId = 0;
  #secretKey: Buffer = Buffer.alloc(4);
  #outcome: ServerLoginOutcome = GOING_ON;

  constructor(options: ServerLoginOptions) {
    this.#options = options;
  }

  /** Bytes of the server; after ReadyForQuery nothing may follow. Throws `ProtocolViolation`. */
  receive(chunk: Buffer): ServerLoginOutcome {
    this.#frames.push(chunk, this);
    return this.#outcome;
  }

  delivery(): Delivery {
    return 'whole';
  }

  whole(tag: number, message: Buffer): void {
    if (this.#outcome.kind === 'refused') return;
    switch (tag) {
      case BACKEND.Authentication:
        this.#authenticate(readAuthentication(message));
        return;
      case BACKEND.ParameterStatus: {
        const { name, value } = readParameterStatus(message);
        this.#parameters.set(name, value);
        return;
      }
      case BACKEND.BackendKeyData: {
        const { processId, secretKey } = readBackendKeyData(message);
        this.#processId = processId;
        this.#secretKey = secretKey;
        return;
      }
      case BACKEND.ErrorResponse:
        this.#outcome = { kind: 'refused', fields: readErrorFields(message) };
        return;
      case BACKEND.ReadyForQuery:
        this.#outcome = {
          kind: 'ready',
          ready: { parameters: this.#parameters, processId: this.#processId, secretKey: this.#secretKey },
        };
    }
  }

  pass(): void {}

  #authenticate(asked: Authentication): void {
    switch (asked.kind) {
      case 'ok':
        if (this.#start !== undefined && !this.#isProven)
          this.#refuse('the server did not prove its identity');
        return;
      case 'sasl':
        this.#first(asked.mechanisms);
        return;
      case 'sasl-continue':
        this.#final(asked.data);
        return;
      case 'sasl-final':
        this.#verify(asked.data);
        return;
      case 'cleartext-password':
        this.#answerCleartext();
        return;
      case 'md5-password':
        this.#answerMd5(asked.salt);
        return;
      case 'unsupported':
        this.#refuse('the server asks for an authentication that the router does not know');
    }
  }

  #first(mechanisms: readonly string[]): void {
    const { binding, credential, nonce, user } = this.#options;
    if (credential === 'none' || 'md5Hash' in credential)
      return this.#refuse(noPassword(user), WITHOUT_PASSWORD);
    const isPlus = mechanisms.includes(SCRAM_SHA_256_PLUS) && typeof binding === 'object';
    if (!isPlus && !mechanisms.includes(SCRAM_SHA_256))
      return this.#refuse('the server does not offer SCRAM-SHA-256');
    // Said under the proof: a server that does offer -PLUS learns that somebody took it off its list.
    const unbound = typeof binding === 'object' ? 'not-offered' : 'none';
    const { clientFirst, start } = scramClientFirst({ nonce, binding: isPlus ? binding : unbound });
    this.#start = start;
    this.#options.reply(SASLInitialResponse(isPlus ? SCRAM_SHA_256_PLUS : SCRAM_SHA_256, clientFirst));
  }

  /** Only where nobody on the way can read it. */
  #answerCleartext(): void {
    const { credential, isEncrypted, user } = this.#options;
    if (credential === 'none' || !('password' in credential))
      return this.#refuse(noPassword(user), WITHOUT_PASSWORD);
    if (!isEncrypted) return this.#refuse('the server asks for a password in the clear, without TLS');
    this.#options.reply(PasswordMessage(credential.password));
  }

  #answerMd5(salt: Buffer): void {
    const { credential, user } = this.#options;
    if (credential === 'none') return this.#refuse(noPassword(user), WITHOUT_PASSWORD);
    if ('md5Hash' in credential) this.#options.reply(PasswordMessage(md5Answer(credential.md5Hash, salt)));
    else if ('password' in credential)
      this.#options.reply(PasswordMessage(md5Answer(md5Secret(credential.password, user), salt)));
    else this.#refuse('the server asks for md5, the router knows a SCRAM verifier only');
  }

  #final(serverFirst: string): void {
    if (this.#start === undefined) return this.#refuse('the server broke the rules of SCRAM');
    const { credential } = this.#options;
    if (credential === 'none' || 'md5Hash' in credential)
      return this.#refuse('the server broke the rules of SCRAM');
    const final = scramClientFinal(this.#start, serverFirst, credential);
    if (final.outcome === 'failed') {
      if (final.because !== 'verifier-changed') return this.#refuse('the server broke the rules of SCRAM');
      return this.#refuse('the password was changed since this session began; connect again');
    }
    this.#serverSignature = final.serverSignature;
    this.#options.reply(SASLResponse(final.clientFinal));
  }

  #verify(serverFinal: string): void {
    const signature = this.#serverSignature;
    const isProven = signature !== undefined && scramClientVerify(signature, serverFinal).outcome === 'ok';
    if (isProven) this.#isProven = true;
    else this.#refuse('the server did not prove its identity');
  }

  #refuse(message: string, hint?: string): void {
    const code = SQLSTATE.invalidAuthorizationSpecification;
    const fields = { severity: 'FATAL', code, message, ...(hint === undefined ? {} : { hint }) };
    this.#outcome = { kind: 'refused', fields };
  }
}

/** For who comes with a certificate or is trusted: docs/access.md, "How the router logs in to servers". */
const WITHOUT_PASSWORD = 'A client that shows the router no password needs one in router.auth_file.';

function noPassword(user: string): string {
  return `the router knows no password of role "${user}" that the server accepts`;
}

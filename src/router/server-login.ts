/**
 * The router's login at a server, as a machine: bytes in, replies and an outcome out. SCRAM-SHA-256 with a password
 * or with the ClientKey of a client, or no authentication where the server asks for none. A server that was asked
 * for SCRAM must prove itself too before it is believed. No socket, clock or randomness.
 */
import {
  type Authentication,
  BACKEND,
  type Delivery,
  type ErrorFields,
  FrameReader,
  type FrameSink,
  LIMITS_BEFORE_AUTHENTICATION,
  readAuthentication,
  readBackendKeyData,
  readErrorFields,
  readParameterStatus,
  SASLInitialResponse,
  SASLResponse,
  SCRAM_SHA_256,
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

export interface ServerLoginOptions {
  readonly credential: ScramCredential;
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
        if (!asked.mechanisms.includes(SCRAM_SHA_256))
          this.#refuse('the server does not offer SCRAM-SHA-256');
        else this.#first();
        return;
      case 'sasl-continue':
        this.#final(asked.data);
        return;
      case 'sasl-final':
        this.#verify(asked.data);
        return;
      case 'cleartext-password':
      case 'md5-password':
      case 'unsupported':
        this.#refuse('the server asks for another authentication than SCRAM-SHA-256');
    }
  }

  #first(): void {
    const { clientFirst, start } = scramClientFirst({ nonce: this.#options.nonce });
    this.#start = start;
    this.#options.reply(SASLInitialResponse(SCRAM_SHA_256, clientFirst));
  }

  #final(serverFirst: string): void {
    if (this.#start === undefined) return this.#refuse('the server broke the rules of SCRAM');
    const final = scramClientFinal(this.#start, serverFirst, this.#options.credential);
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

  #refuse(message: string): void {
    const code = SQLSTATE.invalidAuthorizationSpecification;
    this.#outcome = { kind: 'refused', fields: { severity: 'FATAL', code, message } };
  }
}

/** The server's side of one SASL exchange with a client: its two messages in, what to do out. No socket, clock or randomness. */
import {
  AuthenticationSASLContinue,
  AuthenticationSASLFinal,
  type ErrorFields,
  readSASLInitialResponse,
  readSASLResponse,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  type ScramServerExchange,
  type ScramServerFailure,
  scramServerFinal,
  scramServerFirst,
  type Verifier,
} from '../wire/index.ts';
import { REPLY } from './replies.ts';

export interface SaslOptions {
  readonly verifier: Verifier;
  readonly serverNonce: string;
  /** -PLUS was offered if it is there. */
  readonly binding: Buffer | undefined;
  readonly reply: (bytes: Buffer) => void;
}

export type SaslOutcome =
  | { readonly kind: 'going-on' }
  | { readonly kind: 'right'; readonly clientKey: Buffer; readonly serverFinal: Buffer }
  | { readonly kind: 'wrong' }
  /** The client broke the rules. */
  | { readonly kind: 'refused'; readonly fields: ErrorFields };

export class SaslExchange {
  readonly #options: SaslOptions;
  #exchange: ScramServerExchange | undefined = undefined;

  constructor(options: SaslOptions) {
    this.#options = options;
  }

  receive(message: Buffer): SaslOutcome {
    return this.#exchange === undefined ? this.#first(message) : this.#final(this.#exchange, message);
  }

  #first(message: Buffer): SaslOutcome {
    const { verifier, serverNonce, binding, reply } = this.#options;
    const { mechanism, data } = readSASLInitialResponse(message);
    const isPlus = mechanism === SCRAM_SHA_256_PLUS && binding !== undefined;
    if ((mechanism !== SCRAM_SHA_256 && !isPlus) || data === undefined) {
      return refused(REPLY.protocolViolation('client selected an invalid SASL authentication mechanism'));
    }
    const first = scramServerFirst(data, { verifier, serverNonce, binding, isPlus });
    if (first.outcome === 'failed') return refused(fieldsOf(first.because));
    this.#exchange = first.exchange;
    reply(AuthenticationSASLContinue(first.serverFirst));
    return { kind: 'going-on' };
  }

  #final(exchange: ScramServerExchange, message: Buffer): SaslOutcome {
    const final = scramServerFinal(exchange, readSASLResponse(message));
    if (final.outcome === 'failed') {
      return final.because === 'wrong-proof' ? { kind: 'wrong' } : refused(fieldsOf(final.because));
    }
    const { clientKey, serverFinal } = final;
    return { kind: 'right', clientKey, serverFinal: AuthenticationSASLFinal(serverFinal) };
  }
}

function refused(fields: ErrorFields): SaslOutcome {
  return { kind: 'refused', fields };
}

function fieldsOf(because: ScramServerFailure): ErrorFields {
  if (because === 'channel-binding-downgraded') return REPLY.bindingDowngraded();
  if (because === 'channel-binding-changed') return REPLY.bindingFailed();
  return REPLY.protocolViolation('malformed SCRAM message');
}

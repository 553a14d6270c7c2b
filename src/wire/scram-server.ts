/**
 * The server's side of SCRAM-SHA-256 and of SCRAM-SHA-256-PLUS, as values: what the client sent and the verifier go in,
 * the answer comes out. The user's name in the exchange is ignored, as PostgreSQL does: the startup packet's counts.
 * RFC 5802 chapters 5 to 7; channel binding: RFC 5929 chapter 4.
 *
 *   client-first   n,,n=,r=<client nonce>                   with -PLUS: p=tls-server-end-point,,n=,r=…
 *   server-first   r=<client nonce><server nonce>,s=<salt>,i=<iterations>
 *   client-final   c=biws,r=<both nonces>,p=<proof>         with -PLUS: c=<base64 of the header and of the hash>
 *   server-final   v=<server signature>
 */
import { timingSafeEqual } from 'node:crypto';
import { assert } from '../base/index.ts';
import {
  decodeBase64,
  hmac,
  isNonce,
  SCRAM_BINDING,
  sha256,
  splitAttributes,
  type Verifier,
  xor,
} from './scram-verifier.ts';

/** Why an exchange failed. `wrong-proof` is a wrong password; the others are clients that break the rules. */
export type ScramServerFailure =
  | 'malformed'
  | 'channel-binding-not-offered'
  /** -PLUS was chosen, but the message binds nothing, or not to the end point. */
  | 'channel-binding-missing'
  /** The client believes that -PLUS is not offered, though it is: somebody took it off the list. */
  | 'channel-binding-downgraded'
  | 'channel-binding-changed'
  | 'authorization-identity'
  | 'mandatory-extension'
  | 'nonce-changed'
  | 'wrong-proof';

/** What to remember between the two messages of the client. */
export interface ScramServerExchange {
  readonly verifier: Verifier;
  readonly nonce: string;
  /** What the client must repeat in `c=`, in base64. */
  readonly channelBinding: string;
  /** The first two parts of AuthMessage: client-first without its header, and server-first. */
  readonly authPrefix: string;
}

export interface ScramServerOptions {
  readonly verifier: Verifier;
  /** Fresh randomness in printable characters, 18 bytes in base64. */
  readonly serverNonce: string;
  /** tls-server-end-point of this connection; absent: -PLUS was not offered. */
  readonly binding?: Buffer | undefined;
  /** The client chose -PLUS. */
  readonly isPlus?: boolean;
}

/** Answers client-first. */
export function scramServerFirst(
  clientFirst: string,
  options: ScramServerOptions,
):
  | { readonly outcome: 'continue'; readonly serverFirst: string; readonly exchange: ScramServerExchange }
  | { readonly outcome: 'failed'; readonly because: ScramServerFailure } {
  const { verifier, serverNonce } = options;
  assert(isNonce(serverNonce), 'a server nonce is printable and not empty');
  const header = readGs2Header(clientFirst, options);
  if (typeof header === 'string') return { outcome: 'failed', because: header };
  const attributes = splitAttributes(header.bare);
  // The user's name may be any text of the client's, so only its letter is looked at.
  if (attributes?.[0]?.[0] === 'm') return { outcome: 'failed', because: 'mandatory-extension' };
  const clientNonce = valueAt(attributes, 1, 'r');
  if (valueAt(attributes, 0, 'n') === undefined || clientNonce === undefined || !isNonce(clientNonce)) {
    return { outcome: 'failed', because: 'malformed' };
  }
  const nonce = clientNonce + serverNonce;
  const serverFirst = `r=${nonce},s=${verifier.salt.toString('base64')},i=${verifier.iterations}`;
  const exchange = {
    verifier,
    nonce,
    channelBinding: Buffer.concat([Buffer.from(header.text), header.bound]).toString('base64'),
    authPrefix: `${header.bare},${serverFirst}`,
  };
  return { outcome: 'continue', serverFirst, exchange };
}

/** Answers client-final; `clientKey` lets us log in elsewhere against the same verifier, so keep it secret. */
export function scramServerFinal(
  exchange: ScramServerExchange,
  clientFinal: string,
):
  | { readonly outcome: 'ok'; readonly serverFinal: string; readonly clientKey: Buffer }
  | { readonly outcome: 'failed'; readonly because: ScramServerFailure } {
  const attributes = splitAttributes(clientFinal);
  const channelBinding = valueAt(attributes, 0, 'c');
  const nonce = valueAt(attributes, 1, 'r');
  const proofText = valueAt(attributes, -1, 'p');
  const proof = proofText === undefined ? undefined : decodeBase64(proofText);
  const { storedKey, serverKey } = exchange.verifier;
  if (channelBinding === undefined || nonce === undefined || proof?.length !== storedKey.length) {
    return { outcome: 'failed', because: 'malformed' };
  }
  if (channelBinding !== exchange.channelBinding) {
    return { outcome: 'failed', because: 'channel-binding-changed' };
  }
  if (nonce !== exchange.nonce) return { outcome: 'failed', because: 'nonce-changed' };
  const withoutProof = clientFinal.slice(0, clientFinal.lastIndexOf(',p='));
  const authMessage = `${exchange.authPrefix},${withoutProof}`;
  const clientKey = xor(proof, hmac(storedKey, authMessage));
  if (!timingSafeEqual(sha256(clientKey), storedKey)) return { outcome: 'failed', because: 'wrong-proof' };
  return { outcome: 'ok', serverFinal: `v=${hmac(serverKey, authMessage).toString('base64')}`, clientKey };
}

/** Splits off `n,,` (no binding wanted), `y,,` (possible, but rightly believed not to be offered) or `p=<type>,,`. */
function readGs2Header(
  clientFirst: string,
  { binding, isPlus = false }: ScramServerOptions,
): { readonly text: string; readonly bare: string; readonly bound: Buffer } | ScramServerFailure {
  const match = /^(n|y|p=[A-Za-z0-9.-]+),(a=[^,]*)?,/.exec(clientFirst);
  if (match === null) return 'malformed';
  const [text, flag, authorization] = match;
  const bound = flag === `p=${SCRAM_BINDING}` && isPlus ? binding : undefined;
  if (isPlus && bound === undefined) return 'channel-binding-missing';
  if (!isPlus && flag !== 'n' && flag !== 'y') return 'channel-binding-not-offered';
  if (flag === 'y' && binding !== undefined) return 'channel-binding-downgraded';
  if (authorization !== undefined) return 'authorization-identity';
  return { text, bare: clientFirst.slice(text.length), bound: bound ?? Buffer.alloc(0) };
}

function valueAt(
  attributes: ReturnType<typeof splitAttributes>,
  index: number,
  letter: string,
): string | undefined {
  const found = attributes?.at(index);
  return found?.[0] === letter ? found[1] : undefined;
}

/**
 * The server's side of SCRAM-SHA-256, as values: what the client sent and the verifier go in, the answer comes
 * out. Without channel binding. The user's name in the exchange is ignored, as PostgreSQL does: the startup
 * packet's counts. RFC 5802 chapters 5 to 7.
 *
 *   client-first   n,,n=,r=<client nonce>
 *   server-first   r=<client nonce><server nonce>,s=<salt>,i=<iterations>
 *   client-final   c=biws,r=<both nonces>,p=<proof>
 *   server-final   v=<server signature>
 */
import { timingSafeEqual } from 'node:crypto';
import { assert } from '../base/index.ts';
import {
  decodeBase64,
  hmac,
  isNonce,
  sha256,
  splitAttributes,
  type Verifier,
  xor,
} from './scram-verifier.ts';

/** Why an exchange failed. `wrong-proof` is a wrong password; the others are clients that break the rules. */
export type ScramServerFailure =
  | 'malformed'
  | 'channel-binding-not-offered'
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

/** Answers client-first. `serverNonce` must be fresh randomness in printable characters, 18 bytes in base64. */
export function scramServerFirst(
  clientFirst: string,
  options: { readonly verifier: Verifier; readonly serverNonce: string },
):
  | { readonly outcome: 'continue'; readonly serverFirst: string; readonly exchange: ScramServerExchange }
  | { readonly outcome: 'failed'; readonly because: ScramServerFailure } {
  const { verifier, serverNonce } = options;
  assert(isNonce(serverNonce), 'a server nonce is printable and not empty');
  const header = readGs2Header(clientFirst);
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
    channelBinding: Buffer.from(header.text).toString('base64'),
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

/** Splits off `n,,` or `y,,`: no binding wanted, or possible but (rightly) believed not to be offered. */
function readGs2Header(
  clientFirst: string,
): { readonly text: string; readonly bare: string } | ScramServerFailure {
  const match = /^(n|y|p=[A-Za-z0-9.-]+),(a=[^,]*)?,/.exec(clientFirst);
  if (match === null) return 'malformed';
  const [text, flag, authorization] = match;
  if (flag !== 'n' && flag !== 'y') return 'channel-binding-not-offered';
  if (authorization !== undefined) return 'authorization-identity';
  return { text, bare: clientFirst.slice(text.length) };
}

function valueAt(
  attributes: ReturnType<typeof splitAttributes>,
  index: number,
  letter: string,
): string | undefined {
  const found = attributes?.at(index);
  return found?.[0] === letter ? found[1] : undefined;
}

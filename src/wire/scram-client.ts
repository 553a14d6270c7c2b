/**
 * The client's side of SCRAM-SHA-256 and of SCRAM-SHA-256-PLUS, as values. It logs in with a password, or with a
 * ClientKey that a good proof has shown and the verifier it belongs to. The messages are drawn in scram-server.ts; RFC
 * 5802 chapters 5 to 7.
 *
 * A ClientKey does not depend on the connection: only the proof, made anew here, covers the channel binding. So a key
 * that a client has shown over plain TCP, or bound to the router's certificate, logs in bound to the server's.
 */
import { timingSafeEqual } from 'node:crypto';
import { assert } from '../base/index.ts';
import { SCRAM_ITERATIONS_MAX } from './limits.ts';
import {
  decodeBase64,
  deriveKeys,
  hmac,
  isNonce,
  SCRAM_BINDING,
  sha256,
  splitAttributes,
  type Verifier,
  xor,
} from './scram-verifier.ts';

/** What the client proves. */
export type ScramCredential =
  | { readonly password: string }
  /** Works only against a server that stores this very verifier. */
  | { readonly clientKey: Buffer; readonly verifier: Verifier };

/** Why the exchange was broken off. */
export type ScramClientFailure =
  | 'malformed'
  /** The server's nonce does not begin with ours, or adds nothing: a replay. */
  | 'nonce-not-extended'
  | 'too-many-iterations'
  /** The server's salt or iterations are not those of our ClientKey: the password was changed. */
  | 'verifier-changed'
  /** The server said no in server-final. */
  | 'server-refused'
  /** The server does not know the verifier: it is not who it claims to be. */
  | 'wrong-server-signature';

/** What to remember after client-first. */
export interface ScramClientStart {
  readonly nonce: string;
  readonly header: string;
  readonly bare: string;
  /** What `c=` holds behind the header. */
  readonly bound: Buffer;
}

/** What is bound: to the certificate; nothing, though we could (the server does not offer it); nothing. */
export type ScramBinding = { readonly endPoint: Buffer } | 'not-offered' | 'none';

type Failed = { readonly outcome: 'failed'; readonly because: ScramClientFailure };

/**
 * Begins. `nonce` must be fresh randomness in printable characters (18 bytes in base64). PostgreSQL takes the
 * user from the startup packet, so the name stays empty unless another server wants it.
 */
export function scramClientFirst(options: {
  readonly nonce: string;
  readonly user?: string;
  readonly binding?: ScramBinding;
}): {
  readonly clientFirst: string;
  readonly start: ScramClientStart;
} {
  const { nonce, user = '', binding = 'none' } = options;
  assert(isNonce(nonce), 'a client nonce is printable and not empty');
  const isBound = typeof binding === 'object';
  const header = isBound ? `p=${SCRAM_BINDING},,` : binding === 'none' ? 'n,,' : 'y,,';
  const bound = isBound ? binding.endPoint : Buffer.alloc(0);
  const bare = `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
  return { clientFirst: header + bare, start: { nonce, header, bare, bound } };
}

/** Answers server-first with the proof. A password takes about a millisecond for 4096 iterations. */
export function scramClientFinal(
  start: ScramClientStart,
  serverFirst: string,
  credential: ScramCredential,
): { readonly outcome: 'continue'; readonly clientFinal: string; readonly serverSignature: Buffer } | Failed {
  const challenge = readServerFirst(serverFirst);
  if (challenge === undefined) return { outcome: 'failed', because: 'malformed' };
  const { nonce, salt, iterations } = challenge;
  if (!nonce.startsWith(start.nonce) || nonce.length === start.nonce.length) {
    return { outcome: 'failed', because: 'nonce-not-extended' };
  }
  const keys = keysFor(credential, salt, iterations);
  if (typeof keys === 'string') return { outcome: 'failed', because: keys };
  const channelBinding = Buffer.concat([Buffer.from(start.header), start.bound]).toString('base64');
  const withoutProof = `c=${channelBinding},r=${nonce}`;
  const authMessage = `${start.bare},${serverFirst},${withoutProof}`;
  const proof = xor(keys.clientKey, hmac(sha256(keys.clientKey), authMessage));
  return {
    outcome: 'continue',
    clientFinal: `${withoutProof},p=${proof.toString('base64')}`,
    serverSignature: hmac(keys.serverKey, authMessage),
  };
}

/** Checks server-final against the signature that `scramClientFinal` foretold. AuthenticationOk alone proves nothing. */
export function scramClientVerify(
  serverSignature: Buffer,
  serverFinal: string,
): { readonly outcome: 'ok' } | Failed {
  const [letter, value] = splitAttributes(serverFinal)?.[0] ?? ['', ''];
  if (letter === 'e') return { outcome: 'failed', because: 'server-refused' };
  const signature = letter === 'v' ? decodeBase64(value) : undefined;
  if (signature === undefined) return { outcome: 'failed', because: 'malformed' };
  if (signature.length !== serverSignature.length || !timingSafeEqual(signature, serverSignature)) {
    return { outcome: 'failed', because: 'wrong-server-signature' };
  }
  return { outcome: 'ok' };
}

interface Challenge {
  readonly nonce: string;
  readonly salt: Buffer;
  readonly iterations: number;
}

function readServerFirst(serverFirst: string): Challenge | undefined {
  const [nonce, salt, iterations] = splitAttributes(serverFirst) ?? [];
  if (nonce?.[0] !== 'r' || salt?.[0] !== 's' || iterations?.[0] !== 'i') return undefined;
  const saltBytes = decodeBase64(salt[1]);
  if (!isNonce(nonce[1]) || saltBytes === undefined || !/^[1-9]\d{0,9}$/.test(iterations[1]))
    return undefined;
  return { nonce: nonce[1], salt: saltBytes, iterations: Number(iterations[1]) };
}

function keysFor(
  credential: ScramCredential,
  salt: Buffer,
  iterations: number,
): { readonly clientKey: Buffer; readonly serverKey: Buffer } | ScramClientFailure {
  if ('password' in credential) {
    // A server's word decides how long we compute: without the bound it could stop the event loop for hours.
    if (iterations > SCRAM_ITERATIONS_MAX) return 'too-many-iterations';
    return deriveKeys(credential.password, salt, iterations);
  }
  const { clientKey, verifier } = credential;
  if (!verifier.salt.equals(salt) || verifier.iterations !== iterations) return 'verifier-changed';
  return { clientKey, serverKey: verifier.serverKey };
}

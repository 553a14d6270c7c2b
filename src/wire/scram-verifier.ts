/**
 * SCRAM-SHA-256 (RFC 5802, RFC 7677): the keys, and the text in which PostgreSQL keeps them in pg_authid.
 *
 *   SaltedPassword = PBKDF2(SASLprep(password), salt, iterations)
 *   ClientKey = HMAC(SaltedPassword, "Client Key")     proves the client; the server sees it once a login succeeds
 *   StoredKey = SHA256(ClientKey)                      in the verifier: checks a proof, cannot make one
 *   ServerKey = HMAC(SaltedPassword, "Server Key")     in the verifier: proves the server
 *
 * So whoever has a verifier and has seen one good proof can log in as that client wherever the same verifier
 * is stored: that is how a router needs no password.
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { saslprep } from './saslprep.ts';

/** What a server stores of a password. The keys are 32 bytes each. */
export interface Verifier {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** The name of the mechanism in AuthenticationSASL. */
export const SCRAM_SHA_256 = 'SCRAM-SHA-256';
/** The same, bound to the TLS connection that it goes over. */
export const SCRAM_SHA_256_PLUS = 'SCRAM-SHA-256-PLUS';
/** The one kind of channel binding that PostgreSQL knows: a hash of the server's certificate. */
export const SCRAM_BINDING = 'tls-server-end-point';

const KEY_BYTES = 32;
const SALT_BYTES = 16;
/** PostgreSQL's default for new passwords. */
const ITERATIONS = 4096;
const VERIFIER_FORM = /^SCRAM-SHA-256\$([1-9]\d{0,9}):([^$:]+)\$([^$:]+):([^$:]+)$/;

/** Reads `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`; undefined for anything else (md5, plain text). */
export function parseVerifier(text: string): Verifier | undefined {
  const match = VERIFIER_FORM.exec(text);
  if (match === null) return undefined;
  const [, iterationsText = '', saltText = '', storedText = '', serverText = ''] = match;
  const iterations = Number(iterationsText);
  const salt = decodeBase64(saltText);
  const storedKey = decodeBase64(storedText);
  const serverKey = decodeBase64(serverText);
  if (salt === undefined || storedKey?.length !== KEY_BYTES || serverKey?.length !== KEY_BYTES) {
    return undefined;
  }
  return { iterations, salt, storedKey, serverKey };
}

/** The text that PostgreSQL keeps, and takes in `CREATE ROLE … PASSWORD`. */
export function renderVerifier(verifier: Verifier): string {
  const { iterations, salt, storedKey, serverKey } = verifier;
  return `${SCRAM_SHA_256}$${iterations}:${encode(salt)}$${encode(storedKey)}:${encode(serverKey)}`;
}

/** The verifier of a password. Takes about a millisecond at 4096 iterations. */
export function buildVerifier(password: string, salt: Buffer, iterations = ITERATIONS): Verifier {
  const { clientKey, serverKey } = deriveKeys(password, salt, iterations);
  return { iterations, salt, storedKey: sha256(clientKey), serverKey };
}

/**
 * A verifier for a user who does not exist, so that the exchange looks the same and fails at its end. Made from
 * a secret of this process, so that asking twice shows the same salt, as it does for a real user. No password
 * fits it: nobody knows a preimage of its StoredKey.
 */
export function mockVerifier(user: string, secret: Buffer, iterations = ITERATIONS): Verifier {
  return {
    iterations,
    salt: hmac(secret, `salt ${user}`).subarray(0, SALT_BYTES),
    storedKey: hmac(secret, `stored key ${user}`),
    serverKey: hmac(secret, `server key ${user}`),
  };
}

/** ClientKey and ServerKey of a password. */
export function deriveKeys(
  password: string,
  salt: Buffer,
  iterations: number,
): { readonly clientKey: Buffer; readonly serverKey: Buffer } {
  const salted = pbkdf2Sync(saslprep(password), salt, iterations, KEY_BYTES, 'sha256');
  return { clientKey: hmac(salted, 'Client Key'), serverKey: hmac(salted, 'Server Key') };
}

/** HMAC-SHA-256 of UTF-8 text. */
export function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** SHA-256. */
export function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** Bitwise exclusive or of two keys: how a proof hides ClientKey, and shows it again. */
export function xor(left: Buffer, right: Buffer): Buffer {
  const result = Buffer.alloc(left.length);
  for (let index = 0; index < result.length; index += 1) {
    result[index] = (left[index] ?? 0) ^ (right[index] ?? 0);
  }
  return result;
}

/** Strict: undefined for anything but the canonical, non-empty encoding, where Node would guess. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return text !== '' && encode(bytes) === text ? bytes : undefined;
}

/**
 * Splits `a=x,b=y` into letters and values, in order; undefined where a piece is not of that form. No value
 * of the messages we know contains a comma.
 */
export function splitAttributes(
  text: string,
): readonly (readonly [letter: string, value: string])[] | undefined {
  const pieces = text.split(',');
  if (!pieces.every((piece) => /^[A-Za-z]=/.test(piece))) return undefined;
  return pieces.map((piece) => [piece.slice(0, 1), piece.slice(2)]);
}

/** RFC 5802 "printable": ASCII from '!' to '~' but for the comma, at least one. */
export function isNonce(text: string): boolean {
  return /^[\x21-\x2b\x2d-\x7e]+$/.test(text);
}

function encode(bytes: Buffer): string {
  return bytes.toString('base64');
}

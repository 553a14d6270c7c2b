/**
 * What is stored of a password, in each form that PostgreSQL and PgBouncer know, and how a client's answer is checked
 * against it. The md5 form is `md5` and md5(password + user name); over the wire goes md5(that + salt). Manual:
 * "Password Authentication", "AuthenticationMD5Password".
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { unreachable } from '../base/index.ts';
import { deriveKeys, parseVerifier, SCRAM_ITERATIONS_MAX, type Verifier } from '../wire/index.ts';

export type Secret =
  | { readonly kind: 'scram'; readonly verifier: Verifier }
  /** `hash`: 32 hexadecimal digits. */
  | { readonly kind: 'md5'; readonly hash: string }
  | { readonly kind: 'plain'; readonly password: string };

/** Anything that is neither a verifier nor an md5 is the password itself; empty: nobody can log in with it. */
export function parseSecret(text: string): Secret | undefined {
  const verifier = parseVerifier(text);
  if (verifier !== undefined) return { kind: 'scram', verifier };
  const md5 = /^md5([0-9a-f]{32})$/.exec(text)?.[1];
  if (md5 !== undefined) return { kind: 'md5', hash: md5 };
  return text === '' ? undefined : { kind: 'plain', password: text };
}

/** The stored form of a password. */
export function md5Secret(password: string, user: string): string {
  return hashed('md5', Buffer.from(password + user)).toString('hex');
}

/** What a client sends that knows the stored form. */
export function md5Answer(hash: string, salt: Buffer): string {
  return `md5${hashed('md5', Buffer.concat([Buffer.from(hash), salt])).toString('hex')}`;
}

export function isMd5Answer(answer: string, hash: string, salt: Buffer): boolean {
  return isEqual(answer, md5Answer(hash, salt));
}

/** Whether a password is the one that is stored. Takes about a millisecond for a verifier of 4096 iterations. */
export function isPassword(password: string, secret: Secret, user: string): boolean {
  switch (secret.kind) {
    case 'plain':
      return isEqual(password, secret.password);
    case 'md5':
      return isEqual(md5Secret(password, user), secret.hash);
    case 'scram': {
      const { salt, iterations, serverKey } = secret.verifier;
      // Any role may store a verifier of its own making: one with more would stop the event loop for hours.
      if (iterations > SCRAM_ITERATIONS_MAX) return false;
      return timingSafeEqual(deriveKeys(password, salt, iterations).serverKey, serverKey);
    }
  }
  return unreachable(secret);
}

function hashed(algorithm: 'md5' | 'sha256', bytes: Buffer): Buffer {
  return createHash(algorithm).update(bytes).digest();
}

/** Of texts of any length: their hashes are compared, so that the time says nothing of where they differ. */
function isEqual(left: string, right: string): boolean {
  return timingSafeEqual(hashed('sha256', Buffer.from(left)), hashed('sha256', Buffer.from(right)));
}

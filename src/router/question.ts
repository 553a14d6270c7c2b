/** From the rule's method and what is stored of a user to what the client is asked. The salts of md5 are made here. */
import { randomBytes } from 'node:crypto';
import { md5Secret, type Secret } from '../auth/index.ts';
import { unreachable } from '../base/index.ts';
import { askedFor, type ProofMethod } from './gate.ts';
import type { Question } from './login.ts';
import type { Shared } from './shared.ts';

export interface Asked {
  readonly user: string;
  readonly method: ProofMethod;
  /** Undefined: there is no such user. */
  readonly secret: Secret | undefined;
}

const SALT_BYTES = 4;

/** What is asked of a user who does not exist, or whose secret cannot be used, looks as for everybody else. */
export function questionFor(
  { verifiers }: Pick<Shared, 'verifiers'>,
  { user, method, secret }: Asked,
): Question {
  const mock = verifiers.mockOf(user);
  const kind = askedFor(method, secret, verifiers.usualKind);
  switch (kind) {
    case 'md5': {
      const hash = secret?.kind === 'md5' ? secret.hash : undefined;
      const salt = randomBytes(SALT_BYTES);
      const isMock = hash === undefined;
      return { kind, salt, hash: hash ?? md5Secret(salt.toString('hex'), user), isMock };
    }
    case 'password':
      return { kind, secret: secret ?? { kind: 'scram', verifier: mock }, isMock: secret === undefined };
    case 'scram': {
      const verifier = secret === undefined ? undefined : verifiers.verifierOf(secret, user);
      const password = secret?.kind === 'plain' ? secret.password : undefined;
      return { kind, verifier: verifier ?? mock, password, isMock: verifier === undefined };
    }
  }
  return unreachable(kind);
}

/**
 * What the first fitting host rule asks of a client, given who it is and what it has shown so far: the decision between
 * the start-up packet and the exchange. Pure; the secret is looked up between the two by the shell.
 */
import { type Attempt, type HbaRule, identAllows, matchHba, type Secret } from '../auth/index.ts';
import type { ErrorFields } from '../wire/index.ts';
import type { AccessTable } from './access.ts';
import { REPLY } from './replies.ts';

export type ProofMethod = 'scram-sha-256' | 'md5' | 'password';

/** What a client has to do. */
export type Demand =
  | { readonly kind: 'refuse'; readonly fields: ErrorFields }
  /** Nothing more: a rule trusts it, or its certificate. */
  | { readonly kind: 'admit' }
  | { readonly kind: 'prove'; readonly method: ProofMethod };

/** `names`: of its certificate, if it has shown one that counts. */
export interface Shown extends Attempt {
  readonly names: readonly string[] | undefined;
}

export function demandOf(access: Pick<AccessTable, 'rules' | 'idents'>, shown: Shown): Demand {
  const rule = matchHba(access.rules, shown);
  if (rule === undefined) return { kind: 'refuse', fields: REPLY.noHbaEntry(shown) };
  if (rule.method === 'reject') return { kind: 'refuse', fields: REPLY.hbaRejects(shown) };
  if (rule.method === 'cert' || rule.clientCert !== undefined) {
    if (shown.names === undefined) return { kind: 'refuse', fields: REPLY.noCertificate() };
    const isNamed = rule.method === 'cert' || rule.clientCert === 'verify-full';
    if (isNamed && !isMapped(access, rule, shown))
      return { kind: 'refuse', fields: REPLY.wrongCertificate(shown.user) };
  }
  if (rule.method === 'cert' || rule.method === 'trust') return { kind: 'admit' };
  return { kind: 'prove', method: rule.method };
}

function isMapped(
  { idents }: Pick<AccessTable, 'idents'>,
  { map }: HbaRule,
  { names, user }: Shown,
): boolean {
  // Of several common names the first one counts, as in PostgreSQL.
  const [name] = names ?? [];
  return name !== undefined && identAllows(idents, { map, name, role: user });
}

/**
 * How a client is asked to prove itself. md5 only where md5 is what is stored (a verifier cannot be checked with it, and
 * it is weaker); of strangers, as of most users, so that the question does not tell who exists.
 */
export function askedFor(
  method: ProofMethod,
  secret: Secret | undefined,
  usualKind: 'scram' | 'md5',
): 'scram' | 'md5' | 'password' {
  if (method === 'password') return 'password';
  if (method === 'md5' && (secret?.kind ?? usualKind) === 'md5') return 'md5';
  return 'scram';
}

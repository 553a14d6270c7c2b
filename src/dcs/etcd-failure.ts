/**
 * What an answer that is not success means. Told by HTTP status and gRPC code only, never by etcd's English.
 * The distinction that matters: did etcd say for certain that it did not do it, or does nobody know?
 */
import type { DcsErrorReason } from './dcs-error.ts';
import { errorAnswer } from './etcd-codec.ts';

export interface Failure {
  /** The store said for certain that nothing changed; another endpoint would say the same. */
  readonly isDefinite: boolean;
  readonly reason: DcsErrorReason;
  readonly detail: string;
  /** gRPC's, where etcd itself refused. */
  readonly code?: number;
}

/** gRPC codes with which etcd refuses a request before or instead of applying it. */
const DEFINITE: Readonly<Record<number, DcsErrorReason>> = {
  3: 'bad-request', // InvalidArgument
  5: 'lease-not-found', // NotFound: of all that we send, only a lease can be missing
  6: 'bad-request', // AlreadyExists
  7: 'not-allowed', // PermissionDenied
  8: 'no-space', // ResourceExhausted: the quota, or too many requests
  9: 'bad-request', // FailedPrecondition
  11: 'compacted', // OutOfRange
  12: 'bad-request', // Unimplemented
  16: 'not-allowed', // Unauthenticated
};

/** Unavailable and DeadlineExceeded: no leader, leader changed, timed out inside etcd. May have been applied. */
const WITHOUT_QUORUM = new Set([4, 14]);

/** The failure in an answer, or undefined if it is none. `json` is the parsed body, undefined if not JSON. */
export function failureIn(status: number, json: unknown): Failure | undefined {
  const error = errorAnswer.safeParse(json);
  if (error.success) {
    const { code, message } = error.data;
    const reason = DEFINITE[code];
    if (reason !== undefined) return { isDefinite: true, reason, detail: message, code };
    return {
      isDefinite: false,
      reason: WITHOUT_QUORUM.has(code) ? 'no-quorum' : 'bad-answer',
      detail: message,
    };
  }
  // The gateway answers every path it knows with JSON, so a bare 404 comes from an etcd without it.
  if (status === 404)
    return { isDefinite: false, reason: 'gateway-disabled', detail: 'no JSON gateway there' };
  if (status !== 200 || json === undefined)
    return { isDefinite: false, reason: 'bad-answer', detail: `HTTP status ${status}` };
  return undefined;
}

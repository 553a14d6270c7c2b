/**
 * Why a call to the store failed, in the two facts a caller must act on: can the change have happened
 * (`outcome`), and what stood in the way (`reason`). Both are closed sets; the message is for people.
 */
import { type ErrorCode, MatriarchError } from '../base/index.ts';

/**
 * `not-sent`: nothing can have changed (never sent, or only a read). `refused`: the store answered that it did
 * not do it. `unknown`: sent, and no definite answer came: read again before acting.
 */
export type DcsOutcome = 'unknown' | 'not-sent' | 'refused';

/** What stood in the way. `lease-not-found`: the lease named by a put or revoke no longer exists. */
export type DcsErrorReason =
  | 'timeout'
  | 'connection'
  | 'no-quorum'
  | 'lease-not-found'
  | 'gateway-disabled'
  | 'bad-answer'
  | 'bad-request'
  | 'not-allowed'
  | 'compacted'
  | 'no-space'
  | 'no-such-member'
  | 'closed';

const CODES: Readonly<Record<DcsErrorReason, ErrorCode>> = {
  timeout: 'dcs-unavailable',
  connection: 'dcs-unavailable',
  'no-quorum': 'dcs-unavailable',
  'bad-answer': 'dcs-unavailable',
  closed: 'dcs-unavailable',
  'gateway-disabled': 'dcs-gateway-disabled',
  'lease-not-found': 'dcs-refused',
  'bad-request': 'dcs-refused',
  'not-allowed': 'dcs-refused',
  compacted: 'dcs-refused',
  'no-space': 'dcs-refused',
  'no-such-member': 'dcs-refused',
};

/** The only error that calls to a `Dcs` reject with. */
export class DcsError extends MatriarchError {
  readonly outcome: DcsOutcome;
  readonly reason: DcsErrorReason;

  constructor(
    outcome: DcsOutcome,
    reason: DcsErrorReason,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(CODES[reason], message, options);
    this.outcome = outcome;
    this.reason = reason;
  }
}

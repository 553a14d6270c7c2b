/**
 * Promises that nobody awaits. Each is handed in with a name, so that a failure is logged with it instead of
 * being lost; only a bug of our own (a broken assertion) ends the process as an unhandled rejection.
 */
import { rethrowBug } from './assert.ts';
import { MatriarchError } from './errors.ts';
import type { Log, LogFields } from './log.ts';

/** Runs `work` unawaited; a failure is logged as `background-failed` with `what`. A bug then ends the process. */
export function background(log: Log, what: string, work: Promise<unknown>): void {
  work.catch((cause: unknown) => {
    log.error('background-failed', { what, ...failure(cause) });
    // Unhandled on purpose: the composition root ends the process for it.
    rethrowBug(cause);
  });
}

/** One line about any thrown value: its message, and its code where it has one. */
export function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = 'code' in cause && typeof cause.code === 'string' ? ` (${cause.code})` : '';
  return `${cause.message || cause.name}${code}`;
}

/** The fields of a log line about a failure: what happened and, for an operating error, what to do. */
export function failure(cause: unknown): LogFields {
  const fields = { cause: describe(cause) };
  return cause instanceof MatriarchError ? { ...fields, hint: cause.hint } : fields;
}

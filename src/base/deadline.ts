/** Waits with an end. Every await on the outside world goes through one of these. */
import { MatriarchError } from './errors.ts';
import { systemTimers, type Timers } from './timers.ts';

/** Settles as `work` does, or rejects with `deadline-exceeded` after `ms`; the work itself is not cancelled. */
export async function withDeadline<T>(
  work: Promise<T>,
  ms: number,
  what: string,
  timers: Timers = systemTimers,
): Promise<T> {
  let callOff: (() => void) | undefined;
  const expiry = new Promise<never>((_, reject) => {
    callOff = timers.after(ms, () => {
      reject(new MatriarchError('deadline-exceeded', `${what} took longer than ${ms} ms`));
    });
  });
  try {
    return await Promise.race([work, expiry]);
  } finally {
    callOff?.();
  }
}

/** Resolves after `ms`, or at once when `signal` is aborted. Never rejects. */
export async function pause(ms: number, signal?: AbortSignal, timers: Timers = systemTimers): Promise<void> {
  if (signal?.aborted === true) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      callOff();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const callOff = timers.after(ms, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Settles as `work` does, or resolves with undefined at once when `signal` is aborted; the work itself is not cancelled. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  let abort: (() => void) | undefined;
  const aborted = new Promise<undefined>((resolve) => {
    abort = () => resolve(undefined);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (abort !== undefined) signal.removeEventListener('abort', abort);
  }
}

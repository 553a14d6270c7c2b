/** Delays between retries: exponential, capped, half of it jittered, so that many waiters do not come back at once. */
export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Milliseconds to wait before retry number `attempt` (0 is the first); `random` is in [0, 1). */
export function backoffMs(attempt: number, limits: BackoffLimits, random: number): number {
  const ceiling = Math.min(limits.maxMs, limits.firstMs * 2 ** Math.min(attempt, 30));
  return ceiling / 2 + (ceiling / 2) * random;
}

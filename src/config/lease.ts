/** What follows from the settings of the lease, for the check of the settings and for the agent that lives by them. */
import type { LeaseConfig } from './schema.ts';

/** Long enough for a fast stop of PostgreSQL. */
const FAST_STOP_MS = 600;

/**
 * How long before its fence would strike an agent steps down by itself, so that a fast stop is tried first. Never longer
 * than the period of the keep-alive, of which a healthy leader's deadline is always more than one away.
 */
export function stepDownMs(lease: Pick<LeaseConfig, 'keep_alive'>): number {
  return Math.min(FAST_STOP_MS, lease.keep_alive);
}

/**
 * What a pool does next, as arithmetic over counts: how many connections to open, which to close, who has waited too
 * long. Pure. A pool is the server connections of one node, database and role.
 *
 *   wanted = waiting − opening         each waiting client needs a connection of its own; and up to minSize
 *   room   = size (+ reserve, once somebody has waited for reserveAfterMs) − (lent + idle + opening)
 *   open   = min(wanted, room, room of the database, room of the role)
 *
 * A size of 0 is no limit, as in PgBouncer.
 */

/** The limits of one pool; durations in ms, 0 = never. */
export interface PoolLimits {
  readonly size: number;
  readonly minSize: number;
  readonly reserveSize: number;
  readonly reserveAfterMs: number;
  /** A client that has waited for so long is told that no connection became free. */
  readonly waitMs: number;
  /** A connection that is older is closed when it is free. */
  readonly lifetimeMs: number;
  /** A connection that has been free for longer is closed. */
  readonly idleMs: number;
}

export interface PoolCounts {
  readonly lent: number;
  readonly idle: number;
  readonly opening: number;
  readonly waiting: number;
  readonly oldestWaitMs: number;
  /** Connections that other limits (of the database, of the role) still allow. */
  readonly roomElsewhere: number;
  /** Opening has failed just now: what nobody waits for is not opened yet. */
  readonly isFillingPaused: boolean;
}

/** Connections to open now. */
export function connectionsToOpen(limits: PoolLimits, counts: PoolCounts): number {
  const open = counts.lent + counts.idle + counts.opening;
  const room = Math.min(sizeNow(limits, counts) - open, counts.roomElsewhere);
  const toFill = counts.isFillingPaused ? 0 : limits.minSize - open;
  const missing = Math.max(counts.waiting - counts.opening, toFill);
  return Math.max(0, Math.min(room, missing));
}

function sizeNow({ size, reserveSize, reserveAfterMs }: PoolLimits, counts: PoolCounts): number {
  if (size === 0) return Number.POSITIVE_INFINITY;
  const usesReserve = counts.waiting > 0 && counts.oldestWaitMs >= reserveAfterMs;
  return usesReserve ? size + reserveSize : size;
}

/** Why a free connection is to be closed. */
export type Wear = 'lifetime' | 'idle' | 'replaced' | 'surplus';

/** A tenth of the lifetime is left to chance, so that connections opened together are not closed together. */
const JITTER_SHARE = 0.1;

/** When a connection opened at `now` is too old; `random` in [0, 1). A lifetime of 0: after its first use. */
export function wornOutAt(limits: PoolLimits, now: number, random: number): number {
  return now + limits.lifetimeMs * (1 - JITTER_SHARE * random);
}

export interface FreeConnection {
  readonly wornOutAt: number;
  readonly freeSince: number;
  /** It was opened before the last RECONNECT. */
  readonly isOld: boolean;
}

/** Whether a free connection is to be closed, and why; `open` connections are in its pool. */
export function wearOf(
  connection: FreeConnection,
  limits: PoolLimits,
  { now, open }: { readonly now: number; readonly open: number },
): Wear | undefined {
  if (connection.isOld) return 'replaced';
  // With a lifetime of 0 it has not been used yet: after its use it is not free again.
  if (limits.lifetimeMs > 0 && now >= connection.wornOutAt) return 'lifetime';
  if (isOverfull(limits, open)) return 'surplus';
  const isIdle = limits.idleMs > 0 && now - connection.freeSince >= limits.idleMs;
  return isIdle && open > limits.minSize ? 'idle' : undefined;
}

/** A pool of `open` connections has more than its limits allow: they were lowered. */
export function isOverfull({ size, reserveSize }: PoolLimits, open: number): boolean {
  return size > 0 && open > size + reserveSize;
}

/** Whether who has waited since `since` is to be told that it was in vain. */
export function isWaitOver({ waitMs }: PoolLimits, since: number, now: number): boolean {
  return waitMs > 0 && now - since >= waitMs;
}

/**
 * Limits over several pools of one node: of a database with all its roles, of a role in all its databases; and whether a pool
 * has no room for one more. Pure.
 */
import type { ServerPool } from './servers.ts';

/** Connections that those limits still allow the pool. */
export function roomFor(home: ServerPool, pools: Iterable<ServerPool>): number {
  const { databaseConnectionsMax, userConnectionsMax } = home.settings;
  if (databaseConnectionsMax === 0 && userConnectionsMax === 0) return Number.POSITIVE_INFINITY;
  let [ofDatabase, ofUser] = [0, 0];
  for (const { member, database, user, pool } of pools) {
    if (member !== home.member) continue;
    if (database === home.database) ofDatabase += pool.size;
    if (user === home.user) ofUser += pool.size;
  }
  return Math.min(left(databaseConnectionsMax, ofDatabase), left(userConnectionsMax, ofUser));
}

/** Closes a free connection of another pool under the same limits; false: there is none. */
export function makeRoomFor(home: ServerPool, pools: Iterable<ServerPool>): boolean {
  for (const other of pools) {
    if (other === home || other.member !== home.member) continue;
    if (other.database !== home.database && other.user !== home.user) continue;
    if (other.pool.closeOneFree()) return true;
  }
  return false;
}

/** A wait that is longer than the way to another datacenter. */
const SPILL_AFTER_MS = 20;

/**
 * All connections that the pool may have are lent, and it has lent none for too long: who asks now would wait for nobody
 * knows how long. A pool that is full of short work is not.
 */
export function isCongested(home: ServerPool | undefined, now: number): boolean {
  if (home === undefined) return false;
  const { pool, settings } = home;
  const { size } = settings.limits;
  const mayOpen = pool.opening > 0 || ((size === 0 || pool.size < size) && pool.waiting === 0);
  if (pool.free > 0 || mayOpen || pool.isPaused) return false;
  return Math.max(now - pool.lentAt, pool.oldestWaitMs(now)) > SPILL_AFTER_MS;
}

/** 0 is no limit. */
function left(max: number, used: number): number {
  return max === 0 ? Number.POSITIVE_INFINITY : max - used;
}

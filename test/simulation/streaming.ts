/**
 * Streaming replication of the model: a standby looks for its upstream again and again, and receives what that has flushed.
 * Whom it can follow is decided as PostgreSQL decides it, by the numbers of timelines and by positions; so a server that
 * shares a number with its upstream and not its history seems to stream.
 */
import type { Server } from './server.ts';
import { sharedUntil } from './wal.ts';

/** `wal_retrieve_retry_interval` and `wal_receiver_timeout`, as the agent sets them. */
const RETRY_MS = 500;
const SILENCE_MS = 15_000;

/** Looks for the upstream, for as long as this start of the standby lives. */
export function seek(standby: Server): void {
  const { events, chance } = standby.world;
  if (standby.run === 'stopping' || !standby.inRecovery) return;
  if (standby.receivesFrom === undefined) connect(standby);
  else listen(standby, standby.receivesFrom);
  events.after(RETRY_MS * chance.between(0.8, 1.2), standby.life, () => seek(standby));
}

export function disconnect(standby: Server): void {
  standby.receivesFrom?.followers.delete(standby);
  standby.receivesFrom?.waiting.disconnected(standby);
  standby.receivesFrom = undefined;
  standby.isTwin = false;
  standby.isShipping = false;
  standby.silentSince = undefined;
}

/** New WAL, or a link that is mended. */
export function shipToAll(upstream: Server): void {
  for (const follower of upstream.followers) ship(upstream, follower);
}

function connect(standby: Server): void {
  const { servers, network, watcher } = standby.world;
  const { upstream, slot } = standby.config;
  const from = upstream === undefined ? undefined : servers.get(upstream);
  if (from === undefined || standby.isPromoting || from === standby) return;
  if (from.run !== 'accepting' || !from.life.isRunning || from.systemId !== standby.systemId) return;
  if (!network.isOpenBothWays(standby.site, from.site)) return;
  if (slot !== undefined && !from.slots.has(slot)) return;
  const own = standby.wal;
  let limit = from.wal.lsn;
  let branch = from.wal.branch;
  while (branch.number > own.branch.number && branch.parent !== undefined) {
    limit = Math.min(limit, branch.startLsn);
    branch = branch.parent;
  }
  if (branch.number !== own.branch.number || own.lsn > limit) return;
  standby.receivesFrom = from;
  standby.isTwin = branch !== own.branch && sharedUntil(own, from.wal.branch) !== own.lsn;
  if (!standby.isTwin) standby.position = { branch: from.wal.branch, lsn: own.lsn };
  from.followers.add(standby);
  from.waiting.connected(standby);
  watcher.trace?.(
    `${standby.name}: streams from ${from.name} at ${own.branch.number}/${own.lsn}${standby.isTwin ? ', which is not of its history' : ''}`,
  );
  ship(from, standby);
}

/** A connection is lost at once where the other end says so, and by silence where nothing is heard of it. */
function listen(standby: Server, from: Server): void {
  const { events, network } = standby.world;
  const isOpen = network.isOpenBothWays(standby.site, from.site) && from.isHostUp;
  if (isOpen && !from.followers.has(standby)) return disconnect(standby);
  if (isOpen && !from.life.isAlive) return disconnect(standby);
  if (isOpen && from.life.isRunning) {
    standby.silentSince = undefined;
    ship(from, standby);
    return;
  }
  standby.silentSince ??= events.now;
  if (events.now - standby.silentSince > SILENCE_MS) disconnect(standby);
}

function ship(from: Server, standby: Server): void {
  const { events, network } = standby.world;
  if (standby.isShipping || standby.isTwin || standby.receivesFrom !== from) return;
  // One that has lost its power, and its data since, does not know that nobody follows it any more.
  if (!from.life.isRunning || !network.isOpenBothWays(from.site, standby.site)) return;
  const { branch, lsn } = from.wal;
  if (standby.wal.branch === branch && standby.wal.lsn >= lsn) return;
  standby.isShipping = true;
  const delay = Math.max(network.delay(from.site, standby.site), standby.stalledUntil - events.now);
  const { life } = standby;
  events.after(delay, life, () => {
    if (standby.life !== life || standby.receivesFrom !== from) return;
    standby.isShipping = false;
    if (!network.isOpen(from.site, standby.site)) return;
    standby.position = { branch, lsn: Math.max(lsn, standby.wal.lsn) };
    confirm(standby, from, lsn);
    standby.considerConsistency();
    shipToAll(standby);
    ship(from, standby);
  });
}

/** What it has flushed is said to the upstream, where a write waits for that. */
function confirm(standby: Server, from: Server, lsn: number): void {
  const { network } = standby.world;
  if (from.waiting.awaits(lsn))
    network.send(standby.site, from.site, from.life, () => from.waiting.confirmed(standby, lsn));
}

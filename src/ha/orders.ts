/**
 * What an operator asked of this member alone: a restart of its PostgreSQL, or a fresh copy in place of its data. An
 * order is carried out where it is safe, and is otherwise left: who gave it waits for it, and withdraws it.
 */
import { unreachable } from '../base/index.ts';
import { type Choice, takeLeader } from './action.ts';
import type { Observation } from './observation.ts';
import { isStillFirst } from './rank.ts';
import { upstreamUnder } from './upstream.ts';

/** What follows from the order; undefined = it cannot be carried out now, and all goes on as without it. */
export function whenOrdered(o: Observation): Choice | undefined {
  switch (o.order) {
    case undefined:
      return undefined;
    case 'restart':
      return whenRestart(o);
    case 'reinit':
      return whenReinit(o);
  }
  return unreachable(o.order);
}

/** A primary is started again only under the same lease that it was stopped under. */
function whenRestart(o: Observation): Choice | undefined {
  const { local, lock } = o;
  if (local.data !== 'whole' || local.process === 'stopping') return undefined;
  if (local.role === 'standby') {
    const upstream = lock.is === 'other' ? upstreamUnder(o, lock.leader) : local.upstream;
    return [{ do: 'restart', as: 'standby', upstream }, 'restart-requested'];
  }
  // Without the store it could not become one again.
  if (lock.is === 'mine' && lock.isFailsafe === true) return undefined;
  if (lock.is === 'mine') return [{ do: 'restart', as: 'primary', upstream: undefined }, 'restart-requested'];
  // Stopped by hand in a pause: it becomes a primary again like any other, by the key.
  const isFree = lock.is === 'none' || lock.is === 'named';
  return isFree && isStillFirst(o) && local.process === 'stopped'
    ? [takeLeader(o), 'restart-requested']
    : undefined;
}

/** Data is thrown away only while a usable leader exists to take it from again. */
function whenReinit({ local, lock, cluster }: Observation): Choice | undefined {
  const mayBeWriting = local.process !== 'stopped' && local.role !== 'standby';
  if (lock.is !== 'other' || cluster.leader?.isUsable !== true || mayBeWriting) return undefined;
  return [{ do: 'reinit', from: lock.leader }, 'reinit-requested'];
}

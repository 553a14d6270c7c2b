/**
 * Pause (the key `config` says `pause: true`): an operator works by hand. Nothing is started, stopped, promoted or
 * elected of the agent's own accord; what was done by hand is noticed, and what was explicitly asked for is done.
 *
 * What pause does not lift is invariant 1 of decide.ts: a primary runs only under a living lease, and its fence stays
 * armed. The failure that this prevents: a primary is cut off from the store during a pause, the pause ends without
 * its knowledge, and the others elect a second writer. So a lease that ends stops the primary in a pause as well. It
 * is then stopped by us, not by hand, and what we stopped we may start again: as the primary that it was once nobody
 * holds the key, or as the standby of whoever does.
 */
import { unreachable } from '../base/index.ts';
import { type Choice, takeLeader } from './action.ts';
import type { Lock, Observation } from './observation.ts';
import { isStillFirst } from './rank.ts';
import { requestAsStandby } from './switchover.ts';
import { whenFollowingAnother } from './upstream.ts';

/** What is done, or left undone, because of the pause; undefined = the same as without it. */
export function whenPaused(o: Observation): Choice | undefined {
  if (!o.cluster.isPaused || o.isBootstrapping) return undefined;
  if (o.local.data !== 'whole') return whenIncomplete(o);
  switch (o.local.process) {
    case 'stopped':
      return o.memory.isStoppedByUs ? whenStoppedByUs(o) : whenStoppedByHand(o.lock);
    case 'starting':
    case 'stopping':
      return [{ do: 'wait' }, 'server-changing-state'];
    case 'running':
      return o.local.role === 'standby' ? whenStandby(o) : whenPrimary(o);
  }
  return unreachable(o.local.process);
}

const isHeld = (lock: Lock): boolean => lock.is === 'mine' || lock.is === 'named';
const WAIT: Choice = [{ do: 'wait' }, 'paused'];

/** A copy that an explicit request has begun is finished; what else is missing is an operator's to restore. */
function whenIncomplete(o: Observation): Choice | undefined {
  return isHeld(o.lock) || o.memory.isStoppedByUs ? undefined : WAIT;
}

function whenStoppedByHand(lock: Lock): Choice {
  return isHeld(lock) ? [{ do: 'release' }, 'stopped-by-hand'] : WAIT;
}

function whenStoppedByUs(o: Observation): Choice | undefined {
  const { lock, local } = o;
  if (lock.is === 'other') return undefined;
  if (lock.is === 'unknown' || o.memory.standBackUntil !== undefined) return WAIT;
  if (local.role !== 'primary' || !isStillFirst(o))
    return isHeld(lock) ? [{ do: 'release' }, 'paused'] : WAIT;
  if (o.retryAt !== undefined && o.now < o.retryAt) return [{ do: 'wait' }, 'backing-off'];
  return lock.is === 'mine' ? [{ do: 'start-primary' }, 'stopped-by-us'] : [takeLeader(o), 'stopped-by-us'];
}

function whenStandby(o: Observation): Choice | undefined {
  const { lock, cluster } = o;
  const isAsked = cluster.request?.candidate === o.self.name && requestAsStandby(o, 0).is === 'ours';
  switch (lock.is) {
    case 'mine':
    case 'named':
      return isAsked ? undefined : [{ do: 'release' }, 'paused'];
    case 'none':
    case 'lost':
      return isAsked ? undefined : WAIT;
    case 'unknown':
      return undefined;
    case 'other':
      // A rewind would stop it.
      return cluster.leader?.divergence === 'diverged'
        ? WAIT
        : (whenFollowingAnother(o, lock.leader) ?? WAIT);
  }
  return unreachable(lock);
}

/** It leads on under its lease. Only a request for a certain candidate, to be done now, is carried out. */
function whenPrimary(o: Observation): Choice | undefined {
  const { request } = o.cluster;
  const isLeading = o.local.role === 'primary' && o.lock.is === 'mine' && o.lock.isFailsafe !== true;
  if (request === undefined || !isLeading) return undefined;
  if (request.candidate === undefined) return [{ do: 'clear-request' }, 'candidate-needed-in-pause'];
  const isScheduled = request.dueInMs !== 0;
  return isScheduled && request.dueInMs > -1000 ? [{ do: 'lead' }, 'paused'] : undefined;
}

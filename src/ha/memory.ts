/** What `decide` remembers from cycle to cycle: since when something has been so that may not stay so for long. */
import type { Decision } from './action.ts';
import { isHeldBack } from './failsafe.ts';
import type { Memory, Observation } from './observation.ts';

export function remember(o: Observation): Memory {
  const { memory, lock, local, cluster } = o;
  const isLeaderless = lock.is === 'none';
  // The turns of an election are counted from when all can take theirs.
  const isOpen = isLeaderless && !isHeldBack(o.failsafe, o.limits.ttlMs) && !isAnyHeldBack(o);
  const isCutOff =
    local.process === 'running' &&
    local.role === 'standby' &&
    !local.streaming &&
    lock.is === 'other' &&
    cluster.leader?.isUsable === true;
  const { notStreamingLsn: replayedBefore } = memory;
  const isReplaying = replayedBefore !== undefined && (local.replayedLsn ?? 0) > replayedBefore;
  const isStandingBack =
    memory.standBackUntil !== undefined && o.now < memory.standBackUntil && lock.is !== 'other';
  const isShunning = memory.cascadeShunnedUntil !== undefined && o.now < memory.cascadeShunnedUntil;
  return {
    openSince: isOpen ? (memory.openSince ?? o.now) : undefined,
    notStreamingSince: isCutOff ? ((isReplaying ? undefined : memory.notStreamingSince) ?? o.now) : undefined,
    notStreamingLsn: isCutOff ? local.replayedLsn : undefined,
    cascadeShunnedUntil: isShunning ? memory.cascadeShunnedUntil : undefined,
    standBackUntil: isStandingBack ? memory.standBackUntil : undefined,
    stoppingSince:
      local.process === 'stopping' && o.job === undefined ? (memory.stoppingSince ?? o.now) : undefined,
    clusterlessSince:
      isLeaderless && cluster.systemId === undefined ? (memory.clusterlessSince ?? o.now) : undefined,
    startingSince: local.process === 'starting' ? (memory.startingSince ?? o.now) : undefined,
    uncertainSince:
      local.process === 'running' && local.role === 'unknown' && local.unanswered === 0 && o.job === undefined
        ? (memory.uncertainSince ?? o.now)
        : undefined,
    isStoppedByUs: memory.isStoppedByUs && (local.process !== 'running' || o.job !== undefined),
  };
}

const isAnyHeldBack = ({ peers }: Observation): boolean => (peers ?? []).some((peer) => peer.isHeldBack);

type Done = Pick<Decision, 'action' | 'because'>;

const STOPPING = ['hand-over', 'demote', 'restart', 'reinit', 'rejoin', 'discard-data'];

/**
 * What an action adds: who gives leadership away lets others go first, who stops the server may start it in a pause, and who
 * is told to stream from elsewhere has the whole time for it.
 */
export function rememberAction(memory: Memory, { action, because }: Done, o: Observation): Memory {
  const isGivingAway = action.do === 'release' || action.do === 'hand-over';
  return {
    ...memory,
    notStreamingSince: action.do === 'follow' ? undefined : memory.notStreamingSince,
    cascadeShunnedUntil:
      because === 'cascade-gives-no-stream' ? o.now + o.limits.cascadeShunMs : memory.cascadeShunnedUntil,
    standBackUntil: isGivingAway ? o.now + 2 * o.limits.ttlMs : memory.standBackUntil,
    isStoppedByUs: memory.isStoppedByUs || STOPPING.includes(action.do),
  };
}

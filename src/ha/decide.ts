/**
 * One cycle's decision: observation in, one action with its reason out, memory carried along. Total: every observation
 * has an answer, and where something is not known the answer is the one that cannot make a second writer.
 *
 * States are data directory x process x role x lock (see observation.ts). Events are not inputs: whatever woke the
 * loop, the whole state is looked at again, so a lost event costs time and never correctness.
 *
 * Invariants, in the order in which the code asks:
 *  1. A server that may be a primary runs only under a living lease of ours; else it is demoted before anything else.
 *  2. `start-primary` and `promote` are decided only while the lock is `mine` with time left (the shell checks the key
 *     again in the store, and that the fence is armed, right before it acts).
 *  3. `release` is decided only while PostgreSQL is stopped, has no data, or is a standby that nothing is promoting.
 *  4. Data is thrown away only where it is half-made, or while a usable leader exists to take it from again.
 *  5. Nothing is decided on a silent store but to stop, or to go on: as a standby, or as a primary to which all members have pledged.
 *  6. Nothing that a pledge or the key `failsafe` forbids is decided, whatever led there (failsafe.ts).
 */
import { unreachable } from '../base/index.ts';
import { type Choice, type Decision, takeLeader } from './action.ts';
import { heedFailsafe } from './failsafe.ts';
import { remember, rememberAction } from './memory.ts';
import type { JobKind, Lock, Observation } from './observation.ts';
import { whenOrdered } from './orders.ts';
import { whenPaused } from './pause.ts';
import { asCandidate, isStillFirst, mayRace, successor, whyIneligible } from './rank.ts';
import type { Reason } from './reasons.ts';
import { requestAsLeader, requestAsStandby } from './switchover.ts';
import { upstreamUnder, whenFollowingAnother } from './upstream.ts';
import { whenUseless } from './useless.ts';

/** A server is not made a primary with less lease than this, in times to step down: it would be stopped half-way. */
const PRIMARY_NEEDS_STEP_DOWNS = 1.5;

/** Decides one cycle. */
export function decide(o: Observation): Decision {
  const memory = remember(o);
  const chosen = whileLeaseLasts(choose({ ...o, memory }), o);
  const [action, because] = heedFailsafe(chosen, o, mayWrite(o));
  return { action, because, memory: rememberAction(memory, { action, because }, o) };
}

/** Invariant 2. Without it a primary is started and stopped over and over while a lease runs out. */
function whileLeaseLasts(choice: Choice, { lock, now, limits }: Observation): Choice {
  const [{ do: what }] = choice;
  if (what !== 'promote' && what !== 'start-primary') return choice;
  return lock.is === 'mine' && now < lock.deadline - PRIMARY_NEEDS_STEP_DOWNS * limits.stepDownMs
    ? choice
    : [{ do: 'wait' }, 'lease-too-short'];
}

function choose(o: Observation): Choice {
  const { local } = o;
  if (o.job !== undefined) return whileJobRuns(o, o.job);
  if (mayWrite(o)) {
    const stop = whenUnsafeToWrite(o);
    if (stop !== undefined) return stop;
  }
  if (isMisplaced(o)) return [{ do: 'refuse' }, 'system-id-mismatch'];
  const first = whenOrdered(o) ?? whenPaused(o) ?? whenUseless(o);
  if (first !== undefined) return first;
  switch (local.data) {
    case 'unreadable':
      return holds(o.lock) && local.process === 'stopped'
        ? [{ do: 'release' }, 'data-directory-unreadable']
        : [{ do: 'wait' }, 'data-directory-unreadable'];
    case 'half-made':
      return whenHalfMade(o);
    case 'empty':
      return whenEmpty(o);
    case 'whole':
      return whenWhole(o);
  }
  return unreachable(local.data);
}

const holds = (lock: Lock): boolean => lock.is === 'mine' || lock.is === 'named';

/** The data is another cluster's. */
const isMisplaced = ({ local, cluster, isBootstrapping }: Observation): boolean =>
  !isBootstrapping && isForeign(local.systemId, cluster.systemId);

const isForeign = (mine: string | undefined, theirs: string | undefined): boolean =>
  mine !== undefined && theirs !== undefined && theirs !== '' && mine !== theirs;

/** A server that runs and is not known to be a standby may be acknowledging writes. */
export function mayWrite(o: Pick<Observation, 'local'>): boolean {
  const { process, role } = o.local;
  return process !== 'stopped' && role !== 'standby' && !(process === 'starting' && role === 'unknown');
}

/** Invariant 1. Undefined = the lease protects this server, or nobody can be hurt yet. */
function whenUnsafeToWrite(o: Observation): Choice | undefined {
  const { lock, now, limits } = o;
  switch (lock.is) {
    case 'mine':
      return now < lock.deadline - limits.stepDownMs
        ? undefined
        : [{ do: 'demote', mode: 'offline' }, 'lease-running-out'];
    case 'unknown':
      if (lock.deadline === undefined) return [{ do: 'demote', mode: 'offline' }, 'store-unreachable'];
      return now < lock.deadline - limits.stepDownMs
        ? [{ do: 'wait' }, 'store-unreachable-lease-alive']
        : [{ do: 'demote', mode: 'offline' }, 'lease-running-out'];
    case 'lost':
      return [{ do: 'demote', mode: 'immediate' }, 'lease-lost'];
    case 'other':
      return [{ do: 'demote', mode: 'immediate' }, 'leader-is-another'];
    case 'named':
      return acquire(o, 'key-names-us');
    case 'none':
      if (o.local.process === 'stopping')
        return [{ do: 'demote', mode: 'immediate' }, 'server-changing-state'];
      // A primary of another cluster would lead this one: its keys would speak of what is not here.
      if (isMisplaced(o)) return [{ do: 'refuse' }, 'system-id-mismatch'];
      // An old primary must not lead again where a newer timeline has, or may have, acknowledged writes.
      return isStillFirst(o)
        ? acquire(o, 'primary-without-leader-key')
        : [{ do: 'demote', mode: 'immediate' }, 'timeline-outdated'];
  }
  return unreachable(lock);
}

const acquire = (o: Observation, because: Reason): Choice => [takeLeader(o), because];

/** A long job owns PostgreSQL; only the loss of what it rests on interrupts it. */
function whileJobRuns(o: Observation, kind: JobKind): Choice {
  const wait: Choice = [{ do: 'wait' }, 'job-running'];
  const isPrimarys = kind === 'restart' && o.local.role !== 'standby';
  if (kind !== 'promote' && kind !== 'start-primary' && kind !== 'hand-over' && !isPrimarys) return wait;
  const isProtected =
    (o.lock.is === 'mine' || o.lock.is === 'unknown') && o.now < (o.lock.deadline ?? 0) - o.limits.stepDownMs;
  if (isProtected) return wait;
  // It has given the key away itself, at its end.
  if (kind === 'hand-over' && o.local.process === 'stopped') return wait;
  return o.local.process === 'stopped'
    ? [{ do: 'cancel-job' }, 'job-obsolete']
    : [{ do: 'demote', mode: 'immediate' }, 'job-obsolete'];
}

function whenHalfMade(o: Observation): Choice {
  if (o.local.process !== 'stopped') return [{ do: 'wait' }, 'server-changing-state'];
  if (holds(o.lock)) return [{ do: 'release' }, 'leader-without-data'];
  if (isBackingOff(o)) return [{ do: 'wait' }, 'backing-off'];
  // What is left of an interrupted rewind may be all there is, until someone is there to copy from.
  const isReplaceable = o.cluster.systemId === undefined || o.cluster.leader?.isUsable === true;
  return [
    isReplaceable && o.lock.is !== 'unknown' ? { do: 'discard-data' } : { do: 'wait' },
    'data-directory-half-made',
  ];
}

function whenEmpty(o: Observation): Choice {
  const { cluster, lock } = o;
  if (isBackingOff(o)) return [{ do: 'wait' }, 'backing-off'];
  switch (lock.is) {
    case 'mine':
    case 'named':
      return [{ do: 'release' }, 'leader-without-data'];
    case 'unknown':
      return [{ do: 'wait' }, 'store-unreachable-empty'];
    case 'lost':
    case 'none':
      if (cluster.systemId === '' && !cluster.isClaimOurs) return [{ do: 'wait' }, 'cluster-being-made'];
      if ((cluster.systemId ?? '') !== '') return [{ do: 'wait' }, 'no-leader-to-clone-from'];
      if (o.self.isNofailover) return [{ do: 'wait' }, 'tagged-nofailover'];
      if (o.self.lacksWatchdog === true) return [{ do: 'wait' }, 'watchdog-unusable'];
      return cluster.isClaimOurs ? [{ do: 'bootstrap' }, 'no-cluster-yet'] : whenClusterless(o);
    case 'other':
      if (cluster.systemId === '') return [{ do: 'wait' }, 'cluster-being-made'];
      if (cluster.leader?.isUsable !== true) return [{ do: 'wait' }, 'leader-not-ready'];
      return [{ do: 'clone', from: lock.leader }, 'empty-data-directory'];
  }
  return unreachable(lock);
}

/** A store without a cluster may have lost it: whoever has its data gets the time to say so, and a trace of it is enough. */
function whenClusterless({ cluster, memory, limits, now }: Observation): Choice {
  if (cluster.hasTraces) return [{ do: 'wait' }, 'cluster-is-elsewhere'];
  return now - (memory.clusterlessSince ?? now) < limits.bootstrapGraceMs
    ? [{ do: 'wait' }, 'looking-for-a-cluster']
    : [{ do: 'bootstrap' }, 'no-cluster-yet'];
}

function whenWhole(o: Observation): Choice {
  switch (o.local.process) {
    case 'starting':
      return whenStarting(o);
    case 'stopping':
      return whenStopping(o);
    case 'stopped':
      return whenStopped(o);
    case 'running':
      return whenRunning(o);
  }
  return unreachable(o.local.process);
}

/** A standby may stay here for long: until its WAL is consistent, which it may have to get from a leader it does not know yet. */
function whenStarting(o: Observation): Choice {
  const { lock, local, cluster } = o;
  const wait: Choice = [{ do: 'wait' }, 'server-changing-state'];
  if (local.role !== 'standby' || lock.is !== 'other' || cluster.leader?.isUsable !== true) return wait;
  if (cluster.leader.divergence === 'diverged') return rejoin(o, lock.leader, 'diverged');
  return whenFollowingAnother(o, lock.leader) ?? wait;
}

/** A shutdown may hang for ever: on a backend, or on a standby that takes no more WAL and does not go. */
function whenStopping(o: Observation): Choice {
  const forMs = o.now - (o.memory.stoppingSince ?? o.now);
  return forMs >= o.limits.stopPatienceMs
    ? [{ do: 'demote', mode: 'offline' }, 'shutdown-hangs']
    : [{ do: 'wait' }, 'server-changing-state'];
}

function whenRunning(o: Observation): Choice {
  switch (o.local.role) {
    case 'standby':
      return whenStandby(o);
    case 'primary':
      return whenLeading(o);
    case 'unknown':
      // It does not answer, or may become a primary at any moment; the lease and the fence protect everybody meanwhile.
      return o.now - (o.memory.uncertainSince ?? o.now) < o.limits.stopPatienceMs
        ? [{ do: 'wait' }, 'server-changing-state']
        : [{ do: 'demote', mode: 'immediate' }, 'promotion-not-seen'];
  }
  return unreachable(o.local.role);
}

function whenStopped(o: Observation): Choice {
  const { lock } = o;
  if (isClaimLost(o)) return [{ do: 'discard-data' }, 'claim-lost'];
  switch (lock.is) {
    case 'mine':
      return whenDeadLeader(o);
    case 'named':
      return acquire(o, 'key-names-us');
    case 'lost':
    case 'none':
      if (o.isBootstrapping && o.cluster.systemId === '') return acquire(o, 'cluster-made-here');
      if (o.cluster.systemId === '') return [{ do: 'wait' }, 'cluster-being-made'];
      if (o.memory.standBackUntil !== undefined) return [{ do: 'wait' }, 'standing-back'];
      return startStandby(o, undefined, 'leader-unknown');
    case 'unknown':
      // A new cluster's first start must be as its primary; it waits for the store.
      if (o.isBootstrapping) return [{ do: 'wait' }, 'store-unreachable-empty'];
      return startStandby(o, undefined, 'store-unreachable-standby');
    case 'other':
      return whenStoppedUnderLeader(o, lock.leader);
  }
  return unreachable(lock);
}

/** What we made for a new cluster is of no use, and holds nothing yet, once somebody else may make it. */
function isClaimLost({ isBootstrapping, lock, cluster, local }: Observation): boolean {
  const isKnown = lock.is === 'none' || lock.is === 'lost' || lock.is === 'other';
  return isBootstrapping && isKnown && cluster.systemId !== '' && cluster.systemId !== local.systemId;
}

/** PostgreSQL died, or was not started yet, under our own key. */
function whenDeadLeader(o: Observation): Choice {
  if (o.isBootstrapping)
    return isBackingOff(o) ? [{ do: 'wait' }, 'backing-off'] : [{ do: 'start-primary' }, 'cluster-made-here'];
  if (o.local.role === 'standby') return startStandby(o, undefined, 'leader-key-won');
  if (o.peers === undefined) return [{ do: 'ask-peers' }, 'positions-unknown'];
  if (successor(o.peers, o.cluster) !== undefined)
    return [{ do: 'release' }, 'postgres-died-candidate-ready'];
  return isBackingOff(o)
    ? [{ do: 'wait' }, 'backing-off']
    : [{ do: 'start-primary' }, 'postgres-died-no-candidate'];
}

function whenStoppedUnderLeader(o: Observation, name: string): Choice {
  const { leader } = o.cluster;
  if (isBackingOff(o)) return [{ do: 'wait' }, 'backing-off'];
  if (leader?.isUsable !== true) {
    return o.local.role === 'standby'
      ? startStandby(o, upstreamUnder(o, name), 'leader-known')
      : [{ do: 'wait' }, 'leader-not-ready'];
  }
  switch (leader.divergence) {
    case 'none':
      return startStandby(o, upstreamUnder(o, name), 'leader-known');
    case 'unknown':
      // A former primary that starts as a standby in error cannot be told from a good one by its clients.
      return o.local.role === 'standby'
        ? startStandby(o, upstreamUnder(o, name), 'leader-known')
        : [{ do: 'wait' }, 'history-unclear'];
    case 'diverged':
      return rejoin(o, name, 'diverged');
  }
  return unreachable(leader.divergence);
}

function rejoin(o: Observation, from: string, because: Reason): Choice {
  if (isBackingOff(o)) return [{ do: 'wait' }, 'backing-off'];
  // pg_rewind reads the leader's timeline from its control file, which a promotion alone does not update.
  if (o.cluster.leader?.hasCheckpointed !== true) return [{ do: 'wait' }, 'leader-checkpoint-pending'];
  return [{ do: 'rejoin', from, isDiverged: because === 'diverged' }, because];
}

function startStandby(o: Observation, upstream: string | undefined, because: Reason): Choice {
  return isBackingOff(o) ? [{ do: 'wait' }, 'backing-off'] : [{ do: 'start-standby', upstream }, because];
}

function whenStandby(o: Observation): Choice {
  const { lock, local, cluster } = o;
  switch (lock.is) {
    case 'mine':
      // It could not be promoted (no fence, say): who can should lead.
      if (isBackingOff(o)) return [{ do: 'release' }, 'promotion-failed'];
      // The key may have been asked for long ago: somebody may have led meanwhile, and be heard of only now.
      if (whyIneligible(asCandidate(o.self, local), cluster) === 'behind-timeline')
        return [{ do: 'release' }, 'behind-timeline'];
      return [{ do: 'promote' }, 'leader-key-won'];
    case 'named':
      return acquire(o, 'key-names-us');
    case 'unknown':
      return [{ do: 'wait' }, 'store-unreachable-standby'];
    case 'lost':
    case 'none':
      return whenLeaderless(o);
    case 'other':
      return whenFollowing(o, lock.leader);
  }
  return unreachable(lock);
}

function whenLeaderless(o: Observation): Choice {
  if (o.cluster.systemId === '') return [{ do: 'wait' }, 'cluster-being-made'];
  const forMs = o.now - (o.memory.openSince ?? o.now);
  switch (requestAsStandby(o, forMs).is) {
    case 'ours':
      // One that could not be promoted would otherwise take the key and give it back, over and over, and nobody else gets it.
      return isBackingOff(o) ? [{ do: 'wait' }, 'backing-off'] : acquire(o, 'requested-candidate');
    case 'theirs':
      return [{ do: 'wait' }, 'candidate-goes-first'];
    case 'open':
      break;
  }
  if (o.memory.standBackUntil !== undefined) return [{ do: 'wait' }, 'standing-back'];
  if (isBackingOff(o)) return [{ do: 'wait' }, 'backing-off'];
  if (o.peers === undefined) return [{ do: 'ask-peers' }, 'positions-unknown'];
  const verdict = mayRace(asCandidate(o.self, o.local), o.peers, o.cluster);
  if (verdict.may) return acquire(o, 'best-candidate');
  return verdict.isCourtesy && forMs >= o.limits.courtesyMs * verdict.ahead
    ? acquire(o, 'courtesy-over')
    : [{ do: 'wait' }, verdict.because];
}

function whenFollowing(o: Observation, name: string): Choice {
  const { local, memory, cluster } = o;
  if (cluster.leader?.isUsable === true && !local.streaming && cluster.leader.divergence === 'diverged') {
    return rejoin(o, name, 'diverged');
  }
  const another = whenFollowingAnother(o, name);
  if (another !== undefined) return another;
  const cutOffMs = memory.notStreamingSince === undefined ? 0 : o.now - memory.notStreamingSince;
  // Its own word is that it is fit; the leader is always somebody to stream from.
  if (local.upstream !== name && cutOffMs >= o.limits.cascadePatienceMs)
    return [{ do: 'follow', upstream: name }, 'cascade-gives-no-stream'];
  if (cutOffMs >= o.limits.streamPatienceMs) return rejoin(o, name, 'not-streaming');
  return [{ do: 'wait' }, 'following'];
}

/** A running primary under a living lease of ours (all else was stopped by invariant 1). */
function whenLeading(o: Observation): Choice {
  // No leader is changed without the store: the next one could not take the key.
  if (o.lock.is === 'mine' && o.lock.isFailsafe === true) return [{ do: 'lead' }, 'failsafe-lease'];
  const request = requestAsLeader(o);
  switch (request.is) {
    case 'none':
      return [{ do: 'lead' }, 'lease-held'];
    case 'later':
      return [{ do: 'lead' }, request.because];
    case 'ask-peers':
      return [{ do: 'ask-peers' }, 'positions-unknown'];
    case 'drop':
      return [{ do: 'clear-request' }, request.because];
    case 'hand-over':
      // One that failed interrupted the clients already: not again at once.
      return isBackingOff(o)
        ? [{ do: 'lead' }, 'backing-off']
        : [{ do: 'hand-over', candidate: request.candidate }, 'switchover-requested'];
  }
  return unreachable(request);
}

function isBackingOff(o: Observation): boolean {
  return o.retryAt !== undefined && o.now < o.retryAt;
}

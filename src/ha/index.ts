/** The door of `ha`: observation in, decision out. Pure. */
export type { Action, Decision, DemoteMode } from './action.ts';
export { decide, mayWrite } from './decide.ts';
export * from './durability.ts';
export { isSameName, nextOpening, OPEN, type Opening, type Seen } from './opening.ts';
export {
  type Asked,
  type Asker,
  type FailsafeFacts,
  type FailsafeList,
  type FailsafeLists,
  haveAllBeenAsked,
  isHeldBack,
  isListSettled,
  listConfirmed,
  listSent,
  type Member,
  noLists,
  parseFailsafe,
  pledgedByAll,
  renderFailsafe,
  whomToAsk,
  whyNoPledge,
} from './failsafe.ts';
export {
  type Blow,
  type FenceEvent,
  type FenceState,
  type FenceStep,
  fenceDeadline,
  idleFence,
  keepsTimer,
  stepDownMs,
  stepFence,
  strikePlan,
} from './fence.ts';
export {
  deadlineOf,
  type Instant,
  isCovered,
  isCoveredByPledges,
  keyEnded,
  keyGivenAway,
  keyLost,
  keySeen,
  keyTaken,
  type LeaderKeySeen,
  type LeaseState,
  leaseExtended,
  leaseGone,
  lockOf,
  membersPledged,
  noLease,
  primaryGone,
  raceUnclear,
} from './lease.ts';
export * from './observation.ts';
export {
  bestCandidate,
  compareCandidates,
  mayRace,
  type RaceVerdict,
  whyIneligible,
} from './rank.ts';
export { explain, REASONS, type Reason } from './reasons.ts';
export { parsePromised, renderPromised } from './sync-key.ts';
export { UNANSWERED_MAX } from './useless.ts';
export {
  longestTimeoutMs,
  noHold,
  planWatchdog,
  type WatchdogFacts,
  type WatchdogFlaw,
  type WatchdogHold,
  type WatchdogTiming,
  watchdogFlaw,
} from './watchdog.ts';

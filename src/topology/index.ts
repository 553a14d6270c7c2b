/** The door of `topology`: what the cluster looks like, who is primary, who may serve a read. */
export { type Candidate, type CandidateReason, type ReadPolicy, readCandidates } from './candidates.ts';
export { type ChoiceState, chooseWeighted, emptyChoice, type Weighted } from './choose.ts';
export { type KeyLayout, keyLayout, memberNameOf } from './layout.ts';
export { lagOf } from './lag.ts';
export {
  FEATURE_LEVEL,
  hasData,
  hasPrimaryRole,
  isFollowing,
  isTagSet,
  type Member,
  type MemberJson,
  type MemberRole,
  type MemberState,
  type ParsedMember,
  parseMember,
  renderMember,
  type ScheduledRestartJson,
  type TagValue,
  type UnreadableReason,
} from './member.ts';
export { NO_PRIMARY_REASONS, type NoPrimaryReason, type Primary, primaryOf, sourceOf } from './primary.ts';
export { type PolicySettings, readPolicyOf } from './read-policy.ts';
export { slotNameOf } from './slots.ts';
export {
  judgeCluster,
  type NodeAnswer,
  type StaticCluster,
  type StaticNode,
  type StaticReason,
  unknownCluster,
} from './static-view.ts';
export {
  applyChanges,
  applySnapshot,
  type ClusterView,
  emptyView,
  type FailoverRequest,
  type HistoryEntry,
  isFailsafeMode,
  isPaused,
  leaderChange,
} from './view.ts';
export { type WatchClusterOptions, watchCluster } from './watch.ts';

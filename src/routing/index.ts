/** The door of `routing`: what people wish about the place of a statement, and which places are fit for it. Pure. */
export {
  type Freshness,
  type Level,
  freshnessText,
  readStaleness,
  type Staleness,
  stricterFreshness,
} from './consistency-level.ts';
export {
  NO_CONNECTION_YET,
  type NodePosition,
  PositionBook,
  recordEnd,
  Seen,
  type Verdict,
} from './consistency.ts';
export { type HintRead, readHint, type Route, routeText, type Wishes } from './hints.ts';
export {
  type HealthEvent,
  healthShare,
  judgePosition,
  type LagLimit,
  nextHealth,
  type NodeHealth,
  slowBoundMs,
  unknownHealth,
} from './health.ts';
export { type Load, Median, nextLoad, noLoad } from './overload.ts';
export { hasReached, type Position } from './position.ts';
export { type Rule, ruleFor, type RuleSubject } from './rules.ts';
export { RefusedReads } from './refused.ts';
export { type Lag, WalTrail } from './wal-trail.ts';

/** The door of `pgpool`: making a running pgpool-II as its file of servers says. */
export {
  type FollowStep,
  followStep,
  pgpoolNodes,
  type PgpoolNode,
  type WantedNode,
  wantedNodes,
} from './follow.ts';
export { type FollowOptions, followPgpool } from './pcp.ts';
export { type SlotLine, slotLines } from './slot-lines.ts';

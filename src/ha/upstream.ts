/** Whom a standby streams from while another member leads: the standby that its tag `replicatefrom` names, or the leader. */
import type { Choice } from './action.ts';
import type { Observation } from './observation.ts';

/** Of a cluster that `leader` leads; `memory` is that of this cycle. */
export function upstreamUnder({ cluster, memory }: Observation, leader: string): string {
  return memory.cascadeShunnedUntil === undefined ? (cluster.cascade ?? leader) : leader;
}

/** Whom it follows is a setting, and does not stop it. Undefined = it follows whom it should. */
export function whenFollowingAnother(o: Observation, leader: string): Choice | undefined {
  const upstream = upstreamUnder(o, leader);
  return o.local.upstream === upstream ? undefined : [{ do: 'follow', upstream }, 'upstream-changed'];
}

/** How far members are behind the leader, by what they have published. */
import type { Member } from './member.ts';
import type { ClusterView } from './view.ts';

/** Bytes behind the leader's last known write position; undefined for the leader itself and where it is not known. */
export function lagOf(view: ClusterView, member: Member): number | undefined {
  const leader = view.leader === undefined ? undefined : view.members.get(view.leader);
  const position = Math.max(view.optime ?? 0, leader?.lsn ?? 0);
  if (member.name === view.leader || position === 0 || member.lsn === undefined) return undefined;
  return Math.max(0, position - member.lsn);
}

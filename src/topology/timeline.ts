/** Timelines: PostgreSQL counts one up at each promotion, so the newest one known tells the newest primary. */
import type { Member } from './member.ts';
import type { HistoryEntry } from './view.ts';

/** The newest timeline that history (its last entry *ended*, so + 1) or a member speaks of; 0 when none does. */
export function newestTimelineOf(history: readonly HistoryEntry[], members: Iterable<Member>): number {
  let newest = (history.at(-1)?.timeline ?? -1) + 1;
  for (const member of members) newest = Math.max(newest, member.timeline ?? 0);
  return newest;
}

/**
 * Does this data directory hold WAL that the leader does not have? Pure comparison of our last position with the
 * leader's timeline history; the failure it prevents is a standby that streams from a leader it has diverged from:
 * it either stops for ever or, worse, carries data that the cluster never acknowledged. [pure]
 */
import type { ControlData } from './control-data.ts';
import type { TimelineSwitch } from './timeline-history.ts';

/**
 * How far we are. `end`: everything before `lsn` is ours (a standby's received or replayed position). `last-record`: a
 * whole record begins at `lsn` (the shutdown checkpoint of a former primary). `unknown`: a primary that did not shut down.
 */
export interface LocalPosition {
  readonly timeline: number;
  readonly lsn: number;
  readonly lsnIs: 'end' | 'last-record' | 'unknown';
}

export type RewindNeed =
  | { readonly needed: false; readonly because: 'same-timeline' | 'before-the-switch' }
  | {
      readonly needed: true;
      readonly because: 'past-the-switch' | 'not-shut-down' | 'newer-timeline' | 'not-an-ancestor';
    };

/** `leader.history` is oldest first and ends with the parent of `leader.timeline`. */
export function needsRewind(
  local: LocalPosition,
  leader: { readonly timeline: number; readonly history: readonly TimelineSwitch[] },
): RewindNeed {
  if (local.timeline === leader.timeline) return { needed: false, because: 'same-timeline' };
  if (local.timeline > leader.timeline) return { needed: true, because: 'newer-timeline' };
  const from = leader.history.findIndex((entry) => entry.timeline === local.timeline);
  if (from === -1) return { needed: true, because: 'not-an-ancestor' };
  // See `hidesFork`.
  const left = Math.min(...leader.history.slice(from).map((entry) => entry.lsn));
  if (local.lsnIs === 'unknown') return { needed: true, because: 'not-shut-down' };
  // A switch point lies between records, so a record that begins before it also ends before it or at it.
  const isPast = local.lsnIs === 'end' ? local.lsn > left : local.lsn >= left;
  return isPast
    ? { needed: true, because: 'past-the-switch' }
    : { needed: false, because: 'before-the-switch' };
}

/**
 * A standby may be promoted before it has replayed up to where the timeline that it follows began. It leaves the earlier
 * timeline there, but its history file names the followed one as the parent, and the earlier one as left where that one
 * left it: a later line has a lesser position. pg_rewind 15 goes by the line of the last timeline that the two have in
 * common: it may find nothing to do, or start behind the true fork and leave pages as they are. `timeline` is the last of ours.
 */
export function hidesFork(timeline: number, history: readonly TimelineSwitch[]): boolean {
  const from = history.findIndex((entry) => entry.timeline === timeline);
  const left = history[from];
  return left !== undefined && history.slice(from + 1).some((entry) => entry.lsn < left.lsn);
}

/**
 * The position of a stopped data directory. Of a standby it is what it must have replayed; it may hold more, replay that
 * when it starts, and be past the switch only then: so a running standby's own status is to be compared too.
 */
export function positionOf(control: ControlData): LocalPosition {
  const { state, checkpointLsn, checkpointTimeline, minRecoveryEndLsn, minRecoveryEndTimeline } = control;
  if (state === 'shut down')
    return { timeline: checkpointTimeline, lsn: checkpointLsn, lsnIs: 'last-record' };
  if (state === 'shut down in recovery' || state === 'in archive recovery') {
    return {
      timeline: Math.max(checkpointTimeline, minRecoveryEndTimeline),
      lsn: Math.max(checkpointLsn, minRecoveryEndLsn),
      lsnIs: 'end',
    };
  }
  return { timeline: checkpointTimeline, lsn: checkpointLsn, lsnIs: 'unknown' };
}

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
  const left = leader.history.find((entry) => entry.timeline === local.timeline);
  if (left === undefined) return { needed: true, because: 'not-an-ancestor' };
  if (local.lsnIs === 'unknown') return { needed: true, because: 'not-shut-down' };
  // A switch point lies between records, so a record that begins before it also ends before it or at it.
  const isPast = local.lsnIs === 'end' ? local.lsn > left.lsn : local.lsn >= left.lsn;
  return isPast
    ? { needed: true, because: 'past-the-switch' }
    : { needed: false, because: 'before-the-switch' };
}

/** The position of a stopped data directory. */
export function positionOf(control: ControlData): LocalPosition {
  switch (control.state) {
    case 'shut down':
      return { timeline: control.checkpointTimeline, lsn: control.checkpointLsn, lsnIs: 'last-record' };
    case 'shut down in recovery':
    case 'in archive recovery':
      return {
        timeline: Math.max(control.checkpointTimeline, control.minRecoveryEndTimeline),
        lsn: Math.max(control.minRecoveryEndLsn, control.checkpointLsn),
        lsnIs: 'end',
      };
    case 'starting up':
    case 'shutting down':
    case 'in crash recovery':
    case 'in production':
      return { timeline: control.checkpointTimeline, lsn: control.checkpointLsn, lsnIs: 'unknown' };
  }
}

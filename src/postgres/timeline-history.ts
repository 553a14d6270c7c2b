/**
 * Timeline history files (`00000003.history`): which timeline ended where. A line is "parent timeline, switch point,
 * reason", oldest first; blank lines and `#` comments are skipped, as PostgreSQL does. [pure]
 */
import { parseLsn } from './lsn.ts';

/** Timeline `timeline` ended at `lsn`: what it wrote from there on belongs to nobody else. */
export interface TimelineSwitch {
  readonly timeline: number;
  readonly lsn: number;
  readonly reason: string;
}

export type TimelineHistoryResult =
  | { readonly ok: true; readonly value: readonly TimelineSwitch[] }
  | { readonly ok: false; readonly because: string };

/** Refuses a line that it does not understand, and timelines that do not grow. */
export function parseTimelineHistory(content: string): TimelineHistoryResult {
  const switches: TimelineSwitch[] = [];
  for (const [index, raw] of content.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const found = /^(\d{1,10})\s+([0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8})(?:\s+(.*))?$/.exec(line);
    const lsn = parseLsn(found?.[2] ?? '');
    if (found?.[1] === undefined || lsn === undefined) {
      return { ok: false, because: `timeline history line ${index + 1} is not "timeline lsn reason"` };
    }
    const timeline = Number(found[1]);
    const last = switches.at(-1);
    if (last !== undefined && timeline <= last.timeline) {
      return { ok: false, because: `timeline history line ${index + 1}: timelines do not grow` };
    }
    switches.push({ timeline, lsn, reason: found[3] ?? '' });
  }
  return { ok: true, value: switches };
}

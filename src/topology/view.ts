/**
 * What a router, a CLI or an agent knows of the cluster: one immutable value per revision of the store, plus the
 * proof of how fresh it is. Built only by `apply` functions here, from snapshots and changes of the watch.
 */
import { isRecord, parseJson, wholeNumber } from '../base/index.ts';
import type { KeyValue, Snapshot, WatchEvent } from '../dcs/index.ts';
import { type KeyLayout, memberNameOf } from './layout.ts';
import { isTagSet, type Member, parseMember } from './member.ts';
import type { NoPrimaryReason } from './primary.ts';
import { newestTimelineOf } from './timeline.ts';

/** An entry of `history`: the timeline that ended, where, and why. */
export interface HistoryEntry {
  readonly timeline: number;
  readonly lsn: number;
  readonly reason: string;
  readonly at: string | undefined;
  readonly newLeader: string | undefined;
}

/** The value of `failover`: a planned (`leader` set) or manual change of leader. */
export interface FailoverRequest {
  readonly leader: string | undefined;
  readonly candidate: string | undefined;
  readonly scheduledAt: string | undefined;
  readonly modRevision: number;
}

export interface ClusterView {
  /** Revision of the store that this view is of; never goes back. */
  readonly revision: number;
  /** Holder of the leader key; undefined when there is none. */
  readonly leader: string | undefined;
  /** Why nobody leads, where it is not a leader key that is missing. */
  readonly leaderlessBecause?: NoPrimaryReason;
  /** Revisions of the leader key: `createRevision` identifies a term, it changes with each new holder. */
  readonly leaderCreateRevision: number | undefined;
  readonly leaderModRevision: number | undefined;
  readonly leaderLease: string | undefined;
  readonly members: ReadonlyMap<string, Member>;
  /** Members whose JSON could not be read, with the reason: shown, never used. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** `initialize`: undefined = no cluster yet; empty = being made; else the system identifier. */
  readonly systemId: string | undefined;
  /** `status.optime`: the leader's write position as it last said. Bytes. */
  readonly optime: number | undefined;
  readonly failover: FailoverRequest | undefined;
  readonly history: readonly HistoryEntry[];
  /** `config` as it stands in the store, with its revision; undefined when missing or not an object. */
  readonly config:
    | { readonly value: Readonly<Record<string, unknown>>; readonly modRevision: number }
    | undefined;
  /** The newest timeline any key speaks of: history's last + 1, or a member's own. 0 when nothing is known. */
  readonly newestTimeline: number;
  /** The keys themselves, by full name: what the fields above were read from, and the rest (`sync`, `failsafe` …). */
  readonly entries: ReadonlyMap<string, KeyValue>;
}

/** Before anything was heard: revision 0, no leader, no member. */
export const emptyView: ClusterView = {
  revision: 0,
  leader: undefined,
  leaderCreateRevision: undefined,
  leaderModRevision: undefined,
  leaderLease: undefined,
  members: new Map(),
  unreadable: new Map(),
  systemId: undefined,
  optime: undefined,
  failover: undefined,
  history: [],
  config: undefined,
  newestTimeline: 0,
  entries: new Map(),
};

/** The cluster-wide configuration asks for maintenance: agents do nothing of their own accord. */
export function isPaused(view: ClusterView): boolean {
  return view.config !== undefined && isTagSet(view.config.value, 'pause');
}

/** The cluster-wide configuration lets a leader go on without the store while all members pledge not to lead. */
export function isFailsafeMode(view: Pick<ClusterView, 'config'>): boolean {
  return view.config !== undefined && isTagSet(view.config.value, 'failsafe_mode');
}

/** The view of a whole snapshot. A snapshot older than `view` changes nothing: the same object comes back. */
export function applySnapshot(view: ClusterView, snapshot: Snapshot, layout: KeyLayout): ClusterView {
  if (snapshot.revision < view.revision) return view;
  const ours = snapshot.entries.filter((entry) => entry.key.startsWith(layout.prefix));
  const entries = new Map(ours.map((entry) => [entry.key, entry]));
  return viewOf(snapshot.revision, { entries, members: membersOf(entries, view, layout) }, view, layout);
}

/** `view` with all changes of one revision. A revision that `view` already holds changes nothing. */
export function applyChanges(
  view: ClusterView,
  change: { readonly revision: number; readonly events: readonly WatchEvent[] },
  layout: KeyLayout,
): ClusterView {
  if (change.revision <= view.revision) return view;
  const entries = new Map(view.entries);
  let isOfMembers = false;
  for (const event of change.events) {
    const key = event.type === 'put' ? event.entry.key : event.key;
    if (!key.startsWith(layout.prefix)) continue;
    isOfMembers ||= key.startsWith(layout.membersPrefix);
    if (event.type === 'put') entries.set(key, event.entry);
    else entries.delete(key);
  }
  const members = isOfMembers ? membersOf(entries, view, layout) : view;
  return viewOf(change.revision, { entries, members }, view, layout);
}

/** A change of leader between two views; undefined when the same term goes on (or there was none in both). */
export function leaderChange(
  before: ClusterView,
  after: ClusterView,
): { readonly from: string | undefined; readonly to: string | undefined } | undefined {
  // The create revision tells two terms of one member apart; the name tells of a holder who was overwritten.
  if (before.leader === after.leader && before.leaderCreateRevision === after.leaderCreateRevision)
    return undefined;
  return { from: before.leader, to: after.leader };
}

/** Everything is read from the keys, so a fold of changes cannot differ from a snapshot; what a key that is as it was said is kept. */
function viewOf(
  revision: number,
  now: { readonly entries: ReadonlyMap<string, KeyValue>; readonly members: MembersSeen },
  before: ClusterView,
  layout: KeyLayout,
): ClusterView {
  const { entries } = now;
  const { members, unreadable } = now.members;
  const leader = entries.get(layout.leader);
  const isAsBefore = (key: string): boolean =>
    before.revision > 0 && before.entries.get(key) === entries.get(key);
  const held = leader !== undefined && leader.value !== '' ? leader : undefined;
  const history = isAsBefore(layout.history) ? before.history : historyOf(entries.get(layout.history));
  return {
    revision,
    leader: held?.value,
    leaderCreateRevision: held?.createRevision,
    leaderModRevision: held?.modRevision,
    leaderLease: held?.lease,
    members,
    unreadable,
    systemId: entries.get(layout.initialize)?.value,
    optime:
      isAsBefore(layout.status) && isAsBefore(layout.legacyOptime)
        ? before.optime
        : optimeOf(entries.get(layout.status), entries.get(layout.legacyOptime)),
    failover: isAsBefore(layout.failover) ? before.failover : failoverOf(entries.get(layout.failover)),
    history,
    config: isAsBefore(layout.config) ? before.config : configOf(entries.get(layout.config)),
    newestTimeline: newestTimelineOf(history, members.values()),
    entries,
  };
}

type MembersSeen = Pick<ClusterView, 'members' | 'unreadable'>;

function membersOf(
  entries: ReadonlyMap<string, KeyValue>,
  before: ClusterView,
  layout: KeyLayout,
): MembersSeen {
  const members = new Map<string, Member>();
  const unreadable = new Map<string, string>();
  const byKey = [...entries.keys()].filter((key) => key.startsWith(layout.membersPrefix)).sort();
  for (const key of byKey) {
    const name = memberNameOf(layout, key);
    const entry = entries.get(key);
    if (name === undefined || entry === undefined) continue;
    const known = before.members.get(name);
    if (known !== undefined && before.entries.get(key) === entry) {
      members.set(name, known);
      continue;
    }
    const parsed = parseMember(name, entry);
    if (parsed.kind === 'member') members.set(name, parsed.member);
    else unreadable.set(name, parsed.because);
  }
  return { members, unreadable };
}

function historyOf(entry: KeyValue | undefined): readonly HistoryEntry[] {
  const lines = entry === undefined ? undefined : parseJson(entry.value);
  if (!Array.isArray(lines)) return [];
  return lines.flatMap((line: unknown) => {
    if (!Array.isArray(line)) return [];
    const [timeline, lsn, reason, at, newLeader]: unknown[] = line;
    const read = { timeline: wholeNumber(timeline), lsn: wholeNumber(lsn) };
    if (read.timeline === undefined || read.lsn === undefined) return [];
    return [
      {
        timeline: read.timeline,
        lsn: read.lsn,
        reason: typeof reason === 'string' ? reason : '',
        at: typeof at === 'string' ? at : undefined,
        newLeader: typeof newLeader === 'string' ? newLeader : undefined,
      },
    ];
  });
}

/** `status.optime`; where there is no readable `status`, the older `optime/leader`. */
function optimeOf(status: KeyValue | undefined, legacy: KeyValue | undefined): number | undefined {
  const json = status === undefined ? undefined : parseJson(status.value);
  const optime = isRecord(json) ? wholeNumber(json['optime']) : wholeNumber(json);
  if (optime !== undefined || legacy === undefined) return optime;
  return /^\d{1,15}$/.test(legacy.value) ? Number(legacy.value) : undefined;
}

/** `{}` (how Patroni resets the key) is no request. */
function failoverOf(entry: KeyValue | undefined): FailoverRequest | undefined {
  const json = entry === undefined ? undefined : parseJson(entry.value);
  if (entry === undefined || !isRecord(json)) return undefined;
  const field = (name: string): string | undefined => {
    const value = json[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const request = { leader: field('leader'), candidate: field('member'), scheduledAt: field('scheduled_at') };
  if (request.leader === undefined && request.candidate === undefined) return undefined;
  return { ...request, modRevision: entry.modRevision };
}

function configOf(entry: KeyValue | undefined): ClusterView['config'] {
  const value = entry === undefined ? undefined : parseJson(entry.value);
  return entry !== undefined && isRecord(value) ? { value, modRevision: entry.modRevision } : undefined;
}

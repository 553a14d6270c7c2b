/**
 * A member of the cluster as its JSON in the store says, in Patroni's layout. Reading tolerates anything (other
 * versions, hand edits, garbage: the member is then reported as unreadable, never guessed). Writing is exact.
 */
import { isRecord, parseJson, wholeNumber } from '../base/index.ts';
import type { KeyValue } from '../dcs/index.ts';

/**
 * What we publish as `version`: Patroni's feature level that the agent implements, not our own version. Peers act
 * on it. 3.3.0 and not 4.x, because from 4.0.0 on replicas trust the leader to publish every slot's position in
 * `status.slots`; below 2.1.0 they would write the old `optime/leader` key in each loop.
 */
export const FEATURE_LEVEL = '3.3.0';

export type MemberRole =
  | 'primary'
  | 'master'
  | 'replica'
  | 'standby_leader'
  | 'promoted'
  | 'demoted'
  | 'uninitialized';

export type MemberState =
  | 'running'
  | 'starting'
  | 'stopping'
  | 'stopped'
  | 'stop failed'
  | 'start failed'
  | 'restarting'
  | 'restart failed'
  | 'crashed'
  | 'creating replica'
  | 'initializing new cluster'
  | 'initdb failed';

export type TagValue = string | number | boolean;

/** The value of `members/<name>`. Field names and spelling are Patroni's. LSNs are bytes as numbers (< 2^53). */
export interface MemberJson {
  readonly conn_url: string;
  readonly api_url: string;
  readonly state: MemberState;
  readonly role: MemberRole;
  /** Patroni's feature level that is really implemented, not our own version. */
  readonly version: string;
  readonly xlog_location?: number;
  readonly receive_lsn?: number;
  readonly replay_lsn?: number;
  readonly replication_state?: 'streaming' | 'in archive recovery';
  readonly timeline?: number;
  readonly checkpoint_after_promote?: false;
  /** It lets nobody in but agents and standbys. Not Patroni's. */
  readonly closed_to_clients?: true;
  readonly tags?: Readonly<Record<string, TagValue>>;
  readonly pending_restart?: true;
  readonly pause?: true;
  readonly scheduled_restart?: ScheduledRestartJson;
}

/** A restart that is to come, with the conditions that it hangs on, as the member shows it. */
export interface ScheduledRestartJson {
  /** ISO 8601 with an offset. */
  readonly schedule: string;
  readonly role?: string;
  readonly postgres_version?: string;
  readonly timeout?: number;
  readonly restart_pending?: boolean;
  /** Of the server that it is meant for; one that has been started since is left alone. */
  readonly postmaster_start_time?: string;
}

/** A member as the rest of the system sees it. */
export interface Member {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly apiUrl: string;
  readonly state: string;
  readonly role: string;
  /** From the tag `datacenter`; empty when the member has none. */
  readonly datacenter: string;
  readonly timeline: number | undefined;
  /** Write position of a primary; the farther of received and replayed of a standby. Bytes. */
  readonly lsn: number | undefined;
  readonly replayLsn: number | undefined;
  readonly replicationState: string | undefined;
  /** It has written a checkpoint on its present timeline (or never said that it has not), so pg_rewind can follow it. */
  readonly hasCheckpointed: boolean;
  /** It runs, and lets nobody in but agents and standbys until these have what it would show. */
  readonly isClosed: boolean;
  /** It has seen that the cluster is paused. */
  readonly isPaused: boolean;
  /** A setting waits for a restart of its PostgreSQL. */
  readonly needsRestart: boolean;
  /** A restart that is to come, as the member published it. */
  readonly scheduledRestart: Readonly<Record<string, unknown>> | undefined;
  readonly tags: Readonly<Record<string, TagValue>>;
}

/** A member's value, read: either all of it is usable, or it says why it is not. */
export type ParsedMember =
  | { readonly kind: 'member'; readonly member: Member }
  | { readonly kind: 'unreadable'; readonly because: UnreadableReason };

export type UnreadableReason = 'not-json' | 'no-conn-url' | 'bad-conn-url';

/** Reads `members/<name>`. Unknown fields are ignored; a field of the wrong type is as if it were absent. */
export function parseMember(name: string, entry: KeyValue): ParsedMember {
  const json = isConnUrl(entry.value) ? fromConnUrl(entry.value) : parseJson(entry.value);
  if (!isRecord(json)) return { kind: 'unreadable', because: 'not-json' };
  const connUrl = json['conn_url'];
  if (typeof connUrl !== 'string') return { kind: 'unreadable', because: 'no-conn-url' };
  const address = addressOf(connUrl);
  if (address === undefined) return { kind: 'unreadable', because: 'bad-conn-url' };
  const tags = tagsOf(json['tags']);
  return {
    kind: 'member',
    member: {
      name,
      host: address.host,
      port: address.port,
      apiUrl: text(json['api_url']) ?? '',
      state: text(json['state']) ?? '',
      role: text(json['role']) ?? '',
      datacenter: String(tags['datacenter'] ?? ''),
      timeline: wholeNumber(json['timeline']),
      lsn: wholeNumber(json['xlog_location']),
      replayLsn: wholeNumber(json['replay_lsn']),
      replicationState: text(json['replication_state']),
      hasCheckpointed: json['checkpoint_after_promote'] !== false,
      isClosed: json['closed_to_clients'] === true,
      isPaused: json['pause'] === true,
      needsRestart: json['pending_restart'] === true,
      scheduledRestart: isRecord(json['scheduled_restart']) ? json['scheduled_restart'] : undefined,
      tags,
    },
  };
}

/**
 * The value of `members/<name>`: compact JSON, fields in one fixed order whatever the order of the object, so
 * that equal states are equal texts and the key is rewritten only when something changed.
 */
export function renderMember(member: MemberJson): string {
  // What is undefined is left out.
  const ordered: { readonly [Field in keyof MemberJson]-?: MemberJson[Field] | undefined } = {
    conn_url: member.conn_url,
    api_url: member.api_url,
    state: member.state,
    role: member.role,
    version: member.version,
    tags: member.tags,
    pending_restart: member.pending_restart,
    xlog_location: member.xlog_location,
    receive_lsn: member.receive_lsn,
    replay_lsn: member.replay_lsn,
    replication_state: member.replication_state,
    timeline: member.timeline,
    checkpoint_after_promote: member.checkpoint_after_promote,
    closed_to_clients: member.closed_to_clients,
    pause: member.pause,
    scheduled_restart: member.scheduled_restart,
  };
  return JSON.stringify(ordered);
}

/** True for the two spellings of a running primary: `primary` (Patroni 4, ours) and `master` (before). */
export function hasPrimaryRole(member: Member): boolean {
  return member.role === 'primary' || member.role === 'master';
}

/** It has a data directory of the cluster: members that wait for one, or make or copy one, say `uninitialized`. */
export function hasData(member: Member): boolean {
  return member.role !== '' && member.role !== 'uninitialized' && member.state !== 'initializing new cluster';
}

/** By its own word a standby that runs and is not cut off; members before Patroni 3.0.3 do not say the latter. */
export function isFollowing(member: Member): boolean {
  const { state, role, replicationState } = member;
  return state === 'running' && role === 'replica' && replicationState !== 'in archive recovery';
}

/** A tag that is set, as Patroni reads it: `true`, `"true"`, `"on"`, `"yes"`, `1` … */
export function isTagSet(tags: Readonly<Record<string, unknown>>, tag: string): boolean {
  const value = tags[tag];
  if (typeof value === 'string') return /^(true|on|yes|1)$/i.test(value.trim());
  return value === true || value === 1;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** As agents write it. Each member's is read at each change of its position, and a URL is dear to read. */
const PLAIN_CONN_URL = /^postgres(?:ql)?:\/\/([a-zA-Z0-9.-]+)(?::(\d{1,5}))?(?:\/\w*)?$/;

const isConnUrl = (value: string): boolean => /^postgres(ql)?:\/\//.test(value);

/** The value as very old Patroni wrote it: a bare URL, with the REST URL as `application_name`. */
function fromConnUrl(value: string): unknown {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return { conn_url: value, api_url: url?.searchParams.get('application_name') ?? undefined };
}

/** Host and port of `postgres://[user@]host[:port]/db`; IPv6 without its brackets. One host only. */
function addressOf(connUrl: string): { readonly host: string; readonly port: number } | undefined {
  const [, plainHost, plainPort = '5432'] = PLAIN_CONN_URL.exec(connUrl) ?? [];
  if (plainHost !== undefined) {
    const port = Number(plainPort);
    return port >= 1 && port <= 65_535 ? { host: plainHost, port } : undefined;
  }
  if (!isConnUrl(connUrl) || !URL.canParse(connUrl)) return undefined;
  const url = new URL(connUrl);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? 5432 : Number(url.port);
  if (host === '' || host.includes('%') || port === 0) return undefined;
  return { host, port };
}

function tagsOf(value: unknown): Readonly<Record<string, TagValue>> {
  if (!isRecord(value)) return {};
  const kept = Object.entries(value).filter((tag): tag is [string, TagValue] =>
    ['string', 'number', 'boolean'].includes(typeof tag[1]),
  );
  return Object.fromEntries(kept);
}

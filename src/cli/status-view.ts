/**
 * What `matriarch status` shows of a view: rows for the table (read as `patronictl list` is) and the same as
 * JSON, whose keys are stable and carry units. Pure.
 */

import { type Column, renderTable } from '../base/index.ts';
import {
  type ClusterView,
  hasPrimaryRole,
  isPaused,
  lagOf,
  type Member,
  NO_PRIMARY_REASONS,
  type NoPrimaryReason,
  primaryOf,
  type TagValue,
} from '../topology/index.ts';

export interface StatusMember {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly role: 'leader' | 'replica' | 'unreadable';
  readonly state: string;
  readonly timeline: number | null;
  /** Behind the leader's last known write position; null for the leader itself and where it is not known. */
  readonly lag_bytes: number | null;
  readonly datacenter: string;
  readonly tags: Readonly<Record<string, TagValue>>;
}

export interface Status {
  readonly cluster: string;
  readonly system_id: string | null;
  readonly leader: string | null;
  /** The leader, if it is a running primary on the newest timeline. */
  readonly primary: string | null;
  /** Why there is no primary; null when there is one. */
  readonly no_primary_because: NoPrimaryReason | null;
  readonly timeline: number;
  readonly paused: boolean;
  readonly members: readonly StatusMember[];
  readonly failover: { readonly leader: string | null; readonly candidate: string | null } | null;
}

export function statusOf(scope: string, view: ClusterView): Status {
  const primary = primaryOf(view);
  const readable = [...view.members.values()].map((member) => memberStatus(member, view));
  const unreadable = [...view.unreadable].map(([name, because]) => unreadableStatus(name, because));
  return {
    cluster: scope,
    system_id: view.systemId ?? null,
    leader: view.leader ?? null,
    primary: primary.kind === 'primary' ? primary.member.name : null,
    no_primary_because: primary.kind === 'none' ? primary.because : null,
    timeline: view.newestTimeline,
    paused: isPaused(view),
    members: [...readable, ...unreadable].sort((a, b) => a.name.localeCompare(b.name)),
    failover:
      view.failover === undefined
        ? null
        : { leader: view.failover.leader ?? null, candidate: view.failover.candidate ?? null },
  };
}

const COLUMNS: readonly Column[] = [
  { title: 'Member' },
  { title: 'Host' },
  { title: 'Role' },
  { title: 'State' },
  { title: 'TL', align: 'right' },
  { title: 'Lag', align: 'right' },
  { title: 'Datacenter' },
  { title: 'Tags' },
];

/** The table with its heading, and lines below it for what needs attention. */
export function renderStatus(status: Status): string {
  const ports = new Set(status.members.map(({ port }) => port));
  const hosts = new Set(status.members.map(({ host }) => host));
  const isPortTold = ports.size > 1 || !ports.has(5432) || hosts.size < status.members.length;
  const rows = status.members.map((member) => [
    member.name,
    isPortTold && member.host !== '' ? `${member.host}:${member.port}` : member.host,
    member.role === 'leader' ? 'Leader' : member.role === 'replica' ? 'Replica' : '',
    member.state,
    member.timeline === null ? '' : String(member.timeline),
    member.role === 'replica' ? formatLag(member.lag_bytes) : '',
    member.datacenter,
    formatTags(member.tags),
  ]);
  const id = status.system_id === null ? 'uninitialized' : status.system_id || 'initializing';
  return renderTable(COLUMNS, rows, `Cluster: ${status.cluster} (${id})`) + notes(status);
}

/** `0`, `512 B`, `12 kB`, `3.4 MB`, `1.2 GB`; `unknown` when it cannot be computed. */
export function formatLag(bytes: number | null): string {
  if (bytes === null) return 'unknown';
  if (bytes < 1024) return bytes === 0 ? '0' : `${bytes} B`;
  if (bytes < 1024 ** 2) return `${Math.round(bytes / 1024)} kB`;
  if (bytes < 1024 ** 3) return `${(bytes / 1024 ** 2).toFixed(1)} MB`;
  return `${(bytes / 1024 ** 3).toFixed(1)} GB`;
}

function notes({ no_primary_because, paused, failover }: Status): string {
  const lines = [
    ...(no_primary_because === null ? [] : [`No primary: ${NO_PRIMARY_REASONS[no_primary_because]}`]),
    ...(paused ? ['Maintenance mode: on'] : []),
    ...(failover === null
      ? []
      : [`Change of leader requested: from ${failover.leader ?? 'any'} to ${failover.candidate ?? 'any'}`]),
  ];
  return lines.map((line) => ` ${line}\n`).join('');
}

function memberStatus(member: Member, view: ClusterView): StatusMember {
  const isLeader = member.name === view.leader;
  const isStreaming = !isLeader && member.state === 'running' && !hasPrimaryRole(member);
  const { datacenter: _, ...tags } = member.tags;
  return {
    name: member.name,
    host: member.host,
    port: member.port,
    role: isLeader ? 'leader' : 'replica',
    state: isStreaming ? (member.replicationState ?? member.state) : member.state,
    timeline: member.timeline ?? null,
    lag_bytes: lagOf(view, member) ?? null,
    datacenter: member.datacenter,
    tags,
  };
}

function unreadableStatus(name: string, because: string): StatusMember {
  return {
    name,
    host: '',
    port: 5432,
    role: 'unreadable',
    state: `unreadable (${because})`,
    timeline: null,
    lag_bytes: null,
    datacenter: '',
    tags: {},
  };
}

function formatTags(tags: Readonly<Record<string, TagValue>>): string {
  return Object.entries(tags)
    .map(([key, value]) => (value === true ? key : `${key}=${value}`))
    .join(', ');
}

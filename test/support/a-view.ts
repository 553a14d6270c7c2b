/** Views for tests of the command, built from keys as they stand in the store. */
import {
  applySnapshot,
  type ClusterView,
  emptyView,
  keyLayout,
  type MemberJson,
  renderMember,
} from '../../src/topology/index.ts';

export const layout = keyLayout('/service/', 'main');

export interface ViewOptions {
  readonly revision?: number;
  readonly leader?: string | undefined;
  /** Create revision of the leader key. */
  readonly term?: number;
  readonly members?: Readonly<Record<string, Partial<MemberJson> | string>>;
  readonly status?: object;
  readonly failover?: object;
  readonly config?: object;
  readonly initialize?: string;
}

/** Three members in three datacenters, db-sib-01 leading on timeline 2, unless told otherwise. */
export function aView(options: ViewOptions = {}): ClusterView {
  const { revision = 100, term = 10, members = threeMembers } = options;
  const leader = 'leader' in options ? options.leader : 'db-sib-01';
  const keys: [string, string, number?][] = [
    [layout.initialize, options.initialize ?? '7345678901234567890'],
    [layout.history, '[[1,50331648,"no recovery target specified"]]'],
    [layout.status, JSON.stringify(options.status ?? { optime: 67_108_864 })],
    ...(leader === undefined ? [] : [[layout.leader, leader, term] as [string, string, number]]),
    ...(options.failover === undefined
      ? []
      : [[layout.failover, JSON.stringify(options.failover)] as [string, string]]),
    ...(options.config === undefined
      ? []
      : [[layout.config, JSON.stringify(options.config)] as [string, string]]),
    ...Object.entries(members).map(([name, member]): [string, string] => [
      layout.member(name),
      memberText(name, member),
    ]),
  ];
  const entries = keys.map(([key, value, created = 1]) => ({
    key,
    value,
    createRevision: created,
    modRevision: created,
    lease: undefined,
  }));
  return applySnapshot(emptyView, { revision, entries }, layout);
}

export const threeMembers: Readonly<Record<string, Partial<MemberJson>>> = {
  'db-sib-01': { role: 'primary', xlog_location: 67_108_864, tags: { datacenter: 'dc1' } },
  'db-sib-03': { xlog_location: 67_108_864, replication_state: 'streaming', tags: { datacenter: 'dc2' } },
  'db-fsn-01': {
    xlog_location: 63_543_296,
    replication_state: 'streaming',
    tags: { datacenter: 'dc3', nofailover: true, failover_priority: 2 },
  },
};

const HOSTS: Readonly<Record<string, string>> = {
  'db-sib-01': '10.1.0.2',
  'db-sib-03': '10.2.0.2',
  'db-fsn-01': '10.3.0.2',
};

/** The value of a member key; `member` changes the defaults, a text stands for itself. */
export function memberText(name: string, member: Partial<MemberJson> | string): string {
  if (typeof member === 'string') return member;
  const host = HOSTS[name] ?? '10.9.0.2';
  return renderMember({
    conn_url: `postgres://${host}:5432/postgres`,
    api_url: `http://${host}:8008/patroni`,
    state: 'running',
    role: 'replica',
    version: '3.3.0',
    timeline: 2,
    ...member,
  });
}

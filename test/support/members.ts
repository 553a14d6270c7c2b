/** Builders for cluster state: the member as JSON in the store, the keys of a cluster, and the view of them. */
import type { KeyValue } from '../../src/dcs/index.ts';
import {
  applySnapshot,
  type ClusterView,
  emptyView,
  FEATURE_LEVEL,
  type KeyLayout,
  keyLayout,
  type MemberJson,
  renderMember,
} from '../../src/topology/index.ts';

/** The keys of the cluster that the builders build. */
export const aLayout: KeyLayout = keyLayout('service', 'demo');

export interface MemberSettings extends Partial<MemberJson> {
  readonly name: string;
  readonly datacenter?: string;
}

/** A running, streaming standby on timeline 1, unless told otherwise. */
export function aMember(settings: MemberSettings): MemberJson {
  const { name, datacenter = 'dc1', tags, ...rest } = settings;
  const role = rest.role ?? 'replica';
  return {
    conn_url: `postgres://${name}.example:5432/postgres`,
    api_url: `http://${name}.example:8008/patroni`,
    state: 'running',
    role,
    version: FEATURE_LEVEL,
    xlog_location: 50_331_648,
    timeline: 1,
    ...(role === 'replica' ? { replication_state: 'streaming' } : {}),
    tags: { datacenter, ...tags },
    ...rest,
  };
}

/** The running primary. */
export function aPrimary(settings: MemberSettings): MemberJson {
  return aMember({ role: 'primary', ...settings });
}

/** A key as the store holds it, at revision 1 unless told otherwise. */
export function anEntry(key: string, value: string, more: Partial<KeyValue> = {}): KeyValue {
  return { key, value, createRevision: 1, modRevision: 1, lease: undefined, ...more };
}

export interface ClusterSettings {
  readonly leader?: string;
  /** By member name: JSON, or a text as it stands. */
  readonly members?: Readonly<Record<string, MemberJson | string>>;
  /** Other keys, by the name under the cluster's prefix. */
  readonly keys?: Readonly<Record<string, string>>;
  readonly revision?: number;
}

/** The keys of a cluster. */
export function clusterEntries(settings: ClusterSettings): readonly KeyValue[] {
  const { leader, members = {}, keys = {} } = settings;
  return [
    ...(leader === undefined ? [] : [anEntry(aLayout.leader, leader, { lease: '7' })]),
    ...Object.entries(members).map(([name, member]) =>
      anEntry(aLayout.member(name), typeof member === 'string' ? member : renderMember(member), {
        lease: '7',
      }),
    ),
    ...Object.entries(keys).map(([key, value]) => anEntry(aLayout.prefix + key, value)),
  ];
}

/** What is seen of such a cluster. */
export function aView(settings: ClusterSettings): ClusterView {
  return applySnapshot(
    emptyView,
    { revision: settings.revision ?? 1, entries: clusterEntries(settings) },
    aLayout,
  );
}

/** The three datacenters of the design: a primary in dc1, streaming standbys in dc2 and dc3. */
export function threeDatacenters(more: ClusterSettings = {}): ClusterView {
  return aView({
    leader: 'db1',
    ...more,
    members: {
      db1: aPrimary({ name: 'db1', datacenter: 'dc1' }),
      db2: aMember({ name: 'db2', datacenter: 'dc2' }),
      db3: aMember({ name: 'db3', datacenter: 'dc3' }),
      ...more.members,
    },
  });
}

/**
 * The cluster as templates see it: read from the keys of its scope in the same snapshot as everything else, and with the
 * shares that a router on this host would give.
 */
import {
  applySnapshot,
  type ClusterView,
  emptyView,
  type KeyLayout,
  lagOf,
  type Member,
  NO_PRIMARY_REASONS,
  primaryOf,
  readCandidates,
  type ReadPolicy,
} from '../../topology/index.ts';
import { toText } from '../go/bytes.ts';

/** Whose keys, and from where they are looked at. */
export interface ClusterScope {
  readonly name: string;
  readonly layout: KeyLayout;
  readonly policy: ReadPolicy;
}

/** Texts, not bytes. */
export interface ClusterMember {
  readonly name: string;
  /** `primary` of the one that may be written to; of another that says that it is one, `superseded`. */
  readonly role: string;
  readonly state: string;
  /** Bytes; undefined for the leader and where it is not known. */
  readonly lag: number | undefined;
  readonly datacenter: string;
  /** Where to connect from this host. */
  readonly host: string;
  readonly port: number;
  /** Share of reads. */
  readonly weight: number;
  /** It runs and lets nobody in: what it shows might yet be lost. */
  readonly isClosed: boolean;
}

export interface Cluster {
  readonly scope: string;
  /** Where we are. */
  readonly datacenter: string;
  /** Holder of the leader key. */
  readonly leader: string | undefined;
  /** Who may be written to, or why nobody may. */
  readonly primary: { readonly name: string } | { readonly because: string };
  /** Those that can be read, by name. */
  readonly members: readonly ClusterMember[];
}

/** The folder of its keys, as a resource lists folders. */
export function scopeFolder({ layout }: ClusterScope): string {
  return layout.prefix.replace(/\/$/, '');
}

/** From pairs of bytes; those outside the scope are passed over. */
export function clusterOf(
  pairs: ReadonlyMap<string, string>,
  { name, layout, policy }: ClusterScope,
): Cluster {
  const entries = [...pairs].map(([key, value]) => ({
    key: toText(key),
    value: toText(value),
    createRevision: 1,
    modRevision: 1,
    lease: undefined,
  }));
  const view = applySnapshot(emptyView, { revision: 1, entries }, layout);
  const primary = primaryOf(view);
  return {
    scope: name,
    datacenter: policy.localDatacenter,
    leader: view.leader,
    primary:
      primary.kind === 'primary'
        ? { name: primary.member.name }
        : { because: NO_PRIMARY_REASONS[primary.because] },
    members: membersOf(view, policy),
  };
}

function membersOf(view: ClusterView, policy: ReadPolicy): ClusterMember[] {
  return readCandidates(view, policy).flatMap(({ name, host, port, datacenter, weight }) => {
    const member = view.members.get(name);
    if (member === undefined) return [];
    const lag = lagOf(view, member);
    const { state, isClosed } = member;
    return [{ name, role: roleOf(view, member), state, lag, datacenter, host, port, weight, isClosed }];
  });
}

function roleOf(view: ClusterView, member: Member): string {
  if (member.role !== 'primary' && member.role !== 'master') return member.role;
  const primary = primaryOf(view);
  return primary.kind === 'primary' && primary.member === member ? 'primary' : 'superseded';
}

/**
 * Who may serve a read, with which share, seen from one datacenter; and who may not, and why. Every member of
 * the view is listed, so that the answer can be shown as it is.
 */
import { unreachable } from '../base/index.ts';
import { isTagSet, type Member } from './member.ts';
import type { ClusterView } from './view.ts';

/** Why a member has the weight it has. The first two serve reads; the others have weight 0. */
export type CandidateReason =
  | 'local'
  | 'remote'
  | 'weight-zero'
  | 'noloadbalance'
  | 'not-running'
  | 'not-streaming'
  | 'closed-to-clients'
  | 'unreadable';

/** A member as a place for reads. */
export interface Candidate {
  readonly name: string;
  /** Where to connect from this host; empty host for an unreadable member. */
  readonly host: string;
  readonly port: number;
  readonly datacenter: string;
  /** Holds the leader key (which is not yet proof of being the primary). */
  readonly isLeader: boolean;
  /** Share of reads relative to the others; 0: none. */
  readonly weight: number;
  readonly because: CandidateReason;
}

export interface ReadPolicy {
  readonly localDatacenter: string;
  readonly weights: { readonly local: number; readonly remote: number };
  /** This host's own way to a member, by name, instead of the published one. */
  readonly addresses: Readonly<Record<string, { readonly host: string; readonly port: number }>>;
  /** Shares of members that do not have that of their place, by name. */
  readonly memberWeights?: Readonly<Record<string, number>>;
}

/** All members with their shares, by name. The primary takes its share like any node. */
export function readCandidates(view: ClusterView, policy: ReadPolicy): readonly Candidate[] {
  const streamingKnown = [...view.members.values()].some((member) => isStreamingStandby(member));
  const readable = [...view.members.values()].map((member): Candidate => {
    const isLeader = member.name === view.leader;
    const because = reasonFor(member, { isLeader, streamingKnown, policy });
    const address = policy.addresses[member.name] ?? member;
    return {
      name: member.name,
      host: address.host,
      port: address.port,
      datacenter: member.datacenter,
      isLeader,
      weight: weightFor(because, member.name, policy),
      because,
    };
  });
  const unreadable = [...view.unreadable.keys()].map((name): Candidate => {
    const isLeader = name === view.leader;
    return { name, host: '', port: 0, datacenter: '', isLeader, weight: 0, because: 'unreadable' };
  });
  return [...readable, ...unreadable].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function reasonFor(
  member: Member,
  facts: { readonly isLeader: boolean; readonly streamingKnown: boolean; readonly policy: ReadPolicy },
): CandidateReason {
  if (member.state !== 'running') return 'not-running';
  if (member.isClosed) return 'closed-to-clients';
  if (isTagSet(member.tags, 'noloadbalance')) return 'noloadbalance';
  // Only while another standby streams. When none does, the primary is gone, and then reads go on at the standbys.
  const isCutOff = member.replicationState !== undefined && member.replicationState !== 'streaming';
  if (!facts.isLeader && isCutOff && facts.streamingKnown) return 'not-streaming';
  const place = member.datacenter === facts.policy.localDatacenter ? 'local' : 'remote';
  return shareOf(member.name, place, facts.policy) === 0 ? 'weight-zero' : place;
}

const shareOf = (name: string, place: 'local' | 'remote', policy: ReadPolicy): number =>
  policy.memberWeights?.[name] ?? policy.weights[place];

function weightFor(because: CandidateReason, name: string, policy: ReadPolicy): number {
  switch (because) {
    case 'local':
    case 'remote':
      return shareOf(name, because, policy);
    case 'weight-zero':
    case 'noloadbalance':
    case 'not-running':
    case 'not-streaming':
    case 'closed-to-clients':
    case 'unreadable':
      return 0;
  }
  return unreachable(because);
}

const isStreamingStandby = (member: Member): boolean =>
  member.state === 'running' && member.replicationState === 'streaming';

/**
 * Who may be written to, as far as the store can tell. This is necessary, not sufficient: a router also asks
 * the server itself before it writes. Right after an election the leader's key names the winner while its
 * member JSON still says `replica`: it is not the primary until it says so.
 */
import { hasPrimaryRole, type Member } from './member.ts';
import type { ClusterView } from './view.ts';

/** Why there is no primary. */
export type NoPrimaryReason =
  | 'no-leader'
  | 'leader-unknown-member'
  | 'leader-unreadable'
  | 'leader-not-running'
  | 'leader-is-standby'
  | 'leader-on-old-timeline'
  | 'leader-closed-to-clients'
  | 'no-node-answers'
  | 'no-node-is-primary'
  | 'two-nodes-are-primary';

/** The reason in words for a person; the only place where it is rendered. */
export const NO_PRIMARY_REASONS: Readonly<Record<NoPrimaryReason, string>> = {
  'no-leader': 'no member holds the leader key',
  'leader-unknown-member': 'the leader key names a member that is not there',
  'leader-unreadable': 'what the leader publishes about itself cannot be read',
  'leader-not-running': 'PostgreSQL of the leader is not running',
  'leader-is-standby': 'the leader has not been promoted yet',
  'leader-on-old-timeline': 'the leader is on an older timeline than the cluster has been',
  'leader-closed-to-clients':
    'the leader was restarted, and lets no clients in until its standbys have what it would show',
  'no-node-answers': 'none of the listed nodes has answered',
  'no-node-is-primary': 'none of the listed nodes says that it is the primary',
  'two-nodes-are-primary': 'two of the listed nodes say that they are the primary, on one timeline',
};

export type Primary =
  | { readonly kind: 'primary'; readonly member: Member }
  | { readonly kind: 'none'; readonly because: NoPrimaryReason };

/** The holder of the leader key, if its own JSON shows a running primary on the newest timeline that lets clients in. */
export function primaryOf(view: ClusterView): Primary {
  const primary = sourceOf(view);
  return primary.kind === 'primary' && primary.member.isClosed
    ? { kind: 'none', because: 'leader-closed-to-clients' }
    : primary;
}

/** The same for other members, who are let in: to stream from it, to copy it, to rewind to it. */
export function sourceOf(view: ClusterView): Primary {
  const member = leaderOf(view);
  if (typeof member === 'string') return { kind: 'none', because: member };
  if (member.state !== 'running') return { kind: 'none', because: 'leader-not-running' };
  if (!hasPrimaryRole(member)) return { kind: 'none', because: 'leader-is-standby' };
  if (member.timeline !== undefined && member.timeline < view.newestTimeline) {
    return { kind: 'none', because: 'leader-on-old-timeline' };
  }
  return { kind: 'primary', member };
}

function leaderOf(view: ClusterView): Member | NoPrimaryReason {
  if (view.leader === undefined) return view.leaderlessBecause ?? 'no-leader';
  const member = view.members.get(view.leader);
  if (member !== undefined) return member;
  return view.unreadable.has(view.leader) ? 'leader-unreadable' : 'leader-unknown-member';
}

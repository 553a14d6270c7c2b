/**
 * Every reason a decision can have, as a code with its English sentence. Logs, metrics, REST, CLI and tests use the
 * code; people read the sentence, which is rendered here and nowhere else.
 *
 * A new reason? Add it here, and a row to the table test that reaches it.
 */
export const REASONS = {
  'data-directory-unreadable': 'the data directory cannot be read',
  'data-directory-half-made': 'a clone or initdb did not finish in the data directory',
  'system-id-mismatch': 'the data directory belongs to another cluster than the one in the store',
  'lease-held': 'holding the leader key with a living lease',
  'lease-lost': 'the leader key was lost while PostgreSQL was a primary',
  'lease-running-out': 'the lease could not be renewed and its end is near',
  'leader-is-another': 'another member holds the leader key',
  'store-unreachable': 'the store has not answered and no lease protects this primary',
  'store-unreachable-lease-alive': 'the store has not answered, but the lease is still alive',
  'store-unreachable-standby': 'the store has not answered; a standby goes on serving reads',
  'store-unreachable-empty': 'the store has not answered; nothing is made without it',
  'key-names-us': 'the leader key names this member on the lease of its earlier life',
  'primary-without-leader-key': 'this server is a primary and nobody holds the leader key',
  'timeline-outdated': 'this primary is on an older timeline than the cluster',
  'job-running': 'a long job is running',
  'job-obsolete': 'the leader key is gone, so the job that needed it is stopped',
  'backing-off': 'waiting before the next try after a failure',
  'server-changing-state': 'PostgreSQL is starting or stopping',
  'shutdown-hangs': 'PostgreSQL has been stopping for too long and is made to end',
  'no-cluster-yet': 'no cluster exists; racing to make it',
  'cluster-being-made': 'another member is making the cluster',
  'cluster-made-here': 'the new cluster was initialised here',
  'claim-lost': 'the new cluster that was begun here may be made by another member by now',
  'tagged-nofailover': 'the member is tagged nofailover',
  'empty-data-directory': 'there is no data here and a leader to clone from',
  'leader-without-data': 'this member holds the leader key but has no data',
  'leader-not-ready': 'the leader is not a running primary yet',
  'no-leader-to-clone-from': 'there is no data here and no leader to clone from',
  'leader-known': 'PostgreSQL is stopped and the leader can be followed',
  'leader-unknown': 'PostgreSQL is stopped and nobody leads; standing by',
  'leader-checkpoint-pending': 'the leader has not written the checkpoint of its timeline yet',
  diverged: 'this server has WAL that the leader does not have',
  'history-unclear': 'the leader has not told whether this former primary diverged from it',
  'not-streaming': 'this standby has not been able to stream from a usable leader for too long',
  'upstream-changed': 'the leader is not the server that this standby follows',
  following: 'following the leader',
  'standing-back': 'leadership was given away; others go first',
  'positions-unknown': 'the positions of the other members have to be asked',
  'position-unknown': 'the WAL position is not known',
  'behind-timeline': 'the member is behind the timeline of the cluster',
  'lag-too-great': 'the member is further behind than maximum_lag_on_failover allows',
  'not-a-voter': 'what was acknowledged is promised to be on other members only',
  'voters-unseen': 'too few voters answer to know that nothing acknowledged would be lost',
  'voter-has-more': 'another voter has WAL that may have been acknowledged and is not here',
  'primary-still-alive': 'another server still runs as a primary',
  'better-candidate': 'another standby is the better candidate',
  'best-candidate': 'this standby is the best candidate that answers',
  'courtesy-over': 'the better candidate did not act in time',
  'leader-key-won': 'the leader key is ours and this server is still a standby',
  'promotion-failed': 'this standby won the leader key but could not be promoted; others go first',
  'lease-too-short-to-promote': 'the lease has too little life left to begin a promotion',
  'postgres-died-candidate-ready': 'PostgreSQL died here and a healthy standby can take over',
  'postgres-died-no-candidate': 'PostgreSQL died here and no standby can take over',
  'switchover-requested': 'a change of leader was asked for',
  'switchover-scheduled': 'a change of leader is scheduled for later',
  'switchover-overdue': 'the scheduled change of leader is long past',
  'request-names-another-leader': 'the request names another leader',
  'request-done': 'the request names this member, which leads already',
  'candidate-not-healthy': 'the requested candidate cannot take over now',
  'no-candidate': 'no standby can take over now',
  'requested-candidate': 'this standby was asked to take over',
  'candidate-goes-first': 'another standby was asked to take over',
} as const;

export type Reason = keyof typeof REASONS;

/** The sentence for a reason code. */
export function explain(reason: Reason): string {
  return REASONS[reason];
}

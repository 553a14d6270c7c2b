/**
 * Who may take the leader key, and who should. Rules, in this order: never a `nofailover` member, never one that is
 * behind the cluster's timeline or (where commits wait for nobody) too far behind its last known position; then the most WAL, the highest
 * `failover_priority`, the late leader's city, the name. The order is total, so equals never wait for each other.
 *
 * Only peers that answer count: silence of a dead host must not stop an election. The store's create-if-absent has
 * the last word; the rank only keeps the second-best from being faster than the best.
 */
import { whyPromiseForbids } from './durability.ts';
import type {
  Candidate,
  ClusterFacts,
  LocalServer,
  Observation,
  PeerAnswer,
  Standing,
} from './observation.ts';
import type { Reason } from './reasons.ts';

/** Why `candidate` may not lead; undefined = it may. `optime` that is unknown bounds nothing: there is nothing to compare with. */
export function whyIneligible(
  candidate: Candidate,
  cluster: Pick<ClusterFacts, 'newestTimeline' | 'optime' | 'maximumLagBytes'>,
): Reason | undefined {
  if (candidate.isNofailover || candidate.priority <= 0) return 'tagged-nofailover';
  if (candidate.lacksWatchdog === true) return 'watchdog-unusable';
  if (candidate.lsn === undefined) return 'position-unknown';
  // A standby of an older timeline lacks what was acknowledged on the newer one.
  if ((candidate.timeline ?? 0) < cluster.newestTimeline) return 'behind-timeline';
  if (cluster.optime !== undefined && cluster.optime - candidate.lsn > cluster.maximumLagBytes)
    return 'lag-too-great';
  return undefined;
}

/** Negative when `left` should lead rather than `right`. A total order over different names. */
export function compareCandidates(left: Candidate, right: Candidate): number {
  return (
    (right.timeline ?? 0) - (left.timeline ?? 0) ||
    (right.lsn ?? 0) - (left.lsn ?? 0) ||
    right.priority - left.priority ||
    Number(right.isSameCity) - Number(left.isSameCity) ||
    (left.name < right.name ? -1 : left.name > right.name ? 1 : 0)
  );
}

export type RaceVerdict =
  | { readonly may: true }
  /**
   * `isCourtesy`: only waiting for the `ahead` better ones to act; after a while for each the lesser one goes ahead. The best
   * may be waiting itself (a former leader stands back): then it is the next best's turn, not that of whoever waited first.
   */
  | { readonly may: false; readonly because: Reason; readonly isCourtesy: false }
  | { readonly may: false; readonly because: Reason; readonly isCourtesy: true; readonly ahead: number };

/** May this running standby try for the leader key, given what its peers answered? */
export function mayRace(self: Candidate, peers: readonly PeerAnswer[], cluster: ClusterFacts): RaceVerdict {
  const known = { ...cluster, optime: leaderPosition([self, ...running(peers)], cluster) };
  const forbidden = cluster.promised && whyPromiseForbids(self, peers, cluster.promised);
  // Whom the promise lets lead has all that was acknowledged. What others have beyond that nobody was told of; and where the
  // promise lets nobody else lead, a bound on the lag would leave the cluster without a leader for ever.
  const isComplete = cluster.promised?.leader !== undefined && forbidden === undefined;
  const why = whyIneligible(self, isComplete ? { ...known, optime: undefined } : known);
  if (why !== undefined) return { may: false, because: why, isCourtesy: false };
  // A primary that answers without a lease has a broken fence: taking over beside it would make two writers.
  if (peers.some((peer) => peer.isRunning && peer.role === 'primary')) {
    return { may: false, because: 'primary-still-alive', isCourtesy: false };
  }
  if (forbidden !== undefined) return { may: false, because: forbidden, isCourtesy: false };
  const ahead = candidates(peers, known).filter((peer) => compareCandidates(peer, self) < 0);
  if (ahead.some((peer) => peer.isHeldBack))
    return { may: false, because: 'better-candidate-held-back', isCourtesy: false };
  return ahead.length === 0
    ? { may: true }
    : { may: false, because: 'better-candidate', isCourtesy: true, ahead: ahead.length };
}

/** The best of those peers that are running standbys and may lead; undefined when there is none. */
export function bestCandidate(peers: readonly PeerAnswer[], cluster: ClusterFacts): PeerAnswer | undefined {
  const known = { ...cluster, optime: leaderPosition(running(peers), cluster) };
  return candidates(peers, known).sort(compareCandidates)[0];
}

function candidates(peers: readonly PeerAnswer[], cluster: ClusterFacts): PeerAnswer[] {
  return running(peers).filter((peer) => whyIneligible(peer, cluster) === undefined);
}

function running(peers: readonly PeerAnswer[]): readonly PeerAnswer[] {
  return peers.filter((peer) => peer.isRunning && peer.role === 'standby');
}

/**
 * Where the late leader was at least: what it wrote may be old, and what anybody has got from it since, whoever may lead,
 * shows more. What nobody that answers has is not known to anyone.
 */
function leaderPosition(standbys: readonly Candidate[], cluster: ClusterFacts): number | undefined {
  const seen = standbys.flatMap(({ timeline, lsn }) =>
    timeline === cluster.newestTimeline && lsn !== undefined ? [lsn] : [],
  );
  const { optime } = cluster;
  return optime === undefined ? undefined : Math.max(optime, ...seen);
}

/** The best of those that the promise of the cluster lets lead by itself, as far as these answers show. */
export function successor(peers: readonly PeerAnswer[], cluster: ClusterFacts): PeerAnswer | undefined {
  const { promised } = cluster;
  const isFree = (peer: PeerAnswer): boolean =>
    promised === undefined || whyPromiseForbids(peer, peers, promised) === undefined;
  return bestCandidate(peers.filter(isFree), cluster);
}

/**
 * Of a former primary: nobody has led since, by timelines and by whose promise it is. Without that it must not lead again. One
 * that was promoted and ended at once has published nothing; but it took its timeline's number before.
 */
export function isStillFirst({ self, local, cluster }: Observation): boolean {
  const by = cluster.promised?.leader;
  return (
    local.timeline !== undefined &&
    local.timeline >= Math.max(cluster.newestTimeline, cluster.takenTimeline) &&
    (by === undefined || by === self.name)
  );
}

export function asCandidate(self: Standing, local: LocalServer): Candidate {
  return { ...self, timeline: local.timeline, lsn: local.lsn };
}

/**
 * The `failover` key: a planned change of leader, seen from the primary that hands over and from the standbys that
 * wait for it. Same checks as in an election (whoever is asked for must be fit), so a request never loses what an
 * election would keep. The store's key is reset to `{}`, never deleted, by the leader.
 *
 *     primary:   request -> ask positions -> candidate fit? -> hand over (fast stop, its last LSN proven at the
 *                candidate, key released) -> stands back -> rejoins as a standby
 *     candidate: key gone, request names it -> takes the key at once
 *     others:    key gone, request names another -> stand back for `courtesyMs`
 */
import type { Observation } from './observation.ts';
import { whyPromiseForbids } from './durability.ts';
import { asCandidate, bestCandidate, whyIneligible } from './rank.ts';
import type { Reason } from './reasons.ts';

/** How long past its time a scheduled request is still carried out. */
const OVERDUE_MS = 30_000;

export type RequestVerdict =
  | { readonly is: 'none' }
  | { readonly is: 'later'; readonly because: Reason }
  | { readonly is: 'ask-peers' }
  | { readonly is: 'drop'; readonly because: Reason }
  | { readonly is: 'hand-over'; readonly candidate: string };

/** What the running primary that holds the key does about the request. */
export function requestAsLeader(o: Observation): RequestVerdict {
  const request = o.cluster.request;
  if (request === undefined) return { is: 'none' };
  if (request.candidate === o.self.name) return { is: 'drop', because: 'request-done' };
  if (request.leader !== undefined && request.leader !== o.self.name)
    return { is: 'drop', because: 'request-names-another-leader' };
  if (request.dueInMs > 0) return { is: 'later', because: 'switchover-scheduled' };
  if (request.dueInMs < -OVERDUE_MS) return { is: 'drop', because: 'switchover-overdue' };
  if (o.peers === undefined) return { is: 'ask-peers' };
  if (request.candidate === undefined) {
    const best = bestCandidate(o.peers, o.cluster);
    return best === undefined
      ? { is: 'drop', because: 'no-candidate' }
      : { is: 'hand-over', candidate: best.name };
  }
  const asked = bestCandidate(
    o.peers.filter((peer) => peer.name === request.candidate),
    o.cluster,
  );
  return asked === undefined
    ? { is: 'drop', because: 'candidate-not-healthy' }
    : { is: 'hand-over', candidate: asked.name };
}

export type RequestedRace = { readonly is: 'open' } | { readonly is: 'ours' } | { readonly is: 'theirs' };

/** How a request changes the race for a free leader key, for a running standby. */
export function requestAsStandby(o: Observation, leaderlessForMs: number): RequestedRace {
  const request = o.cluster.request;
  if (request === undefined || request.dueInMs > 0 || request.dueInMs < -OVERDUE_MS) return { is: 'open' };
  if (request.candidate === o.self.name) return { is: isFit(o) ? 'ours' : 'open' };
  if (leaderlessForMs >= o.limits.courtesyMs) return { is: 'open' };
  // The former leader must not take back what it just gave away, and others must not be faster than who was asked.
  if (request.candidate !== undefined || request.leader === o.self.name) return { is: 'theirs' };
  return { is: 'open' };
}

/** In a switchover the late leader has left its promise to us; otherwise enough voters must have been seen. */
function isFit({ self, local, cluster, peers }: Observation): boolean {
  const candidate = asCandidate(self, local);
  const { promised } = cluster;
  return (
    whyIneligible(candidate, cluster) === undefined &&
    (promised === undefined || whyPromiseForbids(candidate, peers ?? [], promised) === undefined)
  );
}

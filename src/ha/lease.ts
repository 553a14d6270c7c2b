/**
 * The lease and the leader key, as this agent believes in them: a value, changed by what the store answered. The shell
 * (agent/lease-keeper.ts) asks the store and tells the answers here.
 *
 *     no key --acquired, verified--> held --given away, lost, lease gone--> no key
 *
 * Each rule, and the failure that it prevents:
 * - the key is held only from our own applied transaction on: a view may be of before, or of another life of this agent;
 * - belief ends before a release is sent, not when it is answered: the next leader may be there before the answer is;
 * - a release names the revision that it means: one that comes late finds the key as it was taken again, and leaves it;
 * - a view that is older than what we did says nothing about it.
 */
import { fenceDeadline } from './fence.ts';
import type { Lock } from './observation.ts';

export interface LeaseState {
  /** The lease that keys hang on; undefined before the first grant and after a loss. */
  readonly lease: string | undefined;
  /** When the last answered keep-alive (or the grant) was sent, and what life it gave. */
  readonly sentAt: number;
  readonly ttlMs: number;
  /** Revision at which we took the leader key; undefined while we do not hold it. */
  readonly heldSince: number | undefined;
  /** Revision of a leader key that names us, though we do not hold it. */
  readonly namedSince: number | undefined;
  /** It was held, is not any more, and PostgreSQL has not been known to be stopped since. */
  readonly isLost: boolean;
  readonly releasedAt: number;
}

export const noLease: LeaseState = {
  lease: undefined,
  sentAt: 0,
  ttlMs: 0,
  heldSince: undefined,
  namedSince: undefined,
  isLost: false,
  releasedAt: 0,
};

/** The leader key in a view of the cluster. */
export interface LeaderKeySeen {
  readonly revision: number;
  readonly leader: string | undefined;
  readonly leaderModRevision: number | undefined;
}

/** A grant or keep-alive that was sent at `sentAt` was answered. */
export function leaseExtended(
  state: LeaseState,
  answer: { readonly lease: string; readonly sentAt: number; readonly ttlMs: number },
): LeaseState {
  return { ...state, ...answer };
}

/** The store does not know the lease any more; the keys on it are gone or going. */
export function leaseGone(state: LeaseState): LeaseState {
  return keyLost({ ...state, lease: undefined });
}

export function keyTaken(state: LeaseState, revision: number): LeaseState {
  return { ...state, heldSince: revision, isLost: false };
}

export function keyLost(state: LeaseState): LeaseState {
  return state.heldSince === undefined ? state : { ...state, heldSince: undefined, isLost: true };
}

/** What a release is about: the revision of the key to delete (undefined: there is none), and the belief from then on. */
export function keyGivenAway(state: LeaseState): {
  readonly revision: number | undefined;
  readonly state: LeaseState;
} {
  const { heldSince, namedSince } = state;
  return { revision: heldSince ?? namedSince, state: { ...state, heldSince: undefined, isLost: false } };
}

/** What a view says of the leader key: another holder, or none, in one that is not older than our taking it is a loss. */
export function keySeen(state: LeaseState, view: LeaderKeySeen, name: string): LeaseState {
  const isOurs = view.leader === name;
  const seen = { ...state, namedSince: isOurs ? view.leaderModRevision : undefined };
  const isAfter = state.heldSince !== undefined && view.revision >= state.heldSince;
  return isAfter && !isOurs ? keyLost(seen) : seen;
}

/** PostgreSQL must not write after this instant (monotonic), for the present keep-alive. */
export function deadlineOf({ sentAt, ttlMs }: LeaseState, marginMs: number): number {
  return fenceDeadline({ sentAt, ttlMs, marginMs });
}

/** The lock as decided upon: our own knowledge first, else the view, which may be older than what we did. */
export function lockOf(
  state: LeaseState,
  view: LeaderKeySeen,
  facts: {
    readonly name: string;
    readonly now: number;
    readonly marginMs: number;
    /** The store has been heard lately, so the view is of now. */
    readonly isFresh: boolean;
  },
): Lock {
  const deadline = deadlineOf(state, facts.marginMs);
  if (state.heldSince !== undefined) return { is: facts.now < deadline ? 'mine' : 'unknown', deadline };
  if (state.isLost) return { is: 'lost' };
  if (view.revision === 0 || !facts.isFresh || view.revision < state.releasedAt)
    return { is: 'unknown', deadline: undefined };
  if (view.leader === undefined) return { is: 'none' };
  return view.leader === facts.name ? { is: 'named' } : { is: 'other', leader: view.leader };
}

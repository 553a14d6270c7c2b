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
 * - a view that is older than what we did says nothing about it;
 * - a key that has ended in the store while pledges cover us (failsafe.ts) is taken anew, as long as they do: nobody else may have
 *   it. One that another holds, or that ends when nothing covers us, is lost.
 *
 *     held --ended, covered--> to retake --retaken--> held
 *                                 '--another holds it, or no pledge covers us any more--> lost
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
  /** Revision at which the present reign began: the same while the key is held, or retaken under pledges. */
  readonly reign: number | undefined;
  /** When the last round was sent in which all members pledged, and for how long. */
  readonly pledged: { readonly sentAt: number; readonly ttlMs: number } | undefined;
  /** The key of this reign has ended in the store. */
  readonly isToRetake: boolean;
  /** Until then an attempt to take the key may still succeed, of which no answer came. */
  readonly unclearUntil: number;
}

export const noLease: LeaseState = {
  lease: undefined,
  sentAt: 0,
  ttlMs: 0,
  heldSince: undefined,
  namedSince: undefined,
  isLost: false,
  releasedAt: 0,
  reign: undefined,
  pledged: undefined,
  isToRetake: false,
  unclearUntil: Number.NEGATIVE_INFINITY,
};

/** The end of a reign. */
const NOT_HELD = { heldSince: undefined, reign: undefined, pledged: undefined, isToRetake: false } as const;

/** Now, and what is taken off what is counted on. */
export interface Instant {
  readonly now: number;
  readonly marginMs: number;
}

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

/** The store does not know the lease any more; the keys on it are gone or going, and none can be put on it. */
export function leaseGone(state: LeaseState, at: Instant): LeaseState {
  return keyEnded({ ...state, lease: undefined, unclearUntil: Number.NEGATIVE_INFINITY }, at);
}

export function keyTaken(state: LeaseState, revision: number): LeaseState {
  const reign = state.heldSince === undefined ? revision : state.reign;
  return { ...state, heldSince: revision, reign, isLost: false, isToRetake: false };
}

export function keyLost(state: LeaseState): LeaseState {
  return state.heldSince === undefined ? state : { ...state, ...NOT_HELD, isLost: true };
}

/** Nobody holds the key: lost, unless pledges cover us. */
export function keyEnded(state: LeaseState, at: Instant): LeaseState {
  return isCovered(state, at) ? { ...state, isToRetake: true } : keyLost(state);
}

/** PostgreSQL is known to be no primary: a loss needs no further action, and what has ended is not taken anew. */
export function primaryGone(state: LeaseState): LeaseState {
  return { ...state, ...(state.isToRetake ? NOT_HELD : {}), isLost: false };
}

/** No answer came to an attempt to take the key. */
export function raceUnclear(state: LeaseState, now: number): LeaseState {
  // Later than that a success would only be given back, for whoever was pledged to has not counted on longer.
  return { ...state, unclearUntil: now + state.ttlMs };
}

/**
 * In a round that was sent at `sentAt` all members pledged not to lead for `ttlMs`. It moves a living belief on, never back,
 * and revives none.
 */
export function membersPledged(
  state: LeaseState,
  round: { readonly sentAt: number; readonly ttlMs: number },
  at: Instant,
): LeaseState {
  if (state.heldSince === undefined || at.now >= deadlineOf(state, at.marginMs)) return state;
  return byPledges({ ...state, pledged: round }, at.marginMs) <= byPledges(state, at.marginMs)
    ? state
    : { ...state, pledged: round };
}

/** What a release is about: the revision of the key to delete (undefined: there is none), and the belief from then on. */
export function keyGivenAway(state: LeaseState): {
  readonly revision: number | undefined;
  readonly state: LeaseState;
} {
  const { heldSince, namedSince } = state;
  return { revision: heldSince ?? namedSince, state: { ...state, ...NOT_HELD, isLost: false } };
}

/** What a view says of the leader key: another holder, or none, in one that is not older than our taking it is a loss, or an end. */
export function keySeen(state: LeaseState, view: LeaderKeySeen, name: string, at: Instant): LeaseState {
  const isOurs = view.leader === name;
  const seen = { ...state, namedSince: isOurs ? view.leaderModRevision : undefined };
  const isAfter = state.heldSince !== undefined && view.revision >= state.heldSince;
  if (!isAfter || isOurs) return seen;
  return view.leader === undefined ? keyEnded(seen, at) : keyLost(seen);
}

/** PostgreSQL must not write after this instant (monotonic): for the present keep-alive, or by what the members have pledged. */
export function deadlineOf(state: LeaseState, marginMs: number): number {
  return Math.max(byLease(state, marginMs), byPledges(state, marginMs));
}

/** It is the pledges of the members that cover us, more than the lease does. */
export function isCoveredByPledges(state: LeaseState, marginMs: number): boolean {
  return state.isToRetake || byPledges(state, marginMs) > byLease(state, marginMs);
}

/** The pledges alone cover us. */
export function isCovered(state: LeaseState, { now, marginMs }: Instant): boolean {
  return now < byPledges(state, marginMs);
}

function byLease({ sentAt, ttlMs, isToRetake }: LeaseState, marginMs: number): number {
  return isToRetake ? Number.NEGATIVE_INFINITY : fenceDeadline({ sentAt, ttlMs, marginMs });
}

function byPledges({ heldSince, pledged }: LeaseState, marginMs: number): number {
  return heldSince === undefined || pledged === undefined
    ? Number.NEGATIVE_INFINITY
    : fenceDeadline({ ...pledged, marginMs });
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
  if (state.heldSince !== undefined) {
    if (facts.now >= deadline) return { is: 'unknown', deadline };
    return {
      is: 'mine',
      deadline,
      ...(isCoveredByPledges(state, facts.marginMs) ? { isFailsafe: true } : {}),
    };
  }
  if (state.isLost) return { is: 'lost' };
  if (view.revision === 0 || !facts.isFresh || view.revision < state.releasedAt)
    return { is: 'unknown', deadline: undefined };
  if (view.leader === undefined) return { is: 'none' };
  return view.leader === facts.name ? { is: 'named' } : { is: 'other', leader: view.leader };
}

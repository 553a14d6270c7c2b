/**
 * Failsafe (`failsafe_mode`): a primary outlives its lease while every member that could take its place has pledged not to.
 *
 * Why it is safe. A *pledge* says: from now on, for W, I neither take the leader key nor become a primary. The leader counts W
 * from the instant at which it *sent* the round of questions, which is before any member's `now`, and takes off the margin, as for
 * a lease (fence.ts). So sent + W - margin is over before the first pledge is. Whoever has not been asked cannot lead:
 *
 *     key `failsafe` = names of those who may race ⊆ those who are asked, all of whom pledged
 *
 * Each rule, and the failure that it prevents:
 * - the leader writes the key itself, under its leader key and against the revision that it saw: a list of somebody else, or of an
 *   earlier term, would name members that are not asked. While the outcome of a write is not known, both lists may stand, so the
 *   union is asked; before the first confirmed write nothing is;
 * - a longer list, or none, is not written while only pledges cover the leader: who is let in by it has pledged nothing;
 * - all, not most: one that is silent may be the one that leads; a round with a refusal or a silence moves nothing;
 * - a round counts only for a belief that lives: what arrives after the deadline revives nobody;
 * - who is not in the key does not race, nor who decided by another revision of it (the store compares): a newcomer is not asked;
 * - a pledge is refused by who leads, is about to, or has a race whose end it does not know: it might break what it says;
 * - a pledge is kept: the key is not taken, and one that was won all the same is given back;
 * - a process that has just begun does not know what it pledged before: for W it does not race, where there is a key;
 * - who is held back in one of these ways says so, and lesser candidates wait for it: being held back ends, and the turn of the next
 *   best is counted from then on. Else the first whose pledge is over would lead without what a better one has.
 */
import { isRecord, parseJson } from '../base/index.ts';
import type { Choice } from './action.ts';
import type { Observation } from './observation.ts';
import type { Reason } from './reasons.ts';

/** The key `failsafe`, in Patroni's layout: names to addresses of REST APIs. */
export type FailsafeList = ReadonlyMap<string, string>;

/** Undefined for no key, and for one that no leader has written: Patroni, too, heeds neither garbage nor an empty list. */
export function parseFailsafe(text: string | undefined): FailsafeList | undefined {
  const json = parseJson(text ?? '');
  if (!isRecord(json) || Object.keys(json).length === 0) return undefined;
  return new Map(Object.entries(json).map(([name, url]) => [name, typeof url === 'string' ? url : '']));
}

export function renderFailsafe(list: FailsafeList): string {
  return JSON.stringify(Object.fromEntries([...list].sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** What a leader knows of the key in its term. */
export interface FailsafeLists {
  /** Each of them may be what the store holds, or will hold. */
  readonly mayStand: readonly FailsafeList[];
  /** Revision of the last write that was confirmed; undefined: there was none, so nothing is asked. */
  readonly confirmedAt: number | undefined;
}

export const noLists: FailsafeLists = { mayStand: [], confirmedAt: undefined };

/** Before the write is sent, for it may arrive whatever becomes of the answer. */
export function listSent(lists: FailsafeLists, list: FailsafeList): FailsafeLists {
  return { ...lists, mayStand: [...lists.mayStand, list] };
}

/** It was written against the revision before it, so none that was sent earlier can arrive any more. */
export function listConfirmed(list: FailsafeList, revision: number): FailsafeLists {
  return { mayStand: [list], confirmedAt: revision };
}

/** The one list that stands for certain is `list`. */
export function isListSettled({ mayStand, confirmedAt }: FailsafeLists, list: FailsafeList): boolean {
  const [only] = mayStand;
  return (
    confirmedAt !== undefined &&
    only !== undefined &&
    mayStand.length === 1 &&
    renderFailsafe(only) === renderFailsafe(list)
  );
}

export interface Member {
  readonly name: string;
  readonly apiUrl: string;
}

/** Everybody in any list that may stand, but `self`, at each address; undefined where failsafe is not to be used. */
export function whomToAsk(
  { mayStand, confirmedAt }: FailsafeLists,
  self: string,
): readonly Member[] | undefined {
  if (confirmedAt === undefined) return undefined;
  const members = new Map<string, Member>();
  for (const list of mayStand)
    for (const [name, apiUrl] of list) if (name !== self) members.set(`${name} ${apiUrl}`, { name, apiUrl });
  return [...members.values()];
}

/** Who was asked includes all that would be asked now. */
export function haveAllBeenAsked(asked: readonly Member[], now: readonly Member[] | undefined): boolean {
  const isAsked = ({ name, apiUrl }: Member): boolean =>
    asked.some((one) => one.name === name && one.apiUrl === apiUrl);
  return now?.every(isAsked) === true;
}

/** For how long all have pledged from the sending on; undefined when one has not (`undefined`: a refusal, or silence). */
export function pledgedByAll(pledges: readonly (number | undefined)[], ttlMs: number): number | undefined {
  let forMs = ttlMs;
  for (const pledge of pledges) {
    if (pledge === undefined) return undefined;
    forMs = Math.min(forMs, pledge);
  }
  return forMs;
}

/** A leader that asks for a pledge. */
export interface Asker {
  readonly name: string;
  readonly apiUrl: string;
  /** Of its PostgreSQL; undefined where it does not say (Patroni). */
  readonly systemId: string | undefined;
}

/** What a member knows of itself and its cluster when it is asked. */
export interface Asked {
  readonly name: string;
  /** `unknown`: this agent has not heard the store yet. */
  readonly mode: 'on' | 'off' | 'unknown';
  /** Of its own data, else of the cluster. */
  readonly systemId: string | undefined;
  /** PostgreSQL is a primary here, or is being made one. */
  readonly isPrimary: boolean;
  /** The leader key is ours, or names us. */
  readonly isHolder: boolean;
  /** The leader key has been asked for, and what came of it is not known. */
  readonly isRacing: boolean;
  /** Who holds the leader key, as a store says that was heard just now. */
  readonly leader: string | undefined;
  readonly list: FailsafeList | undefined;
}

export interface NoPledge {
  readonly status: 500 | 502;
  readonly text: string;
}

const refused = (text: string): NoPledge => ({ status: 500, text });

/** Patroni's statuses and words, and some more of the kind; undefined: it is pledged. */
export function whyNoPledge(asker: Asker, asked: Asked): NoPledge | undefined {
  if (asked.mode === 'off') return { status: 502, text: 'failsafe_mode is off' };
  if (asked.isPrimary) return refused('Running as a leader');
  if (asked.isHolder || asker.name === asked.name) return refused('Holding the leader key');
  if (asked.isRacing) return refused('Racing for the leader key');
  if (asked.leader !== undefined && asked.leader !== asker.name) return refused('Following another leader');
  const isKnown =
    asker.systemId === undefined
      ? asked.list?.get(asker.name) === asker.apiUrl
      : asker.systemId === asked.systemId;
  return isKnown ? undefined : refused('A leader of another cluster');
}

/** What bears on whether this member may take the leader key. */
export interface FailsafeFacts {
  /** The key in this view names us and others, us alone, or not us; `absent` also where it says nothing. */
  readonly key: 'absent' | 'listed' | 'alone' | 'unlisted';
  /** Its revision, 0 where there is none: a race is void when it has changed. */
  readonly revision: number;
  /** For so long a pledge binds; 0: none does. */
  readonly boundForMs: number;
  /** Age of this agent's process. */
  readonly aliveForMs: number;
}

/** The choice, unless it would take the key or make a primary where that must not be. */
export function heedFailsafe(choice: Choice, o: Observation, mayWrite: boolean): Choice {
  const [action] = choice;
  const isTaking = action.do === 'acquire-leader';
  const isRising =
    action.do === 'promote' ||
    action.do === 'start-primary' ||
    (action.do === 'restart' && action.as === 'primary');
  if (!isTaking && !isRising) return choice;
  const because = whyBound(o, isTaking, mayWrite);
  if (because === undefined) return choice;
  if (mayWrite) return [{ do: 'demote', mode: 'immediate' }, because];
  return [{ do: o.lock.is === 'mine' || o.lock.is === 'named' ? 'release' : 'wait' }, because];
}

function whyBound(
  { failsafe, limits }: Observation,
  isTaking: boolean,
  mayWrite: boolean,
): Reason | undefined {
  if (failsafe.boundForMs > 0) return 'pledged-to-leader';
  if (!isTaking || failsafe.key === 'absent') return undefined;
  if (failsafe.key === 'unlisted') return 'not-in-failsafe';
  // A server that runs as a primary was one before, and has pledged nothing.
  return !mayWrite && mayHaveForgotten(failsafe, limits.ttlMs) ? 'pledges-forgotten' : undefined;
}

/** Alone in the key there was nobody to pledge to. */
function mayHaveForgotten({ key, aliveForMs }: FailsafeFacts, ttlMs: number): boolean {
  return key === 'listed' && aliveForMs < ttlMs;
}

/** A standby that may lead later, but not yet: what it has pledged, or may have, is not over. */
export function isHeldBack(facts: FailsafeFacts, ttlMs: number): boolean {
  return facts.boundForMs > 0 || mayHaveForgotten(facts, ttlMs);
}

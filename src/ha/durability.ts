/**
 * Quorum durability: which standbys a commit waits for, who may lead so that nothing acknowledged is lost, and in which
 * steps the one and the other are changed. Pure; the shell is agent/synchrony.ts.
 *
 * Two things are said in two places: the primary's `synchronous_standby_names` (`ANY acks (names)`), which decides what is
 * acknowledged, and the store's key `sync` (leader, voters, quorum), which decides who may lead. They never change in one
 * instant, so at each instant the key has to be right for whatever may be in effect on the server.
 *
 * The argument. An acknowledged commit is on the primary and on `acks` of `names`. A candidate among `voters` that has seen
 * `quorum` other voters, and has no less WAL than any of them, lacks it only if all its holders are unseen: of `voters` there
 * are |voters| - quorum - 1 unseen, and at least acks - |names \ voters| holders are voters. So nothing is lost as long as
 *
 *     quorum >= |voters u names| - acks            (acks = 0 where no names are required)
 *
 * and a quorum of |voters| can be had by nobody: then only the key's own leader, which has everything, may lead again.
 * A change from R to W therefore is: publish the union with the greater quorum of both; require W; wait until the server
 * acts on it and `W.acks` of its names have all that was flushed until then (acknowledged under R, perhaps by others);
 * publish W alone. Each step is safe by itself, so the agent may die after any of them.
 */
import type { Candidate, PeerAnswer } from './observation.ts';
import type { Reason } from './reasons.ts';

/** `synchronous_standby_names`: commits wait for `acks` of `names`. No names: commits wait for nobody, and acks is 0. */
export interface Requirement {
  readonly names: readonly string[];
  readonly acks: number;
}

/** The store's key `sync`. A leader that is undefined: no key, so nothing has been promised yet. */
export interface Promised {
  readonly leader: string | undefined;
  readonly voters: readonly string[];
  /** How many other voters a voter must see before it may lead. */
  readonly quorum: number;
}

/** The cluster-wide `synchronous_mode`. */
export type DurabilityMode =
  | { readonly is: 'asynchronous' }
  /** `isStrict`: commits wait rather than do without standbys. */
  | { readonly is: 'quorum'; readonly acks: number; readonly isStrict: boolean };

export const NOTHING_REQUIRED: Requirement = { names: [], acks: 0 };
export const NOTHING_PROMISED: Promised = { leader: undefined, voters: [], quorum: 0 };
/** A strict requirement while no member could meet it; no member has a name with a space. */
const NOBODY = 'no member';

/**
 * Why this member may not lead though it is fit: something acknowledged might be on another one only. Undefined = it may.
 * Peers that do not run as standbys, or did not tell where they are, have not been seen.
 */
export function whyPromiseForbids(
  self: Candidate,
  peers: readonly PeerAnswer[],
  promised: Promised,
): Reason | undefined {
  if (promised.leader === undefined || promised.leader === self.name) return undefined;
  if (!promised.voters.includes(self.name)) return 'not-a-voter';
  const seen = peers.filter(
    (peer) =>
      peer.name !== self.name &&
      promised.voters.includes(peer.name) &&
      peer.isRunning &&
      peer.role === 'standby' &&
      peer.timeline !== undefined &&
      peer.lsn !== undefined,
  );
  if (seen.length < promised.quorum) return 'voters-unseen';
  return seen.some((peer) => hasMore(peer, self)) ? 'voter-has-more' : undefined;
}

function hasMore(peer: Candidate, self: Candidate): boolean {
  const [theirs, ours] = [peer.timeline ?? 0, self.timeline ?? 0];
  return theirs > ours || (theirs === ours && (peer.lsn ?? 0) > (self.lsn ?? 0));
}

/** The least quorum that is safe for these voters under this requirement. */
export function safeQuorum(voters: readonly string[], required: Requirement): number {
  return Math.max(0, union(voters, required.names).length - required.acks);
}

export type SyncStep =
  | { readonly do: 'nothing' }
  /** Write the key. */
  | { readonly do: 'publish'; readonly promised: Promised }
  /** Set `synchronous_standby_names` and reload. */
  | { readonly do: 'require'; readonly requirement: Requirement }
  /** Until what is required is in effect, and those who are required have what was acknowledged before. */
  | { readonly do: 'await-standbys' };

export interface SyncState {
  /** This member, which leads. */
  readonly self: string;
  readonly published: Promised;
  /** As the server's setting says. */
  readonly required: Requirement;
  /** Every part of the server acts on `required`, and `required.acks` of its names have all that was flushed before. */
  readonly isConfirmed: boolean;
  readonly wanted: Requirement;
}

/** The next step of a leader towards `wanted`. */
export function nextSyncStep(state: SyncState): SyncStep {
  const { self, published, required, wanted, isConfirmed } = state;
  if (!isSameRequirement(required, wanted)) {
    const both = coveringBoth(state);
    return isSamePromise(published, both)
      ? { do: 'require', requirement: wanted }
      : { do: 'publish', promised: both };
  }
  const voters = [...wanted.names].sort();
  const settled = { leader: self, voters, quorum: safeQuorum(voters, wanted) };
  if (isSamePromise(published, settled)) return { do: 'nothing' };
  if (isConfirmed) return { do: 'publish', promised: settled };
  // Whoever led before promised by other names: until these here have everything, nobody else may lead.
  return published.leader === self
    ? { do: 'await-standbys' }
    : { do: 'publish', promised: onlyLeader(self, voters) };
}

/** Right for what is required now, for what will be, and, while that is not confirmed, for what was required before. */
function coveringBoth({ self, published, required, wanted, isConfirmed }: SyncState): Promised {
  const names = union(required.names, wanted.names);
  const acks = Math.min(required.acks, wanted.acks);
  if (isConfirmed) return { leader: self, voters: names, quorum: safeQuorum(names, { names, acks }) };
  if (published.leader !== self) return onlyLeader(self, names);
  const voters = union(names, published.voters);
  const before = published.voters.length - published.quorum;
  return { leader: self, voters, quorum: safeQuorum(voters, { names, acks: Math.min(acks, before) }) };
}

/** Nobody but `leader` may lead. */
export function onlyLeader(leader: string, voters: readonly string[]): Promised {
  return { leader, voters: [...voters].sort(), quorum: voters.length };
}

/** No voter can see as many others as it would have to. */
export function isOnlyLeaders({ voters, quorum }: Promised): boolean {
  return quorum >= voters.length;
}

/** A standby as the leader's server sees it. */
export interface SyncStandby {
  readonly name: string;
  readonly isStreaming: boolean;
  /** Milliseconds since it was last seen to stream; 0 while it does. */
  readonly goneForMs: number;
}

export interface SyncPatience {
  /** A standby that is gone for longer is not waited for. */
  readonly oneMs: number;
  /** All of them gone for longer: a leader that is not strict goes on alone. */
  readonly allMs: number;
}

/** What to require: the standbys that stream, those that have just gone too; with none left, nobody or (strict) who was required. */
export function wantedRequirement(
  mode: DurabilityMode,
  standbys: readonly SyncStandby[],
  required: Requirement,
  patience: SyncPatience,
): Requirement {
  if (mode.is === 'asynchronous') return NOTHING_REQUIRED;
  const of = (names: readonly string[]): Requirement => ({
    names: [...names].sort(),
    acks: Math.min(mode.acks, names.length),
  });
  const isRequired = (name: string): boolean => required.names.includes(name);
  const present = standbys.filter(
    ({ name, isStreaming, goneForMs }) => isStreaming || (isRequired(name) && goneForMs < patience.oneMs),
  );
  if (present.length >= (mode.isStrict ? mode.acks : 1)) return of(present.map(({ name }) => name));
  if (!mode.isStrict) {
    const waited = standbys.filter(({ name, goneForMs }) => isRequired(name) && goneForMs < patience.allMs);
    return waited.length > 0 ? of(waited.map(({ name }) => name)) : NOTHING_REQUIRED;
  }
  const names = union(
    required.names.filter((name) => name !== NOBODY),
    present.map(({ name }) => name),
  );
  return { names: names.length > 0 ? names : [NOBODY], acks: mode.acks };
}

/** The setting's text; '' for nobody. */
export function renderRequirement({ names, acks }: Requirement): string {
  if (names.length === 0) return '';
  return `ANY ${acks} (${names.map((name) => `"${name.replaceAll('"', '""')}"`).join(',')})`;
}

/** What a server's setting requires. What is not of our form may be satisfied by anybody: it is taken to require nothing. */
export function parseRequirement(text: string): Requirement {
  const found = /^ANY (\d{1,4}) \(("(?:[^"]|"")*"(?:,"(?:[^"]|"")*")*)\)$/.exec(text);
  if (found === null) return NOTHING_REQUIRED;
  const names = Array.from((found[2] ?? '').matchAll(/"((?:[^"]|"")*)"/g), ([, name]) =>
    (name ?? '').replaceAll('""', '"'),
  );
  return { names: names.sort(), acks: Number(found[1]) };
}

export function isSameRequirement(left: Requirement, right: Requirement): boolean {
  return left.acks === right.acks && isSameSet(left.names, right.names);
}

export function isSamePromise(left: Promised, right: Promised): boolean {
  return left.leader === right.leader && left.quorum === right.quorum && isSameSet(left.voters, right.voters);
}

const isSameSet = (left: readonly string[], right: readonly string[]): boolean =>
  left.length === right.length && left.every((name) => right.includes(name));

const union = (left: readonly string[], right: readonly string[]): string[] =>
  [...new Set([...left, ...right])].sort();

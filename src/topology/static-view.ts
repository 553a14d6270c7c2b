/**
 * What a cluster of listed servers looks like, judged from what each of them last said about itself: the same view
 * that the watch makes of etcd's keys, so that nothing else of a router needs to know the difference. There is no
 * lease here and nobody is fenced: this finds the primary that someone else has made, it never makes one.
 *
 * Who leads, and why that is as safe as it can be without a store:
 * - A server that says it is no standby claims to be primary. One claim alone is believed.
 * - Each promotion begins a new timeline, and PostgreSQL never joins two again. So of several claims the one on the
 *   newest timeline is right: it was promoted last, and all others must be rewound before they can be of use. They
 *   take no reads either, for they hold writes that the cluster does not have.
 * - Two claims on one timeline (two standbys promoted independently) cannot be told apart: nobody is written to
 *   until one of them is gone.
 * - The newest timeline that was ever seen is remembered: a primary of before that comes back alone is refused.
 * - A server that has said nothing for `freshMs` counts as gone; an answer's age is counted from its question.
 * - A server with another system identifier is of another cluster, and is not used.
 */
import type { Member, TagValue } from './member.ts';
import type { NoPrimaryReason } from './primary.ts';
import { type ClusterView, emptyView } from './view.ts';

/** A server of the list. */
export interface StaticNode {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly datacenter: string;
  readonly tags: Readonly<Record<string, TagValue>>;
}

/** What a server said, and when (monotonic ms) it was asked. `alive` is all that can be had without a role to log in as. */
export type NodeAnswer =
  | { readonly kind: 'alive'; readonly askedAt: number }
  | {
      readonly kind: 'told';
      readonly askedAt: number;
      readonly isInRecovery: boolean;
      readonly timeline: number;
      /** Write position of a primary, the farther of received and replayed of a standby. Bytes. */
      readonly lsn: number | undefined;
      readonly replayLsn: number | undefined;
      /** A standby with a connection to its primary. */
      readonly isStreaming: boolean;
      readonly systemId: string;
    };

/** Why the leader is the leader, or why there is none. */
export type StaticReason =
  | 'nobody-answered'
  | 'only-node'
  | 'one-primary'
  | 'newest-timeline'
  | 'no-primary'
  | 'two-primaries'
  | 'old-timeline'
  | 'leader-silent';

/** The judgement, folded from answer to answer. */
export interface StaticCluster {
  readonly view: ClusterView;
  readonly because: StaticReason;
  readonly leaderTimeline: number | undefined;
}

export const unknownCluster: StaticCluster = {
  view: emptyView,
  because: 'nobody-answered',
  leaderTimeline: undefined,
};

export interface StaticFacts {
  readonly nodes: readonly StaticNode[];
  /** The last answer of each that ever answered. */
  readonly answers: ReadonlyMap<string, NodeAnswer>;
  readonly now: number;
  readonly freshMs: number;
}

interface Judged {
  readonly node: StaticNode;
  readonly answer: NodeAnswer | undefined;
  readonly isFresh: boolean;
}

/** The cluster after what is known now. */
export function judgeCluster(before: StaticCluster, facts: StaticFacts): StaticCluster {
  const { answers, now, freshMs } = facts;
  const systemId = before.view.systemId ?? systemIdOf(facts);
  const judged = facts.nodes.map((node): Judged => {
    const answer = answers.get(node.name);
    return { node, answer, isFresh: answer !== undefined && now - answer.askedAt <= freshMs };
  });
  const foreign = judged.filter((one) => isForeign(one, systemId));
  const ours = judged.filter((one) => !isForeign(one, systemId));
  const newestTimeline = Math.max(
    before.view.newestTimeline,
    ...ours.map(({ answer }) => timelineOf(answer)),
  );
  const { leader, because } = leaderOf(ours, { before, newestTimeline });
  const leaderTimeline = leader === undefined ? undefined : timelineOf(leader.answer);
  const revision = before.view.revision + 1;
  const isSameTerm = leader?.node.name === before.view.leader && leaderTimeline === before.leaderTimeline;
  return {
    because,
    leaderTimeline,
    view: {
      ...emptyView,
      revision,
      leader: leader?.node.name,
      leaderlessBecause: LEADERLESS[because],
      leaderCreateRevision: leader && (isSameTerm ? before.view.leaderCreateRevision : revision),
      leaderModRevision: leader && revision,
      members: new Map(ours.map((one) => [one.node.name, memberOf(one, leader, because)])),
      unreadable: new Map(foreign.map(({ node }) => [node.name, 'of-another-cluster'])),
      systemId,
      optime: leader?.answer?.kind === 'told' ? leader.answer.lsn : undefined,
      newestTimeline,
    },
  };
}

/** The judgements without a leader, as reasons of `primaryOf`. */
const LEADERLESS: Readonly<Record<StaticReason, NoPrimaryReason>> = {
  'nobody-answered': 'no-node-answers',
  'no-primary': 'no-node-is-primary',
  'two-primaries': 'two-nodes-are-primary',
  'old-timeline': 'leader-on-old-timeline',
  'leader-silent': 'leader-not-running',
  'only-node': 'no-leader',
  'one-primary': 'no-leader',
  'newest-timeline': 'no-leader',
};

/** Decided by the first of the list that told it, and kept. */
function systemIdOf({ nodes, answers }: StaticFacts): string | undefined {
  for (const { name } of nodes) {
    const answer = answers.get(name);
    if (answer?.kind === 'told') return answer.systemId;
  }
  return undefined;
}

const isForeign = ({ answer }: Judged, systemId: string | undefined): boolean =>
  answer?.kind === 'told' && systemId !== undefined && answer.systemId !== systemId;

const timelineOf = (answer: NodeAnswer | undefined): number =>
  answer?.kind === 'told' ? answer.timeline : 0;

const claims = ({ answer, isFresh }: Judged): boolean =>
  isFresh && answer?.kind === 'told' && !answer.isInRecovery;

interface Leader {
  readonly leader: Judged | undefined;
  readonly because: StaticReason;
}

function leaderOf(
  ours: readonly Judged[],
  known: { readonly before: StaticCluster; readonly newestTimeline: number },
): Leader {
  const [only] = ours;
  // Without a role to log in as there is one server and no choice: each session's own proof decides (see router/probe).
  if (ours.length === 1 && only?.answer?.kind === 'alive') {
    return { leader: only, because: only.isFresh ? 'only-node' : 'leader-silent' };
  }
  const claimants = ours.filter(claims);
  if (claimants.length === 0) return withoutClaim(ours, known.before);
  const newest = Math.max(...claimants.map(({ answer }) => timelineOf(answer)));
  const right = claimants.filter(({ answer }) => timelineOf(answer) === newest);
  if (right.length > 1) return { leader: undefined, because: 'two-primaries' };
  if (newest < known.newestTimeline) return { leader: undefined, because: 'old-timeline' };
  return { leader: right[0], because: claimants.length === 1 ? 'one-primary' : 'newest-timeline' };
}

/** A leader of which nothing is heard stays the leader by name, so that people see whom to look for. It is not written to. */
function withoutClaim(ours: readonly Judged[], before: StaticCluster): Leader {
  if (ours.every(({ answer }) => answer === undefined))
    return { leader: undefined, because: 'nobody-answered' };
  const last = ours.find(({ node }) => node.name === before.view.leader);
  if (last !== undefined && !last.isFresh) return { leader: last, because: 'leader-silent' };
  return { leader: undefined, because: 'no-primary' };
}

function memberOf(one: Judged, leader: Judged | undefined, because: StaticReason): Member {
  const { node, answer } = one;
  const told = answer?.kind === 'told' ? answer : undefined;
  const isPrimary = told === undefined ? one === leader : !told.isInRecovery;
  return {
    name: node.name,
    host: node.host,
    port: node.port,
    apiUrl: '',
    state: stateOf(one, leader, because),
    role: answer === undefined ? '' : isPrimary ? 'primary' : 'replica',
    datacenter: node.datacenter,
    timeline: told?.timeline,
    lsn: told?.lsn,
    replayLsn: told?.replayLsn,
    replicationState: standbyState(told),
    hasCheckpointed: true,
    isClosed: false,
    isPaused: false,
    needsRestart: false,
    scheduledRestart: undefined,
    tags: node.tags,
  };
}

/** `running` serves; of the others each says why not. */
function stateOf(one: Judged, leader: Judged | undefined, because: StaticReason): string {
  if (!one.isFresh) return 'silent';
  if (one === leader || !claims(one)) return 'running';
  return because === 'two-primaries' ? 'disputed' : 'superseded';
}

function standbyState(told: (NodeAnswer & { readonly kind: 'told' }) | undefined): string | undefined {
  if (told === undefined || !told.isInRecovery) return undefined;
  return told.isStreaming ? 'streaming' : 'in archive recovery';
}

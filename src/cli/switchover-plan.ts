/**
 * A planned change of leader, as values: whether it can be asked for at all, and what each new view says about
 * its progress. Pure; switchover.ts writes the request and watches.
 *
 *     requested -> leader key released -> taken by another -> that one is a running primary   (done)
 *         |                                   |
 *         +-> request reset, same leader      +-> taken by the old leader, or by another than asked for   (failed)
 */
import {
  type ClusterView,
  isPaused,
  isTagSet,
  type Member,
  NO_PRIMARY_REASONS,
  primaryOf,
} from '../topology/index.ts';

export interface SwitchoverWish {
  /** The leader that the caller believes in; undefined accepts whoever leads. */
  readonly leader?: string;
  readonly candidate?: string;
}

export type SwitchoverPlan =
  | { readonly outcome: 'possible'; readonly leader: string; readonly candidate: string | undefined }
  | { readonly outcome: 'refused'; readonly because: string };

/** Checks a wish against the view, before anything is written. */
export function planSwitchover(view: ClusterView, wish: SwitchoverWish): SwitchoverPlan {
  const primary = primaryOf(view);
  if (primary.kind === 'none')
    return refused(`there is no primary to hand over: ${NO_PRIMARY_REASONS[primary.because]}`);
  const leader = primary.member.name;
  if (wish.leader !== undefined && wish.leader !== leader)
    return refused(`the leader is ${leader}, not ${wish.leader}`);
  if (view.failover !== undefined) return refused('another change of leader is already requested');
  const { candidate } = wish;
  if (candidate !== undefined) {
    const because = whyNotCandidate(view, candidate);
    return because === undefined ? { outcome: 'possible', leader, candidate } : refused(because);
  }
  if (isPaused(view)) return refused('the cluster is in maintenance mode: name a --candidate');
  const others = [...view.members.keys()].filter((name) => name !== leader);
  const reasons = others
    .map((name) => whyNotCandidate(view, name))
    .filter((because) => because !== undefined);
  if (reasons.length < others.length) return { outcome: 'possible', leader, candidate: undefined };
  return refused(
    others.length === 0 ? 'there is no other member' : `no member can take over: ${reasons.join('; ')}`,
  );
}

function refused(because: string): SwitchoverPlan {
  return { outcome: 'refused', because };
}

function whyNotCandidate(view: ClusterView, name: string): string | undefined {
  const member: Member | undefined = view.members.get(name);
  if (member === undefined) {
    return view.unreadable.has(name) ? `the entry of ${name} cannot be read` : `there is no member ${name}`;
  }
  if (name === view.leader) return `${name} is the leader already`;
  if (isTagSet(member.tags, 'nofailover')) return `${name} has the tag nofailover`;
  if (member.state !== 'running') return `${name} is not running (${member.state})`;
  return undefined;
}

/** What is remembered between two views. */
export interface SwitchoverProgress {
  readonly oldLeader: string;
  readonly candidate: string | undefined;
  /** Identifies the old leader's term: taking the key again makes a new one. */
  readonly oldTerm: number | undefined;
  /** Revision at which the request was written; older views say nothing. */
  readonly requestedAtRevision: number;
  readonly stage: 'requested' | 'released' | 'elected';
}

export type SwitchoverStep =
  | { readonly outcome: 'going-on'; readonly progress: SwitchoverProgress; readonly news: readonly string[] }
  | {
      readonly outcome: 'done';
      readonly leader: string;
      readonly timeline: number;
      readonly news: readonly string[];
    }
  | { readonly outcome: 'failed'; readonly because: string };

/** What `view` adds to what was known. `news` are lines for a person, each told once. */
export function followSwitchover(before: SwitchoverProgress, view: ClusterView): SwitchoverStep {
  const waiting: SwitchoverStep = { outcome: 'going-on', progress: before, news: [] };
  if (view.revision < before.requestedAtRevision) return waiting;
  if (view.leader === undefined) {
    if (before.stage !== 'requested') return waiting;
    const news = [`${before.oldLeader} has stopped and released the leader key`];
    return { outcome: 'going-on', progress: { ...before, stage: 'released' }, news };
  }
  if (view.leader === before.oldLeader) return stillOld(before, view) ?? waiting;
  if (before.candidate !== undefined && view.leader !== before.candidate) {
    return { outcome: 'failed', because: `${view.leader} became leader instead of ${before.candidate}` };
  }
  const news = before.stage === 'elected' ? [] : [`${view.leader} has taken the leader key`];
  const primary = primaryOf(view);
  if (primary.kind === 'none')
    return { outcome: 'going-on', progress: { ...before, stage: 'elected' }, news };
  const promoted = `${primary.member.name} is a running primary on timeline ${view.newestTimeline}`;
  return {
    outcome: 'done',
    leader: primary.member.name,
    timeline: view.newestTimeline,
    news: [...news, promoted],
  };
}

function stillOld(before: SwitchoverProgress, view: ClusterView): SwitchoverStep | undefined {
  if (view.leaderCreateRevision !== before.oldTerm) {
    return { outcome: 'failed', because: `${before.oldLeader} took the leader key again` };
  }
  if (view.failover === undefined) {
    return { outcome: 'failed', because: `${before.oldLeader} refused the request; it remains the leader` };
  }
  return undefined;
}

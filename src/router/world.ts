/**
 * What sessions need to know of the world, as one small interface, and its answer from the cluster's view. One
 * world serves all sessions of a router, so that the shares of reads are exact over all clients.
 *
 * A *term* is the reign of one leader on one timeline: whoever was proven primary in one must be proven again in
 * the next (invariant 2: a router proves before it writes).
 */
import {
  type Candidate,
  type ChoiceState,
  type ClusterView,
  chooseWeighted,
  emptyChoice,
  emptyView,
  isFailsafeMode,
  primaryOf,
  type ReadPolicy,
  readCandidates,
} from '../topology/index.ts';
import type { Route } from '../routing/index.ts';
import { SQLSTATE } from '../wire/index.ts';
import type { HoldReason, ReaderReason } from './route.ts';
import { Rotation } from './rotation.ts';
import { namedCandidate, outFor } from './route-choice.ts';
import type { OpenFailure } from './session-types.ts';

/** Compared by identity. */
export interface Term {
  readonly member: string;
  readonly newestTimeline: number;
}

export type PrimaryAnswer =
  | { readonly kind: 'primary'; readonly member: string; readonly term: Term }
  | { readonly kind: 'none'; readonly because: HoldReason };

/** The answers a session asks for; calls are cheap, one or two a statement. */
export interface World {
  /** Who may be written to at `now` (monotonic ms). */
  readonly primary: (now: number) => PrimaryAnswer;
  /** The leader by name, whether or not it may be written to; undefined if there is none. */
  readonly leader: () => string | undefined;
  /** The next member to read from, by weight, of those that are fit. */
  readonly reader: (exclude: ReadonlySet<string>, wish?: Route) => string | undefined;
  /** Another one in place of `name`, which has no room for a read that anybody may serve. */
  readonly relief: (name: string) => string | undefined;
  /** It does. */
  readonly relieved: (name: string) => void;
  /** Why that was the last one. */
  readonly readerBecause: ReaderReason;
  /** The nearest member to open a session on; not counted as a read. */
  readonly nearest: (exclude: ReadonlySet<string>) => string | undefined;
  readonly isMember: (name: string) => boolean;
}

const STALE: PrimaryAnswer = { kind: 'none', because: 'dcs-contact-stale' };
const NEVER_REACHED: PrimaryAnswer = { kind: 'none', because: 'dcs-never-reached' };

const NOT_YET: OpenFailure = { kind: 'unreachable', because: 'it lets no clients in yet' };
/** Then a refusal is another one. */
const REFUSAL_MS = 10_000;

export interface ClusterWorldOptions {
  readonly policy: ReadPolicy;
  /**
   * Longest time since etcd's last proof of contact in which writes are still sent: the lease's life. With `failsafe_mode` for as
   * long as the primary is one: it may go on without etcd, is stopped by its own fence before another can lead, and is asked
   * whether it is a primary on each new connection.
   */
  readonly ttlMs: number;
}

/** The world as the watch tells it. */
export class ClusterWorld implements World {
  readonly #options: ClusterWorldOptions;
  #policy: ReadPolicy;
  #changedAt = 0;
  #view: ClusterView = emptyView;
  #candidates: readonly Candidate[] = [];
  #byName: ReadonlyMap<string, Candidate> = new Map();
  #contactAt = Number.NEGATIVE_INFINITY;
  #answer: PrimaryAnswer = { kind: 'none', because: 'no-leader' };
  #term: Term = { member: '', newestTimeline: 0 };
  #termCreateRevision: number | undefined = undefined;
  readonly #unreachable = new Set<string>();
  /** Members that lately refused a client by what it is, since when. */
  readonly #refusedAt = new Map<string, number>();
  readonly #shares = new Map<string, number>();
  /** Fit for no read: unreachable, or its share is 0. */
  #unfit: ReadonlySet<string> = new Set();
  #choice: ChoiceState = emptyChoice;
  readonly #rotation = new Rotation();
  #readerBecause: ReaderReason = 'by-weight';

  constructor(options: ClusterWorldOptions) {
    this.#options = options;
    this.#policy = options.policy;
  }

  get view(): ClusterView {
    return this.#view;
  }

  get candidates(): readonly Candidate[] {
    return this.#candidates;
  }

  /** Members that could not be connected to when last tried. */
  get unreachable(): ReadonlySet<string> {
    return this.#unreachable;
  }

  candidate(name: string): Candidate | undefined {
    return this.#byName.get(name);
  }

  /** When the view was exchanged last (monotonic ms). */
  get changedAt(): number {
    return this.#changedAt;
  }

  setView(view: ClusterView, now = this.#changedAt): void {
    this.#changedAt = now;
    this.#view = view;
    this.#candidates = readCandidates(view, this.#policy);
    this.#byName = new Map(this.#candidates.map((candidate) => [candidate.name, candidate]));
    for (const name of this.#unreachable) if (!this.#byName.has(name)) this.#unreachable.delete(name);
    for (const name of this.#refusedAt.keys()) if (!this.#byName.has(name)) this.#refusedAt.delete(name);
    for (const name of this.#shares.keys()) if (!this.#byName.has(name)) this.setShare(name, 1);
    this.#plan();
    const primary = primaryOf(view);
    if (primary.kind === 'none') {
      this.#answer = primary;
      return;
    }
    const member = primary.member.name;
    const { newestTimeline, leaderCreateRevision } = view;
    const isSame =
      this.#term.member === member &&
      this.#term.newestTimeline === newestTimeline &&
      this.#termCreateRevision === leaderCreateRevision;
    if (!isSame) this.#term = { member, newestTimeline };
    this.#termCreateRevision = leaderCreateRevision;
    this.#answer = { kind: 'primary', member, term: this.#term };
  }

  /** Reads are spread by other weights, or members reached by other ways, from here on. */
  setPolicy(policy: ReadPolicy): void {
    this.#policy = policy;
    this.setView(this.#view);
  }

  setContact(sentAt: number): void {
    this.#contactAt = Math.max(this.#contactAt, sentAt);
  }

  /** Notes whether connecting works; says whether that is news. */
  setReachable(name: string, isReachable: boolean): boolean {
    if (this.#unreachable.has(name) === !isReachable) return false;
    if (isReachable) this.#unreachable.delete(name);
    else this.#unreachable.add(name);
    this.#plan();
    return true;
  }

  /** The member gets this part of its share of reads, in [0, 1]; see routing/health and routing/overload. */
  setShare(name: string, share: number): void {
    const wasFit = this.shareOf(name) > 0;
    if (share === 1) this.#shares.delete(name);
    else this.#shares.set(name, share);
    this.#rotation.setShare(name, share);
    if (share > 0 !== wasFit) this.#plan();
  }

  shareOf(name: string): number {
    return this.#shares.get(name) ?? 1;
  }

  /** Reads that others served since it had no room or too much to do. */
  spilledFrom(name: string): number {
    return this.#rotation.handedOn(name);
  }

  /** Etcd has told what the cluster is, be it long ago. */
  get isKnown(): boolean {
    return this.#contactAt !== Number.NEGATIVE_INFINITY || this.#view.revision > 0;
  }

  /** Age of etcd's last proof of contact; Infinity before the first. */
  contactAgeMs(now: number): number {
    return now - this.#contactAt;
  }

  /** The primary by name, as the store has told it last: for what is no write, were that long ago. */
  get viewedPrimary(): string | undefined {
    return this.#answer.kind === 'primary' ? this.#answer.member : undefined;
  }

  primary(now: number): PrimaryAnswer {
    if (now - this.#contactAt <= this.#options.ttlMs || isFailsafeMode(this.#view)) return this.#answer;
    return this.isKnown ? STALE : NEVER_REACHED;
  }

  leader(): string | undefined {
    return this.#view.leader;
  }

  /** Those whose address is known. One that is closed to clients is closed to the router's own questions, too. */
  get askable(): readonly Candidate[] {
    return this.#candidates.filter(({ host, because }) => host !== '' && because !== 'closed-to-clients');
  }

  /**
   * The member has refused a connection. A primary that was restarted refuses all clients by its pg_hba.conf at first
   * (docs/agent.md): as long as it says so, or the store has not proved the view current since the refusal, it is not there yet.
   */
  refused(name: string, failure: OpenFailure, now: number): OpenFailure {
    if (failure.kind !== 'refused' || failure.fields.code !== SQLSTATE.invalidAuthorizationSpecification)
      return failure;
    const last = this.#refusedAt.get(name);
    const since = last === undefined || now - last > REFUSAL_MS ? now : last;
    this.#refusedAt.set(name, since);
    const mayBeClosed = this.#view.members.get(name)?.isClosed === true || this.#contactAt <= since;
    return mayBeClosed ? NOT_YET : failure;
  }

  isMember(name: string): boolean {
    return this.#view.members.has(name);
  }

  reader(exclude: ReadonlySet<string>, wish?: Route): string | undefined {
    return this.#reader(exclude, wish, this.#turn);
  }

  readonly #turn = (): string | undefined => this.#rotation.next();

  #reader(
    exclude: ReadonlySet<string>,
    wish: Route | undefined,
    turn: () => string | undefined,
  ): string | undefined {
    const wished = wish === undefined ? undefined : this.#wished(wish, exclude);
    this.#readerBecause = wished === undefined ? 'by-weight' : 'as-wished';
    if (wished !== undefined) return wished;
    const next = exclude.size === 0 ? turn() : undefined;
    if (next !== undefined) return next;
    const chosen = this.#choose(exclude);
    if (chosen !== undefined) return chosen;
    this.#readerBecause = 'nearest';
    return this.nearest(exclude);
  }

  get readerBecause(): ReaderReason {
    return this.#readerBecause;
  }

  /** The same answers at this moment, of which none counts: for those who ask where a read would go. */
  unmoved(): World {
    const because = (): ReaderReason => this.#readerBecause;
    return {
      get readerBecause() {
        return because();
      },
      primary: (now) => this.primary(now),
      leader: () => this.leader(),
      nearest: (exclude) => this.nearest(exclude),
      isMember: (name) => this.isMember(name),
      reader: (exclude, wish) => {
        const choice = this.#choice;
        const name = this.#reader(exclude, wish, () => this.#rotation.peek());
        this.#choice = choice;
        return name;
      },
      relief: () => undefined,
      relieved: () => undefined,
    };
  }

  relief(name: string): string | undefined {
    return this.#rotation.instead(name);
  }

  relieved(name: string): void {
    this.#rotation.handOn(name);
  }

  nearest(exclude: ReadonlySet<string>): string | undefined {
    let best: Candidate | undefined;
    for (const candidate of this.#candidates) {
      if (candidate.host === '' || exclude.has(candidate.name)) continue;
      if (best === undefined || this.#rank(candidate) > this.#rank(best)) best = candidate;
    }
    return best?.name;
  }

  #wished(wish: Route, exclude: ReadonlySet<string>): string | undefined {
    switch (wish.kind) {
      case 'any':
      case 'primary':
        return undefined;
      case 'node':
        return namedCandidate(wish, this.#candidates, new Set([...exclude, ...this.#unreachable]));
      case 'replica':
      case 'local': {
        const { localDatacenter } = this.#policy;
        const out = new Set([...exclude, ...this.#unfit]);
        return this.#choose(outFor(wish, this.#candidates, { localDatacenter, out }));
      }
    }
    return undefined;
  }

  /** Reachable before unreachable, then fit before unfit, then by weight, then the leader. */
  #rank({ name, weight, isLeader }: Candidate): number {
    const reachable = this.#unreachable.has(name) ? 0 : 10_000_000;
    const fit = this.#unfit.has(name) ? 0 : 1_000_000;
    return reachable + fit + weight * 10 + (isLeader ? 1 : 0);
  }

  #choose(exclude: ReadonlySet<string>): string | undefined {
    const out = this.#unfit.size === 0 ? exclude : new Set([...exclude, ...this.#unfit]);
    const { state, chosen } = chooseWeighted(this.#choice, this.#candidates, out);
    this.#choice = state;
    return chosen?.name;
  }

  #plan(): void {
    const isUnfit = ({ name }: Candidate): boolean => this.#unreachable.has(name) || this.shareOf(name) === 0;
    this.#unfit = new Set(this.#candidates.filter(isUnfit).map(({ name }) => name));
    this.#rotation.plan(this.#candidates.filter((one) => one.weight > 0 && !isUnfit(one)));
  }
}

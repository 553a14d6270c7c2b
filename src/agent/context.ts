/**
 * What the parts of one agent share: its doors to the world, and the state that is kept between cycles. Who writes what:
 * the watch its view and contacts; look and refreshStatus (one question at a time, whoever asks: loop, REST, duties)
 * what PostgreSQL is seen to be; the loop and its jobs all the rest. REST and metrics answer while PostgreSQL hangs.
 */
import type { Address, Clock, Log, Timers } from '../base/index.ts';
import type { Config, PostgresqlConfig, RestapiConfig } from '../config/index.ts';
import type { Dcs } from '../dcs/index.ts';
import { type Decision, freshMemory, type Memory } from '../ha/index.ts';
import type { Inspection, PostgresControl, ServerStatus, Upstream } from '../postgres/index.ts';
import { type ClusterView, emptyView, type KeyLayout, type TagValue } from '../topology/index.ts';
import type { FenceClient } from './fence-client.ts';
import type { Jobs } from './jobs.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import type { PendingOrder } from './orders.ts';
import type { PeerClient } from './peers.ts';
import type { Pulse } from './pulse.ts';
import type { Pledged } from './pledges.ts';
import type { ScheduledRestart } from './scheduled-restart.ts';
import type { Wake } from './wake.ts';
import type { Watchdog } from './watchdog.ts';

export interface AgentContext {
  readonly config: Config;
  /** These and the tags are replaced by a reload (reload.ts), as far as they may change. */
  postgresql: PostgresqlConfig;
  restapi: RestapiConfig;
  /** The configured tags and `datacenter`. */
  tags: Readonly<Record<string, TagValue>>;
  /** Where others reach our PostgreSQL and our REST API. */
  readonly published: { readonly postgres: Address; readonly rest: Address };
  readonly pg: PostgresControl;
  readonly dcs: Dcs;
  readonly layout: KeyLayout;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly keeper: LeaseKeeper;
  readonly fence: Pick<
    FenceClient,
    'deadline' | 'watchdog' | 'ensure' | 'look' | 'arm' | 'disarm' | 'leave' | 'onLost'
  >;
  readonly watchdog: Pick<
    Watchdog,
    'isWanted' | 'isRequired' | 'bars' | 'trouble' | 'heard' | 'look' | 'refuse' | 'reload'
  >;
  readonly jobs: Jobs;
  readonly wake: Wake;
  readonly peers: Pick<PeerClient, 'ask' | 'askOne' | 'pledge' | 'close'>;
  readonly random: () => number;
  readonly version: string;
  /** Reads the agent's file again. Rejects as its first reading does. */
  readonly readAgain: () => Promise<Config>;
  readonly state: AgentState;
}

export interface AgentState {
  view: ClusterView;
  /** When the store last proved the view current (monotonic). */
  contactAt: number;
  contactWallAt: number | undefined;
  /** When the leader's written position was last seen to change (monotonic). */
  optimeSeenAt: number | undefined;
  /** Who led last, present leader included: its city is preferred for the next one. */
  lastLeader: string | undefined;
  /** Aborts when the leader key changes hands: what is asked of a leader that is none any more is not waited for. */
  leadership: AbortController;
  /** The number that was taken last for a promotion, as far as we have asked. */
  takenTimeline: number;
  /** The cluster's system identifier, as the store last had it in this life. */
  knownSystemId: string | undefined;
  inspection: Inspection | undefined;
  /** The last look at the data directory failed; told once. */
  isBlind: boolean;
  hasStandbySignal: boolean;
  /** The postmaster that was promoted, or may have been told to be: a primary or not, until it says that it is one. */
  promoting: number | undefined;
  /** The last answer of the running server; undefined when it has not answered since its start. */
  status: ServerStatus | undefined;
  statusAt: number;
  /** The question that the server has not answered yet, and the postmaster it was put to. */
  asking: { readonly pid: number | undefined; readonly answer: Promise<void> } | undefined;
  /** The running server did not answer the last question. */
  isSilent: boolean;
  /** Whether a server that has fallen silent under our key answers at all (pulse.ts); undefined while it answers. */
  pulse: Pulse | undefined;
  /** What the leader's history last made us doubt; told once. */
  lastDoubt: string | undefined;
  /** What the configuration files say, as we wrote them; undefined before the first write of this life. */
  configured: { readonly as: 'primary' | 'standby'; readonly upstream: string | undefined } | undefined;
  /** `synchronous_standby_names` while durability is ours to see to; undefined when it is not, or not known yet. */
  requirement: string | undefined;
  /** Revision of the cluster-wide configuration that the files of PostgreSQL reflect. */
  appliedConfig: number | undefined;
  /** The files of PostgreSQL are to be written and read anew, changed or not. */
  isReloadDue: boolean;
  isBootstrapping: boolean;
  /** Keep-alives move the fence's deadline: PostgreSQL is, or is about to become, a primary. */
  isGuarding: boolean;
  /** A rewind succeeded, and the standby has not streamed since. */
  rewindsInVain: number;
  /** When this agent began (monotonic): what it had pledged before, it does not know. */
  readonly startedAt: number;
  /** What this member has pledged to a leader last (pledges.ts). */
  pledged: Pledged | undefined;
  memory: Memory;
  decision: Decision | undefined;
  decidedAt: number;
  /** How often each decision was taken, by action and reason: a small closed set. */
  readonly decisions: Map<
    string,
    { readonly action: string; readonly because: string; readonly count: number }
  >;
  /** What an operator asked of this member, until the loop begins it. */
  order: PendingOrder | undefined;
  scheduledRestart: ScheduledRestart | undefined;
  /** Set while the agent itself ends. */
  isStopping: boolean;
}

export function freshState(now: number): AgentState {
  return {
    view: emptyView,
    contactAt: Number.NEGATIVE_INFINITY,
    contactWallAt: undefined,
    optimeSeenAt: undefined,
    lastLeader: undefined,
    leadership: new AbortController(),
    takenTimeline: 0,
    knownSystemId: undefined,
    inspection: undefined,
    isBlind: false,
    hasStandbySignal: false,
    promoting: undefined,
    status: undefined,
    statusAt: Number.NEGATIVE_INFINITY,
    asking: undefined,
    isSilent: false,
    pulse: undefined,
    lastDoubt: undefined,
    configured: undefined,
    requirement: undefined,
    appliedConfig: undefined,
    isReloadDue: false,
    isBootstrapping: false,
    isGuarding: false,
    rewindsInVain: 0,
    startedAt: now,
    pledged: undefined,
    memory: freshMemory,
    decision: undefined,
    decidedAt: now,
    decisions: new Map(),
    order: undefined,
    scheduledRestart: undefined,
    isStopping: false,
  };
}

/** Where a member's PostgreSQL is reached from here: this host's address book first, then what the member published. */
export function upstreamOf(ctx: AgentContext, name: string): Upstream | undefined {
  const own = ctx.config.addresses[name];
  if (own !== undefined) return own;
  const member = ctx.state.view.members.get(name);
  return member === undefined ? undefined : { host: member.host, port: member.port };
}

/** How far behind the last known position a member may be and still lead, where the cluster-wide key does not say. */
export const MAXIMUM_LAG_BYTES = 1024 * 1024;

/** How long a primary may take to start before that counts as a failure: Patroni's `primary_start_timeout`, seconds. */
export function primaryStartMs({ state }: AgentContext): number {
  const before4 = clusterNumber(state.view, 'master_start_timeout', 300);
  // 0 means "fail over rather than start", which is what is done anyway where somebody can take over.
  return 1000 * (clusterNumber(state.view, 'primary_start_timeout', before4) || 300);
}

/** How long a leader's PostgreSQL may answer no question at all before another member takes over; `primary_answer_timeout`, seconds. */
export function answerPatienceMs({ state }: AgentContext): number {
  return 1000 * clusterNumber(state.view, 'primary_answer_timeout', 60);
}

/** A value of the cluster-wide configuration key that must be a whole number >= 0. */
export function clusterNumber(view: ClusterView, key: string, fallback: number): number {
  const value = view.config?.value[key];
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : fallback;
}

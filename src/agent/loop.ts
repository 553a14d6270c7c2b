/**
 * The agent's loop: observe, decide, act, over and over. Woken by its timer and by every event that may change a decision;
 * decisions are ha/decide.ts, the keep-alive has its own timer, housekeeping runs beside.
 *
 *     timer, watch, postmaster's end, job's end, lease  ->  Wake  ->  look -> observe -> decide -> act  ->  duties
 */
import { failure, type LogFields, rethrowBug } from '../base/index.ts';
import {
  type Decision,
  decide,
  parseFailsafe,
  type PeerAnswer,
  type Reason,
  stepDownMs,
} from '../ha/index.ts';
import { act } from './act.ts';
import { Callbacks } from './callbacks.ts';
import type { AgentContext } from './context.ts';
import type { Duties } from './duties.ts';
import { surprisingKeys } from './dynamic.ts';
import { look, postmasterOf } from './look.ts';
import { localServer, observe } from './observe.ts';
import { cityOf } from './peers.ts';
import { durabilityModeOf } from './promise.ts';
import { runScheduled, untilScheduledMs } from './scheduled-restart.ts';
import { configure, unguard } from './server-work.ts';

/** While nobody leads, a peer that did not answer in time is asked again soon. */
const ELECTION_WAIT_MS = 300;
/** Decisions taken in a row without waiting; more would be a loop of our own making. */
const ROUNDS_MAX = 6;

/** PostgreSQL that runs already is taken over as it is; if it is a primary, its fence is found (or made) first. */
export async function adopt(ctx: AgentContext, signal: AbortSignal): Promise<void> {
  const { state, log, fence, keeper, clock } = ctx;
  await look(ctx);
  const local = localServer(state);
  try {
    await ctx.watchdog.look();
    await fence.ensure();
  } catch (cause) {
    rethrowBug(cause);
    log.error('fence-unavailable', failure(cause));
  }
  if (local.process === 'stopped') return;
  log.info('postgres-adopted', {
    process: local.process,
    role: local.role,
    fenceDeadlineInMs: fence.deadline && Math.round(fence.deadline - clock.now()),
  });
  // A fence is armed for a primary, or for a promotion that our earlier life may have begun.
  if (local.role === 'standby' && fence.deadline !== undefined) state.promoting = postmasterOf(state);
  state.isGuarding = local.role !== 'standby' || state.promoting !== undefined;
  if (local.role === 'primary') state.configured = { as: 'primary', upstream: undefined };
  // What this server may go on doing hangs on the store; it is waited for briefly, as long as a fence guards us.
  const until = Math.min(fence.deadline ?? clock.now() + 1500, clock.now() + 1500);
  const isUnheard = (): boolean => state.view.revision === 0 || state.contactAt === Number.NEGATIVE_INFINITY;
  while (!signal.aborted && (isUnheard() || keeper.lease === undefined) && clock.now() < until)
    await ctx.wake.wait(20);
  if (local.role === 'standby' && state.view.leader === ctx.config.name)
    state.promoting = postmasterOf(state);
}

/** Observe, decide, act until `signal` aborts. Rejects with `system-id-mismatch`. */
export async function loop(ctx: AgentContext, duties: Duties, signal: AbortSignal): Promise<void> {
  let logged = '';
  const callbacks = new Callbacks(ctx);
  while (!signal.aborted) {
    for (let round = 0; round < ROUNDS_MAX && !signal.aborted; round += 1) {
      const decision = await cycle(ctx);
      const line = `${decision.action.do}/${decision.because}`;
      if (line !== logged)
        ctx.log.info('decided', {
          ...decision.action,
          because: decision.because,
          was: logged,
          ...behindLeader(ctx, decision),
        });
      logged = line;
      const outcome = await act(ctx, decision);
      callbacks.see();
      duties.due();
      if (outcome === 'rest') break;
    }
    await settleFence(ctx);
    if (await applyConfiguration(ctx)) callbacks.reloaded();
    runScheduled(ctx);
    await ctx.wake.wait(restMs(ctx));
  }
}

/** One look and one decision; the peers are asked in between if the decision is to ask them. */
async function cycle(ctx: AgentContext): Promise<Decision> {
  const { state, clock, jobs } = ctx;
  // A job that ended meanwhile has changed what was looked at: a server seen stopped may be a running primary by now.
  for (let turns = -1; turns !== jobs.turns; ) {
    turns = jobs.turns;
    await look(ctx);
  }
  let peers: readonly PeerAnswer[] | undefined;
  let decision = decide(await observe(ctx, peers));
  if (decision.action.do === 'ask-peers') {
    const failsafe = parseFailsafe(state.view.entries.get(ctx.layout.failsafe)?.value);
    const city = cityOf(state.view, state.lastLeader);
    peers = await ctx.peers.ask({ view: state.view, failsafe }, ctx.config.name, city);
    state.memory = decision.memory;
    decision = decide(await observe(ctx, peers));
  }
  state.memory = decision.memory;
  state.decision = decision;
  state.decidedAt = clock.now();
  const key = `${decision.action.do}/${decision.because}`;
  state.decisions.set(key, {
    action: decision.action.do,
    because: decision.because,
    count: (state.decisions.get(key)?.count ?? 0) + 1,
  });
  return decision;
}

const OF_POSITIONS: readonly Reason[] = [
  'best-candidate',
  'courtesy-over',
  'requested-candidate',
  'lag-too-great',
];

/**
 * Beside a decision that rests on the late leader's position: how far behind it this member is, and how long ago it was
 * written. A leader that was idle wrote nothing new; one that was busy may have come farther in that time.
 */
export function behindLeader(
  { state, clock }: Pick<AgentContext, 'state' | 'clock'>,
  { because }: Decision,
): LogFields {
  const { view, optimeSeenAt } = state;
  const { lsn } = localServer(state);
  if (!OF_POSITIONS.includes(because) || view.optime === undefined || lsn === undefined) return {};
  return {
    leaderPosition: view.optime,
    ...(optimeSeenAt === undefined ? {} : { writtenMsAgo: Math.round(clock.now() - optimeSeenAt) }),
    behindBytes: Math.max(0, view.optime - lsn),
  };
}

function isLeaderless({ state: { view } }: AgentContext): boolean {
  return view.leader === undefined && (view.systemId ?? '') !== '';
}

/** Not beyond the instant at which we would have to step down: the agent should be faster than its fence. */
function restMs(ctx: AgentContext): number {
  const usual = Math.min(ctx.config.lease.loop_wait, untilScheduledMs(ctx));
  const loopWait = isLeaderless(ctx) ? Math.min(usual, ELECTION_WAIT_MS) : usual;
  if (!ctx.keeper.isHolder) return loopWait;
  return Math.max(
    20,
    Math.min(loopWait, ctx.keeper.deadline - stepDownMs(ctx.config.lease.keep_alive) - ctx.clock.now()),
  );
}

/** Keeps a fence at hand, and disarms one that has nothing to guard: PostgreSQL is stopped or a standby, and no job changes that. */
async function settleFence(ctx: AgentContext): Promise<void> {
  const { fence, state, jobs, keeper, log } = ctx;
  try {
    if (ctx.watchdog.isWanted) await ctx.watchdog.look();
    await fence.ensure();
    ctx.watchdog.heard(fence.watchdog);
    const local = localServer(state);
    const isHarmless =
      jobs.running === undefined && (local.process === 'stopped' || local.role === 'standby');
    if (isHarmless && !keeper.isHolder && (state.isGuarding || fence.deadline !== undefined))
      await unguard(ctx);
    if (state.isGuarding && fence.deadline === undefined && keeper.isSafe(0))
      await fence.arm(keeper.deadline);
  } catch (cause) {
    rethrowBug(cause);
    log.warn('fence-unavailable', failure(cause));
  }
}

/** PostgreSQL's settings, when the cluster-wide key changed or a reload was asked for: files, then a reload of a running server, which it tells. */
async function applyConfiguration(ctx: AgentContext): Promise<boolean> {
  const { state, jobs, pg, log } = ctx;
  const revision = state.view.config?.modRevision;
  if (isPromotedByHand(ctx)) {
    state.configured = { as: 'primary', upstream: undefined };
    state.appliedConfig = undefined;
  }
  const isDue = state.isReloadDue || (revision !== undefined && revision !== state.appliedConfig);
  if (
    !isDue ||
    jobs.running !== undefined ||
    state.configured === undefined ||
    isRequirementUnknown(ctx, state.configured.as)
  )
    return false;
  try {
    const isChanged = await configure(ctx, state.configured.as, state.configured.upstream);
    const isReloading = (isChanged || state.isReloadDue) && localServer(state).process === 'running';
    if (isReloading) await pg.reload();
    if (revision !== state.appliedConfig) tellIgnored(ctx);
    state.isReloadDue = false;
    state.appliedConfig = revision;
    return isReloading;
  } catch (cause) {
    rethrowBug(cause);
    log.warn('configuration-not-applied', { revision, ...failure(cause) });
    return false;
  }
}

/** It leads, and its files still say standby, or were never written by this agent. */
function isPromotedByHand({ state, jobs, keeper }: AgentContext): boolean {
  const { process, role } = localServer(state);
  const isLeading = process === 'running' && role === 'primary' && keeper.isSafe(0);
  return isLeading && jobs.running === undefined && state.configured?.as !== 'primary';
}

/** Once for each change of the key: what it says to no effect. */
function tellIgnored({ state, log }: AgentContext): void {
  const ignored = surprisingKeys(state.view.config?.value ?? {});
  if (ignored.length > 0) log.warn('configuration-keys-ignored', { keys: ignored });
}

/** Of a running primary that was adopted: files that are written without it would release commits from waiting. */
function isRequirementUnknown({ state }: AgentContext, as: 'primary' | 'standby'): boolean {
  const isAsynchronous = durabilityModeOf(state.view.config?.value).is === 'asynchronous';
  return as === 'primary' && !isAsynchronous && state.requirement === undefined;
}

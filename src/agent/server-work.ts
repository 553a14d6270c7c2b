/**
 * The long works on our PostgreSQL, each run as a job (jobs.ts): they own the server while they run, ask again whether
 * they are still wanted before each step that cannot be undone, and leave a state that `decide` can go on from.
 */
import { assert, failure, isRecord, MatriarchError, rethrowBug } from '../base/index.ts';
import { stepDownMs } from '../ha/index.ts';
import type { DesiredConfig, StartResult, StopResult, Upstream } from '../postgres/index.ts';
import { slotNameOf } from '../topology/index.ts';
import { cloneSource } from './clone-source.ts';
import { type AgentContext, primaryStartMs, upstreamOf } from './context.ts';
import type { JobContext } from './jobs.ts';
import { writeIdentity } from './leader-write.ts';
import { look, postmasterOf } from './look.ts';
import { boundForMs } from './pledges.ts';
import { durabilityModeOf, promiseAlone } from './promise.ts';
import { takeTimeline } from './timeline.ts';
import { mayLead, watchdogHeld } from './watchdog.ts';

/** A standby that is not consistent by then goes on starting by itself; the loop looks after it. */
const STANDBY_START_MS = 10_000;
const PROMOTE_MS = 60_000;

/**
 * The race for `initialize`, on our lease so that a dead racer's claim ends with it; then initdb. A claim of ours whose answer
 * was lost is made again.
 */
export async function bootstrap(ctx: AgentContext, job: JobContext): Promise<void> {
  const { dcs, layout, keeper, pg, state, log } = ctx;
  const { lease } = keeper;
  // Not without a word: the loop would begin again at once, over and over.
  if (lease === undefined)
    throw new MatriarchError('agent-job-failed', 'no cluster is made: the store has granted no lease yet');
  if (ctx.config.bootstrap.made_by === 'others')
    throw new MatriarchError(
      'agent-job-failed',
      'there is no cluster, and by bootstrap.made_by others make it',
    );
  const key = layout.initialize;
  const seen = state.view.entries.get(key);
  const isOurs = seen?.value === '' && seen.lease === lease;
  const claim = await dcs.transact(
    {
      when: [
        isOurs ? { key, is: 'mod-revision', modRevision: seen.modRevision } : { key, is: 'absent' },
        { key: layout.leader, is: 'absent' },
      ],
      then: [{ op: 'put', key, value: '', lease }],
    },
    { timeoutMs: 1000 },
  );
  if (claim.outcome === 'refused') return;
  log.info('bootstrap-race-won', { revision: claim.revision });
  state.isBootstrapping = true;
  try {
    await pg.initdb({ signal: job.signal, content: ctx.config.bootstrap.initdb });
  } catch (cause) {
    state.isBootstrapping = false;
    await dcs.transact(
      {
        when: [{ key, is: 'mod-revision', modRevision: claim.revision }],
        then: [{ op: 'delete', key }],
      },
      { timeoutMs: 1000 },
    );
    throw cause;
  }
}

/** A copy of `from`, started as its standby. */
export async function clone(ctx: AgentContext, job: JobContext, from: string): Promise<void> {
  await copyFrom(ctx, job, from);
  await startAsStandby(ctx, job, from);
}

/** A standby that can have its WAL by its slot and does not get on is started again so often before it is cloned anew. */
const IN_VAIN_MAX = 4;

/** Rewind to the leader's history; where that fails twice or leaves damage, a fresh clone. Never without a live leader to copy from. */
export async function rejoin(
  ctx: AgentContext,
  job: JobContext,
  { from, isDiverged }: { readonly from: string; readonly isDiverged: boolean },
): Promise<void> {
  const { pg, state, log, jobs } = ctx;
  const upstream = mustReach(ctx, from);
  const hasWal = !isDiverged && (await isWalKept(ctx, upstream));
  await stopped(ctx, 'fast', 10_000);
  // It becomes a standby by its files now, also if nothing comes of the rewind.
  await configure(ctx, 'standby', from, closing(ctx));
  const isPatient = hasWal && state.rewindsInVain < IN_VAIN_MAX;
  let isCloneDue = state.rewindsInVain > 0 && !isPatient;
  if (isPatient && state.rewindsInVain > 0) {
    state.rewindsInVain += 1;
    log.info('standby-started-again', { from, because: 'its slot keeps the WAL that it needs' });
  } else if (!isCloneDue) {
    const result = await pg.rewind(upstream, { signal: job.signal });
    log.info('rewind-ended', { from, ...rounded(result) });
    if (!job.isCurrent()) return;
    if (result.outcome === 'failed') {
      isCloneDue = result.damaged || jobs.failuresOf('rejoin') > 0;
      if (!isCloneDue)
        throw new MatriarchError('agent-job-failed', `pg_rewind from ${from}: ${result.because}`);
    } else {
      state.rewindsInVain += 1;
      await becameCopy(ctx, from);
    }
  }
  if (isCloneDue) {
    const leader = await pg.timelineHistory(upstream, { deadlineMs: 3000 });
    if (leader.inRecovery)
      throw new MatriarchError(
        'postgres-unreachable',
        `${from} is no primary now, so nothing is cloned from it`,
      );
    if (!job.isCurrent()) return;
    log.warn('data-directory-replaced', { from, because: 'rewind did not help' });
    await copyFrom(ctx, job, from, { replaces: true });
    state.rewindsInVain = 0;
  }
  await startAsStandby(ctx, job, from);
}

/** The slot that this standby has at `upstream` keeps all WAL behind what it has replayed. */
async function isWalKept({ pg, state, config, log }: AgentContext, upstream: Upstream): Promise<boolean> {
  const lsn = state.status?.replayLsn;
  if (lsn === undefined) return false;
  try {
    return await pg.keepsWal(upstream, { slot: slotNameOf(config.name), lsn, deadlineMs: 3000 });
  } catch (cause) {
    rethrowBug(cause);
    log.warn('slot-not-known', failure(cause));
    return false;
  }
}

export async function startAsStandby(
  ctx: AgentContext,
  job: JobContext,
  from: string | undefined,
  startMs = STANDBY_START_MS,
): Promise<StartResult['outcome'] | undefined> {
  if (!job.isCurrent()) return undefined;
  await configure(ctx, 'standby', from, closing(ctx));
  if (!job.isCurrent()) return undefined;
  const result = await ctx.pg.start({ as: 'standby', deadlineMs: startMs });
  ctx.log.info('postgres-started', { as: 'standby', upstream: from, outcome: result.outcome });
  return result.outcome;
}

/**
 * Starts as a primary, as `promote` promotes: the store itself says that the key is ours, and the fence that it is armed.
 * A new cluster has its identity in the store before it takes its first write: nobody makes another one from then on.
 */
export async function startAsPrimary(
  ctx: AgentContext,
  job: JobContext,
  startMs = primaryStartMs(ctx),
): Promise<StartResult['outcome']> {
  await guard(ctx, 'starting PostgreSQL as a primary');
  if (ctx.state.isBootstrapping) {
    if (!(await writeIdentity(ctx))) throw notSafe('starting a new cluster');
    await ctx.pg.claimDataDir();
  }
  await promiseAlone(ctx);
  await configure(ctx, 'primary', undefined, closing(ctx));
  if (!job.isCurrent() || !mayBecomePrimary(ctx)) throw notSafe('starting PostgreSQL as a primary');
  const result = await ctx.pg.start({ as: 'primary', deadlineMs: startMs });
  ctx.log.info('postgres-started', { as: 'primary', outcome: result.outcome });
  await stopUnlessSafe(ctx);
  return result.outcome;
}

/**
 * Promotes. In order: the store itself says that the key is ours (linearizable), the fence says that it is armed, the
 * number of the new timeline is taken, and at the instant of the signal lease and job are still good. A lease lost in between ends in an immediate stop.
 */
export async function promote(ctx: AgentContext, job: JobContext): Promise<void> {
  const { keeper, pg, log } = ctx;
  await guard(ctx, 'promoting');
  const timeline = await takeTimeline(ctx);
  await promiseAlone(ctx);
  if (await configure(ctx, 'standby', ctx.state.configured?.upstream)) await pg.reload();
  const result = await pg.promote({
    timeline,
    stillAllowed: () => job.isCurrent() && mayBecomePrimary(ctx),
    deadlineMs: PROMOTE_MS,
  });
  log.info('promotion-ended', rounded(result));
  switch (result.outcome) {
    case 'promoted':
      // What was seen of it last is of before, and it need not answer the next question.
      ctx.state.promoting = postmasterOf(ctx.state);
      ctx.state.configured = { as: 'primary', upstream: undefined };
      await stopUnlessSafe(ctx);
      return;
    case 'cancelled':
      throw notSafe('promoting');
    case 'failed':
      // Server and key are by now those of whoever replaced this job: what that starts must not lose its key.
      if (!job.isCurrent()) throw notSafe('promoting');
      // It may still become a primary by itself: only stopped is it certain.
      await stopped(ctx, 'immediate', 2000);
      if (job.isCurrent()) await keeper.release();
      throw new MatriarchError('agent-job-failed', result.because);
  }
}

/** Stops what may be writing. `immediate` cuts sessions at once; `offline` has a moment for a fast stop. */
export async function demote(ctx: AgentContext, mode: 'immediate' | 'offline'): Promise<void> {
  const leftMs = Math.max(200, ctx.keeper.deadline - ctx.clock.now());
  await stopped(
    ctx,
    mode === 'offline' ? 'fast' : 'immediate',
    mode === 'offline' ? Math.min(1000, leftMs) : 1000,
  );
  await unguard(ctx);
}

/** PostgreSQL is proved to be stopped, or this throws. */
export async function stopped(
  ctx: AgentContext,
  mode: 'fast' | 'immediate',
  deadlineMs: number,
): Promise<StopResult> {
  const result = await ctx.pg.stop({ mode, deadlineMs });
  if (result.outcome === 'failed') {
    throw new MatriarchError('agent-job-failed', `processes survive SIGKILL: ${result.pids.join(', ')}`);
  }
  await look(ctx);
  return result;
}

/**
 * The store confirms that the key is ours (a linearizable read), the lease has time left (a fence that is armed with a
 * deadline in the past strikes at once), and the fence confirms that it guards PostgreSQL from here on, with the watchdog where
 * that is required. Else this rejects, and nothing may become a primary.
 */
async function guard(ctx: AgentContext, before: string): Promise<void> {
  if (!(await ctx.keeper.verify()) || !mayBecomePrimary(ctx)) throw notSafe(before);
  mayLead(ctx);
  ctx.state.isGuarding = true;
  await ctx.fence.arm(ctx.keeper.deadline);
  await watchdogHeld(ctx);
}

/** With less lease than this the loop would demote at once what becomes a primary now. */
function mayBecomePrimary({ keeper, config, state, clock }: AgentContext): boolean {
  return keeper.isSafe(stepDownMs(config.lease.keep_alive)) && boundForMs(state, clock.now()) === 0;
}

/** PostgreSQL is stopped or a standby: the fence has nothing to strike at. */
export async function unguard(ctx: AgentContext): Promise<void> {
  ctx.state.isGuarding = false;
  await ctx.fence.disarm();
}

/**
 * A stopped server that was a primary may have commits that are on no standby: it starts closed to clients (ha/opening.ts). As
 * long as the store has not said what the cluster's durability is, by what that was when the files were written last.
 */
function closing({ state }: AgentContext): Pick<DesiredConfig, 'isClosed'> {
  const { hasStandbySignal, inspection, isBootstrapping, view } = state;
  if (isBootstrapping) return { isClosed: false };
  if (hasStandbySignal || inspection?.control === undefined) return {};
  if (view.revision === 0) return { isClosed: 'if-durable' };
  return durabilityModeOf(view.config?.value).is === 'asynchronous' ? {} : { isClosed: true };
}

/** Writes the configuration files for a role; true if they changed. Clients are let in as before where `isClosed` is not said. */
export async function configure(
  ctx: AgentContext,
  as: 'primary' | 'standby',
  from: string | undefined,
  { isClosed }: Pick<DesiredConfig, 'isClosed'> = {},
): Promise<boolean> {
  const upstream = from === undefined ? undefined : upstreamOf(ctx, from);
  const written = await ctx.pg.writeConfig({
    as,
    upstream,
    slot: upstream === undefined ? undefined : slotNameOf(ctx.config.name),
    synchronousStandbyNames: ctx.state.requirement,
    isClosed,
    own: { parameters: ctx.postgresql.parameters, pgHba: ctx.postgresql.pg_hba },
    ...clusterSettings(ctx),
  });
  ctx.state.configured = { as, upstream: from };
  return written.changed;
}

/** PostgreSQL settings of the cluster-wide configuration key; what has the wrong type there is left out. */
export function clusterSettings(ctx: AgentContext): Pick<DesiredConfig, 'parameters' | 'pgHba'> {
  const postgresql = ctx.state.view.config?.value['postgresql'];
  if (!isRecord(postgresql)) return {};
  const { parameters, pg_hba: hba } = postgresql;
  return {
    ...(isRecord(parameters)
      ? { parameters: Object.fromEntries(Object.entries(parameters).filter(isSetting)) }
      : {}),
    ...(Array.isArray(hba) && hba.every((line) => typeof line === 'string') && hba.length > 0
      ? { pgHba: hba }
      : {}),
  };
}

/** A copy of the cluster of `leader`, from whom that is to be had (clone-source.ts). */
export async function copyFrom(
  ctx: AgentContext,
  job: JobContext,
  leader: string,
  how: { readonly replaces?: boolean } = {},
): Promise<void> {
  const source = cloneSource(ctx, leader);
  ctx.log.info('clone-begins', { from: source, leader });
  await ctx.pg.basebackup(mustReach(ctx, source), {
    slot: slotNameOf(ctx.config.name),
    follows: mustReach(ctx, leader),
    replaces: how.replaces ?? false,
    signal: job.signal,
    stallMs: 60_000,
    onProgress: (progress) => ctx.log.debug('clone-progress', { ...progress }),
  });
  await becameCopy(ctx, leader);
}

/** Its history is the leader's now, and it is a standby. So are its files the source's, which may have been closed. */
async function becameCopy(ctx: AgentContext, leader: string): Promise<void> {
  ctx.state.hasStandbySignal = true;
  await configure(ctx, 'standby', leader, { isClosed: false });
}

/** What was begun under the lease must not run on without it. */
async function stopUnlessSafe(ctx: AgentContext): Promise<void> {
  if (ctx.keeper.isSafe(0)) return;
  ctx.log.error('lease-lost-while-becoming-primary', {});
  await stopped(ctx, 'immediate', 1000);
  await unguard(ctx);
}

export function mustReach(ctx: AgentContext, name: string): Upstream {
  assert(name !== ctx.config.name, 'a member is never its own upstream');
  const upstream = upstreamOf(ctx, name);
  if (upstream === undefined)
    throw new MatriarchError('postgres-unreachable', `${name} has not published an address`);
  return upstream;
}

function notSafe(what: string): MatriarchError {
  return new MatriarchError(
    'agent-job-failed',
    `not ${what}: the leader key is not certain to be ours for long enough`,
  );
}

function isSetting(entry: [string, unknown]): entry is [string, string | number | boolean] {
  return ['string', 'number', 'boolean'].includes(typeof entry[1]);
}

function rounded<T extends object>(result: T): T & { readonly tookMs?: number } {
  return 'tookMs' in result && typeof result.tookMs === 'number'
    ? { ...result, tookMs: Math.round(result.tookMs) }
    : result;
}

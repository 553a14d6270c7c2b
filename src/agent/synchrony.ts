/**
 * Keeps what commits wait for (`synchronous_standby_names`) and what the store promises of it (the key `sync`) in step, by
 * the steps of ha/durability.ts, where the cluster-wide `synchronous_mode` asks for it. Run by the leader beside its loop,
 * one run at a time.
 */
import { pause } from '../base/index.ts';
import {
  type DurabilityMode,
  isSameName,
  nextSyncStep,
  parseRequirement,
  type Requirement,
  renderRequirement,
  type SyncStandby,
  type SyncStep,
  wantedRequirement,
} from '../ha/index.ts';
import type { Synchrony } from '../postgres/index.ts';
import type { AgentContext } from './context.ts';
import { putAsLeader } from './leader-write.ts';
import { durabilityModeOf, eligible, promisedIn, publish, type SyncKey } from './promise.ts';
import { configure } from './server-work.ts';

const ASK_MS = 500;
/** A standby that is away for longer is not waited for; a new WAL receiver is there sooner than that. */
const ONE_GONE_MS = 2000;
/** A reload has reached the checkpointer, if that is idle then. */
const RELOADED_MS = 500;
const LOOK_AGAIN_MS = 250;
/** Steps in one run, and what lies between them. */
const STEPS_MAX = 4;
const STEP_MS = 30;

export class SynchronyKeeper {
  /** When each standby last streamed; from our first look on. */
  readonly #streamedAt = new Map<string, number>();
  /** The setting that was seen, since when, and what had been flushed once the whole server acted on it. */
  #seen: { readonly setting: string; readonly at: number; readonly lsn: number | undefined } | undefined;
  #isConfirmed = false;
  /** What we wrote last, which the view may not have yet. */
  #wrote: SyncKey | undefined;
  #weakened = '';
  #term = '';

  /** One run of the leader of a running primary. Rejects when PostgreSQL or the store does not answer. */
  async keep(ctx: AgentContext): Promise<void> {
    this.#beginTerm(`${ctx.state.view.leaderCreateRevision} ${ctx.state.status?.postmasterStartTime}`);
    const mode = durabilityModeOf(ctx.state.view.config?.value);
    if (mode.is === 'asynchronous') return await this.#end(ctx);
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const did = await this.#step(ctx, mode);
      if (did === 'nothing') return;
      if (did === 'await-standbys') {
        // Until then nobody else may lead: not a whole period of the loop longer than it takes.
        ctx.timers.after(LOOK_AGAIN_MS, () => ctx.wake.now());
        return;
      }
      await pause(STEP_MS, undefined, ctx.timers);
    }
    ctx.wake.now();
  }

  /** What was seen of another term, or another start of the server, says nothing of this one. */
  #beginTerm(term: string): void {
    if (this.#term === term) return;
    this.#term = term;
    this.#streamedAt.clear();
    this.#seen = undefined;
    this.#isConfirmed = false;
    this.#wrote = undefined;
  }

  async #step(ctx: AgentContext, mode: DurabilityMode): Promise<SyncStep['do']> {
    const { state, pg, config, clock, log } = ctx;
    const seen = await pg.synchrony({ deadlineMs: ASK_MS });
    if (seen.flushLsn === undefined || state.isStopping || ctx.jobs.running !== undefined) return 'nothing';
    this.#tellWeakened(ctx, seen);
    const required = parseRequirement(seen.setting);
    state.requirement ??= seen.setting;
    this.#confirm(seen, required, clock.now());
    const wanted = wantedRequirement(mode, this.#standbys(ctx, seen, required), required, {
      oneMs: ONE_GONE_MS,
      allMs: config.lease.ttl,
    });
    const { promised: published, revision } = this.#published(ctx);
    const isConfirmed = this.#isConfirmed;
    const step = nextSyncStep({ self: config.name, published, required, isConfirmed, wanted });
    switch (step.do) {
      case 'publish': {
        const at = await publish(ctx, step.promised, revision);
        if (at === undefined) return 'nothing';
        this.#wrote = { promised: step.promised, revision: at };
        log.info('durability-promised', { ...step.promised });
        break;
      }
      case 'require':
        await this.#require(ctx, step.requirement);
        break;
      case 'nothing':
      case 'await-standbys':
        break;
    }
    return step.do;
  }

  async #require(ctx: AgentContext, requirement: Requirement): Promise<void> {
    ctx.state.requirement = renderRequirement(requirement);
    ctx.log.info('durability-required', { names: requirement.names, acks: requirement.acks });
    await configure(ctx, 'primary', undefined);
    await ctx.pg.reload();
  }

  /** The cluster is asynchronous: nobody is waited for, nothing is promised. */
  async #end(ctx: AgentContext): Promise<void> {
    const { state, layout, pg, log } = ctx;
    this.#seen = undefined;
    if (state.requirement !== undefined) {
      state.requirement = undefined;
      await configure(ctx, 'primary', undefined);
      await pg.reload();
    }
    const { revision } = promisedIn(ctx);
    if (revision === 0) return;
    const when = [{ key: layout.sync, is: 'mod-revision', modRevision: revision }] as const;
    if (await putAsLeader(ctx, [{ op: 'delete', key: layout.sync }], when)) log.info('durability-ended', {});
  }

  /** The newer of what we wrote and what the view has. */
  #published(ctx: AgentContext): SyncKey {
    const viewed = promisedIn(ctx);
    return this.#wrote !== undefined && this.#wrote.revision > ctx.state.view.revision ? this.#wrote : viewed;
  }

  /**
   * A setting is in effect once each WAL sender counts as it says, and the checkpointer, by whose word backends wait, has
   * read it. What was flushed until then may have been acknowledged under another one, so it has to be on the standbys.
   */
  #confirm(seen: Synchrony, required: Requirement, now: number): void {
    if (this.#seen?.setting !== seen.setting) {
      this.#seen = { setting: seen.setting, at: now, lsn: undefined };
      this.#isConfirmed = false;
    }
    const isInEffect =
      now - this.#seen.at >= RELOADED_MS &&
      seen.isCheckpointerIdle &&
      seen.standbys.every(
        ({ name, isCounted, isStreaming }) =>
          isCounted === required.names.some((one) => isSameName(one, name)) || !isStreaming,
      );
    if (this.#seen.lsn === undefined && isInEffect) this.#seen = { ...this.#seen, lsn: seen.flushLsn };
    const { lsn } = this.#seen;
    if (lsn === undefined) return;
    const have = required.names.filter((name) =>
      seen.standbys.some((each) => isSameName(each.name, name) && each.flushLsn >= lsn),
    );
    if (have.length >= required.acks) this.#isConfirmed = true;
  }

  #standbys(ctx: AgentContext, seen: Synchrony, required: Requirement): readonly SyncStandby[] {
    const { state, config, clock } = ctx;
    const now = clock.now();
    const members = new Set(eligible(state.view));
    const names = new Set([...members, ...required.names]);
    names.delete(config.name);
    return Array.from(names, (name) => {
      const isStreaming =
        members.has(name) && seen.standbys.some((each) => isSameName(each.name, name) && each.isStreaming);
      const at = isStreaming ? now : (this.#streamedAt.get(name) ?? now);
      this.#streamedAt.set(name, at);
      // One that may not lead any more does not help to keep what it confirms.
      const isBarred = state.view.members.has(name) && !members.has(name);
      return { name, isStreaming, goneForMs: isBarred ? Number.POSITIVE_INFINITY : now - at };
    });
  }

  /** Told when it begins: commits of these wait for nobody, whatever the cluster promises. */
  #tellWeakened({ log }: AgentContext, { weakenedFor }: Synchrony): void {
    const text = weakenedFor.join(', ');
    if (text !== '' && text !== this.#weakened) log.warn('durability-weakened', { for: weakenedFor });
    this.#weakened = text;
  }
}

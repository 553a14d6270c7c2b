/**
 * Opens a server that was started closed to clients, as soon as ha/opening.ts says so. Run beside the loop, by the leader
 * and by standbys.
 *
 * What is closed is written before the server starts, and stays in its files until somebody opens it: `writeConfig` that is
 * not told otherwise goes on as pg_hba.conf says, and the running server says what it has read. So an agent may end between
 * any two steps. Before the start: the next one decides anew. Before the files are written: it finds a closed server, and
 * opens it by the same rule. Between the two files, or before the reload: the server is closed still, and says so; the next
 * agent opens it again by the same rule, from what was needed for the first time. No step of this closes a running server.
 */
import { rethrowBug } from '../base/index.ts';
import { nextOpening, OPEN, type Opening, parseRequirement, type Seen } from '../ha/index.ts';
import { sourceOf } from '../topology/index.ts';
import type { AgentContext } from './context.ts';
import { refreshStatus } from './look.ts';
import { durabilityModeOf, promisedIn } from './promise.ts';
import { configure } from './server-work.ts';

const ASK_MS = 500;
/** So soon at first, for standbys are back within a second; then as often as the loop turns. */
const LOOK_AGAIN_MS = 100;
const SOON_MS = 5000;
/** Told again if it lasts. */
const TELL_AGAIN_MS = 60_000;

export class OpeningKeeper {
  #opening: Opening = OPEN;
  #closedSince: number | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;

  /** One run over a running server of ours. Rejects when PostgreSQL does not answer. */
  async keep(ctx: AgentContext, role: 'primary' | 'standby'): Promise<void> {
    const seen = await this.#look(ctx, role);
    if (seen === undefined) return;
    const before = this.#opening;
    this.#opening = nextOpening(before, seen);
    switch (this.#opening.is) {
      case 'open':
        if (before.is !== 'open')
          ctx.log.info('opened-to-clients', { role, closedForMs: this.#closedForMs(ctx) });
        this.#closedSince = undefined;
        this.#toldAt = Number.NEGATIVE_INFINITY;
        return;
      case 'closed':
        this.#tellClosed(ctx, role, this.#opening.upTo);
        break;
      case 'opening':
        await this.#open(ctx, role);
        break;
    }
    if (this.#closedForMs(ctx) < SOON_MS) ctx.timers.after(LOOK_AGAIN_MS, () => ctx.wake.now());
  }

  #closedForMs({ clock }: AgentContext): number {
    this.#closedSince ??= clock.now();
    return Math.round(clock.now() - this.#closedSince);
  }

  async #look(ctx: AgentContext, role: 'primary' | 'standby'): Promise<Seen | undefined> {
    const { state, config, pg } = ctx;
    const { status, view } = state;
    // What durability the cluster has is not known before the store has been heard.
    if (view.revision === 0 || status === undefined) return undefined;
    if (status.inRecovery !== (role === 'standby')) return undefined;
    const mode = durabilityModeOf(view.config?.value);
    const about = { start: status.postmasterStartTime, isClosed: status.isClosed, mode };
    if (role === 'standby') {
      // A receiver asks for whole files of WAL: one that has more than its upstream streams too, until that has a timeline of its own.
      const source = sourceOf(view);
      const isThere =
        source.kind === 'primary' && status.timeline >= (source.member.timeline ?? view.newestTimeline);
      return { ...about, role, isStreaming: isThere && status.replicationState === 'streaming' };
    }
    const published = promisedIn(ctx).promised;
    const known = { ...about, role, self: config.name, published } as const;
    if (!status.isClosed) return { ...known, flushLsn: 0, required: parseRequirement(''), standbys: [] };
    const { flushLsn, setting, standbys } = await pg.synchrony({ deadlineMs: ASK_MS });
    if (flushLsn === undefined) return undefined;
    // What its files ask for it is to act on from the reload on that opens it.
    return { ...known, flushLsn, required: parseRequirement(state.requirement ?? setting), standbys };
  }

  /** Files, reload; seen to be in effect by the next run. */
  async #open(ctx: AgentContext, role: 'primary' | 'standby'): Promise<void> {
    const { state, pg, jobs, log } = ctx;
    const upstream = state.configured?.upstream;
    // Files of a primary that are written without what its commits wait for would release them.
    const isUnknown =
      state.configured === undefined || (role === 'primary' && !this.#isRequirementKnown(ctx));
    if (state.isStopping || jobs.running !== undefined || isUnknown) return;
    await configure(ctx, role, role === 'standby' ? upstream : undefined, { isClosed: false });
    const problems = await pg.hbaProblems({ deadlineMs: ASK_MS });
    if (problems.length > 0) {
      // The server would go on with the closed one, and say that it is open.
      log.error('pg-hba-wrong', { problems });
      await configure(ctx, role, role === 'standby' ? upstream : undefined, { isClosed: true });
      return;
    }
    await pg.reload();
    try {
      await refreshStatus(ctx);
    } catch (cause) {
      rethrowBug(cause);
      // The next look finds out.
      return;
    }
    // Routers are told at once.
    if (state.status?.isClosed === false) ctx.wake.now();
  }

  #isRequirementKnown({ state }: AgentContext): boolean {
    return (
      state.requirement !== undefined || durabilityModeOf(state.view.config?.value).is === 'asynchronous'
    );
  }

  #tellClosed({ log, clock }: AgentContext, role: string, upTo: number | undefined): void {
    if (clock.now() - this.#toldAt < TELL_AGAIN_MS) return;
    this.#toldAt = clock.now();
    log.warn('closed-to-clients', { role, upTo });
  }
}

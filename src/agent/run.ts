/**
 * The running agent: keep-alive, watch and loop over a context that is put together already, and how they end. The
 * keep-alive is the one part that it cannot be without: should that end unasked, the agent ends, and its fence guards
 * PostgreSQL. Everything outside is behind the doors of the context, so this runs in a simulation as it runs on a host.
 */
import { background, failure, pause, rethrowBug } from '../base/index.ts';
import { type ClusterView, watchCluster } from '../topology/index.ts';
import type { AgentContext } from './context.ts';
import { Duties } from './duties.ts';
import { leave } from './leave.ts';
import { adopt, loop } from './loop.ts';
import { MemberKey } from './member-key.ts';

const WATCH_AGAIN_MS = 500;

/** Runs until `signal` aborts, then ends in order. Rejects with `system-id-mismatch` or what ended the keep-alive. */
export async function runAgent(ctx: AgentContext, signal: AbortSignal): Promise<void> {
  const ending = new AbortController();
  const member = new MemberKey();
  const duties = new Duties(ctx, member);
  const unsubscribes = [ctx.pg.onExit(() => ctx.wake.now()), ctx.fence.onLost(() => ctx.wake.now())];
  // The loop ends when it is told to, and when the keep-alive has ended, for whatever reason.
  const kept = ctx.keeper.run(ending.signal).finally(() => ending.abort());
  background(ctx.log, 'keep-alive', kept);
  background(ctx.log, 'watch', watch(ctx, ending.signal));
  // Not `AbortSignal.any`: Node.js keeps such a signal, and all that listens to it, until it aborts.
  const over = new AbortController();
  const end = (): void => {
    over.abort();
    ctx.wake.now();
  };
  for (const each of [signal, ending.signal]) {
    if (each.aborted) end();
    else each.addEventListener('abort', end, { once: true });
  }
  try {
    await adopt(ctx, over.signal);
    await loop(ctx, duties, over.signal);
    if (!ending.signal.aborted) await leave(ctx, duties, member);
  } finally {
    ending.abort();
    signal.removeEventListener('abort', end);
    for (const unsubscribe of unsubscribes) unsubscribe();
    await ctx.fence.leave();
  }
  await kept;
}

/** The watch resumes by itself; should it end all the same, it is begun anew, for without it the agent is blind. */
async function watch(ctx: AgentContext, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await watchOnce(ctx, signal);
    } catch (cause) {
      rethrowBug(cause);
      ctx.log.error('watch-ended', failure(cause));
      await pause(WATCH_AGAIN_MS, signal, ctx.timers);
    }
  }
}

async function watchOnce(ctx: AgentContext, signal: AbortSignal): Promise<void> {
  const { state, dcs, layout, clock, log, config, wake } = ctx;
  await watchCluster({
    dcs,
    layout,
    clock,
    log,
    signal,
    contactEveryMs: Math.min(1000, config.lease.loop_wait),
    onView: (view) => {
      const before = state.view;
      state.view = view;
      if (view.optime !== before.optime) state.optimeSeenAt = clock.now();
      if ((view.systemId ?? '') !== '') state.knownSystemId = view.systemId;
      state.lastLeader = view.leader ?? before.leader ?? state.lastLeader;
      if (isOtherLeader(before, view)) {
        state.leadership.abort();
        state.leadership = new AbortController();
      }
      if (isNews(before, view)) wake.now();
    },
    onContact: (sentAt) => {
      state.contactAt = Math.max(state.contactAt, sentAt);
      state.contactWallAt = clock.wallNow();
    },
  });
}

const isOtherLeader = (before: ClusterView, after: ClusterView): boolean =>
  before.leader !== after.leader || before.leaderCreateRevision !== after.leaderCreateRevision;

/** Changes that may change a decision; positions, which change all the time, do not. */
function isNews(before: ClusterView, after: ClusterView): boolean {
  const was = before.members.get(before.leader ?? '');
  const is = after.members.get(after.leader ?? '');
  return (
    before.revision === 0 ||
    isOtherLeader(before, after) ||
    was?.state !== is?.state ||
    was?.role !== is?.role ||
    before.systemId !== after.systemId ||
    before.failover?.modRevision !== after.failover?.modRevision ||
    before.config?.modRevision !== after.config?.modRevision ||
    before.members.size !== after.members.size
  );
}

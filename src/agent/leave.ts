/** The orderly end: nothing new begins, PostgreSQL stops, leadership goes to who has everything, the member key says so. */
import { failure, rethrowBug, withDeadline } from '../base/index.ts';
import { isPaused } from '../topology/index.ts';
import type { AgentContext } from './context.ts';
import type { Duties } from './duties.ts';
import { leaveInOrder } from './hand-over.ts';
import type { MemberKey } from './member-key.ts';

const IDLE_MS = 3000;
const LEAVE_MS = 20_000;

/** Never rejects: what could not be done in order is logged, and left to the fence and the end of the lease. */
export async function leave(
  ctx: AgentContext,
  duties: Pick<Duties, 'idle'>,
  member: Pick<MemberKey, 'publish'>,
  idleMs = IDLE_MS,
): Promise<void> {
  const { log, jobs, state } = ctx;
  log.info('agent-leaving', {});
  state.isStopping = true;
  jobs.abandon('the agent ends');
  // What hangs on a slow store or server is not waited for: PostgreSQL stops all the same.
  await tried(ctx, 'the end of housekeeping', idleMs, async () => {
    await Promise.all([duties.idle(), jobs.idle()]);
  });
  await tried(ctx, 'the orderly end', LEAVE_MS, async () => {
    // In a pause PostgreSQL stays. A primary's key and fence live as long as the lease, within which an agent must be back.
    if (isPaused(state.view)) log.warn('postgres-left-running', { because: 'the cluster is paused' });
    else await leaveInOrder(ctx);
    await member.publish(ctx);
  });
}

async function tried(ctx: AgentContext, what: string, ms: number, work: () => Promise<void>): Promise<void> {
  try {
    await withDeadline(work(), ms, what, ctx.timers);
  } catch (cause) {
    rethrowBug(cause);
    ctx.log.error('agent-left-in-disorder', { what, ...failure(cause) });
  }
}
